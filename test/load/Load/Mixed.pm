package Load::Mixed;
# A client that does a bit of everything, at a steady rate, on connections that come and go.
use strict;
use warnings;
use Time::HiRes qw(sleep time);

use Chaos::Http;

# What is submitted, how often of 100, and with what.
my @TASKS = (
    [20, 'noop',         '{}'],
    [15, 'sleep',        '{"ms":20}'],
    [15, 'fail',         '{"times":1}'],
    [5,  'fail',         '{"message":"as asked","for_good":true}'],
    [5,  'fail',         '{}', '"max_attempts":2'],
    [15, 'noop',         '{}', '"delay_seconds":1.5'],
    [20, 'soak-process', '{"text":"some payload"}'],
    [5,  'soak-exec',    '{"text":"some payload"}'],
);
# What is asked, how often of 100.
my @CALLS = ([45, \&submit], [20, \&get], [10, \&events], [8, \&list], [5, \&look], [7, \&bad], [5, \&leave]);

sub draw {
    my $x = rand 100;
    for my $one (@_) { return $one if ($x -= $one->[0]) < 0 }
    return $_[-1];
}

sub submit {
    my ($c) = @_;
    my (undef, $type, $payload, @more) = @{ draw(@TASKS) };
    my $priority = rand() < 0.3 ? 'high' : 'low';
    my $body = '{' . join(',', qq("type":"$type","priority":"$priority"), @more, qq("payload":$payload)) . '}';
    my ($status, $text) = $c->{http}->call(POST => '/tasks', token => $c->{token}, body => $body);
    push @{ $c->{ids} }, $1 if $status == 201 && $text =~ /"id":"([^"]+)"/;
    shift @{ $c->{ids} } if @{ $c->{ids} } > 500;
    return answered($c, "POST $body", $status, 201);
}

# answered CLIENT WHAT STATUS WANTED: true if it is the one; else it is noted.
sub answered {
    my ($c, $what, $status, $want) = @_;
    return 1 if $status == $want;
    push @{ $c->{odd} }, "$what: $status";
    return 0;
}

sub asks {
    my ($c, $path, $want) = @_;
    my ($status) = $c->{http}->call(GET => $path, token => $c->{token});
    return answered($c, "GET $path", $status, $want // 200);
}

sub some { my ($c) = @_; return $c->{ids}[rand @{ $c->{ids} }] // '01999999-9999-7999-8999-999999999999' }
sub get    { my ($c) = @_; return asks($c, '/tasks/' . some($c), @{ $c->{ids} } ? 200 : 404) }
sub events { my ($c) = @_; return asks($c, '/tasks/' . some($c) . '/events', @{ $c->{ids} } ? 200 : 404) }
sub list   { my ($c) = @_; return asks($c, '/tasks?limit=20' . (rand() < 0.5 ? '&status=COMPLETED' : '')) }
sub look   { my ($c) = @_; return asks($c, (qw(/status /livez /readyz))[rand 3]) }

# bad: what is refused.
sub bad {
    my ($c) = @_;
    return asks($c, '/nothing/here', 404) if rand() < 0.3;
    return asks({ %$c, token => 'nonsense' }, '/tasks', 401) if rand() < 0.5;
    my ($status) = $c->{http}->call(POST => '/tasks', token => $c->{token}, body => '{"type":');
    return answered($c, 'POST of half a body', $status, 400);
}

# leave: hangs up, sometimes in the middle of a request; the next call connects again.
sub leave {
    my ($c) = @_;
    my $socket = $c->{http}->connected;
    syswrite $socket, "POST /tasks HTTP/1.1\r\nHost: taskflow\r\nContent-Le" if $socket && rand() < 0.5;
    $c->{http}->drop;
    return 1;
}

# run TOKEN PORTS RATE FILE STOP: until the file STOP is there; then how many calls there were, and how many were not
# answered as they should be, goes to FILE.
sub run {
    my ($token, $ports, $rate, $file, $stop) = @_;
    my ($calls, $odd, $next) = (0, 0, time);
    my $c = { token => $token, http => Chaos::Http->new(@$ports), ids => [], odd => [] };
    srand $$;
    until (-e $stop) {
        $calls++;
        draw(@CALLS)->[1]->($c) or $odd++;
        $next += (0.5 + rand) / $rate;
        my $left = $next - time;
        sleep $left if $left > 0;
    }
    open(my $out, '>', $file) or die "$file: $!\n";
    print $out map { "$_\n" } "$calls $odd", @{ $c->{odd} };
    return;
}

1;
