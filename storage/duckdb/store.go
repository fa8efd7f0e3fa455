// Package duckdb is the columnstore of one process: DuckDB 1.5 in a file, one
// writer, many readers. Rows, the offsets they were read from and the
// de-duplication state are committed in one transaction.
package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/allocator"
	"github.com/mudpulse/mudpulse/storage/internal/present"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Config says where the store lies and what it may use.
type Config struct {
	Dir        string        // made if it is not there; holds mudpulse.duckdb and its WAL
	Memory     int64         // bytes of the buffer manager
	Threads    int           // that a query may use
	Readers    int           // queries at once; more wait
	Checkpoint time.Duration // between checkpoints, wall time
	Aside      int64         // bytes of the WAL from which a checkpoint goes on beside the commits: they do not wait, and each leaves about a MB of the file that is not given back

	PartRows     int64         // rows after which a partition is sealed though its hour is not over
	Grace        time.Duration // of event time, after which what comes late for an hour is mixed with other late rows
	MixedAge     time.Duration // wall time after which late rows and history are sealed
	Rollup       time.Duration // wall time between rounds of rollups, seals and merges
	CompactAfter time.Duration // wall time in which an hour got no file, before its files are merged
	Linger       time.Duration // wall time until a file that is out of the manifest is unlinked: longer than any query

	// Sealed hours that are older, by the clock and in event time, are dropped; 0: none is.
	KeepReadings time.Duration // values; their frames stay in the ledger
	KeepRollups  time.Duration
	KeepRecords  time.Duration // frames and scores; the ledger keeps ranges of numbers

	// CrashPoint is called as places worth dying at are passed (CrashPoints); nil: nothing.
	CrashPoint func(name string)
}

// Names of the crash points.
const (
	CrashAppended     = "store-appended"     // a batch's rows are appended, the transaction is open
	CrashCommitted    = "store-committed"    // it is committed, the caller has not been told
	CrashSpare        = "store-spare"        // the next partition's tables are made, the transaction is open
	CrashRolled       = "store-rolled"       // rollups are appended, the transaction is open
	CrashWritten      = "store-written"      // a sealed file is written and synced under its temporary name
	CrashRenamed      = "store-renamed"      // it has its name, the manifest does not know it
	CrashSummed       = "store-summed"       // what the ledger needs of a partition is stored, the partition is still hot
	CrashSealing      = "store-sealing"      // files are in the manifest, tables are dropped, the transaction is open
	CrashSealed       = "store-sealed"       // it is committed
	CrashMerging      = "store-merging"      // a merged file is in the manifest in place of others, the transaction is open
	CrashMerged       = "store-merged"       // it is committed, the others are not unlinked
	CrashPruned       = "store-pruned"       // old hours are out of the manifest, the transaction is open
	CrashRetired      = "store-retired"      // it is committed, their files are not unlinked
	CrashCheckpoint   = "store-checkpoint"   // about to checkpoint
	CrashCheckpointed = "store-checkpointed" // checkpointed
	CrashSnapshot     = "store-snapshot"     // a backup's snapshot is written, not yet in place
)

// CrashPoints lists them.
var CrashPoints = [...]string{CrashAppended, CrashCommitted, CrashSpare, CrashRolled, CrashWritten, CrashRenamed, CrashSummed, CrashSealing, CrashSealed,
	CrashMerging, CrashMerged, CrashPruned, CrashRetired, CrashCheckpoint, CrashCheckpointed, CrashSnapshot}

