package feature

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// A Plan is what has to be kept of a stream, and computed at each tick, for a
// set of features. Immutable; states of many drills share it.
type Plan struct {
	names    []Name
	channels []string
	perChan  []channelPlan
	groups   []group
	events   []int // names that count from an event
	waved    []int // channels with features that snapshots could give

	analysers sync.Pool // of *analyser
}

// channelPlan is what is kept of one channel.
type channelPlan struct {
	seconds int64 // tiles of a second
	minutes int64 // tiles of a minute; 0 none
	hours   int64
	gates   []string // gates for which minutes and hours are kept; "" for all

	measures []measure // made of a snapshot
	waves    []waveMember
	waveSpan int64 // s: longest window of these
}

// late is how long after its second a sample is still taken into it.
const late = 120

// slack is how many seconds are kept beyond the longest window of seconds: so
// that the minute of the latest sample that is taken is still whole.
const slack = late + 61

// minutesOfHour are the minutes kept where there are hours: an hour's, until no
// late sample can change it.
const minutesOfHour = 64

// slackMinutes are kept beyond the longest window of minutes: a tick that is amended
// lies up to late behind the newest.
const slackMinutes = late/60 + 1

// group is one window of one channel through one gate; its tiles are merged
// once for all its functions.
type group struct {
	channel int
	gate    int   // index of the channel's gates
	window  int64 // seconds
	unit    int64 // of the tiles it is made of: 1, 60 or 3600 seconds
	kind    kind
	heavy   bool // moments or slope
	tiles   bool // any function but those of single samples
	raw     bool // single samples
	later   bool // left to ReadLater
	of      []member
	weights []float64 // of an ewma, by age in tiles
}

// kind of a group.
type kind byte

const (
	ofWindow kind = iota
	ofLag
	ofEWMA
)

type member struct {
	out int // among names
	fn  function
	p   float64 // of q: the percentile
	z   bool
}

// Compile plans features; other names than features and times since events are refused.
// All problems come back at once. Those of the names that are given once more as
// later are read by ReadLater: what is seldom asked for should not be computed
// at every tick. (One held against a baseline is, since the baseline follows
// every tick.)
func Compile(names []string, later ...string) (*Plan, error) {
	p := &Plan{}
	var errs []error
	for _, s := range names {
		n, err := Parse(s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out := len(p.names)
		p.names = append(p.names, n)
		switch n.Kind {
		case Since:
			p.events = append(p.events, out)
			continue
		case Feature:
		default:
			errs = append(errs, errors.New("name "+s+": is no feature"))
			continue
		}
		c := slices.Index(p.channels, n.Channel)
		if c < 0 {
			c = len(p.channels)
			p.channels = append(p.channels, n.Channel)
			p.perChan = append(p.perChan, channelPlan{seconds: slack})
		}
		cp := &p.perChan[c]
		fn := function(slices.Index(Functions, n.Function))
		cp.waved(out, &n, fn)
		if !slices.Contains(p.waved, c) {
			p.waved = append(p.waved, c)
		}
		if fn.ofWave() {
			continue
		}
		g := slices.Index(cp.gates, n.Gate)
		if g < 0 {
			g = len(cp.gates)
			cp.gates = append(cp.gates, n.Gate)
		}
		span := n.Window
		if n.Function == "ewma" {
			span *= 8
		}
		tile := tileOf(span)
		if n.Function == "lag" {
			span *= 2
		}
		switch tile {
		case time.Second:
			cp.seconds = max(cp.seconds, int64(span/time.Second)+slack)
		case time.Minute:
			cp.minutes = max(cp.minutes, int64(span/time.Minute)+1+slackMinutes)
		default:
			cp.minutes = max(cp.minutes, minutesOfHour)
			cp.hours = max(cp.hours, int64(span/time.Hour)+2)
		}
		k := ofWindow
		switch fn {
		case fnLag:
			k = ofLag
		case fnEWMA:
			k = ofEWMA
		}
		w := int64(n.Window / time.Second)
		i := slices.IndexFunc(p.groups, func(x group) bool { return x.channel == c && x.gate == g && x.window == w && x.kind == k })
		if i < 0 {
			i = len(p.groups)
			p.groups = append(p.groups, group{channel: c, gate: g, window: w, kind: k, unit: int64(tile / time.Second)})
		}
		x := &p.groups[i]
		x.heavy = x.heavy || fn.heavy()
		x.raw = x.raw || fn.raw()
		x.tiles = x.tiles || !fn.raw()
		if k == ofEWMA && x.weights == nil {
			x.weights = weights(n.Window)
		}
		x.of = append(x.of, member{out, fn, n.P, n.Z})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for i := range p.groups {
		g := &p.groups[i]
		g.later = !slices.ContainsFunc(g.of, func(m member) bool { return m.z || !slices.Contains(later, p.names[m.out].text) })
	}
	return p, nil
}

// weights of an EWMA whose time constant is tau, cut at 8 tau, by age in tiles.
func weights(tau time.Duration) []float64 {
	unit := tileOf(8 * tau)
	n := int(8 * tau / unit)
	w := make([]float64, n)
	for i := range w {
		w[i] = portable.Exp(-float64(i) * float64(unit) / float64(tau))
	}
	return w
}

// tileOf is the length of the tiles that a span is made of.
func tileOf(span time.Duration) time.Duration {
	switch {
	case span <= secondsUpTo:
		return time.Second
	case span <= 24*time.Hour:
		return time.Minute
	}
	return time.Hour
}

// Names are the features, in the order in which Read counts them.
func (p *Plan) Names() []Name { return p.names }

// Channels are the channels to be observed; Add counts them so.
func (p *Plan) Channels() []string { return p.channels }

// Horizon is how far back anything reaches: the declared memory.
func (p *Plan) Horizon() time.Duration {
	h := time.Duration(0)
	for _, c := range p.perChan {
		h = max(h, time.Duration(c.seconds)*time.Second, time.Duration(c.minutes)*time.Minute, time.Duration(c.hours)*time.Hour, time.Duration(c.waveSpan+late)*time.Second)
	}
	return h
}
