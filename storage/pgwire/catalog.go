package pgwire

import (
	"regexp"
	"strings"
)

// Clients ask Postgres's own catalog in Postgres's own SQL. DuckDB has most of
// it; what it spells otherwise is rewritten here before the statement is
// checked. A rewritten statement is checked like any other.

type rewrite struct {
	re *regexp.Regexp
	to string
}

var rewrites = []rewrite{
	// Grafana asks which schemas are in the search path, and how old the server is.
	{regexp.MustCompile(`(?is)quote_ident\(table_schema\) IN \(\s*SELECT\s+CASE WHEN trim\(s\[i\]\).*?string_to_array\(current_setting\('search_path'\),\s*','\) s\s*\)`), "table_schema = 'main'"},
	{regexp.MustCompile(`(?i)\b(?:pg_catalog\.)?current_setting\('server_version_num'\)`), "'140000'"},
	{regexp.MustCompile(`(?i)\b(?:pg_catalog\.)?current_setting\('search_path'\)`), "'main'"},
	{regexp.MustCompile(`(?i)\bquote_ident\((\w+)\)`), "$1"},
	{regexp.MustCompile(`(?i)\b(?:pg_catalog\.)?version\(\)`), "'PostgreSQL 14.0 (mudpulse, over DuckDB)'"},
	{regexp.MustCompile(`(?i)\bto_regtype\(([^()]*)\)`), "(SELECT min(rt.oid) FROM pg_catalog.pg_type rt WHERE rt.typname = $1)"},
	{regexp.MustCompile(`(?i)OPERATOR\(pg_catalog\.([^)]+)\)`), "$1"},
	{regexp.MustCompile(`(?i)COLLATE pg_catalog\.default`), ""},
	{regexp.MustCompile(`(?i)pg_catalog\.pg_get_userbyid\([^)]*\)`), "'mudpulse'"},
	{regexp.MustCompile(`(?i)(?:pg_catalog\.)?pg_table_is_visible\(((?:\w+\.)?\w+)\.oid\)`), "($1.relnamespace = (SELECT ns.oid FROM pg_catalog.pg_namespace ns WHERE ns.nspname = 'main' LIMIT 1))"},
	{regexp.MustCompile(`(?i)(?:pg_catalog\.)?pg_(?:type|function)_is_visible\([^)]*\)`), "true"},
	{regexp.MustCompile(`(?i)(\w+\.\w+)::pg_catalog\.regclass(::pg_catalog\.text)?`), "$1::VARCHAR"},
	{regexp.MustCompile(`(?i)::pg_catalog\.(\w+)`), "::$1"},
	{regexp.MustCompile(`(?i)::reg(type|class|proc|namespace)\b`), "::VARCHAR"},
	{regexp.MustCompile(`(?i)pg_catalog\.format_type\(((?:\w+\.)*)atttypid, ((?:\w+\.)*)atttypmod\)`), typeName},
	{regexp.MustCompile(`(?i)[\w.]+\.attgenerated AS generated`), "'' AS generated"},
	{regexp.MustCompile(`(?i)AND [\w.]+\.classoid = CAST\((\$\d+|'[^']*')(::VARCHAR)? AS REGCLASS\)`), "AND $1::VARCHAR IS NOT NULL"},
	{regexp.MustCompile(`(?i)pg_catalog\.pg_get_constraintdef\([^,()]*, (\$\d+|true|false)\)`), "concat('', $1::VARCHAR)"},
	{regexp.MustCompile(`(?i)LEFT JOIN pg_catalog\.pg_am am ON \(?(?:am\.oid = c\.relam|c\.relam = am\.oid)\)?`), "LEFT JOIN (SELECT 0 AS oid, '' AS amname) am ON false"},
	{regexp.MustCompile(`(?i)\bc\.(?:relrowsecurity|relforcerowsecurity|relispartition|relhasoids)\b`), "false"},
	{regexp.MustCompile(`(?i)\bc\.relreplident\b`), "'d'"},
	{regexp.MustCompile(`(?i)\bc\.reloftype\b`), "0"},
	{regexp.MustCompile(`(?i)pg_catalog\.pg_get_expr\([^()]*\)`), "NULL"},
	{regexp.MustCompile(`(?i)pg_catalog\.pg_encoding_to_char\([^)]*\)`), "'UTF8'"},
	{regexp.MustCompile(`(?i)\(SELECT c\.collname[\s\S]*?AS attcollation`), "NULL AS attcollation"},
	{regexp.MustCompile(`(?i)\ba\.(attidentity|attgenerated)\b`), "'' AS $1"},
	{regexp.MustCompile(`(?i)\bd\.(?:datcollate|datctype|daticulocale)\b`), "''"},
	{regexp.MustCompile(`(?i)CASE d\.datlocprovider[\s\S]*?END`), "''"},
	{regexp.MustCompile(`(?i)pg_catalog\.array_to_string\(\w+\.\w+acl, E'\\n'\)`), "''"},
	{regexp.MustCompile(`(?i)\bd\.encoding\b`), "6"},
	{regexp.MustCompile(`(?i)pg_catalog\.array_to_string\(c\.reloptions[\s\S]*?', '\)`), "''"},
	{regexp.MustCompile(`(?i)pg_catalog\.obj_description\((\w+\.oid), 'pg_class'\)`), "(SELECT max(pd.description) FROM pg_catalog.pg_description pd WHERE pd.objoid = $1 AND pd.objsubid = 0)"},
	{regexp.MustCompile(`(?i)pg_catalog\.pg_get_viewdef\([^)]*\)`), "''"},
	{regexp.MustCompile(`(?i)pg_catalog\.col_description\([^()]*\)`), "NULL"},
	{regexp.MustCompile(`(?i)\ba\.(attstorage|attcompression)\b`), "'' AS $1"},
	{regexp.MustCompile(`(?i)CASE WHEN a\.attstattarget[\s\S]*?END AS attstattarget`), "NULL AS attstattarget"},
	{regexp.MustCompile(`(?i)pg_catalog\.pg_(?:table|relation|total_relation)_size\([^)]*\)`), "0"},
	{regexp.MustCompile(`(?i)pg_catalog\.(\w+)\(`), "$1("},
	// The store's own tables, which nobody may read, are nobody's list.
	{regexp.MustCompile(`(?i)\b(from|join)\s+information_schema\.(tables|columns)\b`), "$1 (SELECT * FROM information_schema.$2 WHERE table_schema = 'main')"},
	{regexp.MustCompile(`(?i)\b(from|join)\s+(?:pg_catalog\.)?pg_tables\b`), "$1 (SELECT * FROM pg_catalog.pg_tables WHERE schemaname = 'main')"},
	{regexp.MustCompile(`(?i)\b(from|join)\s+(?:pg_catalog\.)?pg_views\b`), "$1 (SELECT * FROM pg_catalog.pg_views WHERE schemaname = 'main' AND NOT (viewname LIKE 'duckdb%' OR viewname LIKE 'sqlite%' OR viewname LIKE 'pragma%'))"},
}

