package Chaos::Report;
# The table at the end of a campaign: what was done, what came of it, and how long it took after each kind of fault until
# a task that was submitted after its end was done.
use strict;
use warnings;

use Chaos::Record;

# recovery FAULT DONE: from the end of the fault to the first end of a task that was accepted after it; DONE is sorted by
# the time of sending. Undef if none was.
sub recovery {
    my ($f, $done) = @_;
    my $first;
    for my $t (@$done) {
        next if $t->{sent} < $f->{ended};
        last if $t->{sent} > $f->{ended} + 60;
        $first = $t->{done} if !defined $first || $t->{done} < $first;
    }
    return defined $first ? $first - $f->{ended} : undef;
}

sub faults {
    my ($record, $done) = @_;
    my (%of, %count);
    for my $f (@{ $record->{faults} }) {
        $count{ $f->{kind} }++;
        my $took = recovery($f, $done);
        push @{ $of{ $f->{kind} } }, $took if defined $took;
    }
    printf "%-18s %6s  %s\n", 'fault', 'times', 'seconds until a new task is done: p50, max';
    for my $kind (sort keys %count) {
        my @took = sort { $a <=> $b } @{ $of{$kind} // [] };
        printf "%-18s %6d  %s\n", $kind, $count{$kind}, @took ? sprintf('%6.2f %6.2f', $took[$#took / 2], $took[-1]) : '     -      -';
    }
    return;
}

# show FOLDER
sub show {
    my ($dir) = @_;
    my $record = Chaos::Record::load($dir);
    my @tasks = @{ $record->{tasks} };
    my (%outcome, %status, %event, @done, $runs);
    $outcome{ $_->{outcome} }++ for @{ $record->{history} };
    for my $t (@tasks) {
        $status{ $t->{task} ? $t->{task}{status} : 'not known' }++;
        $event{ $_->{event} }++ for @{ $t->{events} };
        $runs += @{ $t->{runs} };
        my ($end) = grep { ($_->{how} // '') eq 'ok' } @{ $t->{runs} };
        push @done, { sent => $t->{sent}, done => $end->{last} } if $end && $t->{sent};
    }
    @done = sort { $a->{sent} <=> $b->{sent} } @done;
    faults($record, \@done);
    my $list = sub { my (%h) = @_; join ', ', map { "$h{$_} $_" } sort keys %h };
    printf "%-18s %6d  %s\n", 'submissions', scalar @{ $record->{history} }, $list->(%outcome);
    printf "%-18s %6d  %s\n", 'tasks', scalar @tasks, $list->(%status);
    my %act;
    $act{"$_->{action} $_->{outcome}"}++ for @{ $record->{acts} };
    printf "%-18s %6d  %s\n", 'acts', scalar @{ $record->{acts} }, $list->(%act);
    printf "%-18s %6d  %s\n", 'runs', $runs // 0, $list->(%event);
    return;
}

1;
