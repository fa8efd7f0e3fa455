// Package clickhouse is the columnstore that several processes share: a
// ClickHouse server or cluster, one writer, any number of readers.
//
// ClickHouse has no transactions over tables. So each commit has a number, tx,
// which all its rows carry, and its row of commits, with the positions, is
// inserted last: rows are read where their commit's row is there. What a writer
// left half written is void for ever, by a range of numbers that the next writer
// enters before it begins; it reads the same records from the log again and
// stores them under new numbers (docs/adr/0018-clickhouse.md).
package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/present"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Config says where the server is and what is kept.
type Config struct {
	// URL is clickhouse://user:password@host:9000/database (native; host2:9000 after a comma),
	// or http:// and https:// for the HTTP protocol. Settings of clickhouse-go may follow, and
	// cluster=NAME: tables are then replicated ones, made on that cluster.
	URL      string
	ReadOnly bool          // never writes: an api beside a writer elsewhere
	Follow   time.Duration // wall time between looks at what the writer elsewhere committed
	Open     time.Duration // how long the server is waited for

	// Rows that are older, by ClickHouse's clock and in event time, are dropped, a day at a time; 0: none is.
	KeepReadings time.Duration // values; their frames stay in the ledger
	KeepRecords  time.Duration // frames and scores, and with them their part of the ledger

	// CrashPoint is called as places worth dying at are passed; nil: nothing.
	CrashPoint func(name string)
}

// Names of the crash points.
const (
	CrashInserted  = "store-inserted"  // rows of a commit are in one table more, its positions are not stored
	CrashCommitted = "store-committed" // they are, the caller has not been told
)

// DefaultConfig writes to a server.
func DefaultConfig(url string) Config {
	return Config{URL: url, Follow: time.Second, Open: 30 * time.Second}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	if _, _, _, err := parse(c.URL); err != nil {
		return err
	}
	switch {
	case c.Follow <= 0:
		return fmt.Errorf("follow: must be positive, not %v", c.Follow)
	case c.Open <= 0:
		return fmt.Errorf("open: must be positive, not %v", c.Open)
	case c.KeepReadings < 0:
		return fmt.Errorf("keep_readings: must not be negative, not %v", c.KeepReadings)
	case c.KeepRecords < 0:
		return fmt.Errorf("keep_records: must not be negative, not %v", c.KeepRecords)
	case c.KeepRecords > 0 && (c.KeepReadings == 0 || c.KeepReadings > c.KeepRecords):
		return fmt.Errorf("keep_readings: %v is longer than keep_records, %v: readings need the frames they came in", c.KeepReadings, c.KeepRecords)
	}
	return nil
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// parse returns the driver's options, the database and the cluster of a URL.
func parse(text string) (o *driver.Options, database, cluster string, err error) {
	const want = "want clickhouse://user:password@host:9000/database, or http:// or https:// with the port of that protocol"
	u, err := url.Parse(text)
	if err != nil { // its message would repeat the password
		return nil, "", "", errors.New("columnstore: not a URL: " + want)
	}
	switch u.Scheme {
	case "clickhouse", "tcp", "http", "https":
	default:
		return nil, "", "", fmt.Errorf("columnstore: %q is no protocol of ClickHouse: %s", u.Scheme, want)
	}
	if u.Host == "" {
		return nil, "", "", errors.New("columnstore: no host: " + want)
	}
	q := u.Query()
	cluster = q.Get("cluster")
	q.Del("cluster")
	if u.Scheme == "https" && !q.Has("secure") {
		q.Set("secure", "true")
	}
	database = strings.Trim(u.Path, "/")
	if database == "" {
		database = "mudpulse"
	}
	if !identifier.MatchString(database) || cluster != "" && !identifier.MatchString(cluster) {
		return nil, "", "", fmt.Errorf("columnstore: database %q, cluster %q: want letters, digits and underscores", database, cluster)
	}
	u.Path, u.RawQuery = "/default", q.Encode() // ours may not be there yet
	if o, err = driver.ParseDSN(u.String()); err != nil {
		return nil, "", "", fmt.Errorf("columnstore: %w", err)
	}
	return o, database, cluster, nil
}

// A Store is one open columnstore; safe for concurrent use.
type Store struct {
	cfg      Config
	clock    telemetry.Clock
	log      *slog.Logger
	cat      *telemetry.Catalogue
	conn     driver.Conn
	database string
	cluster  string

	mem  present.Memory
	book book

	// What is committed, and so may be read.
	seen struct {
		sync.RWMutex
		horizon
		commit int64
		dedup  int64 // the commit that had the last snapshot; 0: none
	}

	names struct {
		sync.RWMutex
		tags       map[string]string // lower case → as it is stored
		outputs    map[string]bool   // of models, as series name them
		registered map[string]bool   // lower case
	}

	// The write side: one goroutine at a time.
	wmu       sync.Mutex
	closed    bool
	broken    error
	tx, fence uint64 // the last number that was used; the highest void number that this writer knows
	spoilt    []uint64
	log0      string // id of the log that offsets belong to
	offsets   map[topicPartition]int64
	snapshots int
	kept      []int
	content   []uint64
	scratch   []byte
	readings  atomic.Int64

	ahead ahead
}

type topicPartition struct {
	topic     string
	partition int32
}

// Open connects, makes what is missing, and reads back what is kept in memory.
// Of two writers the one that opened last goes on; the other is told at its next commit.
func Open(cfg Config, cat *telemetry.Catalogue, clock telemetry.Clock, log *slog.Logger) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.CrashPoint == nil {
		cfg.CrashPoint = func(string) {}
	}
	o, database, cluster, err := parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	conn, err := driver.Open(o)
	if err != nil {
		return nil, fmt.Errorf("columnstore: %w", err)
	}
	s := &Store{cfg: cfg, clock: clock, log: log, cat: cat, conn: conn, database: database, cluster: cluster, offsets: map[topicPartition]int64{}}
	s.names.tags, s.names.outputs, s.names.registered = map[string]string{}, map[string]bool{}, map[string]bool{}
	ctx, cancel := context.WithTimeout(context.Background(), cfg.Open)
	defer cancel()
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("columnstore %s: %w", strings.Join(o.Addr, ","), err), conn.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := s.reach(ctx, s.conn.Ping); err != nil {
		return err
	}
	if s.cfg.ReadOnly { // the writer elsewhere may not have made it yet
		if err := s.reach(ctx, s.version); err != nil {
			return err
		}
	}
	ctx = context.WithoutCancel(ctx) // it is there: what it has to do takes as long as it takes
	if err := s.make(ctx); err != nil {
		return err
	}
	if !s.cfg.ReadOnly {
		if err := s.takeOver(ctx); err != nil {
			return fmt.Errorf("take over: %w", err)
		}
	}
	defer s.mem.Loading()()
	return s.catchUp(ctx)
}

