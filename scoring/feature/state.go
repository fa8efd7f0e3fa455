package feature

import (
	"math"
	"slices"
	"time"
)

// A State is what is remembered of one drill's stream for a Plan. One goroutine.
type State struct {
	plan    *Plan
	head    int64    // newest second that was read or got a sample
	rig     []rigAt  // ring of rig states by second
	words   []string // rig states that came; rigAt counts them
	settled int64    // minute last summed because its states were about to be forgotten
	chans   []channelState
	groups  []groupState         // by group of the plan
	spare   groupState           // of ticks that are amended
	base    []baseline           // by feature; only those with __z
	events  map[string][]float64 // seconds, ascending, the last few
	waves   [][]wave             // by channel, in order of time; nil: none came
	scratch [2][]float64
	looked  int64 // what Ready saw: without a use of it the compiler may leave the look away
}

// rigAt holds no pointer: there are many, and the collector need not look at them.
type rigAt struct {
	at   int64
	word uint8
}

// maxWords bounds the rig states of a drill; there are eight.
const maxWords = 255

// word is the number of a rig state, from 0.
func (s *State) word(state string) uint8 {
	i := slices.Index(s.words, state)
	if i < 0 {
		if i = len(s.words); i == maxWords {
			panic("BUG: feature: too many rig states: " + state)
		}
		s.words = append(s.words, state)
	}
	return uint8(i)
}

// channelState holds nothing until the channel is heard.
type channelState struct {
	secs    []second // ring by second
	gates   []gateState
	newest  int64   // newest second with a sample; 0 never heard
	now     *second // the second last added to
	nowNs   int64   // its start, Unix ns
	marked  int64   // minute whose tile and hour are marked to be summed
	settled int64   // minute last summed because its seconds were about to be forgotten
	folded  int64   // newest second that some group has folded into what it keeps
	epoch   uint32  // counts changes at or before folded
	store   []sample
	recent  [2]recent
}

// recent is the sum of one of the newest seconds.
type recent struct {
	at    int64
	fresh bool
	tile  tile
}

type gateState struct {
	mins  []span // ring by minute
	hours []span
	part  part
}

// part is the minute that is not over: its whole seconds so far.
type part struct {
	epoch   uint32
	minute  int64
	through int64 // last second in it
	sum     tile
}

// second holds the samples of one second, in order of time.
type second struct {
	at      int64
	samples []sample
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
	maxEvents     = 64             // kept of a kind
	maxSamples    = 1024           // kept of a second
	earliest      = 62 * 24 * 3600 // s: a clock that says less is not set
	storeSeconds  = 32             // whose samples are allocated together
)

// NewState returns an empty state.
func (p *Plan) NewState() *State {
	s := &State{plan: p, events: map[string][]float64{}, chans: make([]channelState, len(p.channels)),
		groups: make([]groupState, len(p.groups)), base: make([]baseline, len(p.names))}
	longest := int64(slack)
	for i := range p.perChan {
		longest = max(longest, p.perChan[i].seconds)
	}
	s.rig = make([]rigAt, longest)
	return s
}

// Plan is the plan the state is for.
func (s *State) Plan() *Plan { return s.plan }

// hear makes room for a channel that was not heard before.
func (s *State) hear(ch int) {
	c, cp := &s.chans[ch], &s.plan.perChan[ch]
	c.secs = make([]second, cp.seconds)
	c.gates = make([]gateState, len(cp.gates))
	for g := range cp.gates {
		c.gates[g] = gateState{mins: make([]span, cp.minutes), hours: make([]span, cp.hours)}
	}
}

const ns = int64(time.Second)

// Ready looks at the places where the samples of channels chs that come in the
// second of tick, Unix ns, will be put. It changes nothing: where a process holds
// more drills than the processor's caches do, each of them is fetched from memory,
// and fetched one after the other they take as long as all else of a second.
func (s *State) Ready(tick int64, chs []int32) {
	at := floorDiv(tick, ns)
	if at < earliest {
		return
	}
	length, place, seen := int64(0), int64(0), s.rig[at%int64(len(s.rig))].at
	for _, ch := range chs {
		c := &s.chans[ch]
		n := int64(len(c.secs))
		if n == 0 {
			continue
		}
		if n != length { // most channels keep as many
			length, place = n, at%n
		}
		x := &c.secs[place]
		seen += x.at + c.marked + c.recent[at&1].at
		if cap(x.samples) > 0 {
			seen += int64(x.samples[:1][0].t)
		}
	}
	s.looked = seen
}

