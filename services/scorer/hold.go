package scorer

import (
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
)

// defaultHold is how long a model's last word on health stands when it cannot be
// asked: a worn bearing is not well because the rig trips. Its confidence falls
// to nothing over that time.
const defaultHold = 24 * time.Hour

// said is a model's last word on health. What comes out of a tick that is amended
// later must be what stood then, so the word before the last silence is kept too.
type said struct {
	at     int64 // tick; 0 never
	num    []float64
	txt    []string
	in     []float64 // what it was said of: a reason names one of these
	before *said     // the last word before the last silence
}

// speaks reports whether a model says something of health in this row.
func (c *composer) speaks(node int, num []float64) bool {
	for i := range c.health {
		for _, v := range c.health[i] {
			if v.node == node && num[v.value] == num[v.value] {
				return true
			}
		}
	}
	return false
}

// stand remembers what each model says of health in a row, and for those that
// say nothing puts in what they said last. It returns the signals with those
// words in them, and for each node the tick of its word; 0 it is of this one.
func (l *lane) stand(w *row, num []float64, txt []string) ([]float64, []string, []int64) {
	p := w.prog
	l.ages = resize(l.ages, len(p.nodes))
	clear(l.ages)
	copied := false
	for _, i := range p.compose.judges {
		n := &p.nodes[i]
		s := &w.rd.runs[i].said
		if p.compose.speaks(i, num) {
			at := w.tick
			if c := l.carried[w.due+i]; c != 0 {
				at = c
			}
			s.say(n, at, num, txt)
			continue
		}
		if s = s.upTo(w.tick); s == nil || w.tick-s.at > n.hold || len(s.num) != len(n.out) {
			continue
		}
		if !copied {
			l.stood, l.stoodText = append(l.stood[:0], num...), append(l.stoodText[:0], txt...)
			num, txt, copied = l.stood, l.stoodText, true
		}
		for o, sig := range n.out {
			num[sig], txt[sig] = s.num[o], s.txt[o]
		}
		for k, sig := range n.in {
			if num[sig] != num[sig] && len(s.in) == len(n.in) {
				num[sig] = s.in[k]
			}
		}
		l.ages[i] = s.at
	}
	return num, txt, l.ages
}

func (s *said) say(n *node, at int64, num []float64, txt []string) {
	if at < s.at {
		return // a tick amended
	}
	if s.at != 0 && at-s.at > max(n.every, second)+10*second {
		s.before = &said{at: s.at, num: slices.Clone(s.num), txt: slices.Clone(s.txt), in: slices.Clone(s.in)}
	}
	s.at, s.num, s.txt, s.in = at, s.num[:0], s.txt[:0], s.in[:0]
	for _, sig := range n.in {
		s.in = append(s.in, num[sig])
	}
	for _, sig := range n.out {
		s.num, s.txt = append(s.num, num[sig]), append(s.txt, txt[sig])
	}
}

// upTo returns the newest word at or before a tick; nil if none is known.
func (s *said) upTo(tick int64) *said {
	for s != nil && (s.at == 0 || s.at > tick) {
		s = s.before
	}
	return s
}

func (s *said) append(w *snapshot.Writer) {
	w.Int(s.at)
	w.Uint(uint64(len(s.num)))
	for k := range s.num {
		w.Float(s.num[k])
		w.String(s.txt[k])
	}
	w.Uint(uint64(len(s.in)))
	for _, v := range s.in {
		w.Float(v)
	}
	w.Bool(s.before != nil)
	if s.before != nil {
		s.before.append(w)
	}
}

// restoreSaid reads what append wrote: at most a word and the one before it.
func restoreSaid(rd *snapshot.Reader) said {
	var words [2]said
	for i := range words {
		words[i].at = rd.Int()
		for range rd.Len(9) {
			words[i].num, words[i].txt = append(words[i].num, rd.Float()), append(words[i].txt, rd.String())
		}
		for range rd.Len(8) {
			words[i].in = append(words[i].in, rd.Float())
		}
		if !rd.Bool() {
			break
		}
	}
	if words[1].at != 0 {
		words[0].before = &words[1]
	}
	return words[0]
}
