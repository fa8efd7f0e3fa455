package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/mudpulse/mudpulse/storage/internal/micros"
)

// row is one row of an answer.
type row interface{ Scan(...any) error }

// each runs a query and calls f on each row.
func (s *Store) each(ctx context.Context, query string, f func(row) error) error {
	rows, err := s.conn.Query(s.with(ctx, nil), query)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := f(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// one reads a query's one row.
func (s *Store) one(ctx context.Context, query string, dst ...any) error {
	found := false
	err := s.each(ctx, query, func(r row) error { found = true; return r.Scan(dst...) })
	if err == nil && !found {
		return errors.New("no answer")
	}
	return err
}

func (s *Store) exec(ctx context.Context, query string) error {
	return s.conn.Exec(s.with(ctx, nil), query)
}

// with adds the settings of a statement. On a cluster what is read is what a quorum has.
func (s *Store) with(ctx context.Context, more driver.Settings) context.Context {
	set := driver.Settings{}
	if s.cluster != "" {
		set["insert_quorum"], set["select_sequential_consistency"], set["insert_quorum_parallel"] = "auto", 1, 0
	}
	for k, v := range more {
		set[k] = v
	}
	if len(set) == 0 {
		return ctx
	}
	return driver.Context(ctx, driver.WithSettings(set))
}

// table is where rows are; what analysts ask is a view without the prefix.
func (s *Store) table(name string) string { return s.database + "." + stored + name }

const stored = "stored_"

var escape = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// lit quotes a text for SQL.
func lit(v string) string { return "'" + escape.Replace(v) + "'" }

// lits quotes a list for IN.
func lits(list []string) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = lit(v)
	}
	return "(" + strings.Join(out, ", ") + ")"
}

// us converts Unix ns to µs, flooring.
func us(ns int64) int64 { return micros.Floor(ns) }

// at is a time in µs as SQL has it.
func at(us int64) string { return fmt.Sprintf("fromUnixTimestamp64Micro(%d, 'UTC')", us) }

// stamp is Unix ns as the driver takes a time of µs.
func stamp(ns int64) time.Time { return time.UnixMicro(us(ns)).UTC() }

// nano is Unix ns as the driver takes a time of ns.
func nano(ns int64) time.Time { return time.Unix(0, ns).UTC() }
