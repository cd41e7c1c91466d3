package Chaos::Faults;
# The faults: each kind says which parts it needs, what it does to them, and how they are healed. A fault runs in a
# process of its own, so that several overlap; everything about it is drawn beforehand, from the seed.
use strict;
use warnings;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep time);

use constant AT_ONCE => 5;    # faults
my $json = JSON::PP->new->utf8->canonical;
my @DAEMONS = map { my $r = $_; map { "$r-$_" } 1 .. { api => 2, manager => 2, worker => 3 }->{$r} } qw(api manager worker);
my @SERVERS = qw(postgres pgbouncer redis-high redis-low);

sub pick { return $_[rand @_] }

sub of_role { my ($role) = @_; return grep { /^$role-/ } @DAEMONS }

# kind => [weight, which parts, how long it is held, what is done, how it is healed]. What is done gets the stack,
# and the fault: parts, hold.
my %KIND = (
    'kill-worker'   => [5, sub { pick(of_role('worker')) },  sub { rand 4 }, \&kill_, \&start_],
    'kill-api'      => [2, sub { pick(of_role('api')) },     sub { rand 4 }, \&kill_, \&start_],
    'kill-manager'  => [2, sub { pick(of_role('manager')) }, sub { rand 6 }, \&kill_, \&start_],
    'stop-worker'   => [5, sub { pick(of_role('worker')) },  sub { pick(0.5 + rand 2, 4 + rand 4) }, \&stop_, \&cont_],
    'stop-api'      => [1, sub { pick(of_role('api')) },     sub { pick(0.5 + rand 2, 4 + rand 4) }, \&stop_, \&cont_],
    'stop-manager'  => [2, sub { pick(of_role('manager')) }, sub { pick(0.5 + rand 2, 4 + rand 4) }, \&stop_, \&cont_],
    'kill-postgres' => [1, sub { 'postgres' },               sub { rand 4 },     \&kill_, \&start_],
    'kill-pgbouncer'  => [1, sub { 'pgbouncer' },            sub { rand 4 },     \&kill_, \&start_],
    'kill-redis-high' => [1, sub { 'redis-high' },           sub { rand 4 },     \&kill_, \&start_],
    'kill-redis-low'  => [1, sub { 'redis-low' },            sub { rand 4 },     \&kill_, \&start_],
    'stop-server'   => [2, sub { pick(@SERVERS) },           sub { 0.5 + rand 5 }, \&stop_, \&cont_],
    'flush'         => [2, sub { pick(['redis-high'], ['redis-low'], ['redis-high', 'redis-low']) }, sub { 0.5 }, \&flush, sub { }],
    'oom-redis'     => [1, sub { pick('redis-high', 'redis-low') }, sub { 1 + rand 4 }, \&config, \&config_back],
    'readonly-redis' => [1, sub { pick('redis-high', 'redis-low') }, sub { 1 + rand 4 }, \&config, \&config_back],
    'disk-full'     => [1, sub { 'postgres' },               sub { 1 + rand 3 }, \&fill_, \&empty_],
    'clock-step'    => [2, sub { pick(@DAEMONS) },           sub { 1 + rand 5 }, \&step_, \&step_back],
    'cut-postgres'  => [2, sub { 'postgres' },               sub { 0 }, sub { $_[0]->cut_postgres }, sub { }],
    'roll-worker'   => [1, sub { [of_role('worker')] },      sub { 0 }, \&roll, sub { }],
    'roll-api'      => [1, sub { [of_role('api')] },         sub { 0 }, \&roll, sub { }],
    'roll-manager'  => [1, sub { [of_role('manager')] },     sub { 0 }, \&roll, sub { }],
    (map { ("net-$_" => [1, sub { pick(qw(pgbouncer redis-high redis-low)) }, sub { 0.5 + rand 5 }, \&net, \&net_back]) }
        qw(cut freeze deaf slow)),
    'scale'         => [1, sub { [map { "worker-$_" } 2 .. 6] }, sub { 2 + rand 4 }, \&scale, \&scale_back],
);

sub kinds { return sort keys %KIND }

# ---- What is done -----------------------------------------------------------------------------------

sub kill_ { my ($stack, $f) = @_; return $stack->stop($f->{parts}[0], 'KILL') }

# start_: as a supervisor would, again and again.
sub start_ {
    my ($stack, $f) = @_;
    for my $name (@{ $f->{parts} }) {
        for my $try (1 .. 20) {
            last if $stack->state($name) || $stack->start($name, '--no-wait');
            sleep 0.5;
        }
    }
    return;
}

