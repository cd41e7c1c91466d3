package Load::Stage;
# A private stack for a load test: it, its children and its folder end with the test, however that ends.
use strict;
use warnings;
use Cwd 'abs_path';
use File::Basename 'dirname';
use File::Temp ();
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep time);

use Chaos::Client;
use Chaos::Stack;

our $HERE = abs_path(dirname(abs_path(__FILE__)) . '/..');
my $main = $$;
my ($only, $interrupted);
$ENV{LC_ALL} = 'C';
delete @ENV{ grep { /_proxy$/i } keys %ENV };

for my $signal (qw(INT TERM HUP)) {
    $SIG{$signal} = sub { $interrupted = 1; die "load: interrupted by SIG$signal\n" };
}

END {
    if ($$ == $main && $only) {
        my $code = $interrupted ? 130 : $?;
        local @SIG{qw(INT TERM HUP PIPE ALRM)} = ('IGNORE') x 5;
        $only->close_down($code);
        $? = $code;
    }
}

sub say_ { print "load: @_\n"; return }

sub new {
    my ($class, $name) = @_;
    $| = 1;
    my $work = File::Temp->newdir("taskflow-$name.XXXXXX", TMPDIR => 1);
    chmod 0755, "$work";
    my $bin = abs_path($ENV{TASKFLOW_BIN} || "$Chaos::Stack::TOP/build/taskflowd");
    -x $bin or die "TASKFLOW_BIN=$bin is no program; run make first\n";
    system('cp', "$HERE/handler", "$work/handler") == 0 or die "cannot copy the handler\n";
    return $only = bless { work => $work, bin => $bin, conf => "$work/load.conf", children => {},
        stack => Chaos::Stack->new("$work/stack", "$work/stack.log") }, $class;
}

sub close_down {
    my ($self, $code) = @_;
    for my $pid (keys %{ $self->{children} }) { kill 'KILL', -$pid; waitpid $pid, 0 }
    my $stack = $self->{stack};
    if ($stack->{up}) {
        $stack->signal('postgres', 'CONT');
        $stack->down or say_('the stack could not be stopped');
    }
    return if !$ENV{KEEP} && (!$code || $interrupted);
    $self->{work}->unlink_on_destroy(0);
    say_("everything is kept in $self->{work}");
    return;
}

# configure SETTINGS HANDLERS: what taskflowd reads; handlers are name => [kind, seconds a task, at once].
sub configure {
    my ($self, $set, $handlers) = @_;
    open(my $conf, '>', $self->{conf}) or die "$self->{conf}: $!\n";
    print $conf "$_ = $set->{$_}\n" for sort keys %$set;
    for my $name (sort keys %$handlers) {
        my ($kind, $seconds, $slots) = @{ $handlers->{$name} };
        print $conf "[handler $name]\nkind = $kind\nconcurrency = $slots\n",
            qq(command = /usr/bin/perl "$self->{work}/handler" $kind $seconds\n);
    }
    close($conf) or die "$self->{conf}: $!\n";
    return;
}

sub up {
    my ($self, $roles) = @_;
    $self->{stack}->up($self->{conf}, $self->{bin}, $roles) or die "the stack does not start:\n"
        . Chaos::Stack::slurp("$self->{work}/stack.log");
    return;
}

sub roles { my ($self) = @_; return grep { /-\d+$/ && !/^redis/ } $self->{stack}->parts }
sub start { my ($self, $name) = @_; return $self->{stack}->start($name) || die "$name does not start\n" }
sub ports { my ($self, @names) = @_; return map { $self->{stack}->port($_) } @names }
sub token { my ($self, @ports) = @_; return Chaos::Client::log_in(\@ports, 1)->{token} }

# ---- Children ---------------------------------------------------------------------------------------

# spawn WHAT: each child is the leader of a group, so that what it started ends with it.
sub spawn {
    my ($self, $what) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setpgrp;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        eval { $what->(); 1 } or print STDERR "load: $@";
        POSIX::_exit($@ ? 1 : 0);
    }
    $self->{children}{$pid} = 1;
    return $pid;
}

# wait_for SECONDS PID...: dies if one takes longer or fails.
sub wait_for {
    my ($self, $seconds, @pids) = @_;
    my $deadline = time + $seconds;
    for my $pid (@pids) {
        until (waitpid($pid, POSIX::WNOHANG()) != 0) {
            time < $deadline or die "a child of the test does not end\n";
            sleep 0.05;
        }
        delete $self->{children}{$pid};
        $? == 0 or die "a child of the test failed\n";
    }
    return;
}

