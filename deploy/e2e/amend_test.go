//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// Frames that a device sends 20 minutes and 3 hours late, by the road that the
// gateway gives to what is old, amend by themselves what was said after them;
// what was said then is told still.
func TestLateFramesAmendWhatWasSaidAndTheOldIsKnown(t *testing.T) {
	p := run(t, t.TempDir(), nil, "--amend-look", "500ms")
	ctx := t.Context()
	cl, err := pgx.Connect(ctx, "postgres://admin:"+p.token+"@"+p.addresses["sql"]+"/mudpulse?default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cl.Close(context.Background()) })
	// versions are the states that were said of a second, oldest first.
	versions := func(drill string, at time.Time) string {
		rows, err := cl.Query(ctx, fmt.Sprintf("SELECT state FROM score_versions WHERE drill = '%s' AND tick = TIMESTAMP '%s' ORDER BY ord", drill, at.UTC().Format(time.DateTime)))
		if err != nil {
			t.Fatal(err)
		}
		states, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(states, " ")
	}
	const n, from, to = 120, 40, 60 // in these seconds the string stood still, and nobody knew
	stood := func(seq int, at time.Time) string {
		return strings.Replace(second(seq, at), "[120,120,120,120,120,120,120,120,120,120]", "[0,0,0,0,0,0,0,0,0,0]", 1)
	}
	total := int64(0)
	for drill, late := range map[string]time.Duration{"RIG-20": 20 * time.Minute, "RIG-180": 3 * time.Hour} {
		dev := p.device(drill)
		dev.connect(t, p.addresses["mqtt"])
		base := time.Now().Add(-late).Truncate(time.Second)
		for i := range n {
			if i < from || i >= to {
				dev.publish(t, second(i, base.Add(time.Duration(i)*time.Second)))
			}
		}
		total += n - (to - from)
		harness.Wait(t, 60*time.Second, "what came first to be scored", func() bool { l := p.totals(); return l.Scored == total && l.Readable == total })
		asked := base.Add((to + 3) * time.Second) // the change back is not believed yet, if one knows of the change
		if got := versions(drill, asked); !strings.HasSuffix(got, "rotary") || strings.Contains(got, "sliding") {
			t.Fatalf("%s: said at first: %q", drill, got)
		}
		known := time.Now()
		for i := from; i < to; i++ {
			dev.publish(t, stood(i, base.Add(time.Duration(i)*time.Second)))
		}
		total += to - from
		harness.Wait(t, 60*time.Second, "what came late at every stage", func() bool { return p.totals().all(total) })
		harness.Wait(t, 90*time.Second, "the second after to be amended", func() bool { return strings.HasSuffix(versions(drill, asked), "sliding") })
		var then string
		if err := cl.QueryRow(ctx, fmt.Sprintf("SELECT state FROM score_versions WHERE drill = '%s' AND tick = TIMESTAMP '%s' AND arrived <= TIMESTAMP '%s' ORDER BY ord DESC LIMIT 1",
			drill, asked.UTC().Format(time.DateTime), known.UTC().Format("2006-01-02 15:04:05.000"))).Scan(&then); err != nil || then != "rotary" {
			t.Errorf("%s: as known before the late frames came: %q %v", drill, then, err)
		}
	}
	p.Stop()
}
