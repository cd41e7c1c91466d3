# flight.pl: a handler of the kind process for several tasks at once. In its first attempt a task is not
# answered, and one whose payload is "crash" crashes the program; in later ones it is done at once.
use strict;
$| = 1;

while (my $line = <STDIN>) {
	my ($id) = $line =~ /"id":"([^"]+)"/ or next;
	if ($line !~ /"attempt":1,/) {
		print qq({"id":"$id","result":$$}\n);
	} elsif ($line =~ /"payload":"crash"/) {
		kill 'SEGV', $$;
	}
}
