package gateway

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/gateway/payload"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Codes of runs set aside; those of whole messages are payload's and these.
const (
	CodePhysical  = "physical_limit"
	CodeName      = "bad_channel_name"
	CodeDuplicate = "duplicate_channel"
	CodeDrill     = "unknown_drill"
	CodeTopic     = "unknown_topic"
)

// checker validates frames against the catalogue. One goroutine.
type checker struct {
	catalogue *telemetry.Catalogue
	names     map[string]*named // as sent
	folded    map[string]*named // in lower case
	order     []*named          // of the nth run of the frame before: most often it is the same again
	stamp     uint64            // counts frames
	fresh     time.Time         // when names was emptied last
	q         []telemetry.Quality
}

// named is what is known of one channel name.
type named struct {
	sent  string
	ch    *telemetry.Channel // nil: not registered
	bad   string             // why it is no name
	same  *named             // the one that stands for all spellings
	stamp uint64             // of the last frame that had it
	scale float64            // values are rounded to whole multiples of 1/scale,
	step  float64            // or of step, whichever is not 0
}

// catalogueAge is how old what a checker knows of the catalogue may be.
const catalogueAge = time.Second

// start prepares for the next message.
func (c *checker) start(now time.Time) {
	c.q = c.q[:0]
	if now.Sub(c.fresh) >= catalogueAge || len(c.names) > 1<<12 {
		clear(c.names)
		clear(c.folded)
		c.order = c.order[:0]
		c.fresh = now
	}
	if c.names == nil {
		c.names, c.folded = map[string]*named{}, map[string]*named{}
	}
}

// nth returns what is known of the nth run's channel.
func (c *checker) nth(i int, tag string) *named {
	if i < len(c.order) && c.order[i].sent == tag {
		return c.order[i]
	}
	n := c.name(tag)
	switch {
	case i < len(c.order):
		c.order[i] = n
	case i == len(c.order):
		c.order = append(c.order, n)
	}
	return n
}

func (c *checker) name(tag string) *named {
	if n, ok := c.names[tag]; ok {
		return n
	}
	n := &named{sent: tag}
	c.names[tag] = n
	if err := telemetry.ValidTag(tag); err != nil {
		n.bad, n.same = err.Error(), n
		return n
	}
	if n.ch = c.catalogue.Get(tag); n.ch != nil {
		switch res := n.ch.Resolution; {
		case res >= 1:
			n.step = res
		case res > 0:
			n.scale = math.Round(1 / res)
		}
	}
	low := strings.ToLower(tag)
	if n.same = c.folded[low]; n.same == nil {
		n.same = n
		c.folded[low] = n
	}
	return n
}

// frame validates the runs of f in place and returns those that are set aside:
// f goes on without them.
func (c *checker) frame(f *telemetry.Frame, aside []payload.Error) []payload.Error {
	c.stamp++
	kept := f.Runs[:0]
	for i := range f.Runs {
		r := f.Runs[i]
		n := c.nth(i, r.Channel)
		switch {
		case n.bad != "":
			aside = append(aside, payload.Error{Code: CodeName, Field: "channels." + r.Channel, Message: n.bad, Cure: "name channels as WOB or PUMP1_SPM, at most 24 characters"})
			continue
		case n.same.stamp == c.stamp:
			aside = append(aside, payload.Error{Code: CodeDuplicate, Field: "channels." + r.Channel, Message: "the frame has this channel already; names are the same without regard to case", Cure: "send each channel once a frame, in one run"})
			continue
		}
		n.same.stamp = c.stamp
		if n.ch != nil {
			r.Channel = n.ch.Tag
			if e := c.run(&r, n); e != nil {
				aside = append(aside, *e)
				continue
			}
		}
		kept = append(kept, r)
	}
	f.Runs = kept
	return aside
}

// run checks one run against its channel: beyond physical limits it is refused,
// beyond the plausible range flagged; values are rounded to the resolution.
func (c *checker) run(r *telemetry.Run, n *named) *payload.Error {
	ch := n.ch
	for i, v := range r.Values {
		if v != v {
			continue
		}
		if v < ch.PhysLow || v > ch.PhysHigh {
			return physical(ch, v)
		}
		if v < ch.Low || v > ch.High {
			if r.Quality == nil {
				from := len(c.q)
				c.q = append(c.q, make([]telemetry.Quality, len(r.Values))...)
				r.Quality = c.q[from:len(c.q):len(c.q)]
			}
			r.Quality[i] = telemetry.OutOfRange
		}
		if n.scale != 0 {
			r.Values[i] = math.Round(v*n.scale) / n.scale
		} else if n.step != 0 {
			r.Values[i] = math.Round(v/n.step) * n.step
		}
	}
	return nil
}

func physical(ch *telemetry.Channel, v float64) *payload.Error {
	num := func(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
	e := &payload.Error{
		Code: CodePhysical, Field: "channels." + ch.Tag,
		Message: fmt.Sprintf("%s %s is outside the physical limits of %s, %s to %s %s", num(v), ch.Unit, ch.What, num(ch.PhysLow), num(ch.PhysHigh), ch.Unit),
		Cure:    "send " + ch.Unit + ", or have an administrator widen the limits of " + ch.Tag,
	}
	if ch.Factor != 0 && (ch.Factor != 1 || ch.Shift != 0) {
		if si := (v - ch.Shift) / ch.Factor; si >= ch.Low && si <= ch.High {
			e.Message += fmt.Sprintf("; as %s it would be %s %s", ch.Field, num(si), ch.Unit)
			e.Cure = "it looks like " + ch.Field + ": send " + ch.Unit
		}
	}
	return e
}

// timing sets origin and flags from the clock.
func (g *Gateway) timing(f *telemetry.Frame, now time.Time) {
	ns := now.UnixNano()
	if f.Flags&telemetry.FlagUntimed != 0 {
		f.TS = ns - ns%1000
	}
	end := f.End()
	if f.TS > ns+int64(g.cfg.Future) {
		f.Flags |= telemetry.FlagFuture
	}
	if end < ns-int64(g.cfg.Past) {
		f.Flags |= telemetry.FlagPast
	}
	if end < ns-int64(g.cfg.LiveHorizon) {
		f.Origin = telemetry.Backfill
	}
}

// skew estimates how far a device's clock is ahead: of the last frames the one
// that travelled fastest tells best.
type skew struct {
	last [32]int64 // ns, end of frame minus arrival
	n    int
}

func (s *skew) add(ns int64) { s.last[s.n%len(s.last)] = ns; s.n++ }

func (s *skew) seconds() float64 {
	if s.n == 0 {
		return 0
	}
	return float64(slices.Max(s.last[:min(s.n, len(s.last))])) / 1e9
}