// typeName writes types as Postgres does: reflection knows them by these names.
const typeName = "CASE format_type(${1}atttypid, ${2}atttypmod) WHEN 'float8' THEN 'double precision' WHEN 'float4' THEN 'real' WHEN 'varchar' THEN 'character varying'" +
	" WHEN 'timestamp' THEN 'timestamp without time zone' WHEN 'timestamptz' THEN 'timestamp with time zone' WHEN 'int8' THEN 'bigint' WHEN 'int4' THEN 'integer' WHEN 'int2' THEN 'smallint'" +
	" WHEN 'bool' THEN 'boolean' ELSE format_type(${1}atttypid, ${2}atttypmod) END"

// blanks are parts of SQLAlchemy's question about columns whose answer is always
// none: identity and collation. Parameters in them must stay, or the numbers of
// the others would not fit.
var (
	blanks = []*regexp.Regexp{
		regexp.MustCompile(`(?is)CASE WHEN \([\w.]+\.attidentity != .*? ELSE NULL END AS identity_options`),
		regexp.MustCompile(`(?is)CASE WHEN \([\w.]+\.attcollation != .*? ELSE NULL END AS collation`),
	}
	parameter = regexp.MustCompile(`\$\d+`)
)

func blank(part string) string {
	name := part[strings.LastIndex(part, " ")+1:]
	params := parameter.FindAllString(part, -1)
	if len(params) == 0 {
		return "NULL AS " + name
	}
	return "CASE WHEN false THEN concat(" + strings.Join(params, "::VARCHAR, ") + "::VARCHAR) END AS " + name
}

