package live

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	opened, slow, messages, bytes prometheus.Counter
	records                       *prometheus.CounterVec // by topic kind
	unreadable                    prometheus.Counter
	refused                       *prometheus.CounterVec // by reason
	reporting                     prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, h *Hub) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		opened:     counter("api_live_opened_total", "Live channels opened."),
		slow:       counter("api_live_slow_total", "Live channels cut off because they did not read."),
		messages:   counter("api_live_messages_total", "Messages sent over live channels."),
		bytes:      counter("api_live_sent_bytes_total", "Bytes of those messages."),
		unreadable: counter("api_live_unreadable_total", "Records of the log that could not be read."),
		refused:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "api_live_refused_total", Help: "Live channels not opened (full, handshake) or ended (wishes, session), and wishes refused (wish)."}, []string{"reason"}),
		records:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "api_live_records_total", Help: "Records read from the log."}, []string{"kind"}),
		reporting:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "api_drills_reporting", Help: "Drills that sent something within 15 s."}),
	}
	if reg != nil {
		reg.MustRegister(m.opened, m.slow, m.messages, m.bytes, m.unreadable, m.records, m.refused, m.reporting,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "api_live_clients", Help: "Live channels open."}, func() float64 {
				h.mu.Lock()
				defer h.mu.Unlock()
				return float64(len(h.clients))
			}))
	}
	return m
}
