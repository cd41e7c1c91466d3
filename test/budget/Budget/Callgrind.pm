package Budget::Callgrind;
# Instructions of a process that runs under callgrind, counted between two moments, and what they were spent on.
use strict;
use warnings;

# dump_of DIR PID: the file with what was executed since the last time.
sub dump_of {
    my ($dir, $pid) = @_;
    my $said = qx(vgdb --pid=$pid dump 2>&1);
    $? == 0 or die "callgrind of $pid: $said\n";
    my ($last) = sort { number($b) <=> number($a) } glob "$dir/*.$pid.*";
    return $last // die "callgrind of $pid has written nothing\n";
}

sub number { my ($file) = @_; return $file =~ /\.(\d+)$/ ? $1 : 0 }

# total FILE: all instructions in it.
sub total {
    my ($file) = @_;
    open(my $in, '<', $file) or die "$file: $!\n";
    while (my $line = readline $in) { return $1 if $line =~ /^totals: (\d+)/ }
    die "$file has no total\n";
}

# name_of NAMES TEXT: "(4) name" gives the name the number 4, "(4)" is that name again.
sub name_of {
    my ($names, $text) = @_;
    my ($number, $name) = $text =~ /^(\(\d+\))(?: (.*))?$/ or return $text;
    $names->{$number} = $name if defined $name;
    return $names->{$number};
}

# function LIBRARY NAME: one name for all depths of a recursion, and the last part of the path of the library.
sub function {
    my ($library, $name) = @_;
    $name =~ s/'\d+$//;
    $library =~ s{.*/}{};
    return "$name\t$library";
}

# functions FILE: two lists of [instructions, name, library], the most first: without what a function calls, and with it.
# callgrind_annotate takes a call that is not over yet (calls=0) for work of the caller.
sub functions {
    my ($file) = @_;
    open(my $in, '<', $file) or die "$file: $!\n";
    my (%libraries, %names, %own, %with, $library, $called_in, $from, $to, $is_call);
    while (my $line = readline $in) {
        chomp $line;
        if    ($line =~ /^ob=(.*)/)     { $library = $called_in = name_of(\%libraries, $1) }
        elsif ($line =~ /^fn=(.*)/)     { $from = function($library, name_of(\%names, $1)); $called_in = $library }
        elsif ($line =~ /^cob=(.*)/)    { $called_in = name_of(\%libraries, $1) }
        elsif ($line =~ /^cfn=(.*)/)    { $to = function($called_in, name_of(\%names, $1)); $called_in = $library }
        elsif ($line =~ /^calls=/)      { $is_call = 1 }
        elsif ($line =~ /^[-+*\d]\S* (\d+)$/) {
            $own{$from}  += $1 if !$is_call;
            $with{$from} += $1 if !$is_call || $to ne $from;
            $is_call = 0;
        }
    }
    return map { sorted(%$_) } \%own, \%with;
}

sub sorted {
    my %of = @_;
    return [map { [$of{$_}, split /\t/] } sort { $of{$b} <=> $of{$a} || $a cmp $b } keys %of];
}

# libraries FUNCTIONS: the same, added up by library.
sub libraries {
    my %sum;
    $sum{"\t$_->[2]"} += $_->[0] for @_;
    return sorted(%sum);
}

1;
