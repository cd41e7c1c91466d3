package Chaos::Client;
# A client: submits tasks of all sorts and writes down what was asked, when, and what was answered.
use strict;
use warnings;
use JSON::PP;
use Time::HiRes qw(sleep time);

use Chaos::Act;
use Chaos::Http;

use constant REPEATS => 60;
our @QUEUES = qw(default slow mail);
my $json = JSON::PP->new->utf8->canonical;

# log_in PORTS NUMBER: a user of its own; what is needed to act for it.
sub log_in {
    my ($ports, $n) = @_;
    my $http = Chaos::Http->new(@$ports);
    my $user = $json->encode({ email => "chaos-$n\@example.com", password => "the password of chaos-$n" });
    my ($made) = $http->call(POST => '/users', body => $user);
    my ($status, $body) = $http->call(POST => '/login', body => $user);
    $status == 200 or die "login of client $n: $status $body (user: $made)\n";
    return { n => $n, token => $json->decode($body)->{token} };
}

sub pick { return $_[rand @_] }

# draw NUMBER COUNT LOAD: a task; its payload is text, for it must arrive byte for byte.
sub draw {
    my ($client, $count) = @_;
    my $x  = rand;
    my $ms = $x < 0.65 ? 50 + rand 300 : $x < 0.85 ? 300 + rand 1200 : 1500 + rand 2500;
    my $do = rand() < 0.84 ? 'ok' : pick(qw(once once always bad));
    $ms = 50 + rand 300 if $do eq 'always';    # it is done up to eight times
    my $salt = join '', map { sprintf '%04x', rand 65536 } 1 .. 4;
    my %asked = (
        type     => rand() < 0.8 ? 'chaos-process' : 'chaos-exec',
        priority => pick(qw(high low low)),
        queue    => pick('default', @QUEUES),
        payload  => sprintf('{"do":"%s", "ms":"%d","from":"%s/%d","salt":"%s"}', $do, $ms, $client, $count, $salt),
        do       => $do,
    );
    $asked{delay_seconds} = sprintf '%.3f', 0.2 + rand 2.8 if rand() < 0.2;
    $asked{max_attempts} = pick(1, 2, 5, 8) if rand() < 0.4;
    $asked{max_attempts} = 1 if $do eq 'always' && rand() < 0.3;
    Chaos::Act::stretch($client, \%asked);
    $asked{unique_key} = "user $client key " . int rand 4 if rand() < 0.12;
    $asked{key} = "$client/$count/$salt" if rand() < 0.3;    # an Idempotency-Key, if it goes alone
    return \%asked;
}

sub body_of {
    my ($asked) = @_;
    my @members = map { qq("$_":"$asked->{$_}") } grep { defined $asked->{$_} } qw(type priority queue unique_key);
    push @members, map { qq("$_":$asked->{$_}) } grep { defined $asked->{$_} } qw(delay_seconds max_attempts payload);
    return '{' . join(',', @members) . '}';
}

# outcome STATUS BODY: what the client knows.
sub outcome {
    my ($status, $body) = @_;
    return 'unsent'   if $status == 0;
    return 'accepted' if $status == 201;
    return 'unknown'  if $status < 0 || $status == 500;
    return 'unknown'  if $status == 503 && $body =~ /problem:(?:unavailable|timeout)/;
    return 'refused';
}

# submit HTTP CLIENT ASKED OUT: one attempt, on record in one write; true if it was accepted.
sub submit {
    my ($http, $client, $asked, $out) = @_;
    my $sent = time;
    my ($status, $body) = post($http, $client, '/tasks', body_of($asked), $asked->{key});
    my $outcome = outcome($status, $body);
    my %more = $outcome eq 'accepted' && $body =~ /"id":"([^"]+)"/ ? (id => $1) : ();
    syswrite $out, record($client, $asked, $sent, $status, $outcome, $body, %more);
    Chaos::Act::accepted($client, $asked, $more{id}) if defined $more{id};
    return $outcome eq 'accepted' || is_held($asked, $status);
}

# is_held ASKED STATUS: refused as another task has its unique_key, which is how it should be.
sub is_held { my ($asked, $status) = @_; return defined $asked->{unique_key} && $status == 409 }