// empties are catalogs that DuckDB lacks: an empty set is a true answer.
var empties = regexp.MustCompile(`(?i)\b(?:pg_catalog\.)?(pg_policy|pg_statistic_ext|pg_publication\w*|pg_inherits|pg_trigger|pg_rewrite|pg_foreign_\w+|pg_extension|pg_event_trigger|pg_roles|pg_user|pg_auth_members|pg_tablespace|pg_matviews|pg_stat_\w+|pg_am|pg_collation|pg_language|pg_operator|pg_opclass|pg_sequence|pg_cast|pg_proc|pg_aggregate|pg_range|pg_seclabel|pg_get_indexdef)\b`)

// mentions reports whether a statement asks for the catalog; only such are rewritten.
func mentionsCatalog(q string) bool {
	low := strings.ToLower(q)
	return strings.Contains(low, "pg_") || strings.Contains(low, "::reg") || strings.Contains(low, "version()") || strings.Contains(low, "current_setting(") || strings.Contains(low, "quote_ident(") || strings.Contains(low, "information_schema")
}

// translate returns the statement in DuckDB's words, and whether its answer is empty.
func translate(q string) (string, bool) {
	if !mentionsCatalog(q) {
		return q, false
	}
	for _, re := range blanks {
		q = re.ReplaceAllStringFunc(q, blank)
	}
	for _, r := range rewrites {
		q = r.re.ReplaceAllString(q, r.to)
	}
	return q, empties.MatchString(q)
}

var firstWord = regexp.MustCompile(`^\s*([A-Za-z]+)`)

// session answers what clients say to every server, and what changes nothing here.
func session(q string) (tag, column, value string, ok bool) {
	m := firstWord.FindStringSubmatch(q)
	if m == nil {
		return "", "", "", strings.Trim(q, " \t\r\n;") == ""
	}
	word := strings.ToUpper(m[1])
	rest := strings.ToLower(strings.Trim(q[len(m[0]):], " \t\r\n;"))
	switch word {
	case "SET", "RESET", "DISCARD", "DEALLOCATE":
		return word, "", "", !strings.Contains(rest, ";")
	case "BEGIN", "COMMIT", "ROLLBACK", "START", "END", "ABORT":
		return word, "", "", !strings.Contains(rest, ";")
	case "SHOW":
		if v, ok := shown[rest]; ok {
			return "SHOW", strings.ReplaceAll(rest, " ", "_"), v, true
		}
	}
	return "", "", "", false
}

var shown = map[string]string{
	"transaction isolation level": "read committed", "transaction_isolation": "read committed", "default_transaction_isolation": "read committed",
	"standard_conforming_strings": "on", "server_version": "14.0", "server_version_num": "140000", "server_encoding": "UTF8", "client_encoding": "UTF8",
	"search_path": "main", "timezone": "UTC", "time zone": "UTC", "datestyle": "ISO, MDY", "max_identifier_length": "63", "lc_collate": "C",
	"default_transaction_read_only": "on", "transaction_read_only": "on", "is_superuser": "off", "integer_datetimes": "on",
}
