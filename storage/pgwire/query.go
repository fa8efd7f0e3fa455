package pgwire

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	duck "github.com/duckdb/duckdb-go/v2"
	"github.com/jackc/pgx/v5/pgtype"
	wire "github.com/jeroenrinzema/psql-wire"
	"github.com/jeroenrinzema/psql-wire/codes"

	"github.com/mudpulse/mudpulse/storage/internal/priority"
)

// parse checks a statement and says what it will answer; it runs nothing.
func (s *Server) parse(ctx context.Context, query wire.Query) (wire.PreparedStatements, error) {
	if tag, column, value, ok := session(query.Query); ok {
		return wire.Prepared(fixed(tag, column, value)), nil
	}
	q, empty := translate(query.Query)
	if empty {
		return wire.Prepared(wire.NewStatement(func(_ context.Context, w wire.DataWriter, _ []wire.Parameter) error { return w.Complete("SELECT 0") },
			wire.WithColumns(wire.Columns{{Name: "nothing", Oid: pgtype.TextOID, Width: -1}}))), nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if err := s.checkerOf(ctx).Check(ctx, s.db, q); err != nil {
		return nil, err
	}
	columns, params, err := s.describe(ctx, q)
	if err == nil && slices.Contains(params, 0) { // of no type that the statement tells: text
		q = untyped.ReplaceAllString(q, "$1::VARCHAR$2")
		columns, params, err = s.describe(ctx, q)
	}
	if err != nil {
		return nil, err
	}
	for i := range params {
		if i < len(query.ParameterOIDs) && query.ParameterOIDs[i] != 0 {
			params[i] = query.ParameterOIDs[i]
		}
	}
	run := func(ctx context.Context, w wire.DataWriter, given []wire.Parameter) error {
		return s.run(ctx, w, q, columns, params, given)
	}
	return wire.Prepared(wire.NewStatement(run, wire.WithColumns(columns), wire.WithParameters(params))), nil
}

// untyped are parameters that are not cast where they stand.
var untyped = regexp.MustCompile(`(\$\d+)($|[^\d:])`)

// fixed answers without asking the database.
func fixed(tag, column, value string) *wire.PreparedStatement {
	if column == "" {
		return wire.NewStatement(func(_ context.Context, w wire.DataWriter, _ []wire.Parameter) error {
			if tag == "" {
				return w.Empty()
			}
			return w.Complete(tag)
		})
	}
	return wire.NewStatement(func(_ context.Context, w wire.DataWriter, _ []wire.Parameter) error {
		if err := w.Row([]any{value}); err != nil {
			return err
		}
		return w.Complete(tag)
	}, wire.WithColumns(wire.Columns{{Name: column, Oid: pgtype.TextOID, Width: -1}}))
}

// describe prepares a statement for the names and types of its columns and parameters.
func (s *Server) describe(ctx context.Context, q string) (columns wire.Columns, params []uint32, err error) {
	c, err := s.db.Conn(ctx)
	if err != nil {
		return nil, nil, s.explain(ctx, err)
	}
	defer c.Close()
	err = c.Raw(func(dc any) error {
		p, err := dc.(driver.ConnPrepareContext).PrepareContext(ctx, q)
		if err != nil {
			return err
		}
		st := p.(*duck.Stmt)
		defer st.Close()
		if t, err := st.StatementType(); err != nil || t != duck.STATEMENT_TYPE_SELECT {
			return errors.New("only SELECT is allowed here") // Check has said so before
		}
		n, err := st.ColumnCount()
		if err != nil {
			return err
		}
		for i := range n {
			name, err := st.ColumnName(i)
			if err != nil {
				return err
			}
			t, err := st.ColumnType(i)
			if err != nil {
				return err
			}
			columns = append(columns, wire.Column{Name: name, Oid: oid(t), Width: -1})
		}
		for i := range st.NumInput() {
			t, err := st.ParamType(i + 1)
			if err != nil {
				return err
			}
			if t == duck.TYPE_INVALID {
				params = append(params, 0)
				continue
			}
			params = append(params, oid(t))
		}
		return nil
	})
	if err != nil {
		return nil, nil, s.explain(ctx, err)
	}
	return columns, params, nil
}

func (s *Server) run(ctx context.Context, w wire.DataWriter, q string, columns wire.Columns, params []uint32, given []wire.Parameter) error {
	args := make([]any, len(given))
	for i, p := range given {
		v, err := argument(p, params, i)
		if err != nil {
			return refuse(codes.InvalidParameterValue, fmt.Sprintf("parameter $%d: %v", i+1, err))
		}
		args[i] = v
	}
	ctx, done, err := s.admit(ctx)
	if err != nil {
		return err
	}
	defer done()
	// The result is whole when QueryContext returns: that is the work. Its rows go out on the goroutine that the protocol's library binds them to.
	var rows *sql.Rows
	err = priority.Low(func() (err error) { rows, err = s.db.QueryContext(ctx, q, args...); return err })
	if err != nil {
		return s.explain(ctx, err)
	}
	defer rows.Close()
	values, dst := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		dst[i] = &values[i]
	}
	n := int64(0)
	for rows.Next() {
		if n++; n > s.cfg.MaxRows {
			return refuse(codes.ProgramLimitExceeded, fmt.Sprintf("more than %d rows: add a LIMIT, aggregate, or take the sealed Parquet files", s.cfg.MaxRows))
		}
		if err := rows.Scan(dst...); err != nil {
			return s.explain(ctx, err)
		}
		for i := range values {
			values[i] = encode(values[i], columns[i].Oid)
		}
		if err := w.Row(values); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return s.explain(ctx, err)
	}
	return w.Complete("SELECT " + strconv.FormatInt(n, 10))
}

