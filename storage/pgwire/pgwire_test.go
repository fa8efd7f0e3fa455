package pgwire

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/telemetry"
)

var t0 = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// serve starts a server over a store with a little in it.
func serve(t testing.TB, change func(*Config)) (*Server, string) {
	t.Helper()
	_, s, url := serveStore(t, change)
	return s, url
}

func serveStore(t testing.TB, change func(*Config)) (*duckdb.Store, *Server, string) {
	t.Helper()
	store, err := duckdb.Open(duckdb.DefaultConfig(t.TempDir()), telemetry.DefaultCatalogue(), telemetry.SystemClock{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var b storage.Batch
	for i := range int64(30) {
		b.AddFrame(&telemetry.Frame{Drill: "RIG-07", Device: "edr", Boot: "b1", Seq: uint64(i), TS: t0.UnixNano() + i*1e9, Hash: 1 << 63,
			Runs: []telemetry.Run{{Channel: "WOB", Every: 5e8, Values: []float64{float64(i), float64(i) + 0.5}}, {Channel: "GR", Values: []float64{7}}}})
		b.Scores = append(b.Scores, telemetry.Score{Drill: "RIG-07", Tick: t0.UnixNano() + i*1e9, Health: 90, State: telemetry.StateRotary})
	}
	if err := store.Commit(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Views, cfg.Login = duckdb.Views, Token("admin", "s3cret")
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg, store.SQL(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		store.Close()
	})
	select {
	case <-s.Ready():
	case err := <-done:
		t.Fatal(err)
	}
	return store, s, fmt.Sprintf("postgres://admin:s3cret@%s/mudpulse?sslmode=disable", s.Addr())
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func TestOnlyTheRightPasswordOpens(t *testing.T) {
	_, url := serve(t, nil)
	connect(t, url)
	for _, wrong := range []string{strings.Replace(url, "s3cret", "guess", 1), strings.Replace(url, "admin", "root", 1), strings.Replace(url, ":s3cret", ":", 1)} {
		if c, err := pgx.Connect(context.Background(), wrong); err == nil {
			c.Close(context.Background())
			t.Errorf("%s was let in", wrong)
		}
	}
	if _, ok := Token("admin", "")(t.Context(), "admin", ""); ok {
		t.Error("an empty secret opens")
	}
}

func TestTLSIsSpokenWhereThereIsACertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mine := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"store"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, mine, mine, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	_, url := serve(t, func(c *Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	})
	f := func(roots *x509.CertPool, name string, want bool) {
		t.Helper()
		cfg, err := pgx.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		cfg.TLSConfig = &tls.Config{RootCAs: roots, ServerName: name}
		c, err := pgx.ConnectConfig(context.Background(), cfg)
		if err == nil {
			defer c.Close(context.Background())
			_, err = c.Exec(context.Background(), "SELECT count(*) FROM readings")
		}
		if (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	f(roots, "store", true)
	f(roots, "other", false)              // another's name
	f(x509.NewCertPool(), "store", false) // nobody vouches for it
}

func TestAUserReadsOnlyTheViewsGrantedToThem(t *testing.T) {
	_, url := serve(t, func(c *Config) {
		c.Login = func(_ context.Context, user, password string) ([]string, bool) {
			return map[string][]string{"ann": {"scores", "drills"}, "bob": {"readings"}}[user], password == "pw-"+user
		}
	})
	f := func(user, query string, allowed bool) {
		t.Helper()
		c := connect(t, strings.Replace(url, "admin:s3cret", user+":pw-"+user, 1))
		var n int
		err := c.QueryRow(context.Background(), query).Scan(&n)
		if allowed && (err != nil || n == 0) || !allowed && (err == nil || !strings.Contains(err.Error(), "is not among the views that may be read")) {
			t.Errorf("%s: %s: %d, %v", user, query, n, err)
		}
	}
	f("ann", "SELECT count(*) FROM scores", true)
	f("ann", "SELECT count(*) FROM readings", false)
	f("ann", "SELECT count(*) FROM (SELECT * FROM main.readings)", false)
	f("ann", "WITH x AS (SELECT * FROM readings) SELECT count(*) FROM x", false)
	f("bob", "SELECT count(*) FROM readings", true)
	f("bob", "SELECT count(*) FROM scores s JOIN drills d ON d.drill = s.drill", false)
	f("eve", "SELECT count(*) FROM readings", true) // whom Login grants nothing in particular: all
	if c, err := pgx.Connect(context.Background(), strings.Replace(url, "admin:s3cret", "ann:pw-bob", 1)); err == nil {
		c.Close(context.Background())
		t.Error("ann was let in with bob's password")
	}
}

func TestAClientReadsTypesAndParameters(t *testing.T) {
	_, url := serve(t, nil)
	c := connect(t, url)
	ctx := context.Background()
	var n int64
	var at time.Time
	var drill string
	var v float64
	// The extended protocol, binary formats, a prepared statement used twice.
	for range 2 {
		err := c.QueryRow(ctx, "SELECT drill, ts, wob, count(*) OVER () FROM readings_fast WHERE drill = $1 AND wob > $2 AND ts < $3 ORDER BY ts DESC LIMIT 1", "RIG-07", 3.0, t0.Add(20*time.Second)).Scan(&drill, &at, &v, &n)
		if err != nil || drill != "RIG-07" || v != 19.5 || !at.Equal(t0.Add(19500*time.Millisecond)) || n != 33 {
			t.Fatalf("%s %v %v %d: %v", drill, at, v, n, err)
		}
	}
	var total, big string
	if err := c.QueryRow(ctx, "SELECT sum(seq)::VARCHAR, max(hash_)::VARCHAR FROM (SELECT seq, 18446744073709551615::UBIGINT AS hash_ FROM frames)").Scan(&total, &big); err != nil || total != "435" || big != "18446744073709551615" {
		t.Errorf("%s %s: %v", total, big, err)
	}
	rows, err := c.Query(ctx, "SELECT channel, max(value), sum(seq), list(part) FROM readings GROUP BY channel ORDER BY channel", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for rows.Next() {
		vals, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(vals[0], " ", vals[1]))
	}
	if rows.Err() != nil || fmt.Sprint(got) != "[GR 7 WOB 29.5]" {
		t.Errorf("%v: %v", got, rows.Err())
	}
	tx, err := c.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM scores").Scan(&n); err != nil || n != 30 {
		t.Errorf("%d scores: %v", n, err)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Error(err)
	}
}

// Every refusal leaves the connection usable and says why.
func TestWhatIsNotASelectOverTheViewsIsRefused(t *testing.T) {
	_, url := serve(t, nil)
	c := connect(t, url)
	ctx := context.Background()
	b, err := os.ReadFile(filepath.Join("testdata", "refused.sql"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "--") {
			continue
		}
		n++
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeDescribeExec} {
			rows, err := c.Query(ctx, line, mode)
			if err == nil {
				rows.Close()
				err = rows.Err()
			}
			var pe *pgconn.PgError
			if !errors.As(err, &pe) || pe.Message == "" {
				t.Errorf("%s: %v", line, err)
			} else if testing.Verbose() && mode == pgx.QueryExecModeSimpleProtocol {
				t.Logf("%-60.60s %s %s", line, pe.Code, pe.Message)
			}
		}
	}
	if n < 40 {
		t.Errorf("%d statements, want 40 at least", n)
	}
	if err := c.QueryRow(ctx, "SELECT count(*) FROM frames").Scan(&n); err != nil || n != 30 {
		t.Errorf("afterwards: %d, %v", n, err)
	}
}

func TestUsualStatementsAreAllowed(t *testing.T) {
	_, url := serve(t, nil)
	c := connect(t, url)
	b, err := os.ReadFile(filepath.Join("testdata", "allowed.sql"))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range strings.Split(string(b), "\n;\n") {
		if q = strings.TrimSpace(q); q == "" {
			continue
		}
		rows, err := c.Query(context.Background(), q, pgx.QueryExecModeSimpleProtocol)
		if err == nil {
			rows.Close()
			err = rows.Err()
		}
		if err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// What psql 15 asks for \d and \d health.
func TestPsqlFindsTheViewsAndTheirColumns(t *testing.T) {
	_, url := serve(t, nil)
	c := connect(t, url)
	f := func(query string) (out [][]any) {
		t.Helper()
		rows, err := c.Query(context.Background(), query, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			v, err := rows.Values()
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, v)
		}
		if rows.Err() != nil {
			t.Fatalf("%s: %v", query, rows.Err())
		}
		return out
	}
	list := f(`SELECT n.nspname as "Schema", c.relname as "Name", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' END as "Type", pg_catalog.pg_get_userbyid(c.relowner) as "Owner", pg_catalog.obj_description(c.oid, 'pg_class') as "Description"
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
WHERE c.relkind IN ('r','p','v','m','S','f','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2;`)
	if len(list) != len(duckdb.Views) {
		t.Errorf("%d views, want %d: %v", len(list), len(duckdb.Views), list)
	}
	for _, v := range list {
		if d, _ := v[4].(string); len(d) < 20 {
			t.Errorf("%v has no description", v[1])
		}
	}
	for _, q := range []string{
		"SELECT table_name FROM information_schema.tables ORDER BY 1", "select viewname from pg_views", "SELECT v.viewname FROM pg_catalog.pg_views v",
		"SELECT DISTINCT c.table_name FROM information_schema.tables t JOIN information_schema.columns c ON t.table_name = c.table_name AND t.table_schema = c.table_schema",
	} {
		if got := f(q); len(got) != len(duckdb.Views) {
			t.Errorf("%s: %d, want the %d views: %v", q, len(got), len(duckdb.Views), got)
		}
	}
	if got := f("SELECT tablename FROM pg_tables"); len(got) != 0 {
		t.Errorf("tables that nobody may read are listed: %v", got)
	}
	found := f("SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(health)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3;")
	if len(found) != 1 {
		t.Fatalf("health: %v", found)
	}
	columns := f(fmt.Sprintf(`SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull,
(SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation) AS attcollation, a.attidentity, a.attgenerated
FROM pg_catalog.pg_attribute a WHERE a.attrelid = '%v' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;`, found[0][0]))
	if len(columns) < 5 || columns[0][0] != "drill" || columns[2][0] != "health" || columns[2][1] != "double precision" {
		t.Errorf("columns of health: %v", columns)
	}
}

func TestARunawayQueryIsStopped(t *testing.T) {
	_, url := serve(t, func(c *Config) { c.Timeout, c.MaxRows, c.Wait = 300*time.Millisecond, 1000, 50*time.Millisecond })
	c := connect(t, url)
	ctx := context.Background()
	const endless = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range * b.range = 7"
	if _, err := c.Exec(ctx, endless); err == nil || !strings.Contains(err.Error(), "stopped after") {
		t.Errorf("endless: %v", err)
	}
	if _, err := c.Exec(ctx, "SELECT * FROM range(2000)", pgx.QueryExecModeSimpleProtocol); err == nil || !strings.Contains(err.Error(), "more than 1000 rows") {
		t.Errorf("too many rows: %v", err)
	}
	// One runs, another is told that it waited.
	first := connect(t, url)
	done := make(chan error, 1)
	go func() { _, err := first.Exec(ctx, endless); done <- err }()
	var err error
	for range 1000 {
		if _, err = c.Exec(ctx, "SELECT 1"); err != nil {
			break
		}
		if len(done) > 0 {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "try again") {
		t.Errorf("the second query: %v", err)
	}
	<-done
}

// A query that would take all memory is stopped and told why; commits and screens
// beside it, which share that memory, do not notice.
func TestAQueryThatTakesAllMemoryIsStoppedAlone(t *testing.T) {
	var store *duckdb.Store
	var url string
	store, _, url = serveStore(t, func(c *Config) {
		c.Timeout = 10 * time.Minute
		c.MaxMemory, c.Memory = 32<<20, func(ctx context.Context) (int64, error) { return store.QueryMemory(ctx) }
	})
	ctx := context.Background()
	c, other := connect(t, url), connect(t, url)
	for _, q := range []string{
		"SELECT len(list(a.range)) FROM range(2000000000) a",
		"SELECT len(string_agg(a.range::VARCHAR, ' ')) FROM range(2000000000) a",
		"SELECT count(*) FROM (SELECT DISTINCT a.range FROM range(2000000000) a)",
		"SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY (a.range * 7919) % 1000003) AS n FROM range(2000000000) a)",
	} {
		done := make(chan error, 1)
		go func() { _, err := c.Exec(ctx, q, pgx.QueryExecModeSimpleProtocol); done <- err }()
		var err error
		for over := false; !over; {
			select {
			case err = <-done:
				over = true
			default:
				var b storage.Batch
				b.AddFrame(&telemetry.Frame{Drill: "RIG-09", Device: "edr", Boot: "b1", Seq: uint64(time.Now().UnixNano()), TS: t0.UnixNano(), Runs: []telemetry.Run{{Channel: "WOB", Values: []float64{1}}}})
				if err := store.Commit(ctx, &b); err != nil {
					t.Fatalf("a commit beside %s: %v", q, err)
				}
				if _, err := store.Series(ctx, storage.SeriesQuery{Drill: "RIG-07", Channels: []string{"WOB"}, From: t0.UnixNano(), To: t0.UnixNano() + 30e9, Points: 10}); err != nil {
					t.Fatalf("a screen beside %s: %v", q, err)
				}
			}
		}
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || pe.Code != "53200" || !strings.Contains(pe.Message, "that a query may take") {
			t.Errorf("%s: %v", q, err)
		}
		var n int
		if err := other.QueryRow(ctx, "SELECT count(*) FROM scores").Scan(&n); err != nil || n != 30 {
			t.Errorf("afterwards: %d scores, %v", n, err)
		}
	}
}

// Two hundred analysts are signed in and ask at once: each has its turn, and commits go on.
func TestManyAnalystsTakeTurnsAndIngestGoesOn(t *testing.T) {
	store, s, url := serveStore(t, func(c *Config) { c.Wait = 2 * time.Minute })
	ctx := context.Background()
	const analysts = 200
	conns := make([]*pgx.Conn, analysts)
	for i := range conns {
		conns[i] = connect(t, url)
	}
	if n := s.connections(); n != analysts {
		t.Errorf("%d connections, want %d", n, analysts)
	}
	errs := make(chan error, analysts)
	for _, c := range conns {
		go func() {
			var n int
			err := c.QueryRow(ctx, "SELECT count(*) FROM readings WHERE value >= $1", 0.0).Scan(&n)
			if err == nil && n < 90 {
				err = fmt.Errorf("%d readings", n)
			}
			errs <- err
		}()
	}
	commits := 0
	for done := 0; done < analysts; {
		select {
		case err := <-errs:
			if done++; err != nil {
				t.Error(err)
			}
		default:
			var b storage.Batch
			b.AddFrame(&telemetry.Frame{Drill: "RIG-08", Device: "edr", Boot: "b1", Seq: uint64(commits), TS: t0.UnixNano() + int64(commits)*1e9, Runs: []telemetry.Run{{Channel: "WOB", Values: []float64{1}}}})
			if err := store.Commit(ctx, &b); err != nil {
				t.Fatal(err)
			}
			commits++
		}
	}
	if commits == 0 {
		t.Error("no commit went on beside them")
	}
}

func TestAQueryIsCancelled(t *testing.T) {
	_, url := serve(t, nil)
	c := connect(t, url)
	started := time.Now()
	cancelled := make(chan error, 1)
	go func() {
		// Until it has arrived, the request cancels nothing: it is repeated.
		for {
			if err := c.PgConn().CancelRequest(context.Background()); err != nil {
				cancelled <- err
				return
			}
			select {
			case <-cancelled:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	_, err := c.PgConn().Exec(context.Background(), "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range * b.range = 7").ReadAll()
	cancelled <- nil
	if err == nil || !strings.Contains(err.Error(), "cancelled") || time.Since(started) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(started), err)
	}
}

// FuzzCheck: whatever is sent, a statement that passes is one that DuckDB itself calls a SELECT.
func FuzzCheck(f *testing.F) {
	store, err := duckdb.Open(duckdb.DefaultConfig(f.TempDir()), telemetry.DefaultCatalogue(), telemetry.SystemClock{}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { store.Close() })
	for _, name := range []string{"refused.sql", "allowed.sql"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			f.Add(line)
		}
	}
	c := newChecker(duckdb.Views)
	f.Fuzz(func(t *testing.T, q string) {
		q, _ = translate(q)
		if c.Check(context.Background(), store.SQL(), q) != nil {
			return
		}
		low := strings.ToLower(q)
		for _, word := range []string{"read_parquet", "read_csv", "duckdb_settings", "copy ", "attach"} {
			if strings.HasPrefix(strings.TrimSpace(low), word) {
				t.Errorf("%q passed", q)
			}
		}
	})
}
