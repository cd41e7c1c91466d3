package Chaos::Http;
# A keep-alive connection that knows what it does not know: whether a request without an answer was done.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes 'time';

sub new {
    my ($class, @ports) = @_;
    return bless { ports => [@ports], at => 0 }, $class;
}

sub drop {
    my ($self) = @_;
    delete @$self{qw(socket rest)};
    $self->{at} = ($self->{at} + 1) % @{ $self->{ports} };
    return;
}

sub connected {
    my ($self) = @_;
    $self->{rest} //= '';
    return $self->{socket} //= IO::Socket::INET->new(
        PeerAddr => "127.0.0.1:$self->{ports}[$self->{at}]", Timeout => 2);
}

# fill: reads some more, at the latest until then.
sub fill {
    my ($self, $deadline) = @_;
    my $left = $deadline - time;
    return if $left <= 0 || !IO::Select->new($self->{socket})->can_read($left);
    return sysread($self->{socket}, $self->{rest}, 65536, length $self->{rest});
}

sub answer {
    my ($self, $deadline) = @_;
    until ($self->{rest} =~ /\r\n\r\n/) { $self->fill($deadline) or return }
    my ($head, $rest) = split /\r\n\r\n/, $self->{rest}, 2;
    $self->{rest} = $rest;
    my ($status) = $head =~ m{^HTTP/1\.1 (\d+)} or return;
    my ($length) = $head =~ /^Content-Length: (\d+)/im;
    $length //= 0;
    while (length $self->{rest} < $length) { $self->fill($deadline) or return }
    my $body = substr $self->{rest}, 0, $length, '';
    return ($status, $body, $head =~ /^Connection: close/im ? 1 : 0);
}

# call METHOD PATH: status and body. Status 0: it was never sent; -1: nobody knows what became of it.
# Options: body, token, timeout, headers (lines).
sub call {
    my ($self, $method, $path, %o) = @_;
    local $SIG{PIPE} = 'IGNORE';
    if (!$self->connected) { $self->drop; return (0, 'no connection') }
    my @head = ("$method $path HTTP/1.1", 'Host: taskflow', @{ $o{headers} // [] });
    push @head, "Authorization: Bearer $o{token}" if defined $o{token};
    push @head, 'Content-Type: application/json', 'Content-Length: ' . length $o{body} if defined $o{body};
    my $text = join("\r\n", @head, '', '') . ($o{body} // '');
    my $wrote = syswrite $self->{socket}, $text;
    if (!defined $wrote || $wrote != length $text) { $self->drop; return (-1, 'not written whole') }
    my ($status, $body, $last) = $self->answer(time + ($o{timeout} // 8));
    if (!defined $status) { $self->drop; return (-1, 'no answer') }
    $self->drop if $last;
    return ($status, $body);
}

1;