// argument decodes a bound parameter. Text goes as it is: DuckDB converts it.
func argument(p wire.Parameter, params []uint32, i int) (any, error) {
	if p.Value() == nil {
		return nil, nil
	}
	if p.Format() == wire.TextFormat || i >= len(params) {
		return string(p.Value()), nil
	}
	v, err := p.Scan(params[i])
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case pgtype.Numeric:
		f, err := v.Float64Value()
		return f.Float64, err
	case int16, int32, int64, float32, float64, bool, string, []byte, time.Time:
		return v, nil
	}
	return nil, fmt.Errorf("type %T is not taken; send it as text", v)
}

// oid is the Postgres type in which a column of DuckDB's type is sent.
func oid(t duck.Type) uint32 {
	switch t {
	case duck.TYPE_BOOLEAN:
		return pgtype.BoolOID
	case duck.TYPE_TINYINT, duck.TYPE_SMALLINT, duck.TYPE_UTINYINT:
		return pgtype.Int2OID
	case duck.TYPE_INTEGER, duck.TYPE_USMALLINT:
		return pgtype.Int4OID
	case duck.TYPE_BIGINT, duck.TYPE_UINTEGER:
		return pgtype.Int8OID
	case duck.TYPE_FLOAT:
		return pgtype.Float4OID
	case duck.TYPE_DOUBLE:
		return pgtype.Float8OID
	case duck.TYPE_UBIGINT, duck.TYPE_HUGEINT, duck.TYPE_UHUGEINT, duck.TYPE_DECIMAL:
		return pgtype.NumericOID
	case duck.TYPE_TIMESTAMP, duck.TYPE_TIMESTAMP_MS, duck.TYPE_TIMESTAMP_NS, duck.TYPE_TIMESTAMP_S:
		return pgtype.TimestampOID
	case duck.TYPE_TIMESTAMP_TZ:
		return pgtype.TimestamptzOID
	case duck.TYPE_DATE:
		return pgtype.DateOID
	case duck.TYPE_BLOB:
		return pgtype.ByteaOID
	}
	return pgtype.TextOID
}

// encode makes of a value what pgtype takes for the column's type.
func encode(v any, oid uint32) any {
	if v == nil {
		return nil
	}
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		switch v := v.(type) {
		case int8:
			return int64(v)
		case int16:
			return int64(v)
		case int32:
			return int64(v)
		case uint8:
			return int64(v)
		case uint16:
			return int64(v)
		case uint32:
			return int64(v)
		}
	case pgtype.NumericOID:
		switch v := v.(type) {
		case uint64:
			return pgtype.Numeric{Int: new(big.Int).SetUint64(v), Valid: true}
		case *big.Int:
			return pgtype.Numeric{Int: v, Valid: true}
		case duck.Decimal:
			return pgtype.Numeric{Int: v.Value, Exp: -int32(v.Scale), Valid: true}
		}
	case pgtype.TextOID:
		return plain(v)
	}
	return v
}

// plain writes a value of a type that Postgres lacks as text.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05.999999")
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = "NULL"
			if x != nil {
				parts[i] = plain(x)
			}
		}
		return "{" + strings.Join(parts, ",") + "}"
	case duck.Interval:
		return fmt.Sprintf("%d months %d days %s", v.Months, v.Days, time.Duration(v.Micros)*time.Microsecond)
	case duck.UUID:
		return v.String()
	}
	return fmt.Sprint(v)
}
