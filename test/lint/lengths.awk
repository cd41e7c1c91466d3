# Functions under 60 lines, sources under 500, headers under 200, lines of at
# most 80 columns in C sources and 90 in headers (aligned comments).
function width(s,	i, n) {
	n = 0
	for (i = 1; i <= length(s); i++)
		n = substr(s, i, 1) == "\t" ? n + 8 - n % 8 : n + 1
	return n
}
FNR == 1 {
	limit = FILENAME ~ /^(src|include).*\.h$/ ? 210 : 500
	columns = FILENAME ~ /\.h$/ ? 90 : 80
	name = ""
}
FNR == limit + 1 { print FILENAME ": more than " limit " lines" }
width($0) > columns { print FILENAME ":" FNR ": more than " columns " columns" }
/^[a-z_][a-z0-9_]*\(/ { name = $0; sub(/\(.*/, "", name) }
/^{/ { begin = FNR }
/^}/ && name != "" {
	if (FNR - begin - 1 > 60)
		print FILENAME ":" begin ": " name " has " FNR - begin - 1 " lines"
	name = ""
}
