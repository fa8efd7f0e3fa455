package feature

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"strings"
)

// maxWaves are kept of a channel: the newest.
const maxWaves = 64

// measure is what is made of a snapshot when it comes. Snapshots themselves are
// not kept: a second at 12.8 kHz is 100 kB.
type measure struct {
	key       string // function and parameters, as the names have them
	fn        function
	p         float64 // of q
	order     float64 // multiple of the shaft's speed
	part      string  // or the number of a part that says it
	low, high float64 // Hz
}

// waveMember is a feature of a channel as it is where the channel is a waveform.
type waveMember struct {
	out     int // among names
	measure int // of the channel
	window  int64
	gate    string
	z       bool
	only    bool // a function that nothing but a waveform has
}

// wave is a snapshot: what was made of it.
type wave struct {
	t      int64 // of its first sample, Unix ns
	sum    uint32
	state  string // of the rig in that second
	values []float64
}

// waved plans a name for the case that its channel is a waveform.
func (cp *channelPlan) waved(out int, n *Name, fn function) {
	m := measure{key: n.measure(), fn: fn, p: n.P, order: n.Order, part: n.Part, low: n.Low, high: n.High}
	i := slices.IndexFunc(cp.measures, func(o measure) bool { return o.key == m.key })
	if i < 0 {
		i = len(cp.measures)
		cp.measures = append(cp.measures, m)
	}
	w := int64(n.Window.Seconds())
	cp.waves = append(cp.waves, waveMember{out: out, measure: i, window: w, gate: n.Gate, z: n.Z, only: fn.ofWave()})
	cp.waveSpan = max(cp.waveSpan, w)
}

// measure names what is made of a snapshot, without window, baseline and gate.
func (n *Name) measure() string {
	parts := strings.Split(n.text, "__")[1:]
	for i, p := range parts {
		if _, err := window(p); i > 0 && err == nil {
			return strings.Join(parts[:i], "__")
		}
	}
	return n.Function
}

// Wave takes a snapshot of channel ch, counted as Plan.Channels does: evenly
// spaced samples from t, Unix ns, on, every ns apart. shaft is the speed of the
// shaft that orders count, in turns a second; NaN unknown. number gives the
// numbers of parts in place by their names; NaN unknown. One that cannot be a
// Waveform is left out, and so is one more than two minutes older than the
// newest sample; of two at the same time that with the smaller CRC-32 stands.
func (s *State) Wave(ch int, t, every int64, values []float64, shaft float64, number func(word string) float64) {
	at := floorDiv(t, ns)
	if at < s.head-late || at < earliest || !Waveform(values, every) {
		return
	}
	s.head = max(s.head, at)
	if s.waves == nil {
		s.waves = make([][]wave, len(s.chans))
	}
	w := wave{t: t, sum: checksum(values), state: s.stateAt(at)}
	list := s.waves[ch]
	i, same := slices.BinarySearchFunc(list, t, func(a wave, t int64) int {
		switch {
		case a.t < t:
			return -1
		case a.t > t:
			return 1
		}
		return 0
	})
	if same && list[i].sum <= w.sum || !same && i == 0 && len(list) == maxWaves {
		return
	}
	cp := &s.plan.perChan[ch]
	w.values = s.plan.measure(cp.measures, every, values, shaft, number)
	if same {
		list[i] = w
		return
	}
	list = slices.Insert(list, i, w)
	old := max(len(list)-maxWaves, 0)
	for old < len(list) && floorDiv(list[old].t, ns) < s.head-late-cp.waveSpan {
		old++
	}
	s.waves[ch] = slices.Delete(list, 0, old)
}

func checksum(values []float64) uint32 {
	sum := uint32(0)
	var b [8]byte
	for _, v := range values {
		binary.LittleEndian.PutUint64(b[:], math.Float64bits(v))
		sum = crc32.Update(sum, crc32.IEEETable, b[:])
	}
	return sum
}

