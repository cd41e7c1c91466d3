package Chaos::Stack;
# The stack that is tormented: its parts by name, its ports and pids, and short ways into its servers.
use strict;
use warnings;
use Cwd 'abs_path';
use File::Basename 'dirname';
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);

our $TOP = abs_path(dirname(abs_path(__FILE__)) . '/../../..');
my $STACK = "$TOP/deploy/local/stack";

sub new {
    my ($class, $dir, $log) = @_;
    return bless { dir => $dir, log => $log }, $class;
}

# tool WORD...: what deploy/local/stack says goes to our log; true if it succeeded.
sub tool {
    my ($self, @words) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', $self->{log};
        open STDERR, '>&', \*STDOUT;
        exec $STACK, @words or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return $? == 0;
}

sub up {
    my ($self, $conf, $bin, $roles) = @_;
    $self->{up} = 1;
    return $self->tool('up', '--dir', $self->{dir}, '--conf', $conf, '--bin', $bin, '--roles', $roles);
}

sub down  { my ($self) = @_; $self->{up} = 0; return $self->tool('down', '--dir', $self->{dir}) }
sub start { my ($self, $name, @more) = @_; return $self->tool('start', '--dir', $self->{dir}, $name, @more) }
sub stop  { my ($self, $name, @sig) = @_; return $self->tool('stop', '--dir', $self->{dir}, $name, @sig) }

sub slurp { my ($path) = @_; open my $f, '<', $path or return; local $/; return readline $f }

sub port {
    my ($self, $name) = @_;
    return (slurp("$self->{dir}/ports") // '') =~ /^\Q$name\E (\d+)$/m ? $1 : undef;
}

sub pid {
    my ($self, $name) = @_;
    my $pid = slurp("$self->{dir}/run/$name.pid") // return;
    return $pid =~ /^(\d+)$/ ? $1 : undef;
}

# state NAME: as ps shows it; '' if it does not run.
sub state {
    my ($self, $name) = @_;
    my $pid = $self->pid($name) // return '';
    my $stat = slurp("/proc/$pid/stat") // return '';
    return $stat =~ /\) ([^ZX]) / ? $1 : '';
}

sub parts {
    my ($self) = @_;
    return (slurp("$self->{dir}/ports") // '') =~ /^(\S+) \d+$/mg;
}

# signal NAME SIGNAL: to the process itself; of postgres to all of its processes (their working folder is known).
sub signal {
    my ($self, $name, $signal) = @_;
    my $pid = $self->pid($name) // return 0;
    return kill $signal, $pid if $name ne 'postgres';
    my ($dev, $ino) = stat "$self->{dir}/pg" or return 0;
    my @pids = grep {
        my ($d, $i) = stat "/proc/$_/cwd";
        defined $i && $d == $dev && $i == $ino && (slurp("/proc/$_/comm") // '') eq "postgres\n";
    } map { m{/proc/(\d+)} } glob '/proc/[0-9]*';
    return kill $signal, $pid, grep { $_ != $pid } @pids;
}

# ---- Redis ----------------------------------------------------------------------------------------

sub reply {
    my ($s) = @_;
    my $line = readline($s) // die "redis: no answer\n";
    $line =~ s/\r\n//;
    my ($kind, $rest) = $line =~ /^(.)(.*)/;
    die "redis: $rest\n" if $kind eq '-';
    return $rest if $kind eq '+' || $kind eq ':';
    return if $rest < 0;
    return [map { reply($s) } 1 .. $rest] if $kind eq '*';
    (read($s, my $text, $rest + 2) // 0) == $rest + 2 or die "redis: cut off\n";
    return substr $text, 0, $rest;
}

# redis NAME COMMAND...: the reply of each command (a list of words); dies if it cannot be had within 5 s.
sub redis {
    my ($self, $name, @commands) = @_;
    my ($password) = (slurp("$self->{dir}/etc/redis.password") // '') =~ /(\S+)/;
    local $SIG{ALRM} = sub { die "redis: time is over\n" };
    my @replies = eval {
        alarm 5;
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . $self->port($name)) or die "redis: $!\n";
        my @got = map {
            my @words = @$_;
            print $s join '', '*' . @words . "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @words;
            $s->flush;
            reply($s);
        } [AUTH => $password], @commands;
        shift @got;
        @got;
    };
    my $problem = $@;
    alarm 0;
    die $problem if $problem;
    return @replies;
}

# lists: name -> length of every list that must be empty when all is done.
sub lists {
    my ($self) = @_;
    my %length;
    for my $server (qw(redis-high redis-low)) {
        for my $pattern (qw(taskflow:queue:* taskflow:processing:*)) {
            my ($keys) = $self->redis($server, [KEYS => $pattern]);
            ($length{"$server $_"}) = $self->redis($server, [LLEN => $_]) for @$keys;
        }
    }
    return %length;
}

# ---- PostgreSQL -----------------------------------------------------------------------------------

# psql USER STATEMENT: past PgBouncer; true if it succeeded.
sub psql {
    my ($self, $user, $statement) = @_;
    my ($password) = (slurp("$self->{dir}/etc/$user.password") // '') =~ /(\S+)/;
    local $ENV{PGPASSWORD} = $password;
    local $ENV{PGCONNECT_TIMEOUT} = 2;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', $self->{log};
        open STDERR, '>&', \*STDOUT;
        exec 'timeout', '8', 'psql', '-XqtA', '-h', '127.0.0.1', '-p', $self->port('postgres'), '-U', $user, '-d',
            'taskflow', '-c', $statement or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return $? == 0;
}

# cut_postgres: ends all sessions of taskflow.
sub cut_postgres {
    my ($self) = @_;
    return $self->psql('taskflow', 'SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity '
        . 'WHERE usename = current_user AND pid <> pg_backend_pid()');
}

# switch_wal: to a new file of the write-ahead log.
sub switch_wal { my ($self) = @_; return $self->psql('postgres', "SELECT pg_logical_emit_message(true, '', ''), pg_switch_wal()") }

1;
