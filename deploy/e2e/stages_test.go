//go:build e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/telemetry"
)

// stages is the product in its processes, each of which loses something.
type stages struct {
	t                      *testing.T
	kafka, prefix          string
	blobs, log, gw, sc, st string // directories
	logs, gateway, scorer  *harness.Proc
	store                  *platform
	mqtt                   string
	devices                map[string]*device
	base                   time.Time
}

func (s *stages) startLog() {
	_ = os.Remove(filepath.Join(s.log, "addresses.json"))
	l := &platform{Proc: harness.Start(s.t, nil, harness.Bin(s.t, "mudpulse"), "run", "--parts", "log", "--demo=false", "--data", s.log, "--kafka", s.kafka), t: s.t, dir: s.log}
	l.await()
	s.logs = l.Proc
}

func (s *stages) startGateway() {
	_ = os.Remove(filepath.Join(s.gw, "addresses.json"))
	gw := &platform{Proc: harness.Start(s.t, nil, harness.Bin(s.t, "gateway"), "--brokers", s.kafka, "--prefix", s.prefix, "--data", s.gw, "--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0"), t: s.t, dir: s.gw}
	gw.await()
	s.gateway, s.mqtt = gw.Proc, gw.addresses["mqtt"]
}

func (s *stages) startScorer() {
	s.scorer = harness.Start(s.t, nil, harness.Bin(s.t, "scorer"), "--brokers", s.kafka, "--prefix", s.prefix, "--blobs", s.blobs, "--data", s.sc, "--checkpoint", "1s")
}

func (s *stages) startStore() {
	s.store = run(s.t, s.st, nil, "--brokers", s.kafka, "--prefix", s.prefix, "--blobs", s.blobs, "--parts", "writer,api")
}

// send publishes seconds of a drill, each acknowledged.
func (s *stages) send(drill string, seqs ...int) {
	s.t.Helper()
	d := s.devices[drill]
	if d.client == nil || !d.client.IsConnectionOpen() {
		d.connect(s.t, s.mqtt)
	}
	for _, seq := range seqs {
		d.publish(s.t, second(seq, s.base.Add(time.Duration(seq)*time.Second)))
	}
}

func (s *stages) sendBoth(seqs ...int) {
	s.send("RIG-07", seqs...)
	s.send("RIG-08", seqs...)
}

type stageRow struct {
	Drill, Device, Boot                      string
	Sent, Accepted, Stored, Scored, Readable int
	Gaps                                     []stageGap
}

type stageGap struct {
	Stage           string
	From, To, Count int
	Why             string
	Pending         bool
}

func (g stageGap) String() string { return fmt.Sprintf("%s %d to %d", g.Stage, g.From, g.To) }

// names waits until the ledger has, of RIG-07, all up to last and just these gaps, and of RIG-08 none.
func (s *stages) names(query string, last int, want ...string) []stageGap {
	s.t.Helper()
	var l struct{ Rows []stageRow }
	says := func() (out []string) {
		l.Rows = nil
		if err := s.store.get("/api/v1/ledger?"+query, &l); err != nil {
			return []string{err.Error()}
		}
		for _, r := range l.Rows {
			if r.Device != "edr" || r.Boot != "b1" || r.Sent != last {
				out = append(out, fmt.Sprintf("%s %s %s has %d of %d", r.Drill, r.Device, r.Boot, r.Sent, last))
			}
			for _, g := range r.Gaps {
				what := r.Drill + " " + g.String()
				if g.Pending {
					what += " pending"
				}
				out = append(out, what)
			}
		}
		return out
	}
	var got []string
	harness.Wait(s.t, 90*time.Second, fmt.Sprintf("the ledger to say of %d: %q", last, want), func() bool {
		now := says()
		if strings.Join(now, "|") != strings.Join(got, "|") {
			s.t.Logf("ledger: %q", now)
		}
		got = now
		return strings.Join(got, "|") == strings.Join(want, "|") && len(l.Rows) == 2
	})
	return l.Rows[0].Gaps
}

// whole waits until the store has n frames of the bystander at every stage.
func (s *stages) whole(n int) {
	s.t.Helper()
	var l struct{ Rows []stageRow }
	harness.Wait(s.t, 90*time.Second, fmt.Sprintf("%d frames of RIG-08 at every stage", n), func() bool {
		return s.store.get("/api/v1/ledger?drill=RIG-08", &l) == nil && len(l.Rows) == 1 && l.Rows[0].Accepted == n && l.Rows[0].Scored == n && l.Rows[0].Readable == n
	})
}

// find returns where in a topic the first record is that ok says yes to.
func (s *stages) find(topic string, ok func(*kgo.Record) bool) (partition int32, offset int64) {
	s.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.kafka), kgo.ConsumeTopics(s.prefix+topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		for _, r := range cl.PollFetches(ctx).Records() {
			if ok(r) {
				return r.Partition, r.Offset
			}
		}
	}
	s.t.Fatalf("%s has no such record", topic)
	return 0, 0
}

