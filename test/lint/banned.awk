# Calls that overflow, block, or hide state.
BEGIN {
	n = split("strcpy strcat sprintf vsprintf strtok atoi atol gets alloca " \
		"rand random sleep usleep localtime gmtime system popen", word, " ")
}
/^[ \t]*(\*|\/\*|\/\/)/ { next }
{
	line = $0
	gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
	for (i = 1; i <= n; i++)
		if (match(line, "(^|[^A-Za-z0-9_])" word[i] "\\("))
			print FILENAME ":" FNR ": " word[i]
	if (FILENAME !~ /^src\/(base|main)/ && line ~ /[^A-Za-z0-9_]getenv\(/)
		print FILENAME ":" FNR ": getenv"
	if (FILENAME !~ /^src\/base\/clock\.c/ && line ~ /[^A-Za-z0-9_]clock_gettime\(/)
		print FILENAME ":" FNR ": clock_gettime"
}
