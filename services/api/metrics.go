package api

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	panics   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "api_requests_total", Help: "Requests answered."}, []string{"method", "path", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "api_request_seconds", Help: "Time to answer.",
			Buckets: []float64{.001, .005, .02, .05, .1, .3, 1, 3, 10}}, []string{"path"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "api_panics_total", Help: "Requests that failed by a mistake of ours."}),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.seconds, m.panics)
	}
	return m
}
