package Load::Check;
# What was found: one line each, ok or FAIL, and the sum.
use strict;
use warnings;

my ($passed, $failed) = (0, 0);

sub ok {
    my ($good, $what) = @_;
    print $good ? 'ok   ' : 'FAIL ', "$what\n";
    $good ? $passed++ : $failed++;
    return $good;
}

# finish: the last line, and the exit status.
sub finish { print "$passed passed, $failed failed\n"; return $failed ? 1 : 0 }

# quantile Q SORTED: of a list that is not empty.
sub quantile {
    my ($q, $sorted) = @_;
    my $at = int($q * @$sorted);
    return $sorted->[$at > $#$sorted ? $#$sorted : $at];
}

sub median { my @s = sort { $a <=> $b } @_; return quantile(0.5, \@s) }

# slope POINTS: Theil and Sen, the median of the slopes of all pairs of [time, value], so that a few points that lie far
# off do not count. Of many points some are enough.
sub slope {
    my @p = @_;
    my $step = 1 + int(@p / 200);
    @p = @p[grep { $_ % $step == 0 } 0 .. $#p];
    my @slopes;
    for my $i (0 .. $#p) {
        push @slopes, map { ($_->[1] - $p[$i][1]) / ($_->[0] - $p[$i][0]) } @p[$i + 1 .. $#p];
    }
    return @slopes ? median(@slopes) : 0;
}

1;
