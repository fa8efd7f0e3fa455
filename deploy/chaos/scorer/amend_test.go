//go:build e2e

package scorer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// Where the process that scores again may die: late frames are found and not yet
// noted, what came out is published and not noted, it is noted.
var amendPoints = []string{"late-found", "rescored", "rescore-noted"}

func TestWhatCameLateIsAmendedUnderEveryFailureOnTheEmbeddedLog(t *testing.T) {
	amended(t, embedded(t), 3)
}
func TestWhatCameLateIsAmendedUnderEveryFailureOnApacheKafka(t *testing.T) { amended(t, apache(t), 4) }

// A keeper is the columnstore, the API, and what scores again, as one process.
type keeper struct {
	f    *flow
	dir  string
	proc *harness.Proc
}

func (k *keeper) start(args ...string) {
	_ = os.Remove(filepath.Join(k.dir, "addresses.json"))
	k.proc = harness.Start(k.f.t, nil, harness.Bin(k.f.t, "mudpulse"), append([]string{"run", "--parts", "writer,api", "--demo=false", "--no-default-models", "--brokers", k.f.broker.addr, "--prefix", k.f.prefix,
		"--blobs", k.f.blobs, "--data", k.dir, "--http", "127.0.0.1:0", "--sql", "127.0.0.1:0", "--amend-look", "200ms", "--log-level", "warn"}, args...)...)
}

func (k *keeper) addresses() (a map[string]string) {
	b, err := os.ReadFile(filepath.Join(k.dir, "addresses.json"))
	if err != nil || json.Unmarshal(b, &a) != nil {
		return nil
	}
	return a
}

