package feature

import (
	"math"
	"slices"
	"time"
)

// A State is what is remembered of one drill's stream for a Plan. One goroutine.
type State struct {
	plan   *Plan
	head   int64   // newest second that was read or got a sample
	rig    []rigAt // ring of rig states by second
	chans  []channelState
	base   []baseline           // by feature; only those with __z
	events map[string][]float64 // seconds, ascending, the last few
	sorted []float64            // scratch
}

type rigAt struct {
	at    int64
	state string
}

type channelState struct {
	secs  []second // ring by second
	gates []gateState
}

type gateState struct {
	mins  []span // ring by minute
	hours []span
}

// second holds the samples of one second, in order of time.
type second struct {
	at      int64
	samples []sample
	sum     tile
	fresh   bool // sum is that of samples
}

type sample struct {
	t float64 // seconds from the second's start
	v float64
}

// span is a tile of a minute or an hour.
type span struct {
	at    int64
	sum   tile
	stale bool // to be made again of smaller tiles
}

// baseline is the drill's own mean and spread of a feature: of its first value
// in each minute, until there are baselineFull; judged from baselineLeast on.
type baseline struct {
	n, mean, m2 float64
	minute      int64 // last one taken
}

const (
	baselineLeast = 60
	baselineFull  = 1440
	maxEvents     = 64   // kept of a kind
	maxSamples    = 1024 // kept of a second
)

// NewState returns an empty state.
func (p *Plan) NewState() *State {
	s := &State{plan: p, events: map[string][]float64{}, chans: make([]channelState, len(p.channels)), base: make([]baseline, len(p.names))}
	longest := int64(slack)
	for i := range p.perChan {
		cp := &p.perChan[i]
		longest = max(longest, cp.seconds)
		s.chans[i].secs = make([]second, cp.seconds)
		s.chans[i].gates = make([]gateState, len(cp.gates))
		for g := range cp.gates {
			s.chans[i].gates[g] = gateState{mins: make([]span, cp.minutes), hours: make([]span, cp.hours)}
		}
	}
	s.rig = make([]rigAt, longest)
	return s
}

// Plan is the plan the state is for.
func (s *State) Plan() *Plan { return s.plan }

const ns = int64(time.Second)

// Add takes a good sample of channel ch, counted as Plan.Channels does, at t,
// Unix ns. One that is more than two minutes older than the newest is too late
// and left out; so is a second one at the same time with another value.
func (s *State) Add(ch int, t int64, v float64) {
	at := floorDiv(t, ns)
	if at < s.head-late || v != v || at <= 0 {
		return
	}
	s.head = max(s.head, at)
	c := &s.chans[ch]
	x := &c.secs[at%int64(len(c.secs))]
	if x.at != at {
		if x.at > at {
			return // its place is a newer second's
		}
		if x.at > 0 {
			s.settle(ch, x.at/60)
		}
		*x = second{at: at, samples: x.samples[:0]}
	}
	p := sample{float64(t-at*ns) / 1e9, v}
	n := len(x.samples)
	switch {
	case n >= maxSamples:
		return
	case n == 0 || x.samples[n-1].t < p.t:
		x.samples = append(x.samples, p)
		if x.fresh || n == 0 {
			x.sum.add(p.t, p.v)
			x.fresh = true
		}
	default:
		i, same := slices.BinarySearchFunc(x.samples, p, func(a, b sample) int {
			switch {
			case a.t < b.t:
				return -1
			case a.t > b.t:
				return 1
			}
			return 0
		})
		if same { // two devices: the smaller value stands, whichever came first
			if x.samples[i].v <= v {
				return
			}
			x.samples[i].v = v
		} else {
			x.samples = slices.Insert(x.samples, i, p)
		}
		x.fresh = false
	}
	s.mark(ch, at)
}