// DefaultConfig suits a laptop or the demo.
func DefaultConfig(dir string) Config {
	return Config{Dir: dir, Memory: 256 << 20, Threads: max(1, runtime.NumCPU()/2), Readers: 4, Checkpoint: 20 * time.Second, Aside: 32 << 20,
		PartRows: 4_000_000, Grace: 10 * time.Minute, MixedAge: time.Hour, Rollup: 20 * time.Second, CompactAfter: 5 * time.Minute, Linger: 3 * time.Minute}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("dir: must be given")
	case strings.ContainsAny(c.Dir, "?%#"):
		return fmt.Errorf("dir: %q: the folder's name must not hold ? %% or #; name another with --data", c.Dir)
	case c.Memory < 64<<20:
		return fmt.Errorf("memory: must be at least 64 MB, not %d bytes", c.Memory)
	case c.Threads < 1:
		return fmt.Errorf("threads: must be positive, not %d", c.Threads)
	case c.Readers < 1:
		return fmt.Errorf("readers: must be positive, not %d", c.Readers)
	case c.Checkpoint <= 0:
		return fmt.Errorf("checkpoint: must be positive, not %v", c.Checkpoint)
	case c.PartRows < 1:
		return fmt.Errorf("part_rows: must be positive, not %d", c.PartRows)
	case c.Grace < 0 || c.MixedAge < 0 || c.CompactAfter < 0 || c.Linger < 0:
		return fmt.Errorf("grace, mixed_age, compact_after, linger: must not be negative, not %v, %v, %v, %v", c.Grace, c.MixedAge, c.CompactAfter, c.Linger)
	case c.Rollup <= 0:
		return fmt.Errorf("rollup: must be positive, not %v", c.Rollup)
	case c.KeepReadings < 0:
		return fmt.Errorf("keep_readings: must not be negative, not %v", c.KeepReadings)
	case c.KeepRollups < 0:
		return fmt.Errorf("keep_rollups: must not be negative, not %v", c.KeepRollups)
	case c.KeepRecords < 0:
		return fmt.Errorf("keep_records: must not be negative, not %v", c.KeepRecords)
	case c.KeepRecords > 0 && (c.KeepReadings == 0 || c.KeepReadings > c.KeepRecords):
		return fmt.Errorf("keep_readings: %v is longer than keep_records, %v: readings need the frames they came in", c.KeepReadings, c.KeepRecords)
	}
	return nil
}

// A Store is one open columnstore; safe for concurrent use.
type Store struct {
	cfg        Config
	clock      telemetry.Clock
	log        *slog.Logger
	db         *sql.DB              // reads
	analysts   *sql.DB              // reads of a SQL front: connections of their own, so that screens never wait for one
	watch      *sql.DB              // reads of what queries hold
	cat        *telemetry.Catalogue // as it was on open: the columns
	tab        *tables
	columnsOf  map[string][][2]string // by dataset: name, type
	class      map[string]where       // lower-case tag of a class column → where
	catalogued map[string]bool        // lower-case tags of the catalogue

	// The write side: one goroutine at a time.
	wmu             sync.Mutex
	raw             mapping.Database
	conn            mapping.Connection
	closed          bool
	commit, ord     int64
	cluster         string
	offsets         map[topicPartition]int64
	dedupAt         int64
	times           []int64
	scratch         []byte
	pendingReadings int64
	kept            []int            // indices of the batch's scores that are stored
	content         []uint64         // contentHash of each of the batch's scores
	places          map[string]int32 // by drill: frames in the commit in progress
	pending         pending
	open            map[int32]*part // partitions that take rows, by hour
	fresh           []*part         // begun by the commit in progress
	taken           []*part         // spares that it took: one, or none
	spare           *part           // made, without an hour
	lastPart        *part
	nextPart        int64
	liveFrom        int32 // hours that have partitions of their own
	liveTo          int32

	// Which partitions there are: changed under wmu and lay, read under lay.
	lay        sync.RWMutex
	parts      []*part
	files      []*file // by hour
	generation int64
	asked      asked

	// Maintenance: one at a time, beside the commits. mmu before wmu before lay.
	mmu        sync.Mutex
	waiting    atomic.Int32 // people who wait for mmu
	maintain   session
	checkpoint sync.Mutex // held while a transaction is open that does more than append, and by a checkpoint; before wmu
	pointer    session    // checkpoints
	witness    session    // reads from before a checkpoint that goes on beside the commits until it is over
	besides    int        // such checkpoints since the last one that was not
	garbage    []garbage
	sealedAt   map[int32]time.Time // wall time of an hour's last seal

	// Names, numbered: written under wmu and names, read under names.
	names      sync.RWMutex
	sources    map[sourceKey]int32
	bySource   []sourceKey
	channels   map[string]int32 // tag as first seen → number
	byChannel  []string
	byLower    map[string]int32 // lower-case tag
	layouts    map[string]int32
	byLayout   []string
	registered map[string]telemetry.Channel // lower-case tag
	tags       map[string]where             // tag as it came → where; a cache

	mem     present.Memory
	book    book
	guard   guard
	reserve reserve

	readings   atomic.Int64
	staleViews atomic.Bool // they name damaged files
}

type topicPartition struct {
	topic     string
	partition int32
}

type sourceKey struct{ drill, device, boot string }

// pending is what a commit in progress has numbered, taken back if it fails.
type pending struct {
	sources, channels, layouts int // lengths before
}

