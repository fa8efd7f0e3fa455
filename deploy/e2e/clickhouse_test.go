//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	"github.com/mudpulse/mudpulse/storage/clickhouse/clickhousetest"
)

// Writer and api are processes of their own over one ClickHouse. The writer dies between
// the tables of a commit, and is killed while frames come: every frame is there, and every score once.
func TestOnClickHouseWriterAndAPIAreProcessesOfTheirOwn(t *testing.T) {
	engine := clickhousetest.Start(t, t.TempDir())
	columnstore := engine + "/e2e"
	s := &stages{t: t, kafka: fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t, 1)), prefix: "e2e.", blobs: t.TempDir(), log: t.TempDir(), gw: t.TempDir(), sc: t.TempDir(), st: t.TempDir(),
		devices: map[string]*device{}, base: time.Now().Add(-2 * time.Minute).Truncate(time.Second)}
	s.startLog()
	dir := t.TempDir()
	writer := func(env ...string) *platform {
		return run(t, dir, env, "--brokers", s.kafka, "--prefix", s.prefix, "--blobs", s.blobs, "--parts", "writer", "--columnstore", columnstore)
	}
	w := writer()
	s.store = run(t, s.st, nil, "--brokers", s.kafka, "--prefix", s.prefix, "--blobs", s.blobs, "--parts", "api", "--columnstore", columnstore)
	s.startGateway()
	s.startScorer()
	for _, drill := range []string{"RIG-07", "RIG-08"} {
		s.devices[drill] = s.store.device(drill)
	}
	s.sendBoth(1, 2, 3, 4, 5)
	s.complete(10)

	// It dies after the fifth table of what comes next: its readings are there, its positions are not.
	w.Stop()
	_ = os.Remove(filepath.Join(dir, "addresses.json"))
	w = writer("MUDPULSE_CRASH=store-inserted:5")
	s.sendBoth(6, 7, 8, 9, 10)
	if !w.Died(60 * time.Second) {
		t.Fatal("the writer did not die")
	}
	w = writer()
	s.complete(20)

	s.sendBoth(11, 12)
	w.Kill()
	s.sendBoth(13, 14, 15)
	w = writer()
	s.complete(30)
	w.Kill()
	w = writer() // one that opens deletes what lies about half written
	s.complete(30)

	ask := func(q, want string) {
		t.Helper()
		res, err := http.Get(engine + "/?query=" + url.QueryEscape(q+" FORMAT TSV"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if got := strings.TrimSpace(string(b)); err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", q, got, want, err)
		}
	}
	ask("SELECT count(), uniqExact(drill, device, boot, seq) FROM e2e.frames", "30\t30")
	ask("SELECT count() - uniqExact(drill, tick, cause_hash, content) FROM e2e.stored_scores", "0")
	ask("SELECT (SELECT count() FROM e2e.readings) = (SELECT sum(readings) FROM e2e.frames)", "1")
	ask("SELECT count() - uniqExact(drill, tick) FROM e2e.scores", "0")
	var list struct{ Drills []struct{} }
	if err := s.store.get("/api/v1/drills", &list); err != nil || len(list.Drills) != 2 {
		t.Errorf("the api tells of %d drills: %v", len(list.Drills), err)
	}
	var series struct{ Series []struct{ N []int64 } }
	from, to := s.base.UTC().Format(time.RFC3339), s.base.Add(time.Minute).UTC().Format(time.RFC3339)
	if err := s.store.get("/api/v1/drills/RIG-07/series?channels=health&from="+from+"&to="+to, &series); err != nil || len(series.Series) != 1 || len(series.Series[0].N) != 15 {
		t.Errorf("the api's series of health: %+v %v", series, err)
	}
}

// complete waits until the ledger has so many frames at every stage.
func (s *stages) complete(n int64) {
	s.t.Helper()
	var l ledgerTotals
	harness.Wait(s.t, 120*time.Second, fmt.Sprintf("the ledger to have %d at every stage", n), func() bool {
		l = s.store.totals()
		return l.all(n)
	})
}
