# Each floor may include itself and what is below. Third-party headers have one
# door each. Prints what breaks that.
function floor_of(path,	part, n) {
	n = split(path, part, "/")
	return n > 2 ? part[2] : "main"
}
BEGIN {
	rank["base"] = 0; rank["loop"] = 1; rank["store"] = 2
	rank["task"] = 3; rank["role"] = 4; rank["main"] = 5
	# header -> the files that may include it
	door["event2"] = "^src/loop/"
	door["openssl/ssl.h"] = "^src/loop/http"
	door["openssl"] = "^src/(base/crypt\\.c|loop/http)"
	door["libpq-fe.h"] = "^src/store/"
	door["hiredis"] = "^src/store/redis"
	door["jwt.h"] = "^src/task/token\\.c"
	door["cjson"] = "^src/base/"
	door["crypt.h"] = "^src/base/crypt\\.c"
}
/^#[ \t]*include[ \t]+"/ {
	name = $0
	gsub(/^[^"]*"|".*$/, "", name)
	split(name, part, "/")
	if (part[1] in rank && name ~ /\// &&
	    rank[part[1]] > rank[floor_of(FILENAME)])
		print FILENAME ":" FNR ": looks up to " name
	if (FILENAME ~ /^src\/role\/(api|manager|worker)\//) {
		split(FILENAME, mine, "/")
		if (name ~ /^role\/(api|manager|worker)\// && part[2] != mine[3])
			print FILENAME ":" FNR ": looks into another role: " name
	}
}
/^#[ \t]*include[ \t]+</ {
	name = $0
	gsub(/^[^<]*<|>.*$/, "", name)
	for (d in door)
		if (index(name, d) == 1 && FILENAME !~ door[d])
			print FILENAME ":" FNR ": " name " has another door"
}
