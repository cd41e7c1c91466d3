package Budget::File;
# The file of budgets: "name instructions" lines, and for which machine they were counted.
use strict;
use warnings;

my $HEAD = <<'TEXT';
# Instructions per task of each path, and per second of an idle role. Made by test/budget/run --write, which counts with
# callgrind; `make budget` compares. Compiler and libraries change the counts, so they are compared on this only:
TEXT

# toolchain BINARY: what decides on the counts besides our code.
sub toolchain {
    my ($binary) = @_;
    open(my $os, '<', '/etc/os-release') or return 'unknown';
    my ($system) = join('', readline $os) =~ /^PRETTY_NAME="?([^"\n]*)/m;
    open(my $in, '-|', 'readelf', '-p', '.comment', $binary) or return 'unknown';
    my ($compiler) = join('', readline $in) =~ /\]\s+(.*)/;
    close $in;
    chomp(my $processor = qx(uname -m));
    return join ', ', $system // 'unknown', $compiler // 'unknown', $processor;
}

# read_all PATH: the toolchain, and name -> instructions.
sub read_all {
    my ($path) = @_;
    open(my $in, '<', $path) or return ('', {});
    my ($toolchain, %of) = ('');
    while (my $line = readline $in) {
        $toolchain = $1 if $line =~ /^# toolchain: (.*)$/;
        $of{$1} = $2 if $line =~ /^([\w-]+) +(\d+)$/;
    }
    return ($toolchain, \%of);
}

# write_all PATH TOOLCHAIN ROWS: each a name and its instructions.
sub write_all {
    my ($path, $toolchain, @rows) = @_;
    open(my $out, '>', $path) or die "$path: $!\n";
    print $out $HEAD, "# toolchain: $toolchain\n", map { sprintf "%-18s %9d\n", @$_ } @rows;
    close($out) or die "$path: $!\n";
    return;
}

1;
