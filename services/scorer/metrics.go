package scorer

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// meters are the scorer's metrics. Counters are read from the workers' last reports.
type meters struct {
	s               *Scorer
	checkpoint      prometheus.Histogram
	checkpointBytes prometheus.Counter
	inputBytes      prometheus.Counter
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("scorer_"+name, help, labels, nil)
}

var (
	descFrames     = desc("frames_total", "Frames read.", "partition")
	descDuplicates = desc("frames_duplicate_total", "Frames that had come before.", "partition")
	descConflicts  = desc("frames_conflict_total", "Frames under an identity that came before with other content.", "partition")
	descPoison     = desc("frames_skipped_total", "Records that are no frame, or none that can be scored.", "partition")
	descLate       = desc("frames_late_total", "Seconds of frames that came too late to amend their tick.", "partition")
	descScores     = desc("scores_total", "Scores made.", "partition")
	descErrors     = desc("model_errors_total", "Rows that a model could not score.", "partition")
	descPanics     = desc("model_panics_total", "Rows at which a model failed inside.", "partition")
	descLag        = desc("lag_records", "Records not yet read.", "partition", "topic")
	descDrills     = desc("drills", "Drills known.", "partition")
	descRows       = desc("model_rows_total", "Rows that a model scored.", "model")
	descBusy       = desc("model_seconds_total", "Time that a model took.", "model")
	descRefused    = desc("markers_refused", "Markers among the last hundred that could not take effect.")
)

func newMeters(reg prometheus.Registerer, s *Scorer) (*meters, error) {
	m := &meters{s: s,
		checkpoint:      prometheus.NewHistogram(prometheus.HistogramOpts{Name: "scorer_checkpoint_seconds", Help: "Time a checkpoint took.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
		checkpointBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "scorer_checkpoint_bytes_total", Help: "Bytes of checkpoints, packed."}),
		inputBytes:      prometheus.NewCounter(prometheus.CounterOpts{Name: "scorer_checkpointed_input_bytes_total", Help: "Bytes of records that checkpoints cover."}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.checkpoint, m.checkpointBytes, m.inputBytes, m} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Describe sends nothing: what is collected depends on the partitions owned.
func (m *meters) Describe(chan<- *prometheus.Desc) {}

// Collect sends the workers' counts.
func (m *meters) Collect(out chan<- prometheus.Metric) {
	st := m.s.Status()
	for _, p := range st.Partitions {
		n := strconv.Itoa(int(p.Partition))
		count := func(d *prometheus.Desc, v int64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), n)
		}
		count(descFrames, p.Frames)
		count(descDuplicates, p.Duplicates)
		count(descConflicts, p.Conflicts)
		count(descPoison, p.Poison)
		count(descLate, p.Late)
		count(descScores, p.Scores)
		count(descErrors, p.Errors)
		count(descPanics, p.Panics)
		for i, topic := range [2]string{"frames", "backfill"} {
			out <- prometheus.MustNewConstMetric(descLag, prometheus.GaugeValue, float64(max(0, p.End[i]-p.Next[i])), n, topic)
		}
		out <- prometheus.MustNewConstMetric(descDrills, prometheus.GaugeValue, float64(p.Drills), n)
	}
	seen := map[string]bool{}
	for _, x := range st.Models {
		if seen[x.Ref] {
			continue
		}
		seen[x.Ref] = true
		out <- prometheus.MustNewConstMetric(descRows, prometheus.CounterValue, float64(x.Rows), x.Ref)
		out <- prometheus.MustNewConstMetric(descBusy, prometheus.CounterValue, x.Busy.Seconds(), x.Ref)
	}
	out <- prometheus.MustNewConstMetric(descRefused, prometheus.GaugeValue, float64(len(st.Refused)))
}