// mark makes the minute and hour of a second be summed again.
func (s *State) mark(ch int, at int64) {
	for g := range s.chans[ch].gates {
		gs := &s.chans[ch].gates[g]
		touch(gs.mins, at/60)
		touch(gs.hours, at/3600)
	}
}

// touch marks the tile at, taking over the place of an older one.
func touch(ring []span, at int64) {
	if len(ring) == 0 {
		return
	}
	x := &ring[at%int64(len(ring))]
	switch {
	case x.at < at:
		*x = span{at: at, stale: true}
	case x.at == at:
		x.stale = true
	}
}

// sumOf is a second's tile.
func (x *second) sumOf() *tile {
	if !x.fresh {
		x.sum = tile{}
		for _, p := range x.samples {
			x.sum.add(p.t, p.v)
		}
		x.fresh = true
	}
	return &x.sum
}

// settle sums the minute whose seconds are about to be forgotten.
func (s *State) settle(ch int, minute int64) {
	for g := range s.chans[ch].gates {
		s.minute(ch, g, minute)
	}
}

// minute is the tile of a whole minute through a gate, nil where there is none.
func (s *State) minute(ch, g int, at int64) *tile {
	mins := s.chans[ch].gates[g].mins
	if len(mins) == 0 {
		return nil
	}
	x := &mins[at%int64(len(mins))]
	if x.at != at {
		return nil
	}
	if x.stale {
		x.sum = tile{}
		s.seconds(&x.sum, ch, g, at*60, at*60, at*60+59, true)
		x.stale = false
	}
	return &x.sum
}

// hour is the tile of a whole hour.
func (s *State) hour(ch, g int, at int64) *tile {
	hours := s.chans[ch].gates[g].hours
	x := &hours[at%int64(len(hours))]
	if x.at != at {
		return nil
	}
	if x.stale {
		x.sum = tile{}
		for m := at * 60; m < at*60+60; m++ {
			if t := s.minute(ch, g, m); t != nil {
				x.sum.merge(t, float64(m*60-at*3600))
			}
		}
		x.stale = false
	}
	return &x.sum
}

// seconds merges the seconds from..to that pass the gate into a, whose start is origin.
func (s *State) seconds(a *tile, ch, g int, origin, from, to int64, heavy bool) {
	secs := s.chans[ch].secs
	gate := s.plan.perChan[ch].gates[g]
	n := int64(len(secs))
	for at := from; at <= to; at++ {
		x := &secs[at%n]
		if x.at != at || len(x.samples) == 0 || gate != "" && s.stateAt(at) != gate {
			continue
		}
		if heavy {
			a.merge(x.sumOf(), float64(at-origin))
		} else {
			a.light(x.sumOf(), float64(at-origin))
		}
	}
}

func (s *State) stateAt(at int64) string {
	if r := &s.rig[at%int64(len(s.rig))]; r.at == at {
		return r.state
	}
	return ""
}

// Rig says which state the rig was in during the second that begins at tick, Unix ns.
func (s *State) Rig(tick int64, state string) {
	at := floorDiv(tick, ns)
	if at <= 0 || at < s.head-late {
		return
	}
	s.head = max(s.head, at)
	r := &s.rig[at%int64(len(s.rig))]
	if r.at > at || r.at == at && r.state == state {
		return
	}
	again := r.at == at
	if !again && r.at > 0 { // minutes whose states are about to be forgotten
		for ch := range s.chans {
			s.settle(ch, r.at/60)
		}
	}
	*r = rigAt{at, state}
	if again {
		for ch := range s.chans {
			s.mark(ch, at)
		}
	}
}

// Event notes that something happened, as a bit change, at t, Unix ns.
func (s *State) Event(t int64, kind string) {
	list := s.events[kind]
	if list == nil && len(s.events) >= maxEvents {
		return
	}
	at := float64(t) / 1e9
	i, same := slices.BinarySearch(list, at)
	if same {
		return
	}
	list = slices.Insert(list, i, at)
	if len(list) > maxEvents {
		list = list[1:]
	}
	s.events[kind] = list
}

