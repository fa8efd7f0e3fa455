package scorer

import (
	"math"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
	"github.com/mudpulse/mudpulse/services/trajectory"
)

// A hole is how far a directional drill's surveys were followed. Of two surveys
// its bend becomes the channel DLS, which rules and models read as any other; a
// device that sends DLS itself is believed.
type hole struct {
	depth, inc, azi float64 // of the last survey, m and degrees; NaN: none
	sent            bool    // the device sends DLS
}

// What a hole is followed by, as road.holeIn counts it.
const (
	holeDogleg = iota
	holeInc
	holeAzi
	holeBottom
	holeDepth
	holeChannels
)

var holeTags = [holeChannels]string{doglegTag, "INC", "AZI", "DMEA", "DBTM"}

const (
	doglegTag   = "DLS"
	surveyWith  = 60 * second // INC and AZI that come so near each other are one survey
	surveyDepth = 300 * second
	anotherWell = 50.0 // m that the hole is shallower than the last survey: it is another one
)

func newHole() hole { return hole{depth: nan, inc: nan, azi: nan} }

// survey takes what was heard up to a tick; ok where it bends by dls since the last survey.
func (h *hole) survey(r *road, tick int64) (dls float64, ok bool) {
	heard := func(which int, within int64) (float64, bool) {
		i := r.holeIn[which]
		if i < 0 || !r.slots[i].used || r.slots[i].at == 0 || tick-r.slots[i].at > within {
			return nan, false
		}
		return r.slots[i].val, r.slots[i].tick == tick
	}
	inc, newInc := heard(holeInc, surveyWith)
	if inc != inc {
		return 0, false
	}
	azi, newAzi := heard(holeAzi, surveyWith)
	if azi != azi || !newInc && !newAzi {
		return 0, false
	}
	bottom, _ := heard(holeBottom, surveyDepth)
	depth, _ := heard(holeDepth, surveyDepth)
	if depth != depth {
		depth = bottom
	}
	if depth != depth {
		return 0, false
	}
	if bottom != bottom {
		bottom = depth // nobody sends the hole's depth: where it is surveyed is its bottom
	}
	if bottom < h.depth-anotherWell {
		*h = hole{depth: nan, inc: nan, azi: nan, sent: h.sent}
	}
	was := *h
	switch {
	case was.depth != was.depth:
		h.depth, h.inc, h.azi = depth, inc, azi
		return 0, false
	case depth-was.depth < trajectory.Every:
		return 0, false
	}
	h.depth, h.inc, h.azi = depth, inc, azi
	return math.Round(100*trajectory.DogLeg(was.inc, was.azi, inc, azi, depth-was.depth)) / 100, true
}

// followHole makes the tick's dog-leg a sample of the channel DLS.
func (l *lane) followHole(r *road, tick int64) {
	if i := r.holeIn[holeDogleg]; i >= 0 && r.slots[i].tick == tick { // it came in the frame
		r.hole.sent = true
	}
	dls, ok := r.hole.survey(r, tick)
	if !ok || r.hole.sent {
		return
	}
	k := l.slot(r, doglegTag, 0)
	if k < 0 {
		return
	}
	s := &r.slots[k]
	s.val, s.at, s.tick, s.good, s.all = dls, tick, tick, 1, 1
}

func (h *hole) append(w *snapshot.Writer) {
	w.Float(h.depth)
	w.Float(h.inc)
	w.Float(h.azi)
	w.Bool(h.sent)
}

func (h *hole) restore(rd *snapshot.Reader) {
	h.depth, h.inc, h.azi, h.sent = rd.Float(), rd.Float(), rd.Float(), rd.Bool()
}
