package Load::Sample;
# Resident memory and open files of the roles, by the clock.
use strict;
use warnings;
use Time::HiRes qw(sleep time);

use Chaos::Stack;

# of PID: resident memory and its peak in KiB, and open files; nothing if it has gone.
sub of {
    my ($pid) = @_;
    my $status = Chaos::Stack::slurp("/proc/$pid/status") // return;
    my ($rss) = $status =~ /^VmRSS:\s+(\d+)/m or return;
    my ($peak) = $status =~ /^VmHWM:\s+(\d+)/m;
    opendir(my $dir, "/proc/$pid/fd") or return;
    my $fds = grep { /^\d/ } readdir $dir;
    return ($rss, $peak, $fds);
}

# run STAGE EVERY FILE STOP: a line "time name pid rss peak fds" each, until the file STOP is there.
sub run {
    my ($stage, $every, $file, $stop) = @_;
    open(my $out, '>', $file) or die "$file: $!\n";
    for (my $next = time; !-e $stop; $next += $every) {
        for my $name ($stage->roles) {
            my $pid = $stage->{stack}->pid($name) // next;
            my @now = of($pid) or next;
            syswrite $out, sprintf "%.3f %s\n", time, join ' ', $name, $pid, @now;
        }
        my $left = $next + $every - time;
        sleep $left if $left > 0;
    }
    return;
}

# read_all FILE: name -> list of { at, pid, rss, peak, fds }.
sub read_all {
    my ($file) = @_;
    my %of;
    open(my $in, '<', $file) or die "$file: $!\n";
    while (my $line = readline $in) {
        my %one;
        (@one{qw(at name pid rss peak fds)}) = split ' ', $line;
        push @{ $of{ $one{name} } }, \%one;
    }
    return %of;
}

1;
