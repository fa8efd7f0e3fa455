package pgwire

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jeroenrinzema/psql-wire/codes"
)

// maxStatement bounds a statement's text, in bytes.
const maxStatement = 256 << 10

// checker knows what a statement may name.
type checker struct {
	views     map[string]bool
	functions map[string]bool
}

func newChecker(views []string) *checker {
	c := &checker{views: map[string]bool{}, functions: map[string]bool{}}
	for _, v := range views {
		c.views[v] = true
	}
	for _, f := range strings.Fields(functions) {
		c.functions[f] = true
	}
	return c
}

// catalogTables are the catalogs that clients look into; DuckDB serves them.
var catalogTables = map[string][]string{
	"pg_catalog":         {"pg_class", "pg_namespace", "pg_attribute", "pg_type", "pg_attrdef", "pg_constraint", "pg_index", "pg_description", "pg_database", "pg_tables", "pg_views", "pg_enum"},
	"information_schema": {"tables", "columns", "schemata", "table_constraints", "key_column_usage", "referential_constraints", "constraint_column_usage", "character_sets"},
}

// Nodes of DuckDB's serialised syntax that a SELECT may have. What is not
// listed is refused: SHOW, files as tables, whatever a later version adds.
var (
	classes = words("FUNCTION COLUMN_REF CONSTANT CAST COMPARISON CONJUNCTION OPERATOR CASE SUBQUERY STAR WINDOW PARAMETER LAMBDA LAMBDA_REF BETWEEN COLLATE POSITIONAL_REFERENCE")
	nodes   = words("SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE CTE_NODE BASE_TABLE JOIN SUBQUERY TABLE_FUNCTION EXPRESSION_LIST EMPTY PIVOT" +
		" ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER ORDER_DEFAULT ASCENDING DESCENDING")
	tableFunctions = words("unnest range generate_series generate_subscripts")
	plainName      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// Check parses a statement and refuses all but one SELECT over listed views,
// catalogs and functions. The error says what stands in the way.
func (c *checker) Check(ctx context.Context, db *sql.DB, query string) error {
	if len(query) > maxStatement {
		return refuse(codes.ProgramLimitExceeded, fmt.Sprintf("the statement has %d bytes, at most %d are taken", len(query), maxStatement))
	}
	var text string
	if err := db.QueryRowContext(ctx, "SELECT json_serialize_sql(?::VARCHAR, skip_empty := true, skip_null := true)::VARCHAR", query).Scan(&text); err != nil {
		return refuse(codes.Syntax, "the statement cannot be parsed: "+err.Error())
	}
	var parsed struct {
		Error      bool   `json:"error"`
		Type       string `json:"error_type"`
		Message    string `json:"error_message"`
		Statements []any  `json:"statements"`
	}
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		return refuse(codes.Syntax, "the statement cannot be parsed: "+err.Error())
	}
	switch {
	case parsed.Error && parsed.Type == "parser":
		return refuse(codes.Syntax, parsed.Message)
	case parsed.Error:
		return refuse(codes.InsufficientPrivilege, "only SELECT is allowed here: this access reads and changes nothing")
	case len(parsed.Statements) != 1:
		return refuse(codes.Syntax, fmt.Sprintf("one statement at a time, not %d", len(parsed.Statements)))
	}
	ctes := map[string]bool{}
	if err := collectCTEs(parsed.Statements[0], ctes); err != nil {
		return err
	}
	return c.walk(parsed.Statements[0], ctes, 0)
}

// collectCTEs gathers the names that WITH defines. They are plain names, so
// that one can never stand for a file where it is out of scope.
func collectCTEs(v any, ctes map[string]bool) error {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if err := collectCTEs(x, ctes); err != nil {
				return err
			}
		}
	case map[string]any:
		if m, ok := v["cte_map"].(map[string]any); ok {
			list, _ := m["map"].([]any)
			for _, e := range list {
				entry, _ := e.(map[string]any)
				name, _ := entry["key"].(string)
				if err := addCTE(name, ctes); err != nil {
					return err
				}
			}
		}
		if name, ok := v["cte_name"].(string); ok && name != "" {
			if err := addCTE(name, ctes); err != nil {
				return err
			}
		}
		for _, x := range v {
			if err := collectCTEs(x, ctes); err != nil {
				return err
			}
		}
	}
	return nil
}

func addCTE(name string, ctes map[string]bool) error {
	low := strings.ToLower(name)
	if !plainName.MatchString(name) || strings.HasPrefix(low, "duckdb_") || strings.HasPrefix(low, "pragma_") || strings.HasPrefix(low, "sqlite_") {
		return refuse(codes.Syntax, fmt.Sprintf("WITH %q: use a plain name of letters, digits and _", name))
	}
	ctes[low] = true
	return nil
}

func (c *checker) walk(v any, ctes map[string]bool, depth int) error {
	if depth > 2000 {
		return refuse(codes.StatementTooComplex, "the statement is nested too deeply")
	}
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if err := c.walk(x, ctes, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		if _, constant := v["is_null"]; constant || v["class"] == "CONSTANT" {
			return nil
		}
		if err := c.node(v, ctes); err != nil {
			return err
		}
		for k, x := range v {
			if k == "cast_type" {
				continue
			}
			if err := c.walk(x, ctes, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) node(v map[string]any, ctes map[string]bool) error {
	str := func(k string) string { s, _ := v[k].(string); return s }
	if class, ok := v["class"].(string); ok {
		if !classes[class] {
			return refuse(codes.InsufficientPrivilege, fmt.Sprintf("%s is not allowed here", class))
		}
		if class == "FUNCTION" || class == "WINDOW" {
			name, schema, catalog := strings.ToLower(str("function_name")), str("schema"), str("catalog")
			if catalog != "" || schema != "" && schema != "main" && schema != "pg_catalog" || !c.functions[name] {
				return refuse(codes.InsufficientPrivilege, fmt.Sprintf("function %s is not allowed here", strings.TrimPrefix(schema+"."+name, ".")))
			}
		}
		return nil
	}
	kind, ok := v["type"].(string)
	if !ok {
		return nil
	}
	switch {
	case !nodes[kind]:
		return refuse(codes.InsufficientPrivilege, fmt.Sprintf("%s is not allowed here: only SELECT over the views %s", strings.TrimSuffix(kind, "_REF"), c.list()))
	case kind == "BASE_TABLE":
		return c.table(str("catalog_name"), str("schema_name"), str("table_name"), ctes)
	case kind == "TABLE_FUNCTION":
		f, _ := v["function"].(map[string]any)
		name, _ := f["function_name"].(string)
		if !tableFunctions[strings.ToLower(name)] {
			return refuse(codes.InsufficientPrivilege, fmt.Sprintf("table function %s is not allowed here", name))
		}
	}
	return nil
}

func (c *checker) table(catalog, schema, name string, ctes map[string]bool) error {
	low := strings.ToLower(name)
	switch {
	case catalog != "":
	case schema == "" && (ctes[low] || c.views[low] || slices.Contains(catalogTables["pg_catalog"], low)):
		return nil
	case (schema == "main" || schema == "public") && c.views[low]:
		return nil
	case slices.Contains(catalogTables[strings.ToLower(schema)], low):
		return nil
	}
	return refuse(codes.UndefinedTable, fmt.Sprintf("%q is not among the views that may be read: %s", name, c.list()))
}

func (c *checker) list() string {
	var out []string
	for v := range c.views {
		out = append(out, v)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