// Open opens or makes the store in cfg.Dir and reads back what it keeps in
// memory. The catalogue's channels that no user defined are the columns of the
// class tables. A store is one process's: a second Open fails.
func Open(cfg Config, cat *telemetry.Catalogue, clock telemetry.Clock, log *slog.Logger) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("duckdb: %w", err)
	}
	if cfg.CrashPoint == nil {
		cfg.CrashPoint = func(string) {}
	}
	s := &Store{
		cfg: cfg, clock: clock, log: log, cat: cat, tab: newTables(cat), open: map[int32]*part{}, nextPart: 1, places: map[string]int32{}, sealedAt: map[int32]time.Time{}, class: map[string]where{}, catalogued: map[string]bool{}, offsets: map[topicPartition]int64{},
		sources: map[sourceKey]int32{}, channels: map[string]int32{}, byLower: map[string]int32{}, layouts: map[string]int32{},
		registered: map[string]telemetry.Channel{}, tags: map[string]where{},
	}
	s.columnsOf = columnsOfDatasets(&s.tab.rows)
	for _, ch := range cat.All() {
		s.catalogued[strings.ToLower(ch.Tag)] = true
	}
	for class, t := range s.tab.rows.class {
		if t == nil {
			continue
		}
		for i, c := range t.cols[readingMeta:] {
			s.class[strings.ToLower(c.name)] = where{class: telemetry.Class(class), col: i}
		}
	}
	if err := s.openFiles(); err != nil {
		s.release()
		return nil, fmt.Errorf("open store in %s: %w", cfg.Dir, err)
	}
	return s, nil
}

