package Load::Probe;
# Asks each role for /livez all the time, and tells a slow role from a machine that stood still.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

use Chaos::Stack;

use constant { EVERY => 0.05, TICK => 0.005, STALL => 0.03, GIVE_UP => 5 };
my $REQUEST = "GET /livez HTTP/1.1\r\nHost: taskflow\r\n\r\n";

# waited PID: for a processor since it was born, in ms, by what the kernel says.
sub waited { my ($pid) = @_; return ((split ' ', Chaos::Stack::slurp("/proc/$pid/schedstat") // '')[1] // 0) / 1e6 }

sub ask {
    my ($p) = @_;
    $p->{socket} //= IO::Socket::INET->new(PeerAddr => "127.0.0.1:$p->{port}", Timeout => 2) // return;
    @$p{qw(text waited asked)} = ('', waited($p->{pid}), time);
    $p->{next} = $p->{asked} + EVERY;
    defined syswrite($p->{socket}, $REQUEST) or delete $p->{socket};
    return;
}

# note PROBE ANSWER OUT: how long it took, and how long of this the role was ready to run and did not.
sub note {
    my ($p, $what, $out) = @_;
    my $asked = delete $p->{asked};
    my $now = time;
    syswrite $out, sprintf "%.4f %s %s %.2f %.2f\n", $asked, $p->{name}, $what, 1000 * ($now - $asked),
        waited($p->{pid}) - $p->{waited};
    delete $p->{socket} if $what ne '200';
    return;
}

sub heard {
    my ($p, $out) = @_;
    my $n = sysread $p->{socket}, $p->{text}, 4096, length $p->{text};
    if (!$n) { note($p, 'cut', $out); return }
    my ($status, $length) = $p->{text} =~ m{^HTTP/1\.1 (\d+).*?^Content-Length: (\d+)\r\n.*?\r\n\r\n}msi or return;
    my $head = index($p->{text}, "\r\n\r\n") + 4;
    note($p, $status, $out) if length $p->{text} >= $head + $length;
    return;
}

# turn PROBES OUT: asks who is due, hears who answers, gives up on who is silent.
sub turn {
    my ($probes, $out) = @_;
    for my $p (@$probes) {
        if (defined $p->{asked}) { note($p, 'silent', $out) if time - $p->{asked} > GIVE_UP }
        elsif (time >= $p->{next}) {
            ask($p);
            if (!$p->{socket}) { @$p{qw(asked waited next)} = (time, 0, time + 1); note($p, 'refused', $out) }
        }
    }
    my %by = map { fileno($_->{socket}) => $_ } grep { defined $_->{asked} } @$probes;
    my $due = time + EVERY;
    for my $p (@$probes) { $due = $p->{next} if !defined $p->{asked} && $p->{next} < $due }
    my $left = $due - time;
    my $select = IO::Select->new(map { $_->{socket} } values %by);
    heard($by{ fileno $_ }, $out) for $select->can_read($left > 0 ? $left : 0);
    return;
}

# run STAGE FILE STOP: a line "time name status ms waited-ms" each, until the file STOP is there.
sub run {
    my ($stage, $file, $stop) = @_;
    local $SIG{PIPE} = 'IGNORE';
    open(my $out, '>', $file) or die "$file: $!\n";
    my (%known, $looked);
    until (-e $stop) {
        if (!$looked || time - $looked > 1) {
            $looked = time;
            for my $name ($stage->roles) {
                next if $known{$name} || !$stage->{stack}->pid($name) || !-e "$stage->{work}/ready-$name";
                $known{$name} = { name => $name, port => $stage->{stack}->port($name), next => time,
                    pid => $stage->{stack}->pid($name) };
            }
        }
        turn([values %known], $out);
    }
    return;
}

# watch FILE STOP: a process that only sleeps. If it wakes up late, the machine had no processor for anybody.
sub watch {
    my ($file, $stop) = @_;
    open(my $out, '>', $file) or die "$file: $!\n";
    until (-e $stop) {
        my $before = time;
        sleep TICK;
        my $late = time - $before - TICK;
        syswrite $out, sprintf "%.4f %.4f\n", $before, $before + TICK + $late if $late >= STALL;
    }
    return;
}

# stalls FILE: list of [from, to].
sub stalls {
    my ($file) = @_;
    open(my $in, '<', $file) or die "$file: $!\n";
    return map { [split] } readline $in;
}

# stalled FROM TO STALLS: how many ms of this the whole machine stood still.
sub stalled {
    my ($from, $to, @stalls) = @_;
    my $sum = 0;
    for my $s (@stalls) {
        my $begin = $from > $s->[0] ? $from : $s->[0];
        my $end   = $to < $s->[1]   ? $to   : $s->[1];
        $sum += 1000 * ($end - $begin) if $end > $begin;
    }
    return $sum;
}

# read_all FILE STALL_FILE: name -> list of { at, status, ms, waited, stalled }.
sub read_all {
    my ($file, $stall_file) = @_;
    my @stalls = stalls($stall_file);
    my %of;
    open(my $in, '<', $file) or die "$file: $!\n";
    while (my $line = readline $in) {
        my %one;
        (@one{qw(at name status ms waited)}) = split ' ', $line;
        $one{stalled} = $one{ms} > 50 ? stalled($one{at}, $one{at} + $one{ms} / 1000, @stalls) : 0;
        push @{ $of{ $one{name} } }, \%one;
    }
    return %of;
}

1;
