package writer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mudpulse/mudpulse/storage"
)

type metrics struct {
	records, poison, lost                                      *prometheus.CounterVec
	frames, duplicates, conflicts, asked, unknown, fetchErrors prometheus.Counter
	rows, commitErrors                                         prometheus.Counter
	commits                                                    prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, w *Writer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "writer_" + name, Help: help})
	}
	m := &metrics{
		records:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "writer_records_total", Help: "Records read, by topic; frames are counted apart."}, []string{"topic"}),
		poison:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "writer_records_unreadable_total", Help: "Records that went to quarantine."}, []string{"topic"}),
		lost:         prometheus.NewCounterVec(prometheus.CounterOpts{Name: "writer_records_lost_total", Help: "Records that the log no longer had when they were to be stored."}, []string{"topic"}),
		frames:       counter("frames_total", "Frames read."),
		duplicates:   counter("frames_duplicate_total", "Frames that were stored already."),
		conflicts:    counter("frames_conflict_total", "Frames whose identity came before with other content."),
		asked:        counter("frames_asked_total", "Frames that only the store could tell."),
		unknown:      counter("records_unknown_kind_total", "Records of a kind this version does not know."),
		fetchErrors:  counter("fetch_errors_total", "Errors while reading the log."),
		rows:         counter("rows_committed_total", "Frames, scores and other records stored."),
		commitErrors: counter("commit_errors_total", "Commits that failed and were tried again."),
		commits:      prometheus.NewHistogram(prometheus.HistogramOpts{Name: "writer_commit_seconds", Help: "Time to commit a batch.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
	}
	if reg == nil {
		return m
	}
	reg.MustRegister(m.records, m.poison, m.lost, m.frames, m.duplicates, m.conflicts, m.asked, m.unknown, m.fetchErrors, m.rows, m.commitErrors, m.commits)
	for _, t := range w.topics() {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "writer_lag_records", Help: "Records in the log that are not stored yet.",
			ConstLabels: prometheus.Labels{"topic": w.short(t)}}, func() float64 { return float64(w.Lag(t)) }))
	}
	return m
}

func (m *metrics) committed(b *storage.Batch, took time.Duration) {
	m.rows.Add(float64(b.Rows()))
	m.commits.Observe(took.Seconds())
}