// Add takes a good sample of channel ch, counted as Plan.Channels does, at t,
// Unix ns. One that is more than two minutes older than the newest is too late
// and left out; so is a second one at the same time with another value.
func (s *State) Add(ch int, t int64, v float64) {
	c := &s.chans[ch]
	if x := c.now; x != nil && uint64(t-c.nowNs) < uint64(ns) && x.at == c.newest && x.at == s.head && v == v {
		p := sample{float64(t-c.nowNs) / 1e9, v + 0}
		if n := len(x.samples); n > 0 && n < cap(x.samples) && x.samples[n-1].t < p.t && x.at > c.folded && x.at/60 == c.marked {
			x.samples = append(x.samples, p)
			c.recent[x.at&1].fresh = false
			return
		}
	}
	s.add(ch, t, v+0) // −0 is 0: it must not matter which of two equal values came first
}

func (s *State) add(ch int, t int64, v float64) {
	at := floorDiv(t, ns)
	if at < s.head-late || v != v || at < earliest {
		return
	}
	s.head = max(s.head, at)
	c := &s.chans[ch]
	if c.secs == nil {
		s.hear(ch)
	}
	x := &c.secs[at%int64(len(c.secs))]
	if x.at != at {
		if x.at > at {
			return // its place is a newer second's
		}
		if x.at > 0 && x.at/60 != c.settled {
			c.settled = x.at / 60
			s.settle(ch, c.settled)
		}
		x.at, x.samples = at, x.samples[:0]
	}
	p := sample{float64(t-at*ns) / 1e9, v}
	n := len(x.samples)
	switch {
	case n >= maxSamples:
		return
	case n == 0 || x.samples[n-1].t < p.t:
		if n == 0 && cap(x.samples) == 0 {
			x.samples = c.room()
		}
		x.samples = append(x.samples, p)
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
	}
	c.newest = max(c.newest, at)
	c.now, c.nowNs = x, at*ns
	if r := &c.recent[at&1]; r.at == at {
		r.fresh = false
	}
	s.mark(ch, at)
}

// room returns space for one second's samples, out of a store for many.
func (c *channelState) room() []sample {
	n := 1
	if c.now != nil {
		n = max(1, len(c.now.samples))
	}
	if len(c.store) < n {
		c.store = make([]sample, n*storeSeconds)
	}
	out := c.store[:0:n]
	c.store = c.store[n:]
	return out
}

