package Chaos::Record;
# What a campaign has left behind, read from its folder: history, ledger, faults, final answers, lists.
use strict;
use warnings;
use JSON::PP;
use Time::Local 'timegm';

my $json = JSON::PP->new->utf8;

sub lines {
    my ($path) = @_;
    open(my $in, '<', $path) or die "$path: $!\n";
    return readline $in;
}

# seconds RFC3339: since 1970; undef stays undef.
sub seconds {
    my ($text) = @_;
    return if !defined $text;
    $text =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+(?:\.\d+)?)Z$/ or die "not a time: $text\n";
    return timegm(0, $5, $4, $3, $2 - 1, $1) + $6;
}

# read_faults FOLDER: each once; one that was not ended lasts for ever.
sub read_faults {
    my ($dir) = @_;
    my %fault;
    for (lines("$dir/faults")) { my $f = $json->decode($_); $fault{ $f->{id} } = $f }
    for my $f (values %fault) {
        $f->{pid}  = { map { $_ => 1 } @{ $f->{pids} } };
        $f->{part} = { map { $_ => 1 } @{ $f->{parts} } };
        $f->{ended} //= 9e9;
    }
    return [sort { $a->{began} <=> $b->{began} } values %fault];
}

# read_ledger FOLDER: id -> its runs in the order of their starts; a run is what one process did for one attempt.
sub read_ledger {
    my ($dir) = @_;
    my (%runs, %open);
    for my $line (lines("$dir/ledger")) {
        my ($phase, $id, $attempt, $time, $pid, $boss) = $line =~ /^(\S+) (\S+) (\d+) ([\d.]+) (\d+) (\d+)$/
            or die "a line of the ledger is broken: $line";
        my $key = "$id $attempt $pid";
        if ($phase eq 'start') {
            $open{$key} = { id => $id, attempt => $attempt, pid => $pid, boss => $boss, start => $time, last => $time };
            push @{ $runs{$id} }, $open{$key};
            next;
        }
        my $run = $open{$key} or die "the ledger has an end without a start: $line";
        $run->{last} = $time;
        $run->{how} = $1 if $phase =~ /^end-(\w+)/;
    }
    @$_ = sort { $a->{start} <=> $b->{start} } @$_ for values %runs;
    return \%runs;
}

# read_final FOLDER: id -> what the API says; times are numbers, the task's own text is kept, too.
sub read_final {
    my ($dir) = @_;
    my %final;
    for my $line (lines("$dir/final")) {
        my $f = $json->decode($line);
        $f->{raw} = $line;
        delete @$f{qw(task events)} if $f->{status} != 200;    # a problem is no task
        $f->{events} = $f->{events} ? $f->{events}{items} : [];
        $_->{at} = seconds($_->{at}) for @{ $f->{events} };
        @$f{qw(runs acts)} = ([], []);
        $final{ $f->{id} } = $f;
    }
    return \%final;
}

# open FOLDER: everything, put together by task.
sub load {
    my ($dir) = @_;
    my $final = read_final($dir);
    my $runs  = read_ledger($dir);
    my @history = map { $json->decode($_) } lines("$dir/history");
    for my $h (@history) {
        next if !defined $h->{id};
        $final->{ $h->{id} } //= { id => $h->{id}, client => $h->{client}, status => 0, events => [], runs => [], acts => [], raw => '' };
        $final->{ $h->{id} }{asked} = $h->{asked};
        $final->{ $h->{id} }{sent}  = $h->{sent};
    }
    my @acts = map { $json->decode($_) } lines("$dir/acts");
    for my $a (@acts) {
        my @on = defined $a->{id} ? $final->{ $a->{id} } // () : grep { $_->{client} == $a->{client} } values %$final;
        push @{ $_->{acts} }, $a for @on;
    }
    my @strangers;
    for my $id (keys %$runs) {
        if   ($final->{$id}) { $final->{$id}{runs} = $runs->{$id} }
        else                 { push @strangers, $id }
    }
    my %lists = map { /^(\d+) (.*)$/ ? ($2, $1) : () } lines("$dir/lists");
    return { tasks => [map { $final->{$_} } sort keys %$final], history => \@history, acts => \@acts, strangers => \@strangers,
        faults => read_faults($dir), lists => \%lists, crashes => [lines("$dir/crashes")] };
}

1;
