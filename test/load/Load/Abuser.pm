package Load::Abuser;
# Many connections that behave badly, from one process: each sends what it is told, as fast or as slowly as it is told,
# reads or does not read what comes back, and begins again when it was cut off.
use strict;
use warnings;
use Errno qw(EINPROGRESS EAGAIN EINTR);
use IO::Select;
use Socket qw(:all);
use Time::HiRes qw(sleep time);

use constant { CHUNK => 65536, KEEP => 4096 };

# run CASE: { port, seconds, connections, bytes, slow, deaf, once, receive }
#   bytes        a function that gives what a connection sends; called again each time that all of it was sent
#   slow         seconds between two bytes (0: as fast as it goes)
#   deaf         nothing is read
#   once         send it once and then only be there
#   receive      bytes of the socket's receive buffer
# What came back: { 200 => how many, ..., cut => how often, refused => how often }
sub run {
    my ($case) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $until = time + $case->{seconds};
    my @all = map { { case => $case } } 1 .. $case->{connections};
    my %got;
    while (time < $until) {
        for my $c (@all) { open_one($c, \%got) if !$c->{socket} && time >= ($c->{again} // 0) }
        turn(\@all, \%got);
    }
    close $_->{socket} for grep { $_->{socket} } @all;
    return \%got;
}

sub open_one {
    my ($c, $got) = @_;
    my $case = $c->{case};
    socket(my $s, PF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) or die "socket: $!\n";
    setsockopt($s, SOL_SOCKET, SO_RCVBUF, $case->{receive}) if $case->{receive};
    if (!connect($s, pack_sockaddr_in($case->{port}, INADDR_LOOPBACK)) && $! != EINPROGRESS) {
        $got->{refused}++;
        $c->{again} = time + 0.05;
        return;
    }
    @$c{qw(socket out in sent next)} = ($s, $case->{bytes}->(), '', 0, 0);
    return;
}

sub cut {
    my ($c, $got, $why) = @_;
    $got->{$why}++;
    close delete $c->{socket};
    $c->{again} = time + 0.01;
    return;
}

sub turn {
    my ($all, $got) = @_;
    my $now = time;
    my ($in, $out, %by) = ('', '');
    for my $c (grep { $_->{socket} } @$all) {
        my $fd = fileno $c->{socket};
        $by{$fd} = $c;
        vec($in, $fd, 1) = 1 if !$c->{case}{deaf};
        vec($out, $fd, 1) = 1 if length $c->{out} && $now >= $c->{next};
    }
    select($in, $out, undef, 0.02);
    for my $fd (keys %by) {
        my $c = $by{$fd};
        hear($c, $got) if vec($in, $fd, 1);
        send_on($c, $got) if $c->{socket} && vec($out, $fd, 1);
    }
    return;
}

sub send_on {
    my ($c, $got) = @_;
    my $case = $c->{case};
    my $n = syswrite $c->{socket}, $c->{out}, $case->{slow} ? 1 : CHUNK;
    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR;
        return cut($c, $got, 'cut');
    }
    substr($c->{out}, 0, $n) = '';
    $c->{next} = time + $case->{slow} if $case->{slow};
    $c->{out} = $case->{bytes}->() if $c->{out} eq '' && !$case->{once};
    return;
}

# hear: answers are counted by their status lines, and thrown away.
sub hear {
    my ($c, $got) = @_;
    my $n = sysread $c->{socket}, $c->{in}, CHUNK, length $c->{in};
    if (!$n) {
        return if !defined $n && ($! == EAGAIN || $! == EINTR);
        return cut($c, $got, 'cut');
    }
    $got->{$1}++ while $c->{in} =~ m{HTTP/1\.[01] (\d\d\d)}g;
    my $at = rindex $c->{in}, 'HTTP/1.';
    $c->{in} = $at >= 0 && length($c->{in}) - $at < 12 ? substr($c->{in}, $at) : '';
    return;
}

1;
