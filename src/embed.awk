# Turns SQL and Lua files into C strings.
#   awk -f src/embed.awk -v header=FILE a.sql b.sql >FILE.c
# sql/query/task_claim.sql becomes sql_query_task_claim, src/task/lua/take.lua
# becomes lua_take; migrations also go into the table sql_schema[].
function symbol(path,	n, part, name) {
	n = split(path, part, "/")
	name = part[n]
	sub(/\.[a-z]+$/, "", name)
	return (path ~ /\.lua$/ ? "lua_" : "sql_" part[n - 1] "_") name
}
function quote(line) {
	gsub(/\\/, "\\\\", line)
	gsub(/"/, "\\\"", line)
	return "\"" line "\\n\""
}
function finish() {
	if (open != "")
		print ";\n"
}
BEGIN {
	print "/* Made by src/embed.awk from sql/ and src/task/lua/. */" >header
	print "#ifndef TASKFLOW_GEN_SQL_H\n#define TASKFLOW_GEN_SQL_H\n" >header
	print "/* Made by src/embed.awk from sql/ and src/task/lua/. */"
	print "#include \"sql.h\"\n"
}
FNR == 1 {
	finish()
	open = symbol(FILENAME)
	print "extern const char " open "[];" >header
	print "const char " open "[] ="
	if (FILENAME ~ /schema\//)
		schema[++nschema] = open
}
# Comments of our own lines and blank lines do not travel to the server.
/^[ \t]*--/ || /^[ \t]*$/ { next }
{ print quote($0) }
END {
	finish()
	print "\nextern const char *const sql_schema[];" >header
	print "extern const char *const sql_schema_name[];" >header
	print "extern const int sql_schema_count;\n\n#endif" >header
	print "const char *const sql_schema[] = {"
	for (i = 1; i <= nschema; i++)
		print "\t" schema[i] ","
	print "};\nconst char *const sql_schema_name[] = {"
	for (i = 1; i <= nschema; i++)
		print "\t\"" substr(schema[i], 12) "\","
	print "};\nconst int sql_schema_count = " nschema ";"
}
