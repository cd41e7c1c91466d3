package Chaos::Collect;
# What the API says in the end: waits until nothing is left to do, then asks for every task and its events.
use strict;
use warnings;
use JSON::PP;
use Time::HiRes qw(sleep time);

my $json = JSON::PP->new->utf8->canonical;

# get HTTP TOKEN PATH: the answer; asks again for a while if there is none.
sub get {
    my ($http, $token, $path) = @_;
    my ($status, $body);
    for my $try (1 .. 10) {
        ($status, $body) = $http->call(GET => $path, token => $token, timeout => 15);
        return ($status, $body) if $status > 0 && $status < 500;
        sleep 0.5;
    }
    return ($status, $body);
}

# left HTTP CLIENT: how many statuses still have tasks that are not final; undef if nobody knows.
sub left {
    my ($http, $client) = @_;
    my $left = 0;
    for my $status (qw(PENDING QUEUED IN_PROGRESS RETRYING)) {
        my ($code, $body) = get($http, $client->{token}, "/tasks?status=$status&limit=1");
        return if $code != 200;
        $left++ if $body !~ /"items":\s*\[\s*\]/;
    }
    return $left;
}

# await HTTP CLIENTS SECONDS: until all is final; how long it took, or undef.
sub await {
    my ($http, $clients, $seconds) = @_;
    my $began = time;
    my @open = @$clients;
    while (time - $began < $seconds) {
        @open = grep { my $left = left($http, $_); !defined $left || $left > 0 } @open;
        return time - $began if !@open;
        sleep 0.3;
    }
    return;
}

# listed HTTP CLIENT: the ids of all tasks that the API lists.
sub listed {
    my ($http, $client) = @_;
    my (@ids, $cursor);
    do {
        my ($status, $body) = get($http, $client->{token}, '/tasks?limit=200' . (defined $cursor ? "&cursor=$cursor" : ''));
        $status == 200 or die "the list of client $client->{n}: $status $body\n";
        my $page = $json->decode($body);
        push @ids, map { $_->{id} } @{ $page->{items} };
        $cursor = $page->{next_cursor};
    } while (defined $cursor);
    return @ids;
}

# collect HTTP CLIENTS HISTORY FILE: a line for each task that was accepted or is listed, with the bodies as they came.
sub collect {
    my ($http, $clients, $history, $file) = @_;
    my %accepted;
    open(my $in, '<', $history) or die "$history: $!\n";
    while (my $line = readline $in) {
        my $h = $json->decode($line);
        push @{ $accepted{ $h->{client} } }, $h->{id} if defined $h->{id};
    }
    open(my $out, '>', $file) or die "$file: $!\n";
    for my $client (@$clients) {
        my %ids = map { $_ => 1 } @{ $accepted{ $client->{n} } // [] };
        my %listed = map { $_ => 1 } listed($http, $client);
        for my $id (sort keys %{ { %ids, %listed } }) {
            my ($status, $task)   = get($http, $client->{token}, "/tasks/$id");
            my ($code,   $events) = get($http, $client->{token}, "/tasks/$id/events");
            ($task, $events) = map { /^\{/ ? s/[\r\n]+/ /gr : 'null' } $task, $events;
            print $out qq({"id":"$id","client":$client->{n},"listed":), $listed{$id} ? 1 : 0,
                qq(,"status":$status,"events_status":$code,"task":$task,"events":$events}\n);
        }
    }
    close($out) or die "$file: $!\n";
    return;
}

1;
