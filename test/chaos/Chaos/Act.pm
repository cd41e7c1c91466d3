package Chaos::Act;
# What clients do to their tasks: cancel, retry, delete, at random moments; on record with what was answered.
use strict;
use warnings;
use JSON::PP;
use Time::HiRes 'time';

use constant { RECENT => 60, YOUNG => 6, EACH => 0.25, LONG => 0.02, LONG_MS => 60_000 };
my $json = JSON::PP->new->utf8->canonical;

# outcome STATUS BODY: what the client knows. "asked": it runs and will be stopped.
sub outcome {
    my ($status, $body) = @_;
    return 'unsent'  if $status == 0;
    return 'done'    if $status == 200 || $status == 204;
    return 'asked'   if $status == 202;
    return 'unknown' if $status < 0 || $status == 500;
    return 'unknown' if $status == 503 && $body =~ /problem:(?:unavailable|timeout)/;
    return $status == 404 ? 'absent' : 'refused';
}

# act HTTP CLIENT ACTION ID OUT: one request; its outcome.
sub act {
    my ($http, $client, $action, $id, $out) = @_;
    my $sent = time;
    my @what = $action eq 'delete' ? (DELETE => "/tasks/$id") : (POST => "/tasks/$id/$action");
    my ($status, $body) = $http->call(@what, token => $client->{token});
    my $outcome = outcome($status, $body);
    syswrite $out, $json->encode({ client => $client->{n}, id => $id, action => $action, sent => $sent, answered => time,
        status => $status, outcome => $outcome }) . "\n";
    return $outcome;
}

# many HTTP CLIENT OUT: a retry of all that failed, or of some; a line for each id, or one without an id: perhaps any.
sub many {
    my ($http, $client, $out) = @_;
    my $sent = time;
    my ($status, $body) = $http->call(POST => '/tasks/retry', token => $client->{token},
        body => $json->encode({ status => rand() < 0.5 ? 'FAILED' : 'CANCELLED', limit => 1 + int rand 5 }));
    my $outcome = outcome($status, $body);
    my @ids = $outcome eq 'done' ? @{ $json->decode($body)->{ids} } : $outcome eq 'unknown' ? (undef) : ();
    syswrite $out, join '', map { $json->encode({ client => $client->{n}, id => $_, action => 'retry', sent => $sent,
        answered => time, status => $status, outcome => $outcome }) . "\n" } @ids;
    # Long ones that live again are to be cancelled again.
    my $was_long = $client->{was_long} // {};
    my @again = grep { $was_long->{$_} } map { defined $_ ? $_ : keys %$was_long } @ids;
    push @{ $client->{long} }, map { { id => $_, at => time + 1 } } @again;
    return;
}

# stretch CLIENT ASKED: some tasks are so long that only a cancel ends them in time.
sub stretch {
    my ($client, $asked) = @_;
    return if rand() >= LONG;
    my $ms = LONG_MS;
    $asked->{do} = 'ok';
    $asked->{payload} =~ s/"do":"\w+", "ms":"\d+"/"do":"ok", "ms":"$ms"/;
    $asked->{long} = 1;
    return;
}

# work HTTP CLIENT OUT: perhaps something; long tasks are cancelled when they are some seconds old, until that is known.
sub work {
    my ($http, $client, $out) = @_;
    my @long = @{ $client->{long} // [] };
    $client->{long} = [];
    for my $l (@long) {
        my $again = $l->{at} > time || act($http, $client, 'cancel', $l->{id}, $out) =~ /^(?:unknown|unsent)$/;
        push @{ $client->{long} }, $l if $again;
    }
    my @ids = @{ $client->{ids} // [] };
    return if !@ids || rand() >= EACH;
    $client->{ids} = [@ids = @ids[-RECENT() .. -1]] if @ids > RECENT;
    my $x = rand;
    if ($x < 0.03) { return many($http, $client, $out) }
    # The youngest ones run, or wait; a cancel of others comes too late.
    @ids = @ids[-YOUNG() .. -1] if $x < 0.4 && @ids > YOUNG;
    act($http, $client, $x < 0.55 ? 'cancel' : $x < 0.8 ? 'retry' : 'delete', $ids[rand @ids], $out);
    return;
}

# finish HTTP CLIENT OUT: at the end no long task may be left.
sub finish {
    my ($http, $client, $out) = @_;
    my $deadline = time + 20;
    for my $l (@{ $client->{long} // [] }) {
        my $outcome = 'unsent';
        while ($outcome =~ /^(?:unknown|unsent)$/ && time < $deadline) { $outcome = act($http, $client, 'cancel', $l->{id}, $out) }
    }
    return;
}

# accepted CLIENT ASKED ID
sub accepted {
    my ($client, $asked, $id) = @_;
    push @{ $client->{ids} }, $id if !$asked->{long};
    $client->{was_long}{$id} = 1 if $asked->{long};
    push @{ $client->{long} }, { id => $id, at => time + 1 + rand 3 } if $asked->{long};
    return;
}

1;