sub stop_ { my ($stack, $f) = @_; return $stack->signal($f->{parts}[0], 'STOP') }
sub cont_ { my ($stack, $f) = @_; return $stack->signal($f->{parts}[0], 'CONT') }

sub flush {
    my ($stack, $f) = @_;
    for my $name (@{ $f->{parts} }) { eval { $stack->redis($name, ['FLUSHALL']) } or $f->{problem} = $@ }
    return;
}

my %CONFIG = ('oom-redis' => [maxmemory => 1], 'readonly-redis' => ['min-replicas-to-write' => 1]);

sub config {
    my ($stack, $f) = @_;
    my ($name, $value) = @{ $CONFIG{ $f->{kind} } };
    eval {
        my ($old) = $stack->redis($f->{parts}[0], [CONFIG => GET => $name]);
        $f->{old} = $old->[1];
        # Redis derives from maxmemory how much memory clients may have, and would soon let nobody in who could end this.
        $stack->redis($f->{parts}[0], [CONFIG => SET => 'maxmemory-clients', '16mb'], [CONFIG => SET => $name, $value]);
    } or $f->{problem} = $@;
    return;
}

sub config_back {
    my ($stack, $f) = @_;
    return if !defined $f->{old};
    my $name = $CONFIG{ $f->{kind} }[0];
    for my $try (1 .. 20) {
        last if eval { $stack->redis($f->{parts}[0], [CONFIG => SET => $name, $f->{old}]); 1 };
        sleep 0.5;
    }
    return;
}

