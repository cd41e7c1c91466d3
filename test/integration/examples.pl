#!/usr/bin/perl
# The examples of the manuals and of the README, taken out and run.
#
#   examples.pl handlers FOLDER   the programs of taskflow-handlers(7) go into
#                                 FOLDER; their configuration is printed
#   examples.pl curl URL FILE     the blocks of FILE (mdoc, or Markdown) that
#                                 call curl, in order, in one shell
#
# In such a block curl must end well, unless the line before it says otherwise
# (\" example: 409). A block after the line \" example: answer must have the
# members, and the kinds of values, that the last answer has. An id of the last
# answer is $ID in what follows; TOKEN is what an example has made of it; ADMIN is
# the token of an administrator, and USER the id of a user.
use strict;
use warnings;
use File::Temp qw(tempdir);
use JSON::PP;

my $json = JSON::PP->new->utf8->allow_nonref;

# Blocks of a manual: { text, note }.
sub manual_blocks {
	my ($file) = @_;
	my (@blocks, $in, $note);
	open(my $f, '<', $file) or die "$file: $!\n";
	while (my $line = <$f>) {
		if ($line =~ /^\.\\" example: (.*)/) {
			$note = $1;
		} elsif ($line =~ /^\.Bd -literal/) {
			$in = '';
		} elsif ($line =~ /^\.Ed/ && defined $in) {
			push @blocks, { text => plain($in), note => $note // '' };
			($in, $note) = (undef, undef);
		} elsif (defined $in) {
			$in .= $line;
		}
	}
	return @blocks;
}

# What mdoc shows.
sub plain {
	my ($text) = @_;
	$text =~ s/^\.\\".*\n//mg;
	$text =~ s/\\&//g;
	$text =~ s/\\\(aq/'/g;
	$text =~ s/\\\(dq/"/g;
	$text =~ s/\\\(ti/~/g;
	$text =~ s/\\\(ha/^/g;
	$text =~ s/\\-/-/g;
	$text =~ s/\\e/\\/g;
	return $text;
}

sub readme_blocks {
	my ($file) = @_;
	open(my $f, '<', $file) or die "$file: $!\n";
	my $all = do { local $/; <$f> };
	return map { { text => $_, note => '' } } $all =~ /^```sh\n(.*?)^```/msg;
}

# ---- handlers ----
sub handlers {
	my ($folder) = @_;
	mkdir $folder;
	for my $block (manual_blocks('man/taskflow-handlers.7')) {
		my $text = $block->{text};
		next if $text !~ /^#!/;
		my ($file) = $text =~ m{command = .*/(\S+)$}m or die "no command in: $text";
		open(my $f, '>', "$folder/$file") or die "$folder/$file: $!\n";
		print $f $text;
		close $f;
		chmod 0755, "$folder/$file";
		for my $line ($text =~ /^# (\[handler.*\]|\w+ = .*)$/mg) {
			$line =~ s{/usr/local/lib/taskflow}{$folder};
			print "$line\n";
		}
	}
}

# ---- curl ----
# In the shell, curl keeps its answer, and fails with a status of 400 and more.
my $prelude = <<'SH';
set -o pipefail
OUT=$1
curl() {
	local status
	command curl -S --max-time 100 -o "$OUT.body" -D "$OUT.head" "$@" || return
	cp "$OUT.body" "$OUT.last"
	status=$(sed -n 's/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$OUT.head" | tail -n 1)
	echo "$status" >>"$OUT.status"
	cat "$OUT.body"
}
SH

# The members and kinds of $want are those of $have.
sub same_shape {
	my ($want, $have, $where) = @_;
	my ($a, $b) = map { ref || (defined ? 'value' : 'null') } $want, $have;
	return if $b eq 'null' || $a eq 'null';	# what may be null
	die "$where: $a in the manual, $b in the answer\n" if $a ne $b;
	if ($a eq 'HASH') {
		for my $name (sort keys %$want) {
			die "$where/$name: not in the answer\n" if !exists $have->{$name};
			same_shape($want->{$name}, $have->{$name}, "$where/$name");
		}
		for my $name (sort keys %$have) {
			die "$where/$name: not in the manual\n" if !exists $want->{$name};
		}
	} elsif ($a eq 'ARRAY') {
		for my $i (0 .. $#$want) {
			last if $i > $#$have;
			same_shape($want->[$i], $have->[$i], "$where/$i");
		}
	}
}

sub slurp {
	my ($file) = @_;
	open(my $f, '<', $file) or return '';
	return do { local $/; <$f> };
}

sub run_block {
	my ($shell, $tmp, $block, $url) = @_;
	my $text = $block->{text};
	$text =~ s{http://(127\.0\.0\.1|localhost):8080}{$url}g;
	my $want = $block->{note} =~ /^(\d{3})/ ? $1 : '2..|304';
	unlink "$tmp.status";
	print $shell <<"SH";
{
$text
} >$tmp.shown 2>$tmp.errors </dev/null
echo \$? >$tmp.rc
[ ! -s $tmp.last ] || ID=\$(sed -n 's/^.*"id":"\\([0-9a-f-]*\\)".*/\\1/p' $tmp.last | head -n 1 | grep . || echo "\$ID")
: >$tmp.done
SH
	$shell->flush;
	my $until = time + 60;
	select(undef, undef, undef, 0.01) while !-e "$tmp.done" && time < $until;
	die "not in time:\n$text\n" if !unlink "$tmp.done";
	my @status = split /\n/, slurp("$tmp.status");
	die "no answer:\n$text\n" . slurp("$tmp.errors") if !@status;
	for my $s (@status) {
		die "$s, not $want:\n$text\n" . slurp("$tmp.last") if $s !~ /^(?:$want)$/;
	}
	die "it failed:\n$text\n" . slurp("$tmp.errors") . slurp("$tmp.last") if slurp("$tmp.rc") != 0;
}

sub curl_blocks {
	my ($url, $file) = @_;
	my $tmp = tempdir('taskflow-examples-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/curl';
	my @blocks = $file =~ /\.md$/ ? readme_blocks($file) : manual_blocks($file);
	my $n = 0;
	open(my $shell, '|-', 'bash', '-s', $tmp) or die "bash: $!\n";
	print $shell $prelude, "URL=$url TOKEN=\$EXAMPLE_TOKEN ID=\$EXAMPLE_ID USER=\$EXAMPLE_USER ADMIN=\$EXAMPLE_ADMIN\n";
	for my $block (@blocks) {
		if ($block->{note} eq 'answer') {
			same_shape($json->decode($block->{text}), $json->decode(slurp("$tmp.last")), '');
		} elsif ($block->{text} =~ /\bcurl\b/ && $block->{note} ne 'not run') {
			run_block($shell, $tmp, $block, $url);
			$n++;
		}
	}
	close $shell;
	unlink glob "$tmp.*";
	die "no example in $file\n" if $n == 0;
	print "$file: $n examples\n";
}

my ($what, @args) = @ARGV;
if ($what eq 'handlers') { handlers(@args) } else { curl_blocks(@args) }
