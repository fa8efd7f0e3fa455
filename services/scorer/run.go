package scorer

import (
	"fmt"
	"time"
)

// run scores all rows of one program, model by model.
func (l *lane) run(p *program) {
	for i := range p.nodes {
		n := &p.nodes[i]
		sel := l.sel[:0]
		for k := range l.rows {
			w := &l.rows[k]
			if w.prog != p || !l.due[w.due+i] {
				continue
			}
			if l.has(n, w) {
				sel = append(sel, k)
			} else {
				l.due[w.due+i] = false
			}
		}
		l.sel = sel
		if len(sel) > 0 {
			start := time.Now()
			l.evaluate(n, i, sel)
			n.spend(time.Since(start), len(sel), &l.part.cfg)
		}
		for k := range l.rows {
			if w := &l.rows[k]; w.prog == p {
				l.carry(n, i, w)
			}
		}
	}
}

// has reports whether any input but the state is there.
func (l *lane) has(n *node, w *row) bool {
	for _, sig := range n.in {
		if sig != w.prog.state && (l.num[w.num+sig] == l.num[w.num+sig] || l.txt[w.num+sig] != "") {
			return true
		}
	}
	return false
}

// evaluate runs one model over rows; a panic costs only the row that caused it.
func (l *lane) evaluate(n *node, i int, sel []int) {
	if n.memory != nil && len(sel) > 1 { // one by one: what a row failed in is then known, and the rows before it count once
		for k := range sel {
			l.evaluate(n, i, sel[k:k+1])
		}
		return
	}
	if msg := l.try(n, i, sel); msg != "" {
		if len(sel) == 1 {
			l.errs[l.rows[sel[0]].due+i] = msg
			l.part.count.panics++
			if n.memory != nil {
				n.renew(n.remembered()) // a row is remembered after it was scored
			}
			return
		}
		n.renew(nil) // its buffers may be anything now
		for k := range sel {
			l.evaluate(n, i, sel[k:k+1])
		}
	}
}

func (l *lane) try(n *node, i int, sel []int) (msg string) {
	defer func() {
		if p := recover(); p != nil {
			msg = fmt.Sprintf("model %s: failed inside: %v", n.ref, p)
		}
	}()
	l.fill(n, sel)
	n.eval.Run()
	for k, at := range sel {
		w := &l.rows[at]
		if err := n.eval.Err(k); err != nil {
			l.errs[w.due+i] = clip(err.Error())
			continue
		}
		wrong := ""
		for o, sig := range n.out {
			l.num[w.num+sig], l.txt[w.num+sig] = n.eval.Output(o, k)
			if wrong == "" {
				wrong = n.nonsense(o, l.num[w.num+sig])
			}
		}
		if wrong != "" {
			l.errs[w.due+i] = wrong
			for _, sig := range n.out {
				l.num[w.num+sig], l.txt[w.num+sig] = nan, ""
			}
		}
	}
	return ""
}

func clip(s string) string {
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return s
}

func (l *lane) fill(n *node, sel []int) {
	n.eval.Reset(len(sel))
	if n.memory != nil {
		for k, at := range sel {
			n.memory.Key(k, l.rows[at].rd.drill)
		}
	}
	for c, sig := range n.in {
		if n.texts[c] {
			for k, at := range sel {
				if s := l.txt[l.rows[at].num+sig]; s != "" {
					n.eval.Text(c, k, s)
				}
			}
			continue
		}
		for k, at := range sel {
			n.eval.Number(c, k, l.num[l.rows[at].num+sig])
		}
	}
}

// carry keeps what a model said, or puts in what it said last.
func (l *lane) carry(n *node, i int, w *row) {
	c := &w.rd.runs[i]
	if n.every == 0 {
		return
	}
	switch {
	case l.due[w.due+i] && w.tick >= c.at:
		c.at, c.err = w.tick, l.errs[w.due+i]
		c.num, c.txt = c.num[:0], c.txt[:0]
		for _, sig := range n.out {
			c.num = append(c.num, l.num[w.num+sig])
			c.txt = append(c.txt, l.txt[w.num+sig])
		}
	case !l.due[w.due+i] && len(c.num) == len(n.out) && c.at <= w.tick && w.tick-c.at <= 2*n.every+60*second:
		for o, sig := range n.out {
			l.num[w.num+sig], l.txt[w.num+sig] = c.num[o], c.txt[o]
		}
		l.carried[w.due+i], l.errs[w.due+i] = c.at, c.err
	}
}

// spend keeps account of a model's time. One that takes far too long is not run
// any more until it is activated anew: the only thing here that the machine's
// speed decides, and the score says so.
func (a *activation) spend(d time.Duration, rows int, cfg *PartitionConfig) {
	a.spent += d
	a.rows += int64(rows)
	if cfg.RowBudget > 0 && a.rows >= 20 && a.spent/time.Duration(a.rows) > cfg.RowBudget {
		a.broken = fmt.Sprintf("model %s: stopped: took %v a row, %v are allowed", a.ref, a.spent/time.Duration(a.rows), cfg.RowBudget)
	}
}