sub touch { my ($path) = @_; open(my $f, '>', $path) or die "$path: $!\n"; return }

# ---- The load generator -----------------------------------------------------------------------------

# generator: the program; LOAD_GEN names another one, and if that is none there is no generator.
sub generator {
    my ($self) = @_;
    return $ENV{LOAD_GEN} if $ENV{LOAD_GEN};
    my @sources = glob "$Chaos::Stack::TOP/test/bench/*.c" or die "there is no load generator in test/bench\n";
    my $program = "$self->{work}/load";
    system('cc', qw(-O2 -g -std=gnu11 -D_GNU_SOURCE -o), $program, @sources, '-levent') == 0
        or die "the load generator does not build\n";
    return $program;
}

# submit NAME PORTS OPTIONS: begins; what it prints goes to a file.
sub submit {
    my ($self, $name, $ports, %o) = @_;
    my @words = map { ("--$_", $o{$_}) } sort keys %o;
    my $url = join ',', map { "http://127.0.0.1:$_" } @$ports;
    $self->{generator} //= $self->generator;
    my $pid = $self->spawn(sub {
        open STDOUT, '>', "$self->{work}/$name.json" or die "$name: $!\n";
        exec $self->{generator}, 'submit', '--url', $url, @words or die "$self->{generator}: $!\n";
    });
    return { name => $name, pid => $pid };
}

# submitted LOAD SECONDS: what it says when it has ended.
sub submitted {
    my ($self, $load, $seconds) = @_;
    $self->wait_for($seconds, $load->{pid});
    my $got = decode_json(Chaos::Stack::slurp("$self->{work}/$load->{name}.json"));
    my $status = join ' ', map { "$_: $got->{status}{$_}" } sort keys %{ $got->{status} };
    say_(sprintf '%s: %d sent in %.1f s (%.0f/s), answers %s; errors %d; p50 %.1f p99 %.1f max %.1f ms',
        $load->{name}, @$got{qw(sent seconds rate)}, $status || 'none', $got->{errors},
        map { $got->{$_} / 1000 } qw(p50_us p99_us max_us));
    return $got;
}

# ---- PostgreSQL -------------------------------------------------------------------------------------

# sql QUERY: its rows, each a list of fields.
sub sql {
    my ($self, $query) = @_;
    my $stack = $self->{stack};
    local ($ENV{PGPASSWORD}) = (Chaos::Stack::slurp("$stack->{dir}/etc/taskflow.password") // '') =~ /(\S+)/;
    local $ENV{PGOPTIONS} = '-c statement_timeout=60s';
    open(my $psql, '-|', 'timeout', '70', 'psql', '-XqtA', '-h', '127.0.0.1', '-p', $stack->port('postgres'),
        '-U', 'taskflow', '-d', 'taskflow', '-c', $query) or die "psql: $!\n";
    my @rows = map { chomp; [split /\|/] } readline $psql;
    close($psql) or die "psql failed: $query\n";
    return @rows;
}

# tasks: "queue status" -> how many.
sub tasks {
    my ($self) = @_;
    my @names = qw(- PENDING QUEUED IN_PROGRESS RETRYING COMPLETED FAILED CANCELLED);
    return map { ("$_->[0] $names[$_->[1]]" => $_->[2]) }
        $self->sql('SELECT queue, status, count(*) FROM taskflow.tasks GROUP BY 1, 2');
}

# drain SECONDS: until every task is final; how long it took, or undef.
sub drain {
    my ($self, $seconds) = @_;
    my $began = time;
    while (time - $began < $seconds) {
        my %tasks = $self->tasks;
        return time - $began if !grep { / (?:PENDING|QUEUED|IN_PROGRESS|RETRYING)$/ } keys %tasks;
        sleep 2;
    }
    return;
}

# lists_left SECONDS: the lists of Redis that are not empty after some time.
sub lists_left {
    my ($self, $seconds) = @_;
    my $deadline = time + $seconds;
    my %left;
    do {
        sleep 0.3 if %left;
        %left = $self->{stack}->lists;
        delete @left{ grep { !$left{$_} } keys %left };
    } while (%left && time < $deadline);
    return map { "$_: $left{$_}" } sort keys %left;
}

1;
