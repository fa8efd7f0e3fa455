package alarmlife_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/telemetry"
)

// BenchmarkRestartAfter100000Alarms is what a start of the api reads of the store
// before it knows what stands: 100,000 alarms of 50 drills, each raised, answered
// and gone, with evidence as large as a model's.
func BenchmarkRestartAfter100000Alarms(b *testing.B) {
	s, err := duckdb.Open(duckdb.DefaultConfig(b.TempDir()), telemetry.DefaultCatalogue(), telemetry.SystemClock{}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const n, every = 100_000, 4000
	evidence := &telemetry.Evidence{}
	for i := range 24 {
		evidence.Inputs = append(evidence.Inputs, telemetry.Measured{Name: fmt.Sprintf("TDBT__slope__%dh", i), Value: 1 / float64(i+3)})
		evidence.Contributions = append(evidence.Contributions, telemetry.Contribution{Name: fmt.Sprintf("TDBT__slope__%dh", i), Value: 1 / float64(i+7)})
	}
	now := int64(t0)
	for from := 0; from < n; from += every {
		var batch storage.Batch
		for i := from; i < from+every; i++ {
			now = t0 + int64(i)*60*sec
			drill := fmt.Sprintf("RIG-%02d", i%50)
			id := fmt.Sprintf("%s/losses/%d", drill, now/sec)
			up := telemetry.AlarmEvent{Event: telemetry.AlarmRaised, ID: id, Drill: drill, Rule: "losses", At: now, Raised: now, Priority: 2, Title: "Losses", Reason: "mud is lost", Evidence: evidence}
			down := up
			down.Event, down.At = telemetry.AlarmCleared, now+30*sec
			batch.Alarms = append(batch.Alarms, up, down)
			batch.Commands = append(batch.Commands, telemetry.Command{ID: fmt.Sprint(i), Kind: "ack", Drill: drill, Alarm: id, By: "mara", At: now + 10*sec})
		}
		batch.Arrived = now
		if err := s.Commit(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		book := alarmlife.NewBook(func() int64 { return now + int64(time.Minute) })
		if err := alarmlife.Replay(b.Context(), s, now, func(e telemetry.AlarmEvent) { book.Event(e) }, func(c telemetry.Command) { book.Command(c) }); err != nil {
			b.Fatal(err)
		}
		if held := len(book.All(func(*alarmlife.Alarm) bool { return true })); held == 0 || held > alarmlife.KeepReturned {
			b.Fatalf("%d alarms are held", held)
		}
	}
}
