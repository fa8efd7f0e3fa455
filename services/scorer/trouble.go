package scorer

import (
	"fmt"
	"math"
	"strings"
)

// Trouble is how often a model could not be heard, and why, since it was
// activated or this process began. It is for people: no score depends on it.
type Trouble struct {
	Rows        int64  // at which it failed inside, gave an error, or said nonsense
	Since, Last int64  // ticks of the first and the last of them, Unix ns
	Drill, Why  string // of the last
}

func (t *Trouble) note(drill string, tick int64, why string) {
	if t.Rows == 0 {
		t.Since = tick
	}
	t.Rows++
	t.Last, t.Drill, t.Why = tick, drill, why
}

// join takes in what another partition or road saw of the same model.
func (t *Trouble) join(o Trouble) {
	switch {
	case o.Rows == 0:
		return
	case t.Rows == 0:
		*t = o
		return
	case o.Last > t.Last:
		t.Last, t.Drill, t.Why = o.Last, o.Drill, o.Why
	}
	t.Rows, t.Since = t.Rows+o.Rows, min(t.Since, o.Since)
}

// Health beyond these is no opinion; between them and 0 to 100 it is rounding, and cut.
const (
	leastHealth = -50
	mostHealth  = 150
)

// nonsense says what of a row's output cannot be meant: what is infinite, health
// that is far from 0 to 100, negative time. Such a row counts as failed, so that
// no other model, no drill's health and no alarm rests on it. "": it makes sense.
func (n *node) nonsense(output int, v float64) string {
	if v != v {
		return ""
	}
	name := n.activation.out[output]
	switch {
	case math.IsInf(v, 0):
		return fmt.Sprintf("model %s: output %s is infinite", n.ref, name)
	case strings.HasPrefix(name, outHealth) && (v < leastHealth || v > mostHealth) && subsystem(name[len(outHealth):]) >= 0:
		return fmt.Sprintf("model %s: output %s is %.6g, and health is 0 to 100", n.ref, name, v)
	case v < 0 && (name == outTimeLeft || name == outLeftLow || name == outLeftHigh):
		return fmt.Sprintf("model %s: output %s is %.6g hours, and time left is not negative", n.ref, name, v)
	}
	return ""
}