// ResetBaselines makes the baselines of a channel's features begin anew, as
// when the part they describe was changed.
func (s *State) ResetBaselines(channel string) {
	for i, n := range s.plan.names {
		if n.Channel == channel {
			s.base[i] = baseline{}
		}
	}
}

// Read computes every feature at a tick, Unix ns of the start of a second, over
// windows that end with that second: the value of feature i goes to num[to[i]].
// NaN is missing.
func (s *State) Read(tick int64, num []float64, to []int) {
	at := floorDiv(tick, ns)
	for i := range s.plan.groups {
		s.group(&s.plan.groups[i], at, num, to)
	}
	for _, i := range s.plan.events {
		n := &s.plan.names[i]
		v := nan
		for _, t := range s.events[n.Word] {
			if d := float64(at) - t; d >= 0 {
				v = d / n.Unit.Seconds()
			}
		}
		num[to[i]] = v
	}
}

func (s *State) group(g *group, at int64, num []float64, to []int) {
	if g.of[0].name.Function == "lag" {
		for _, m := range g.of {
			num[to[m.out]] = s.judged(&m, at, s.lag(g, at))
		}
		return
	}
	if g.weights != nil {
		v := s.ewma(g, at)
		for _, m := range g.of {
			num[to[m.out]] = s.judged(&m, at, v)
		}
		return
	}
	var a tile
	s.merge(&a, g, at)
	if g.raw {
		s.collect(g, at)
	}
	for i := range g.of {
		m := &g.of[i]
		var v float64
		switch m.name.Function {
		case "median":
			v = quantile(s.sorted, 50)
		case "q":
			v = quantile(s.sorted, m.name.P)
		case "distinct":
			v = distinct(s.sorted)
		default:
			v = a.of(m.name.Function)
		}
		num[to[m.out]] = s.judged(m, at, v)
	}
}

// merge makes the tile of a group's window that ends with second at.
func (s *State) merge(a *tile, g *group, at int64) {
	w := int64(g.window / time.Second)
	switch tileOf(g.window) {
	case time.Second:
		s.seconds(a, g.channel, g.gate, at-w+1, at-w+1, at, g.heavy)
	case time.Minute:
		m := at / 60
		first := m - w/60 + 1
		s.minutes(a, g, first*60, first, m-1)
		s.seconds(a, g.channel, g.gate, first*60, m*60, at, true)
	default:
		h, m := at/3600, at/60
		first := h - w/3600 + 1
		for x := first; x < h; x++ {
			if t := s.hour(g.channel, g.gate, x); t != nil {
				a.merge(t, float64((x-first)*3600))
			}
		}
		s.minutes(a, g, first*3600, h*60, m-1)
		s.seconds(a, g.channel, g.gate, first*3600, m*60, at, true)
	}
}

func (s *State) minutes(a *tile, g *group, origin, from, to int64) {
	for m := from; m <= to; m++ {
		if t := s.minute(g.channel, g.gate, m); t != nil {
			a.merge(t, float64(m*60-origin))
		}
	}
}

// collect sorts the samples of a window of seconds into the scratch.
func (s *State) collect(g *group, at int64) {
	s.sorted = s.sorted[:0]
	secs := s.chans[g.channel].secs
	gate := s.plan.perChan[g.channel].gates[g.gate]
	n := int64(len(secs))
	for x := at - int64(g.window/time.Second) + 1; x <= at; x++ {
		sec := &secs[x%n]
		if sec.at != x || gate != "" && s.stateAt(x) != gate {
			continue
		}
		for _, p := range sec.samples {
			s.sorted = append(s.sorted, p.v)
		}
	}
	slices.Sort(s.sorted)
}

// quantile interpolates between order statistics (Hyndman and Fan's type 7).
func quantile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return nan
	}
	h := float64(float64(len(sorted)-1)*p) / 100
	i := int(math.Floor(h))
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + float64((h-float64(i))*(sorted[i+1]-sorted[i]))
}