// measure makes of a snapshot what the plan's names ask for.
func (p *Plan) measure(ms []measure, every int64, values []float64, shaft float64, number func(string) float64) []float64 {
	a, _ := p.analysers.Get().(*analyser)
	if a == nil {
		a = &analyser{}
	}
	defer p.analysers.Put(a)
	out := make([]float64, len(ms))
	var whole tile
	samples := make([]sample, len(values))
	for i, v := range values {
		samples[i] = sample{float64(float64(i)*float64(every)) / 1e9, v + 0}
	}
	whole.of(samples)
	var sorted []float64
	order := func(m *measure) float64 {
		if m.part != "" {
			return number(m.part) * shaft
		}
		return m.order * shaft
	}
	a.take(values, every)
	is := "" // what re and im hold
	for i := range ms {
		m := &ms[i]
		switch m.fn {
		case fnBand, fnCentroid, fnOrder:
			if is != "spectrum" {
				a.windowed()
				is = "spectrum"
			}
		case fnMedian, fnQ, fnDistinct:
			if sorted == nil {
				sorted = slices.Clone(values)
				slices.Sort(sorted)
			}
		}
		switch m.fn {
		case fnBand:
			out[i] = a.band(m.low, m.high)
		case fnCentroid:
			out[i] = a.centroid()
		case fnOrder:
			out[i] = a.order(order(m))
		case fnEnv:
			if band := m.key[strings.Index(m.key, "__f_"):]; is != band {
				a.enveloped(m.low, m.high)
				is = band
			}
			out[i] = a.envelope(order(m))
		case fnMedian:
			out[i] = quantile(sorted, 50)
		case fnQ:
			out[i] = quantile(sorted, m.p)
		case fnDistinct:
			out[i] = distinct(sorted)
		case fnLag, fnEWMA:
			out[i] = nan
		default:
			out[i] = whole.value(m.fn)
		}
	}
	return out
}

// seen notes which state the rig was in while snapshots were taken.
func (s *State) seen(at int64, state string) {
	for _, list := range s.waves {
		for i := len(list) - 1; i >= 0 && floorDiv(list[i].t, ns) >= at; i-- {
			if floorDiv(list[i].t, ns) == at {
				list[i].state = state
			}
		}
	}
}

// readWaves computes at a second the features of channels that are waveforms: of
// the newest snapshot in the window.
func (s *State) readWaves(at int64, num []float64, to []int) {
	for _, ch := range s.plan.waved {
		var list []wave
		if s.waves != nil {
			list = s.waves[ch]
		}
		cp := &s.plan.perChan[ch]
		for k := range cp.waves {
			m := &cp.waves[k]
			if !m.only && len(list) == 0 {
				continue
			}
			v := nan
			for i := len(list) - 1; i >= 0; i-- {
				sec := floorDiv(list[i].t, ns)
				if sec <= at-m.window {
					break
				}
				if sec <= at && (m.gate == "" || list[i].state == m.gate) {
					v = list[i].values[m.measure]
					break
				}
			}
			num[to[m.out]] = s.judged(&member{out: m.out, z: m.z}, at, v)
		}
	}
}

func (s *State) appendWaves(w *writer) {
	n := 0
	for _, list := range s.waves {
		if len(list) > 0 {
			n++
		}
	}
	w.int(int64(n))
	for ch, list := range s.waves {
		if len(list) == 0 {
			continue
		}
		w.text(s.plan.channels[ch])
		ms := s.plan.perChan[ch].measures
		w.int(int64(len(ms)))
		for i := range ms {
			w.text(ms[i].key)
		}
		w.int(int64(len(list)))
		for i := range list {
			w.int(list[i].t)
			w.int(int64(list[i].sum))
			w.text(list[i].state)
			for _, v := range list[i].values {
				w.float(v)
			}
		}
	}
}

// readWave reads one channel's snapshots; what the plan asks for and they do not
// have is missing.
func (s *State) readWave(r *reader) {
	ch := slices.Index(s.plan.channels, r.text())
	var keys []string
	for k := r.count(8); k > 0 && !r.bad; k-- {
		keys = append(keys, r.text())
	}
	from := make([]int, 0, len(keys)) // index in what was kept of each measure
	if ch >= 0 {
		for _, m := range s.plan.perChan[ch].measures {
			from = append(from, slices.Index(keys, m.key))
		}
	}
	var list []wave
	for k := r.count(24 + 8*len(keys)); k > 0 && !r.bad; k-- {
		x := wave{t: r.int(), sum: uint32(r.int()), state: r.text(), values: make([]float64, len(from))}
		kept := make([]float64, len(keys))
		for i := range kept {
			kept[i] = r.float()
		}
		for i, j := range from {
			x.values[i] = nan
			if j >= 0 {
				x.values[i] = kept[j]
			}
		}
		if len(list) == maxWaves || len(list) > 0 && list[len(list)-1].t >= x.t {
			r.bad = true
		}
		list = append(list, x)
	}
	if ch < 0 || r.bad {
		return
	}
	if s.waves == nil {
		s.waves = make([][]wave, len(s.chans))
	}
	s.waves[ch] = list
}