# post HTTP CLIENT PATH BODY KEY: with a key, what has no known outcome is sent again until it has one, for some time.
sub post {
    my ($http, $client, $path, $body, $key) = @_;
    my @headers = defined $key ? (qq(Idempotency-Key: "$key")) : ();
    my $tries = defined $key ? REPEATS : 1;
    my ($status, $answer);
    for my $try (1 .. $tries) {
        sleep 0.2 if $try > 1;
        my ($now, $text) = $http->call(POST => $path, token => $client->{token}, body => $body, headers => \@headers);
        # What was not sent, or not done, says nothing of the tries before it.
        ($status, $answer) = ($now, $text) if !defined $status || $now != 0 && $now != 503 && $text !~ /idempotency-running/;
        last if outcome($status, $answer) =~ /^(?:accepted|refused)$/ && $answer !~ /idempotency-running/;
    }
    return ($status, $answer);
}

# record CLIENT ASKED SENT STATUS OUTCOME BODY: a line of the history; more members may follow.
sub record {
    my ($client, $asked, $sent, $status, $outcome, $body, %more) = @_;
    my %line = (client => $client->{n}, asked => $asked, sent => $sent, answered => time, status => $status,
        outcome => $outcome, %more);
    $line{detail} = substr $body, 0, 300 if $outcome ne 'accepted';
    return $json->encode(\%line) . "\n";
}

# submit_batch HTTP CLIENT NUMBER LIST OUT: many in one request, each on record for itself; true if all were accepted.
sub submit_batch {
    my ($http, $client, $number, $list, $out) = @_;
    my $sent = time;
    my $key = $list->[0]{key};
    for my $asked (@$list) { if (defined $key) { $asked->{key} = $key } else { delete $asked->{key} } }
    my ($status, $body) = post($http, $client, '/tasks/batch', '{"tasks":[' . join(',', map { body_of($_) } @$list) . ']}', $key);
    my @items = $body =~ /^\{"tasks":/ ? @{ $json->decode($body)->{tasks} } : ();
    my ($lines, $all) = ('', 1);
    for my $asked (@$list) {
        my $item = shift @items;
        my @said = $item && $item->{error} ? ($item->{error}{status}, $json->encode($item->{error})) : ($status, $body);
        my $outcome = $item && defined $item->{id} ? 'accepted' : outcome(@said);
        my %more = (batch => "$client->{n}/$number");
        $more{id} = $item->{id} if $outcome eq 'accepted';
        Chaos::Act::accepted($client, $asked, $more{id}) if defined $more{id};
        $lines .= record($client, $asked, $sent, $said[0], $outcome, $said[1], %more);
        $all &&= $outcome eq 'accepted' || is_held($asked, $said[0]);
    }
    syswrite $out, $lines;
    return $all;
}

# run CLIENT PORTS HISTORY ACTS SEED RATE STOP: submits at the rate until the file STOP is there, and acts on what it has
# submitted. Does not return.
sub run {
    my ($client, $ports, $history, $acts, $seed, $rate, $stop) = @_;
    srand $seed + 7919 * $client->{n};
    open(my $out, '>>', $history) or die "$history: $!\n";
    open(my $acted, '>>', $acts) or die "$acts: $!\n";
    my $http = Chaos::Http->new($client->{n} % 2 ? @$ports : reverse @$ports);
    my ($count, $next) = (0, time);
    until (-e $stop) {
        my $many = rand() < 0.06 ? 2 + int rand 9 : 1;
        my @asked = map { draw($client->{n}, ++$count) } 1 .. $many;
        my $ok = $many > 1 ? submit_batch($http, $client, $count, \@asked, $out) : submit($http, $client, $asked[0], $out);
        Chaos::Act::work($http, $client, $acted);
        $next += -log(1 - rand) / $rate for @asked;
        $next = time - 1 if $next < time - 1;    # what could not be sent in time is not all made up for
        $next = time + 0.2 if !$ok && $next < time + 0.2;
        my $pause = $next - time;
        sleep $pause if $pause > 0;
    }
    Chaos::Act::finish($http, $client, $acted);
    return;
}

1;