# set_clock: how far the wall clock of this process is off; its monotonic one is not.
sub set_clock {
    my ($stack, $name, $offset) = @_;
    my $path = "$stack->{clocks}/" . ($stack->pid($name) // return);
    open(my $out, '>', "$path.new") or die "$path.new: $!\n";
    print $out "$offset\n";
    close($out) && rename("$path.new", $path) or die "$path: $!\n";
    return;
}

# Drawn beforehand, like all else: one to three is left, and hold says the direction.
sub step_ {
    my ($stack, $f) = @_;
    my $seconds = (2, 20, 120)[$f->{left} - 1];
    $f->{offset} = ($f->{hold} * 1000 % 2 ? '+' : '-') . "${seconds}s";
    return set_clock($stack, $f->{parts}[0], $f->{offset});
}

sub step_back { my ($stack, $f) = @_; return set_clock($stack, $f->{parts}[0], '+0s') }

# fill_: nothing more can be written where the write-ahead log is; PostgreSQL ends in a panic as soon as it must.
sub fill_ {
    my ($stack, $f) = @_;
    open(my $out, '>', "$stack->{disk}/ballast") or die "$stack->{disk}/ballast: $!\n";
    my $piece = "\0" x 65536;
    1 while syswrite $out, $piece;
    for (1 .. 40) { last if !$stack->switch_wal }    # files that are there already can still be written
    return;
}

sub empty_ {
    my ($stack, $f) = @_;
    unlink "$stack->{disk}/ballast" or die "$stack->{disk}/ballast: $!\n";
    return start_($stack, $f);
}

# net: the way to the server does as proxies do, for all connections or for half of them.
sub net {
    my ($stack, $f) = @_;
    my $path = "$stack->{net}-$f->{parts}[0]";
    open(my $out, '>', "$path.new") or die "$path.new: $!\n";
    print $out substr($f->{kind}, 4), $f->{left} > 1 ? " 1\n" : " 0.5\n";
    close($out) && rename("$path.new", $path) or die "$path: $!\n";
    return;
}

sub net_back { my ($stack, $f) = @_; return unlink "$stack->{net}-$f->{parts}[0]" }

# roll: one after the other, as a deployment does it.
sub roll {
    my ($stack, $f) = @_;
    for my $name (@{ $f->{parts} }) {
        $stack->stop($name, 'TERM');
        start_($stack, { parts => [$name] });
    }
    return;
}

sub scale {
    my ($stack, $f) = @_;
    start_($stack, { parts => [map { "worker-$_" } 4 .. 6] });
    return;
}

# scale_back: to $f->{left} workers for a moment, then to three.
sub scale_back {
    my ($stack, $f) = @_;
    $stack->stop($_, 'TERM') for map { "worker-$_" } $f->{left} + 1 .. 6;
    sleep $f->{hold} / 2;
    start_($stack, { parts => [map { "worker-$_" } 2 .. 3] });
    return;
}

# ---- Drawing and running ----------------------------------------------------------------------------

# forbid KIND: it cannot be done here.
sub forbid { my ($kind) = @_; delete $KIND{$kind}; return }

# choose KINDS: those that were named; dies if one is none.
sub choose {
    my ($names) = @_;
    return if $names eq 'none';
    return sort keys %KIND if $names eq 'all';
    for (split /,/, $names) { exists $KIND{$_} or die "FAULTS: '$_' is no kind; allowed: all, none, @{[kinds()]}\n" }
    return split /,/, $names;
}

sub draw {
    my (@kinds) = @_;
    my @bag = map { ($_) x $KIND{$_}[0] } @kinds;
    my $kind  = pick(@bag);
    my $parts = $KIND{$kind}[1]->();
    return { kind => $kind, parts => ref $parts ? $parts : [$parts], hold => $KIND{$kind}[2]->(), left => 1 + int rand 3 };
}

sub pids {
    my ($stack, @parts) = @_;
    return map { $stack->pid($_) // () } @parts;
}

# suffer STACK FAULT FILE: begins it, waits, heals it, and writes down what happened, once before and once after.
sub suffer {
    my ($stack, $f, $file) = @_;
    my $do = $KIND{ $f->{kind} };
    open(my $out, '>>', $file) or die "$file: $!\n";
    $f->{pids}  = [pids($stack, @{ $f->{parts} })];
    $f->{began} = time;
    syswrite $out, $json->encode($f) . "\n";
    $do->[3]->($stack, $f);
    push @{ $f->{pids} }, pids($stack, @{ $f->{parts} });
    sleep $f->{hold};
    $do->[4]->($stack, $f);
    my %seen = map { $_ => 1 } @{ $f->{pids} }, pids($stack, @{ $f->{parts} });
    $f->{pids}  = [map { $_ + 0 } sort keys %seen];
    $f->{ended} = time;
    syswrite $out, $json->encode($f) . "\n";
    return;
}

# reap BUSY: forgets the faults that are over.
sub reap {
    my ($busy) = @_;
    while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
        delete @$busy{ grep { $busy->{$_} == $pid } keys %$busy };
    }
    return;
}

# look_after STACK BUSY FILE: a daemon that ended although nobody ended it is on record, and started again.
sub look_after {
    my ($stack, $busy, $file) = @_;
    for my $name (@DAEMONS) {
        next if $busy->{$name} || $stack->state($name) ne '';
        open(my $out, '>>', $file) or die "$file: $!\n";
        my $now = time;
        syswrite $out, $json->encode({ kind => 'died', id => "died-$name-$now", parts => [$name],
            pids => [pids($stack, $name)], began => $now, ended => $now }) . "\n";
        start_($stack, { parts => [$name] });
    }
    return;
}

# torment STACK FILE KINDS SEED STOP: until the file STOP is there; ends when all is healed. Does not return before.
sub torment {
    my ($stack, $file, $kinds, $seed, $stop) = @_;
    srand $seed;
    my (%busy, $count, $looked);
    my $next = time + 2;
    until (-e $stop) {
        reap(\%busy);
        look_after($stack, \%busy, $file);
        if (@$kinds && time >= $next) {
            $next = time + 0.2 - 1.1 * log(1 - rand);
            my %running = map { $_ => 1 } values %busy;
            my $f;
            for my $try (1 .. 5) {    # so that a part that is busy does not mean a pause
                $f = draw(@$kinds);
                last if !grep { $busy{$_} } @{ $f->{parts} };
            }
            if (keys %running < AT_ONCE && !grep { $busy{$_} } @{ $f->{parts} }) {
                $f->{id} = ++$count;
                my $pid = fork // die "fork: $!\n";
                if (!$pid) { eval { suffer($stack, $f, $file); 1 } or warn $@; POSIX::_exit(0) }
                $busy{$_} = $pid for @{ $f->{parts} };
            }
        }
        sleep 0.1;
    }
    1 while waitpid(-1, 0) > 0;
    return;
}

# watch FILE STOP: a machine that stands still for a moment is a fault, too: of every part.
sub watch {
    my ($file, $stop) = @_;
    open(my $out, '>>', $file) or die "$file: $!\n";
    until (-e $stop) {
        my $before = time;
        sleep 0.1;
        next if time - $before < 0.8;
        syswrite $out, $json->encode({ kind => 'stall', id => "stall-$before", parts => [], pids => [],
            began => $before, ended => time }) . "\n";
    }
    return;
}

1;