// cut has the log forget a record and those before it.
func (s *stages) cut(topic string, partition int32, offset int64) {
	s.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.kafka))
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	o := kadm.Offsets{}
	o.AddOffset(s.prefix+topic, partition, offset+1, -1)
	got, err := kadm.NewClient(cl).DeleteRecords(s.t.Context(), o)
	if err == nil {
		err = got.Error()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// damage flips a byte of a frame's record in the gateway's spool.
func (s *stages) damage(drill string, seq uint64) {
	s.t.Helper()
	const magic, header = 0x5d1c0de7, 32 // gateway/spool: record.go draws it
	var d telemetry.Decoder
	segs, err := filepath.Glob(filepath.Join(s.gw, "gateway", "*.seg"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, seg := range segs {
		b, err := os.ReadFile(seg)
		if err != nil {
			s.t.Fatal(err)
		}
		for at := 0; at+header < len(b); at++ {
			if binary.LittleEndian.Uint32(b[at:]) != magic {
				continue
			}
			n := int(binary.LittleEndian.Uint32(b[at+8:]))
			if at+header+n > len(b) || n < 1 {
				continue
			}
			payload := b[at+header : at+header+n]
			head := 1 + int(payload[0])
			var f telemetry.Frame
			if head > n || d.Decode(payload[head:], &f) != nil || f.Drill != drill || f.Seq != seq {
				continue
			}
			b[at+header+n/2] ^= 0x40
			if err := os.WriteFile(seg, b, 0o600); err != nil {
				s.t.Fatal(err)
			}
			return
		}
	}
	s.t.Fatalf("%s %d is not in the spool: %v", drill, seq, segs)
}

// delete takes rows out of the store's hot tables, as somebody with a shell would.
func (s *stages) delete(from, where string) {
	s.t.Helper()
	db, err := sql.Open("duckdb", filepath.Join(s.st, "store", "mudpulse.duckdb"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'store' AND regexp_matches(table_name, '^p[0-9]+_" + from + "$')")
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	taken := int64(0)
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			s.t.Fatal(err)
		}
		res, err := db.Exec("DELETE FROM store." + table + " WHERE " + where)
		if err != nil {
			s.t.Fatal(err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			s.t.Fatal(err)
		}
		taken += n
	}
	if taken != 1 && from != "readings_fast" || taken < 1 {
		s.t.Fatalf("%d rows of %s where %s", taken, from, where)
	}
}

// deleteSealed seals the store and takes a row out of a file and of the manifest's sums.
func (s *stages) deleteSealed(dataset, where string) {
	s.t.Helper()
	dir := filepath.Join(s.st, "store")
	st, err := duckdb.Open(duckdb.DefaultConfig(dir), telemetry.DefaultCatalogue(), telemetry.SystemClock{}, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := st.Seal(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		s.t.Fatal(err)
	}
	db, err := sql.Open("duckdb", filepath.Join(dir, "mudpulse.duckdb"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	files, err := db.Query("SELECT file FROM store.sealed WHERE dataset = ?", dataset)
	if err != nil {
		s.t.Fatal(err)
	}
	defer files.Close()
	taken := 0
	for files.Next() {
		var file string
		if err := files.Scan(&file); err != nil {
			s.t.Fatal(err)
		}
		path := filepath.Join(dir, "sealed", filepath.FromSlash(file))
		var n int
		if err := db.QueryRow("SELECT count(*) FROM read_parquet('" + path + "', hive_partitioning=false) WHERE " + where).Scan(&n); err != nil {
			s.t.Fatal(err)
		}
		if n == 0 {
			continue
		}
		taken += n
		if _, err := db.Exec("COPY (SELECT * FROM read_parquet('" + path + "', hive_partitioning=false) WHERE NOT (" + where + ")) TO '" + path + ".new' (FORMAT parquet)"); err != nil {
			s.t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			s.t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		if _, err := db.Exec("UPDATE store.sealed SET bytes = ?, sha256 = ?, rows = rows - 1 WHERE file = ?", len(b), hex.EncodeToString(sum[:]), file); err != nil {
			s.t.Fatal(err)
		}
	}
	if taken != 1 {
		s.t.Fatalf("%d rows of %s where %s", taken, dataset, where)
	}
}

// At each stage one frame of RIG-07 is taken away, on the running product: by the
// device, in the gateway's spool, in the log's frames, in its scores, in the store's
// hot tables and in a sealed file. The ledger names that drill, device, boot, number
// and stage, says why as far as it can be known, and names nothing else.
func TestTheLedgerNamesWhatWasTakenAwayAtEachStage(t *testing.T) {
	s := &stages{t: t, kafka: fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t, 1)), prefix: "e2e.", blobs: t.TempDir(), log: t.TempDir(), gw: t.TempDir(), sc: t.TempDir(), st: t.TempDir(),
		devices: map[string]*device{}, base: time.Now().Add(-2 * time.Minute).Truncate(time.Second)}
	s.startLog()
	s.startStore()
	s.startGateway()
	s.startScorer()
	for _, drill := range []string{"RIG-07", "RIG-08"} {
		s.devices[drill] = s.store.device(drill)
	}

	// The device: 5 is never sent.
	s.send("RIG-08", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	s.send("RIG-07", 1, 2, 3, 4, 6, 7, 8, 9, 10)
	never := "RIG-07 accepted 5 to 5"
	if why := s.names("", 10, never)[0].Why; !strings.Contains(why, "it was never sent, or was lost before a gateway acknowledged it") {
		t.Errorf("5: %s", why)
	}

	// The log: 11 is cut off before the store has read it.
	s.store.Stop()
	s.scorer.Stop()
	s.send("RIG-07", 11)
	p, at := s.find("frames", func(r *kgo.Record) bool { return s.is(r, "RIG-07", 11) })
	s.cut("frames", p, at)
	s.sendBoth(12, 13)
	s.send("RIG-08", 11)
	s.startScorer()
	s.startStore()
	cut := "RIG-07 stored 11 to 11"
	if why := s.names("", 13, never, cut)[1].Why; !strings.Contains(why, fmt.Sprintf("the log no longer had 1 records of partition %d of e2e.frames (offsets %d to %d)", p, at, at)) {
		t.Errorf("11: %s", why)
	}

	// The scorer: what it said of 14 is cut off before the store has read it.
	s.store.Stop()
	s.send("RIG-07", 14)
	p, at = s.find("scores", func(r *kgo.Record) bool {
		var sc telemetry.Score
		return telemetry.DecodeScore(r.Value, &sc) == nil && sc.Drill == "RIG-07" && len(sc.Causes) == 1 && sc.Causes[0].Seq == 14
	})
	s.cut("scores", p, at)
	s.sendBoth(15, 16)
	s.send("RIG-08", 14)
	s.startStore()
	unscored := "RIG-07 scored 14 to 14"
	if why := s.names("", 16, never, cut, unscored)[2].Why; !strings.Contains(why, "the log no longer had") || !strings.Contains(why, "of e2e.scores") {
		t.Errorf("14: %s", why)
	}

	// The gateway's spool: 18 is damaged on its disk before it was published.
	s.logs.Stop()
	s.sendBoth(17, 18, 19)
	s.gateway.Stop()
	s.damage("RIG-07", 18)
	s.startLog()
	s.startGateway()
	s.sendBoth(20)
	spoiled := "RIG-07 stored 18 to 18"
	if why := s.names("", 20, never, cut, spoiled, unscored)[2].Why; !strings.Contains(why, "the spool of gw-1 was damaged and lost") {
		t.Errorf("18: %s", why)
	}

	// The store's hot tables: a frame, a reading, a score.
	s.sendBoth(21, 22, 23, 24, 25, 26)
	s.whole(26)
	s.store.Stop()
	const edr = "src = (SELECT src FROM store.sources WHERE drill = 'RIG-07' AND device = 'edr' AND boot = 'b1')"
	s.delete("frames", edr+" AND seq = 21")
	s.delete("readings_fast", edr+" AND seq = 22")
	s.delete("scores", "drill = 'RIG-07' AND cause_seq[1] = 23")
	s.startStore()
	hot := []string{never, cut, spoiled, "RIG-07 stored 21 to 21", unscored, "RIG-07 scored 23 to 23", "RIG-07 readable 22 to 22"}
	if why := s.names("", 26, hot...)[3].Why; why != "its readings are in the tables, its row of frames is not: the store lost it" {
		t.Errorf("21: %s", why)
	}

	// A sealed file, whose sums in the manifest agree: who reads the file finds it.
	s.store.Stop()
	s.deleteSealed("frames", "drill = 'RIG-07' AND boot = 'b1' AND seq = 24")
	s.startStore()
	s.names("", 26, hot...)
	sealed := append(append(append([]string{}, hot[:4]...), "RIG-07 stored 24 to 24"), hot[4:]...)
	s.names("audit=true", 26, sealed...)
	out := s.store.cli("ledger", "--gaps", "--audit")
	for _, want := range []string{"accepted misses 5 to 5 (1): ", "stored misses 11 to 11 (1): ", "stored misses 18 to 18 (1): ", "stored misses 21 to 21 (1): ", "stored misses 24 to 24 (1): ",
		"scored misses 14 to 14 (1): ", "scored misses 23 to 23 (1): ", "readable misses 22 to 22 (1): ", "8 gaps, 0 set aside"} {
		if !strings.Contains(out, want) {
			t.Errorf("mudpulse ledger says no %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "RIG-08") {
		t.Errorf("mudpulse ledger --gaps speaks of RIG-08:\n%s", out)
	}
	t.Logf("%s", out)
}

func (s *stages) is(r *kgo.Record, drill string, seq uint64) bool {
	var d telemetry.Decoder
	var f telemetry.Frame
	return len(r.Headers) == 0 && d.Decode(r.Value, &f) == nil && f.Drill == drill && f.Seq == seq
}
