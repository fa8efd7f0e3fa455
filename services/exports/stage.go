package exports

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// A stage is a database of one job: what does not fit its memory lies on disk.
type stage struct {
	db *sql.DB
	c  *duckdb.Connector
}

const stageMemory = "128MB"

func openStage(dir string) (*stage, error) {
	q := url.Values{"memory_limit": {stageMemory}, "threads": {"1"}, "temp_directory": {filepath.Join(dir, "tmp")}}
	c, err := duckdb.NewConnector(filepath.Join(dir, "stage.duckdb")+"?"+q.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("open stage: %w", err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(4)
	return &stage{db, c}, nil
}

func (s *stage) close() error { return s.db.Close() }

func (s *stage) exec(ctx context.Context, statements ...string) error {
	for _, q := range statements {
		if _, err := s.db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("stage: %w", err)
		}
	}
	return nil
}

func (s *stage) each(ctx context.Context, q string, f func(*sql.Rows) error) error {
	rows, err := s.db.QueryContext(ctx, q)
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// appender returns what adds rows to a table, and what ends that.
func (s *stage) appender(ctx context.Context, table string) (add func(...driver.Value) error, end func() error, err error) {
	conn, err := s.c.Connect(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("stage: %w", err)
	}
	a, err := duckdb.NewAppenderFromConn(conn, "", table)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("stage: %w", err), conn.Close())
	}
	return a.AppendRow, func() error { return errors.Join(a.Close(), conn.Close()) }, nil
}

// copyTo returns the statement that writes a query's rows to a file.
func copyTo(query, file, format string) string {
	how := map[string]string{
		Parquet: "FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v1, ROW_GROUP_SIZE 65536",
		CSV:     "FORMAT csv, HEADER true, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%fZ'",
		JSON:    "FORMAT json, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%fZ'",
	}[format]
	return fmt.Sprintf("COPY (%s) TO %s (%s)", query, lit(file), how)
}

// ident quotes a name for SQL, lit a text.
func ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
func lit(s string) string   { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func utc(ns int64) time.Time { return time.Unix(0, ns).UTC() }
