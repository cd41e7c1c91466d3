package Budget::Strace;
# System calls of a process, counted by strace.
use strict;
use warnings;
use Time::HiRes 'sleep';

use Chaos::Stack;

# count FILE PID WHAT: calls what; the system calls of the process meanwhile, as a list of [count, name], the most first.
sub count {
    my ($file, $pid, $what) = @_;
    unlink "$file.said";
    my $strace = fork // die "fork: $!\n";
    if (!$strace) {
        open STDERR, '>', "$file.said" or die "$file.said: $!\n";
        exec 'strace', '-c', '-f', '-o', $file, '-p', $pid or die "strace: $!\n";
    }
    until ((Chaos::Stack::slurp("$file.said") // '') =~ /attached/) {
        sleep 0.02;
        waitpid($strace, 1) == 0 or die 'strace: ' . Chaos::Stack::slurp("$file.said");
    }
    my $good = eval { $what->(); 1 };
    kill 'INT', $strace;
    waitpid $strace, 0;
    die $@ if !$good;
    return grep { $_->[1] ne 'total' }
        map { /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/ ? [$1, $2] : () } split /\n/, Chaos::Stack::slurp($file);
}

1;