func (s *Store) openFiles() error {
	if err := os.MkdirAll(s.cfg.Dir, 0o755); err != nil {
		return err
	}
	dir, err := filepath.Abs(s.cfg.Dir)
	if err != nil {
		return err
	}
	s.cfg.Dir = dir
	path := filepath.Join(dir, "mudpulse.duckdb")
	// A first start that was killed, or had no space, may leave a file without its headers: there is nothing in it.
	const headers = 3 * 4096
	if fi, err := os.Stat(path); err == nil && fi.Size() < headers {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	allocator.Settle()
	var config mapping.Config
	if mapping.CreateConfig(&config) == mapping.StateError {
		return errors.New("make DuckDB's configuration")
	}
	defer mapping.DestroyConfig(&config)
	// Replaying the WAL on open must keep to the limits, so they are said before; the driver below says the same: both must agree.
	tmp := filepath.Join(dir, "tmp")
	options := [][2]string{{"duckdb_api", "go"}, {"memory_limit", fmt.Sprintf("%dMB", s.cfg.Memory>>20)}, {"threads", fmt.Sprint(s.cfg.Threads)}, {"temp_directory", tmp}}
	dsn := url.Values{}
	for i, o := range options {
		if mapping.SetConfig(config, o[0], o[1]) == mapping.StateError {
			return fmt.Errorf("set %s to %s", o[0], o[1])
		}
		if i > 0 {
			dsn.Set(o[0], o[1])
		}
	}
	var msg string
	if mapping.GetOrCreateFromCache(driver.GetInstanceCache(), path, &s.raw, config, &msg) == mapping.StateError {
		if strings.Contains(msg, "lock") {
			return fmt.Errorf("another process has it open; a DuckDB store is one process's, so run writer and api together: %s", msg)
		}
		return errors.New(msg)
	}
	if mapping.Connect(s.raw, &s.conn) == mapping.StateError {
		return errors.New("connect")
	}
	s.maintain.reserve = &s.reserve
	for _, own := range []*session{&s.maintain, &s.pointer, &s.witness, &s.reserve.session} {
		if mapping.Connect(s.raw, &own.conn) == mapping.StateError {
			return errors.New("connect")
		}
	}
	for _, q := range []string{
		"SET autoinstall_known_extensions=false", "SET autoload_known_extensions=false",
		"SET checkpoint_threshold='4GB'", // Checkpoint does it, off the commit path
		"SET max_temp_directory_size='4GB'",
		"SET parquet_metadata_cache=true",
		"SET allocator_background_threads=true", // what is free goes back while nobody allocates, too
	} {
		if err := s.exec(q); err != nil {
			return err
		}
	}
	connector, err := driver.NewConnector(path+"?"+dsn.Encode(), nil)
	if err != nil {
		return err
	}
	s.db = sql.OpenDB(connector)
	s.db.SetMaxOpenConns(s.cfg.Readers)
	s.db.SetMaxIdleConns(s.cfg.Readers)
	if connector, err = driver.NewConnector(path+"?"+dsn.Encode(), nil); err != nil {
		return err
	}
	s.analysts = sql.OpenDB(connector)
	s.analysts.SetMaxOpenConns(s.cfg.Readers)
	s.analysts.SetMaxIdleConns(1)
	if connector, err = driver.NewConnector(path+"?"+dsn.Encode(), nil); err != nil {
		return err
	}
	s.watch = sql.OpenDB(connector) // commits ask it: they must not wait for analysts
	s.watch.SetMaxOpenConns(2)
	s.watch.SetMaxIdleConns(2)
	if err := s.upgrade(); err != nil {
		return err
	}
	if err := s.dropOldTypes(); err != nil {
		return err
	}
	for _, q := range s.tab.ddl() {
		if err := s.exec(q); err != nil {
			return err
		}
	}
	for _, class := range rollupClasses {
		if err := s.exec(s.rollupDDL(nil, class)); err != nil {
			return err
		}
	}
	for _, t := range s.tab.global() {
		if err := t.open(s.conn); err != nil {
			return err
		}
	}
	if err := s.load(context.Background()); err != nil {
		return err
	}
	if err := s.fillAmended(); err != nil {
		return err
	}
	if err := s.refreshViews(); err != nil {
		return err
	}
	if err := s.makeViews(); err != nil {
		return err
	}
	s.guard.most, s.guard.patience, s.guard.held = s.cfg.Memory/4*3, 3*time.Second, s.QueryMemory
	return s.reserve.begin(s.cfg.Memory, s.guard.stop, s.QueryMemory)
}

// Close closes the store; a commit in progress ends first.
func (s *Store) Close() error {
	s.mmu.Lock()
	defer s.mmu.Unlock()
	s.checkpoint.Lock()
	defer s.checkpoint.Unlock()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.closed {
		return nil
	}
	err := s.reserve.commit(func() error { return s.exec("CHECKPOINT") })
	s.release()
	return err
}

func (s *Store) release() {
	s.closed = true
	for _, db := range []*sql.DB{s.db, s.analysts, s.watch} {
		if db != nil {
			db.Close()
		}
	}
	for _, t := range s.tab.global() {
		t.close()
	}
	for _, p := range s.parts {
		for _, t := range p.t.all() {
			t.close()
		}
	}
	mapping.Disconnect(&s.reserve.session.conn)
	mapping.Disconnect(&s.witness.conn)
	mapping.Disconnect(&s.pointer.conn)
	mapping.Disconnect(&s.maintain.conn)
	mapping.Disconnect(&s.conn)
	mapping.Close(&s.raw)
}

// exec runs a statement without a result on the writer's connection.
func (s *Store) exec(q string) error { return run(s.conn, q) }

func run(conn mapping.Connection, q string) error {
	var res mapping.Result
	defer mapping.DestroyResult(&res)
	if mapping.Query(conn, q, &res) == mapping.StateError {
		first, _, _ := strings.Cut(q, "(")
		return refusal(first, mapping.ResultError(&res))
	}
	return nil
}

// refusal is DuckDB's error of a statement. After some errors of its own it does nothing more.
func refusal(statement, msg string) error {
	return invalidated(fmt.Errorf("%s: %s", statement, msg))
}

// invalidated marks an error after which DuckDB does nothing more.
func invalidated(err error) error {
	if strings.Contains(err.Error(), "database has been invalidated") {
		return fmt.Errorf("%w: %w", err, storage.ErrBroken)
	}
	return err
}

// shortOfMemory tells of a COMMIT's error whether its rows found no room. They are
// appended column by column, and DuckDB 1.5 leaves those behind that had it (seen
// with a limit of 128 MB: "column with index 0 has misaligned count", and the next
// checkpoint ends the database). Its WAL has none of it.
func shortOfMemory(err error) error {
	for _, s := range []string{"failed to pin block", "could not allocate block", "Out of Memory"} {
		if strings.Contains(err.Error(), s) {
			return fmt.Errorf("%w: the columnstore's limit is too small for what comes, give it more with --memory: %w", err, storage.ErrBroken)
		}
	}
	return err
}

// SQL returns the read side for a SQL front; its statements must have been checked.
func (s *Store) SQL() *sql.DB { return s.analysts }

// takePart numbers a partition that has no tables.
func (s *Store) takePart() int64 {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	s.nextPart++
	return s.nextPart - 1
}

// source returns the number of a source, numbering a new one. Writer only.
func (s *Store) source(drill, device, base string) int32 {
	k := sourceKey{drill, device, base}
	if n, ok := s.sources[k]; ok { // only this goroutine writes the map
		return n
	}
	s.names.Lock()
	n := int32(len(s.bySource))
	k = sourceKey{strings.Clone(drill), strings.Clone(device), strings.Clone(base)}
	s.sources[k] = n
	s.bySource = append(s.bySource, k)
	s.names.Unlock()
	s.tab.sources.add(n, k.drill, k.device, k.boot)
	return n
}

func (s *Store) sourceName(n int32) sourceKey {
	s.names.RLock()
	defer s.names.RUnlock()
	if n < 0 || int(n) >= len(s.bySource) {
		return sourceKey{}
	}
	return s.bySource[n]
}

// sourcesOf returns the numbers of a drill's sources.
func (s *Store) sourcesOf(drill string) []int32 {
	s.names.RLock()
	defer s.names.RUnlock()
	var out []int32
	for i, k := range s.bySource {
		if k.drill == drill {
			out = append(out, int32(i))
		}
	}
	return out
}

// where returns where a tag's samples lie, giving a new tag a number. Writer only.
func (s *Store) where(tag string) where {
	if w, ok := s.tags[tag]; ok {
		return w
	}
	s.names.Lock()
	defer s.names.Unlock()
	lower := strings.ToLower(tag)
	w, ok := s.class[lower]
	if !ok {
		if c := s.cat.Get(tag); c != nil && c.Class == telemetry.Waveform {
			s.tags[strings.Clone(tag)] = where{class: telemetry.Waveform}
			return where{class: telemetry.Waveform}
		}
		ch, ok := s.byLower[lower]
		if !ok {
			tag = strings.Clone(tag)
			ch = int32(len(s.byChannel))
			s.byChannel = append(s.byChannel, tag)
			s.channels[tag] = ch
			s.byLower[lower] = ch
			s.tab.channels.add(ch, tag)
		}
		w = where{class: telemetry.Narrow, ch: ch}
	}
	if len(s.tags) > 1<<16 {
		clear(s.tags)
	}
	s.tags[strings.Clone(tag)] = w
	return w
}

// lookup is where for readers: it numbers nothing.
func (s *Store) lookup(tag string) (where, string, bool) {
	lower := strings.ToLower(tag)
	if w, ok := s.class[lower]; ok {
		return w, s.tab.rows.class[w.class].cols[readingMeta+w.col].name, true
	}
	s.names.RLock()
	defer s.names.RUnlock()
	ch, ok := s.byLower[lower]
	if !ok {
		return where{}, "", false
	}
	return where{ch: ch}, s.byChannel[ch], true
}

// layout returns the number of a list of names. Writer only.
func (s *Store) layout(names any) (int32, error) {
	b, err := json.Marshal(names)
	if err != nil {
		return 0, fmt.Errorf("layout: %w", err)
	}
	if n, ok := s.layouts[string(b)]; ok {
		return n, nil
	}
	s.names.Lock()
	n := int32(len(s.byLayout))
	text := string(b)
	s.layouts[text] = n
	s.byLayout = append(s.byLayout, text)
	s.names.Unlock()
	s.tab.layouts.add(n, text)
	return n, nil
}

func (s *Store) layoutNames(n int32, into any) error {
	s.names.RLock()
	if n < 0 || int(n) >= len(s.byLayout) {
		s.names.RUnlock()
		return fmt.Errorf("layout %d is not there", n)
	}
	text := s.byLayout[n]
	s.names.RUnlock()
	return json.Unmarshal([]byte(text), into)
}

// begin remembers how many names there are.
func (s *Store) begin() {
	for _, t := range s.tab.global() {
		t.reset()
	}
	s.beginParts()
	s.book.pend = s.book.pend[:0]
	s.pendingReadings = 0
	clear(s.places)
	s.pending = pending{len(s.bySource), len(s.byChannel), len(s.byLayout)}
}

// takeBack forgets the names that a failed commit numbered.
func (s *Store) takeBack() {
	s.dropFresh()
	s.names.Lock()
	defer s.names.Unlock()
	for _, k := range s.bySource[s.pending.sources:] {
		delete(s.sources, k)
	}
	s.bySource = s.bySource[:s.pending.sources]
	for _, tag := range s.byChannel[s.pending.channels:] {
		delete(s.channels, tag)
		delete(s.byLower, strings.ToLower(tag))
	}
	s.byChannel = s.byChannel[:s.pending.channels]
	for _, text := range s.byLayout[s.pending.layouts:] {
		delete(s.layouts, text)
	}
	s.byLayout = s.byLayout[:s.pending.layouts]
	clear(s.tags)
}