// ready waits until it answers and, where asked for, has looked for late frames once: what is there before that counts as scored as it came.
func (k *keeper) ready(looked bool) {
	k.f.t.Helper()
	harness.Wait(k.f.t, 2*time.Minute, "the store to answer", func() bool {
		a := k.addresses()
		if a == nil {
			return false
		}
		res, err := http.Get("http://" + a["http"] + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		_, err = os.Stat(filepath.Join(k.dir, "rescore.json"))
		return (err == nil || !looked) && res.StatusCode == http.StatusOK
	})
}

// table is what is stored of every second in its last version, but for when it
// came and by which road; versions is how many there are of all seconds.
func (k *keeper) table() (rows map[string]string, versions int, err error) {
	a := k.addresses()
	if a == nil {
		return nil, 0, fmt.Errorf("the store has no address")
	}
	token, err := os.ReadFile(filepath.Join(k.dir, "admin-token"))
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cl, err := pgx.Connect(ctx, "postgres://admin:"+strings.TrimSpace(string(token))+"@"+a["sql"]+"/mudpulse?default_query_exec_mode=simple_protocol")
	if err != nil {
		return nil, 0, err
	}
	defer cl.Close(ctx)
	rows = map[string]string{}
	for _, q := range []string{
		"SELECT * EXCLUDE (arrived, origin, frames) FROM scores",
		"SELECT drill, tick, model || '.' || output || CASE WHEN shadow THEN '~' ELSE '' END, value, text FROM outputs",
	} {
		got, err := cl.Query(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		for got.Next() {
			v, err := got.Values()
			if err != nil {
				return nil, 0, err
			}
			key := fmt.Sprint(v[0], " ", v[1].(time.Time).UTC().Format(time.TimeOnly))
			if len(v) == 5 {
				key += fmt.Sprint(" ", v[2])
			}
			rows[key] = fmt.Sprint(v...)
		}
		if err := got.Err(); err != nil {
			return nil, 0, err
		}
	}
	return rows, versions, cl.QueryRow(ctx, "SELECT count(*) FROM score_versions").Scan(&versions)
}

// differences are the rows that a has not as b has.
func differences(a, b map[string]string) (n int, first string) {
	for k, want := range b {
		if got := a[k]; got != want {
			if n++; first == "" || k < first {
				first = fmt.Sprintf("%s\n got %s\nwant %s", k, got, want)
			}
		}
	}
	if n == 0 && len(a) != len(b) {
		return 1, fmt.Sprintf("%d rows, want %d", len(a), len(b))
	}
	return n, first
}

// amended feeds a day's work in pieces. In each, some frames are kept back for 20 minutes or 3 hours and come as the
// gateway sends what is old, by the topic of backfill. In the end each second
// is what a stream says in which nothing was late, bit by bit, whoever was killed meanwhile.
func amended(t *testing.T, b *broker, seed uint64) {
	rounds := max(2, kills(t)/10)
	from := time.Now().UTC().Truncate(time.Hour).Add(-20 * time.Hour) // by the clock of the store, to which a day late is late
	feed := func(f *flow, late bool, before, after func(round int)) {
		f.in = newInput(seed, from)
		for _, name := range []string{"expected_spp", "washout"} {
			f.activateFile(name, 1, "")
		}
		gap := []time.Duration{20 * time.Minute, 3 * time.Hour}
		for round := range rounds {
			if round == rounds/2 {
				f.activateFile("washout", 2, "<!-- version 2 -->\n")
			}
			rs, kept := f.in.seconds(f.topics, 40, late)
			f.produce(rs)
			f.in.now = f.in.now.Add(min(gap[round%2], 18*time.Hour/time.Duration(rounds)))
			rs, _ = f.in.seconds(f.topics, 10, false)
			f.produce(rs)
			before(round)
			if late {
				f.produce(kept)
			}
			after(round)
		}
	}

	calm := &keeper{f: newFlow(t, b, seed, t.TempDir()), dir: t.TempDir()}
	calm.start("--amend-within", "0s")
	calm.ready(false)
	p := calm.f.scorer()
	feed(calm.f, false, func(int) {}, func(int) {})
	calm.f.settle("in order")
	var want map[string]string
	ticks := drills * rounds * 50
	harness.Wait(t, 2*time.Minute, "all seconds in the store", func() bool {
		var err error
		want, _, err = calm.table()
		return err == nil && seconds(want) == ticks
	})
	p.Stop()
	calm.proc.Stop()

	k := &keeper{f: newFlow(t, b, seed, t.TempDir()), dir: t.TempDir()}
	rng := rand.New(rand.NewPCG(seed, 5))
	hit := map[string]int{}
	k.start()
	k.ready(true)
	crash := func() string { return fmt.Sprintf("frame:%d", 1+rng.IntN(150)) }
	s := k.f.scorer("--instance", "one", "--crash", crash())
	revive := func(s *harness.Proc, round int) *harness.Proc {
		if !s.Died(2 * time.Minute) {
			t.Fatalf("the scorer was not killed in round %d", round)
		}
		hit["frame"]++
		return k.f.scorer("--instance", "one")
	}
	feed(k.f, true, func(int) {
		k.proc.Kill() // whatever it is at
	}, func(round int) {
		for i, at := range amendPoints {
			nth := 1
			if i > 0 {
				nth += rng.IntN(3)
			}
			k.start("--crash", fmt.Sprintf("%s:%d", at, nth))
			if i == 0 { // it waits for the scorer, which is dead
				s = revive(s, round)
			}
			if !k.proc.Died(2 * time.Minute) {
				t.Fatalf("crash point %s:%d was not hit in round %d", at, nth, round)
			}
			hit[at]++
		}
		k.start()
		k.ready(true)
		if round < rounds-1 { // it is killed again among the frames of the next
			k.f.settle("between two rounds")
			s.Kill()
			s = k.f.scorer("--instance", "one", "--crash", crash())
		}
	})
	var got map[string]string
	versions, wrong, first := 0, 0, ""
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); <-tick.C {
		var err error
		if got, versions, err = k.table(); err != nil {
			wrong, first = len(want), err.Error()
		} else if wrong, first = differences(got, want); wrong == 0 {
			break
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d rows differ from those of a stream in which nothing was late: %s", wrong, len(want), first)
	}
	if versions < ticks+rounds*drills {
		t.Errorf("%d versions of %d seconds: nothing was amended, this proves nothing", versions, ticks)
	}
	t.Logf("%s: %d seconds, %d rows, %d versions of the seconds; killed at %v and the store %d times anywhere: the same bits as a stream in which nothing was late",
		b.name, ticks, len(want), versions, hit, rounds)
}

func seconds(rows map[string]string) int {
	n := 0
	for k := range rows {
		if strings.Count(k, " ") == 1 {
			n++
		}
	}
	return n
}