func distinct(sorted []float64) float64 {
	if len(sorted) == 0 {
		return nan
	}
	n := 0.0
	for i, v := range sorted {
		if i == 0 || v != sorted[i-1] {
			n++
		}
	}
	return n
}

// lag is the last sample at or before one window ago, not older than two; of
// windows over ten minutes the last of the tiles that had ended then.
func (s *State) lag(g *group, at int64) float64 {
	w := int64(g.window / time.Second)
	unit := int64(tileOf(g.window) / time.Second)
	if unit == 1 {
		secs := s.chans[g.channel].secs
		gate := s.plan.perChan[g.channel].gates[g.gate]
		n := int64(len(secs))
		for x := at - w; x > at-2*w; x-- {
			sec := &secs[x%n]
			if sec.at == x && len(sec.samples) > 0 && (gate == "" || s.stateAt(x) == gate) {
				return sec.samples[len(sec.samples)-1].v
			}
		}
		return nan
	}
	of := s.minute
	if unit == 3600 {
		of = s.hour
	}
	for x := (at-w+1)/unit - 1; x > (at-2*w)/unit; x-- {
		if t := of(g.channel, g.gate, x); t != nil && t.n > 0 {
			return t.last
		}
	}
	return nan
}

// ewma weighs the means of tiles by their age; a tile without samples has no weight.
func (s *State) ewma(g *group, at int64) float64 {
	sum, weight := 0.0, 0.0
	unit := int64(tileOf(8*g.window) / time.Second)
	now := at / unit
	for i := len(g.weights) - 1; i >= 0; i-- { // oldest first
		x := now - int64(i)
		var t tile
		switch {
		case unit == 1:
			s.seconds(&t, g.channel, g.gate, x, x, x, false)
		case i == 0:
			from := x * unit
			if unit == 3600 {
				s.minutes(&t, g, from, from/60, at/60-1)
				from = at / 60 * 60
			}
			s.seconds(&t, g.channel, g.gate, x*unit, from, at, true)
		case unit == 60:
			if p := s.minute(g.channel, g.gate, x); p != nil {
				t = *p
			}
		default:
			if p := s.hour(g.channel, g.gate, x); p != nil {
				t = *p
			}
		}
		if t.n == 0 {
			continue
		}
		sum += float64(g.weights[i] * (t.sum / t.n))
		weight += g.weights[i]
	}
	if weight == 0 {
		return nan
	}
	return sum / weight
}

// judged holds a value against the drill's own baseline, where the name says z.
func (s *State) judged(m *member, at int64, v float64) float64 {
	if !m.name.Z {
		return v
	}
	b := &s.base[m.out]
	if minute := at / 60; v == v && minute > b.minute && b.n < baselineFull {
		b.minute = minute
		b.n++
		d := v - b.mean
		b.mean += d / b.n
		b.m2 += float64(d * (v - b.mean))
	}
	if b.n < baselineLeast || b.m2 <= 0 {
		return nan
	}
	return (v - b.mean) / math.Sqrt(b.m2/(b.n-1))
}

// Rebind returns a state for another plan that keeps what both have in common.
func (s *State) Rebind(p *Plan) *State {
	if p == s.plan {
		return s
	}
	b, err := s.AppendBinary(nil)
	if err != nil {
		panic("BUG: feature: " + err.Error())
	}
	n := p.NewState()
	if err := n.UnmarshalBinary(b); err != nil {
		panic("BUG: feature: own bytes: " + err.Error())
	}
	return n
}

// Bytes estimates the memory the state takes.
func (s *State) Bytes() int {
	n := 40 * len(s.rig)
	for i := range s.chans {
		c := &s.chans[i]
		for j := range c.secs {
			n += 180 + 16*cap(c.secs[j].samples)
		}
		for _, g := range c.gates {
			n += 140 * (len(g.mins) + len(g.hours))
		}
	}
	return n
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
