package Chaos::Phase;
# Two short phases after a campaign: one worker that does one task at a time must keep the order; and what the logs of
# the daemons say about their own memory.
use strict;
use warnings;
use Time::HiRes qw(sleep time);

use Chaos::Client;
use Chaos::Collect;

use constant { EACH => 30, SECONDS => 60 };

# order STACK HTTP CLIENT HISTORY CONFIGURE: a backlog of both priorities, submitted one by one while no worker runs.
sub order {
    my ($stack, $http, $client, $history, $configure) = @_;
    $stack->stop($_) for qw(worker-1 worker-2 worker-3);
    $configure->();
    open(my $out, '>>', $history) or die "$history: $!\n";
    for my $i (1 .. 2 * EACH) {
        my %asked = (type => 'chaos-process', priority => $i % 2 ? 'low' : 'high', queue => 'default', do => 'ok',
            phase => 'order', payload => qq({"do":"ok","ms":"1","from":"order/$i"}));
        Chaos::Client::submit($http, $client, \%asked, $out) or die "a task of the phase of order was not accepted\n";
    }
    $stack->start('worker-1');
    Chaos::Collect::await($http, [$client], SECONDS);
    return;
}

# logs STACK FILE: lines that a sanitizer or a failed assertion has left.
sub logs {
    my ($stack, $file) = @_;
    open(my $out, '>', $file) or die "$file: $!\n";
    for my $path (glob "$stack->{dir}/log/*-[0-9]*.log") {
        open(my $in, '<', $path) or next;
        while (my $line = readline $in) {
            print $out "$path: $line" if $line =~ /Sanitizer|runtime error:|Assertion|SIGSEGV|SIGABRT|stack smashing/;
        }
    }
    close($out) or die "$file: $!\n";
    return;
}

1;
