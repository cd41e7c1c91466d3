package Chaos::Proxy;
# A way between the daemons and a server that can be cut, slowed down, or made deaf. What it does now stands in a file,
# MODE SHARE: "cut" closes connections and takes no new ones; "freeze" keeps them open and hands nothing on; "deaf" lets
# requests through and swallows the answers, then closes; "slow" holds each piece up for 0.2 s. SHARE is the part of the
# connections that this happens to. Without the file it is just a way.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes 'time';

use constant { SLOW => 0.2, PIECE => 65536, PIECES => 64 };

sub listen_on {
    return IO::Socket::INET->new(Listen => 128, LocalAddr => '127.0.0.1', ReuseAddr => 1) // die "proxy: $!\n";
}

# mode PATH: what stands in the file.
sub mode {
    my ($path) = @_;
    open(my $in, '<', $path) or return ('', 0);
    my ($mode, $share) = split ' ', readline($in) // '';
    return ($mode // '', $share // 1);
}

sub close_pair {
    my ($all, $c) = @_;
    for my $end (@$c{qw(client server)}) { delete $all->{ fileno $end }; close $end }
    return;
}

sub accept_one {
    my ($listener, $port, $all, $mode) = @_;
    my $client = $listener->accept or return;
    my $server = $mode eq 'cut' ? undef : IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 2);
    if (!$server) { close $client; return }
    my %c = (client => $client, server => $server, luck => rand, queue => []);
    $_->blocking(0) for $client, $server;
    setsockopt $_, IPPROTO_TCP, TCP_NODELAY, 1 for $client, $server;
    $all->{ fileno $_ } = \%c for $client, $server;
    return;
}

# take CONNECTION END MODE: reads a piece and puts it down to be handed on; false if that end is closed.
sub take {
    my ($c, $from, $mode) = @_;
    my $n = sysread $from, my $piece, PIECE;
    return $!{EAGAIN} || $!{EINTR} if !defined $n;
    return 0 if $n == 0;
    my $back = $from == $c->{server};
    if ($mode eq 'deaf' && $back) { $c->{deaf} = 1; return 1 }
    push @{ $c->{queue} }, { to => $back ? $c->{client} : $c->{server}, text => $piece, at => time + ($mode eq 'slow' ? SLOW : 0) };
    return 1;
}

# hand_on CONNECTION: what is due; each piece is written whole before the next. False if that end is closed.
sub hand_on {
    my ($c) = @_;
    my (%stuck, @rest);
    for my $p (@{ $c->{queue} }) {
        if ($stuck{ $p->{to} } || $p->{at} > time) { $stuck{ $p->{to} } = 1; push @rest, $p; next }
        my $n = syswrite $p->{to}, $p->{text};
        return 0 if !defined $n && !$!{EAGAIN} && !$!{EINTR};
        next if ($n // 0) == length $p->{text};
        substr $p->{text}, 0, $n // 0, '';
        $stuck{ $p->{to} } = 1;
        push @rest, $p;
    }
    $c->{queue} = \@rest;
    return 1;
}

# turn STATE: one look at everything.
sub turn {
    my ($s) = @_;
    my ($mode, $share) = mode($s->{file});
    my $all = $s->{all};
    my %seen;
    for my $c (grep { !$seen{$_}++ } values %$all) {
        $c->{mode} = $c->{luck} < $share ? $mode : '';
        if ($c->{mode} eq 'cut' || $c->{deaf} && $c->{mode} ne 'deaf') { close_pair($all, $c); next }
        close_pair($all, $c) if $c->{mode} ne 'freeze' && !hand_on($c);
    }
    my $waits = grep { @{ $_->{queue} } } values %$all;
    my @watch = grep { my $c = $all->{ fileno $_ }; $c->{mode} ne 'freeze' && @{ $c->{queue} } < PIECES }
        map { my $c = $_; @$c{qw(client server)} } grep { defined fileno $_->{client} } do { my %once; grep { !$once{$_}++ } values %$all };
    for my $ready (IO::Select->new($s->{listener}, @watch)->can_read($waits ? 0.005 : 0.05)) {
        if ($ready == $s->{listener}) { accept_one($ready, $s->{port}, $all, $mode eq 'cut' && rand() < $share ? 'cut' : ''); next }
        my $c = $all->{ fileno($ready) // -1 } or next;
        my $open = take($c, $ready, $c->{mode} // '');
        close_pair($all, $c) if !(hand_on($c) && $open);
    }
    return;
}

# serve LISTENER PORT FILE STOP: until the file STOP is there.
sub serve {
    my ($listener, $port, $file, $stop) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my %state = (listener => $listener, port => $port, file => $file, all => {});
    turn(\%state) until -e $stop;
    return;
}

1;
