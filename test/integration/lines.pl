# lines.pl: a handler of the kind process, for the tests. The payload's member "do" says what it does:
# echo (the payload), pid, error, die (once), progress.
use strict;
$| = 1;

sub answer { print qq({"id":"$_[0]",$_[1]}\n) }

while (my $line = <STDIN>) {
	my ($id) = $line =~ /"id":"([^"]+)"/ or next;
	my ($attempt) = $line =~ /"attempt":(\d+)/;
	my ($payload) = $line =~ /"payload":(\{.*?\})[,}]/;
	my ($do) = $line =~ /"do":"(\w+)"/;
	if ($do eq 'echo') {
		answer($id, qq("result":$payload));
	} elsif ($do eq 'error') {
		answer($id, qq("error":"as asked"));
	} elsif ($do eq 'die' && $attempt == 1) {
		kill 'KILL', $$;
	} else {
		answer($id, qq("progress":"half of it")) if $do eq 'progress';
		answer($id, qq("result":$$));
	}
}