// mark makes the minute and hour of a second be summed again, and what was
// folded over it be folded anew.
func (s *State) mark(ch int, at int64) {
	c := &s.chans[ch]
	if at <= c.folded {
		c.epoch++
	}
	if c.marked == at/60 {
		return
	}
	c.marked = at / 60
	for g := range c.gates {
		gs := &c.gates[g]
		if len(gs.mins) == 0 {
			continue
		}
		if x := &gs.mins[c.marked%int64(len(gs.mins))]; x.at > 0 && x.at < c.marked && len(gs.hours) > 0 {
			s.hour(ch, g, x.at/60) // one of its minutes is about to be forgotten
		}
		touch(gs.mins, c.marked)
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

// settle sums the minute whose seconds are about to be forgotten.
func (s *State) settle(ch int, minute int64) {
	for g := range s.chans[ch].gates {
		s.minute(ch, g, minute)
	}
}

// minute is the tile of a whole minute through a gate, nil where there is none.
func (s *State) minute(ch, g int, at int64) *tile {
	c := &s.chans[ch]
	mins := c.gates[g].mins
	if len(mins) == 0 {
		return nil
	}
	x := &mins[at%int64(len(mins))]
	if x.at != at {
		return nil
	}
	if x.stale {
		if p := &c.gates[g].part; p.minute == at && p.epoch == c.epoch && at*60+59 < s.head {
			s.extend(p, ch, g, at*60+59)
			x.sum = p.sum
		} else {
			x.sum = tile{}
			s.seconds(&x.sum, ch, g, at*60, at*60, at*60+59)
		}
		x.stale = false
		if c.marked == at {
			c.marked = 0
		}
	}
	return &x.sum
}

// hour is the tile of a whole hour.
func (s *State) hour(ch, g int, at int64) *tile {
	c := &s.chans[ch]
	hours := c.gates[g].hours
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
		if c.marked/60 == at {
			c.marked = 0
		}
	}
	return &x.sum
}

// samples are those of a second that pass the gate.
func (s *State) samples(ch, g int, at int64) []sample {
	c := &s.chans[ch]
	x := &c.secs[at%int64(len(c.secs))]
	if x.at != at || len(x.samples) == 0 {
		return nil
	}
	if gate := s.plan.perChan[ch].gates[g]; gate != "" && s.stateAt(at) != gate {
		return nil
	}
	return x.samples
}

// sum is a second's tile, nil where there are no samples that pass the gate.
func (s *State) sum(ch, g int, at int64) *tile {
	xs := s.samples(ch, g, at)
	if xs == nil {
		return nil
	}
	r := &s.chans[ch].recent[at&1]
	if r.at != at || !r.fresh {
		r.at, r.fresh = at, true
		r.tile.of(xs)
	}
	return &r.tile
}

// seconds merges the seconds from..to that pass the gate into a, whose start is origin.
func (s *State) seconds(a *tile, ch, g int, origin, from, to int64) {
	var x tile
	for at := from; at <= to; at++ {
		if xs := s.samples(ch, g, at); xs != nil {
			x.of(xs)
			a.merge(&x, float64(at-origin))
		}
	}
}

func (s *State) stateAt(at int64) string {
	if r := &s.rig[at%int64(len(s.rig))]; r.at == at {
		return s.words[r.word]
	}
	return ""
}

// Rig says which state the rig was in during the second that begins at tick, Unix ns.
func (s *State) Rig(tick int64, state string) {
	at := floorDiv(tick, ns)
	if at < earliest || at < s.head-late {
		return
	}
	s.head = max(s.head, at)
	r := &s.rig[at%int64(len(s.rig))]
	word := s.word(state)
	if r.at > at || r.at == at && r.word == word {
		return
	}
	if r.at < at && r.at > 0 && r.at/60 != s.settled { // minutes whose states are about to be forgotten
		s.settled = r.at / 60
		for ch := range s.chans {
			s.settle(ch, s.settled)
		}
	}
	*r = rigAt{at, word}
	s.seen(at, state)
	for ch := range s.chans {
		c := &s.chans[ch]
		if c.newest < at || len(c.gates) == 1 && s.plan.perChan[ch].gates[0] == "" {
			continue
		}
		if xs := &c.secs[at%int64(len(c.secs))]; xs.at == at {
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

// TakeEvent takes back what Event noted: it was not so.
func (s *State) TakeEvent(t int64, kind string) {
	list := s.events[kind]
	if i, found := slices.BinarySearch(list, float64(t)/1e9); found {
		s.events[kind] = slices.Delete(list, i, i+1)
	}
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

// judged holds a value against the drill's own baseline, where the name says z.
func (s *State) judged(m *member, at int64, v float64) float64 {
	if !m.z {
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
	n := 16*len(s.rig) + 400*len(s.chans) + 200*len(s.groups) + 40*len(s.base)
	for i := range s.chans {
		c := &s.chans[i]
		n += 16 * cap(c.store)
		for j := range c.secs {
			n += 32 + 16*cap(c.secs[j].samples)
		}
		for _, g := range c.gates {
			n += 144 * (1 + len(g.mins) + len(g.hours))
		}
	}
	for i := range s.groups {
		g := &s.groups[i]
		n += 72*cap(g.lights) + 128*cap(g.tiles) + 16*cap(g.sums) + 8*cap(g.sorted)
	}
	for ch, list := range s.waves {
		n += (64 + 8*len(s.plan.perChan[ch].measures)) * cap(list)
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
