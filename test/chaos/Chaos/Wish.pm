package Chaos::Wish;
# Rules of what owners do to tasks. Each says what is wrong with a task, or nothing. $touched is the excuse of the
# checker: was a process disturbed then?
use strict;
use warnings;

use constant { SLACK => 1, STOPS_IN => 10 };

our @TRAIL = qw(STALE_RESULT PROGRESS);    # say nothing of the way of a task

sub acts { my ($t, $action, @outcomes) = @_; my %want = map { $_ => 1 } @outcomes; return grep { $_->{action} eq $action && $want{ $_->{outcome} } } @{ $t->{acts} } }
sub is_retry { my ($e) = @_; return $e->{event} eq 'RETRIED' && !defined $e->{worker} }

# told TASK: its events, without those that say nothing of its way.
sub told { my ($t) = @_; my %mute = map { $_ => 1 } @TRAIL; return grep { !$mute{ $_->{event} } } @{ $t->{events} } }

# lives TASK: lists of events; each retry by the owner begins another one.
sub lives {
    my ($t) = @_;
    my @lives = ([]);
    for my $e (told($t)) {
        push @lives, [] if is_retry($e);
        push @{ $lives[-1] }, $e;
    }
    return @lives;
}

sub may_be_cancelled { my ($t) = @_; return scalar acts($t, 'cancel', qw(done asked unknown)) }
sub may_be_deleted   { my ($t) = @_; return scalar acts($t, 'delete', qw(done unknown absent)) }

# A cancel that was answered is on record: at once, or after the wish.
sub cancel_is_kept {
    my ($t) = @_;
    return if !$t->{task};
    for my $act (acts($t, 'cancel', 'done')) {
        return 'answered with 200, and no event says CANCELLED' if !grep { $_->{event} eq 'CANCELLED' && $_->{at} <= $act->{answered} + SLACK } @{ $t->{events} };
    }
    for my $act (acts($t, 'cancel', 'asked')) {
        return 'answered with 202, and no event says so' if !grep { $_->{event} eq 'CANCEL_REQUESTED' && $_->{at} <= $act->{answered} + SLACK } @{ $t->{events} };
    }
    return;
}

# After the wish nothing else becomes of the attempt.
sub wish_is_kept {
    my ($t) = @_;
    return if !$t->{task};
    my $wish;
    for my $e (told($t)) {
        return "after the wish to cancel attempt $wish->{attempt} came $e->{event}/$e->{attempt}"
            if $wish && ($e->{event} ne 'CANCELLED' || $e->{attempt} != $wish->{attempt});
        $wish = $e->{event} eq 'CANCEL_REQUESTED' ? $e : undef;
    }
    return $wish ? 'it was to be cancelled, and nothing came of it' : ();
}

sub stops_in_time {
    my ($t, $faults) = @_;
    for my $wish (grep { $_->{event} eq 'CANCEL_REQUESTED' } @{ $t->{events} }) {
        for my $run (grep { $_->{attempt} == $wish->{attempt} } @{ $t->{runs} }) {
            next if $run->{last} <= $wish->{at} + STOPS_IN;
            next if grep { $_->{began} <= $run->{last} + SLACK && $_->{ended} + STOPS_IN >= $wish->{at} } @$faults;
            return sprintf 'attempt %d ran for %.3f s after it was to be cancelled', $run->{attempt}, $run->{last} - $wish->{at};
        }
    }
    return;
}

sub retry_is_kept {
    my ($t) = @_;
    return if !$t->{task};
    my $retries = grep { is_retry($_) } @{ $t->{events} };
    my $done    = acts($t, 'retry', 'done');
    my $perhaps = acts($t, 'retry', 'unknown');
    return "$retries retries are on record, $done were answered, $perhaps perhaps done" if $retries < $done || $retries > $done + $perhaps;
    return;
}

# What is gone stays away, and nothing of it runs.
sub delete_is_kept {
    my ($t, $touched) = @_;
    my ($act) = acts($t, 'delete', 'done') or return;
    return "it is deleted, and GET says $t->{status}" if $t->{status} != 404;
    return 'it is deleted, and in GET /tasks' if $t->{listed};
    return runs_after($t, $touched, $act->{answered}, 'it was deleted');
}

# CANCELLED, and not retried: no run.
sub cancelled_stays {
    my ($t, $touched) = @_;
    my ($act) = acts($t, 'cancel', 'done') or return;
    return if acts($t, 'retry', qw(done unknown));
    return runs_after($t, $touched, $act->{answered}, 'it was CANCELLED');
}

sub runs_after {
    my ($t, $touched, $when, $what) = @_;
    for my $run (@{ $t->{runs} }) {
        next if $run->{last} <= $when + SLACK || $touched->($run->{boss}, $run->{start}, $run->{last}, SLACK, 0);
        return sprintf 'attempt %d ran %.3f s after %s', $run->{attempt}, $run->{last} - $when, $what;
    }
    return;
}

1;