// Codes of the server's answers that another try does not mend.
const (
	codeRights = 497
	codeLogin  = 516
)

// reach waits until what is tried succeeds.
func (s *Store) reach(ctx context.Context, try func(context.Context) error) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := try(ctx)
		var refused *driver.Exception
		if err == nil || errors.Is(err, errLayout) || errors.As(err, &refused) && (refused.Code == codeRights || refused.Code == codeLogin) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not reached in %v: %w", s.cfg.Open, err)
		case <-time.After(wait):
		}
	}
}

// Run follows the writer elsewhere until ctx is done. ClickHouse merges and drops by itself: a writer has nothing to do here.
func (s *Store) Run(ctx context.Context) error {
	if !s.cfg.ReadOnly {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(s.cfg.Follow)
	defer tick.Stop()
	for complained := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := s.catchUp(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !complained:
			s.log.Warn("the columnstore is not reached; what is shown is as of before", "err", err)
		case err == nil && complained:
			s.log.Info("the columnstore is reached again")
		}
		complained = err != nil
	}
}

// Close closes the connections. What was committed is stored.
func (s *Store) Close() error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.conn.Close()
}

// Stats returns sizes and counts.
func (s *Store) Stats(ctx context.Context) (storage.Stats, error) {
	s.seen.RLock()
	st := storage.Stats{Commits: s.seen.commit, Readings: s.readings.Load()}
	s.seen.RUnlock()
	var bytes uint64
	err := s.one(ctx, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = "+lit(s.database), &bytes)
	if err == nil {
		var frames uint64
		err = s.one(ctx, "SELECT count() FROM "+s.table("frames")+" WHERE "+s.visible(), &frames)
		st.Frames = int64(frames)
	}
	st.SealedBytes = int64(bytes)
	if err != nil {
		return st, fmt.Errorf("stats: %w", err)
	}
	return st, nil
}
