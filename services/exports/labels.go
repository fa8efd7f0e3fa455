package exports

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// labelColumn is one kind of label.
type labelColumn struct {
	kind  string
	words bool // values that are no numbers
	spans map[string][]labelSpan
}

type labelSpan struct {
	from, to int64
	value    string
}

// labelColumns sorts labels by kind and drill.
func labelColumns(labels []Span, taken map[string]bool, bad func(string, ...any)) []labelColumn {
	if len(labels) > MaxLabels {
		bad("labels: %d, at most %d", len(labels), MaxLabels)
		return nil
	}
	by := map[string]*labelColumn{}
	wrong := 0
	for i, l := range labels {
		why := ""
		from, err := time.Parse(time.RFC3339Nano, l.From)
		to, err2 := time.Parse(time.RFC3339Nano, l.To)
		switch {
		case l.Drill == "":
			why = "drill: must be given"
		case !labelKind.MatchString(l.Kind):
			why = "kind: letters, digits, _ and -, beginning with a letter"
		case err != nil || err2 != nil:
			why = "from, to: want times as 2026-01-31T06:00:00Z"
		case !from.Before(to):
			why = "to: must be after from"
		}
		if why != "" {
			if wrong++; wrong <= 20 {
				bad("labels: %d (%s %s): %s", i+1, l.Drill, l.Kind, why)
			}
			continue
		}
		kind := strings.ReplaceAll(l.Kind, "-", "_")
		c := by[kind]
		if c == nil {
			c = &labelColumn{kind: kind, spans: map[string][]labelSpan{}}
			by[kind] = c
			if taken["label_"+strings.ToLower(kind)] {
				bad("labels: %s: its column is taken", kind)
			}
			taken["label_"+strings.ToLower(kind)] = true
		}
		c.words = c.words || l.Value != "" && !isNumber(l.Value)
		c.spans[l.Drill] = append(c.spans[l.Drill], labelSpan{from.UnixNano(), to.UnixNano(), l.Value})
	}
	if wrong > 20 {
		bad("labels: %d more", wrong-20)
	}
	var out []labelColumn
	for _, c := range by {
		for _, spans := range c.spans {
			slices.SortFunc(spans, func(a, b labelSpan) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
		}
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b labelColumn) int { return strings.Compare(a.kind, b.kind) })
	return out
}

// names of a kind's columns, and their types.
func (c *labelColumn) columns() [][2]string {
	value := "DOUBLE"
	if c.words {
		value = "VARCHAR"
	}
	n := "label_" + c.kind
	return [][2]string{{n, value}, {n + "_age", "DOUBLE"}, {n + "_hours_left", "DOUBLE"}}
}

// at appends what holds at a tick: the value (0 or no word outside of spans), the
// share of the span that is over, and the hours to its end.
func (c *labelColumn) at(drill string, tick int64, row []any) []any {
	var in *labelSpan
	for i := range c.spans[drill] { // the one that began last
		if s := &c.spans[drill][i]; s.from <= tick && tick < s.to {
			in = s
		}
	}
	if in == nil {
		if c.words {
			return append(row, nil, nil, nil)
		}
		return append(row, 0.0, nil, nil)
	}
	var value any = 1.0
	switch {
	case c.words:
		value = in.value
	case in.value != "":
		v, err := strconv.ParseFloat(in.value, 64)
		if err != nil {
			v = math.NaN()
		}
		value = v
	}
	return append(row, value, float64(tick-in.from)/float64(in.to-in.from), float64(in.to-tick)/float64(time.Hour))
}

// splits gives each drill the name of its share: drills in an order that the seed
// shuffles, cut by the shares, so that few drills are shared out fairly too.
func splits(drills []string, shares map[string]uint32, seed uint64) map[string]string {
	if len(shares) == 0 {
		return nil
	}
	key := func(d string) uint64 {
		h := fnv.New64a()
		h.Write([]byte(strconv.FormatUint(seed, 10) + "/" + d))
		x := h.Sum64() // FNV's last letters move its high bits little
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		return x ^ x>>31
	}
	order := slices.Clone(drills)
	slices.SortFunc(order, func(a, b string) int { return cmp.Or(cmp.Compare(key(a), key(b)), strings.Compare(a, b)) })
	names, total := make([]string, 0, len(shares)), uint64(0)
	for n, s := range shares {
		names = append(names, n)
		total += uint64(s)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(shares[b], shares[a]), strings.Compare(a, b)) })
	out := map[string]string{}
	from, sum := 0, uint64(0)
	for _, n := range names {
		sum += uint64(shares[n])
		to := int((uint64(len(order))*sum + total/2) / total)
		for _, d := range order[from:to] {
			out[d] = n
		}
		from = to
	}
	return out
}
