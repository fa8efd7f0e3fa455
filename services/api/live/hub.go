// Package live holds the present: the newest score and readings of every drill
// and the alarms that stand, read from the topics as they are written, and tells
// it to every open page over one WebSocket each. What a client has not read yet
// is replaced by what is newer: a slow one costs nobody else anything.
package live

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Periods of wall time.
const (
	readingsEvery  = 200 * time.Millisecond
	fleetEvery     = 500 * time.Millisecond
	countsEvery    = time.Second
	reportingAfter = 15 * time.Second // a drill that sent nothing for so long is not reporting
	historyEvery   = 10 * time.Second
)

// Past is the store, as much of it as the present is begun from.
type Past interface {
	Drills() []storage.Drill
	LatestScores() []*telemetry.Score
	Latest(drill string) map[string]storage.Value
	HealthHistory(at int64) []storage.HealthHistory
	alarmlife.Past
}

// Config of a Hub.
type Config struct {
	Version      string
	Demo         bool
	UTCOffsetMin int
	MaxClients   int     // more are answered 503
	TellFrom     float64 // points of 100 that a reason must have taken to be told
	Host         string  // that browsers name where a proxy stands before this; "": the request's own
}

// Deps of a Hub.
type Deps struct {
	Past      Past
	Catalogue *telemetry.Catalogue
	Clock     telemetry.Clock
	Log       *slog.Logger
	Metrics   prometheus.Registerer
	SHA       func(model string, version int) string
	Equipment func() []string // drills that are known before they send anything
}

// Hub is safe for concurrent use.
type Hub struct {
	cfg   Config
	past  Past
	cat   *telemetry.Catalogue
	clock telemetry.Clock
	log   *slog.Logger
	sha   func(string, int) string
	known func() []string
	book  *alarmlife.Book
	m     *metrics
	away  chan struct{} // closed when clients are to leave
	leave sync.Once

	mu      sync.Mutex
	drills  map[string]*drill
	order   []*drill // by id
	seq     uint64   // of the last change of any drill
	clients map[*client]struct{}
	count   struct {
		readings int64 // since the last counts
		at       time.Time
	}
	counts    []byte // the last counts message
	countsSeq uint64
	fleet     struct { // the last fleet message that was built
		from, to uint64
		msg      []byte
	}
}

// A drill is the present of one drill. The hub's mutex guards it.
type drill struct {
	id       string
	score    *telemetry.Score // nil before the first; never changed
	scoreSeq uint64
	last     int64     // newest sample, Unix ns
	arrived  time.Time // wall, of its newest frame on the live road
	depth    float64
	hole     float64
	sim      bool
	standing map[string]*alarmlife.Alarm // by id; also shelved
	change   float64                     // health points a day
	week     []float64
	seq      uint64 // of its last change
	row      []byte // its JSON in fleet messages; nil: to be made again
	watchers map[*client]struct{}
}

// New returns a hub that knows nothing until Warm.
func New(cfg Config, d Deps) *Hub {
	if cfg.MaxClients == 0 {
		cfg.MaxClients = 2000
	}
	h := &Hub{cfg: cfg, past: d.Past, cat: d.Catalogue, clock: d.Clock, log: d.Log, sha: d.SHA, known: d.Equipment,
		away: make(chan struct{}), drills: map[string]*drill{}, clients: map[*client]struct{}{}}
	if h.sha == nil {
		h.sha = func(string, int) string { return "" }
	}
	if h.known == nil {
		h.known = func() []string { return nil }
	}
	h.book = alarmlife.NewBook(func() int64 { return d.Clock.Now().UnixNano() })
	h.m = newMetrics(d.Metrics, h)
	h.count.at = time.Now()
	return h
}

// Book holds the alarms.
func (h *Hub) Book() *alarmlife.Book { return h.book }

// Warm begins with what the store has.
func (h *Hub) Warm(ctx context.Context) error {
	if err := alarmlife.Replay(ctx, h.past, h.clock.Now().UnixNano(), h.Alarm, h.Command); err != nil {
		return err
	}
	for _, s := range h.past.LatestScores() {
		h.Score(s)
	}
	h.refresh()
	return nil
}

// refresh takes from the store what does not come over the topics: drills of
// which only history came, and seven days of health.
func (h *Hub) refresh() {
	stored, known := h.past.Drills(), h.known()
	history := h.past.HealthHistory(h.clock.Now().UnixNano())
	depths := map[string]map[string]storage.Value{}
	h.mu.Lock()
	var unseen []string
	for _, d := range stored {
		if have := h.drills[d.Drill]; have == nil || have.last == 0 {
			unseen = append(unseen, d.Drill)
		}
	}
	h.mu.Unlock()
	for _, id := range unseen {
		depths[id] = h.past.Latest(id)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range known {
		h.drill(id)
	}
	for _, s := range stored {
		d := h.drill(s.Drill)
		if d.arrived.IsZero() && s.Last > d.last {
			d.last, d.sim = s.Last, s.Simulated
			h.changed(d)
		}
		if v, ok := depths[s.Drill]["DBTM"]; ok && math.IsNaN(d.depth) {
			d.depth = v.Value
		}
		if v, ok := depths[s.Drill]["DMEA"]; ok && math.IsNaN(d.hole) {
			d.hole = v.Value
		}
	}
	for i := range history {
		d := h.drill(history[i].Drill)
		d.week = history[i].Last[:]
		if c := slope(d.week); c != d.change && !(math.IsNaN(c) && math.IsNaN(d.change)) {
			d.change = c
			h.changed(d)
		}
	}
}

// slope is the least-squares slope of health over the last day of 2-hour
// buckets, in points a day; NaN with fewer than three of them.
func slope(week []float64) float64 {
	const day = 12
	from := max(0, len(week)-day)
	var n, sx, sy, sxx, sxy float64
	for i, v := range week[from:] {
		if math.IsNaN(v) {
			continue
		}
		x := float64(i) / day
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+v, sxx+x*x, sxy+x*v
	}
	if n < 3 {
		return math.NaN()
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

// drill returns the drill of that id, new if need be. h.mu is held.
func (h *Hub) drill(id string) *drill {
	if d := h.drills[id]; d != nil {
		return d
	}
	d := &drill{id: id, depth: math.NaN(), hole: math.NaN(), change: math.NaN(), standing: map[string]*alarmlife.Alarm{}, watchers: map[*client]struct{}{}}
	h.drills[id] = d
	i, _ := slices.BinarySearchFunc(h.order, d, func(a, b *drill) int { return strings.Compare(a.id, b.id) })
	h.order = slices.Insert(h.order, i, d)
	h.changed(d)
	return d
}

func (h *Hub) changed(d *drill) {
	h.seq++
	d.seq, d.row = h.seq, nil
}

// Frame takes a frame from the live road. It lies in the caller's memory.
func (h *Hub) Frame(f *telemetry.Frame) {
	n, end := f.Readings(), f.End()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count.readings += int64(n)
	d := h.drill(f.Drill)
	d.arrived = time.Now()
	if f.Flags&telemetry.FlagFuture != 0 {
		return // its device's clock is ahead: it is kept at its time, and is not the present
	}
	for i := range f.Runs {
		r := &f.Runs[i]
		if len(r.Values) == 0 || r.Channel != "DBTM" && r.Channel != "DMEA" || end < d.last {
			continue
		}
		if v := r.Values[len(r.Values)-1]; v == v && r.Channel == "DBTM" {
			d.depth = v
		} else if v == v {
			d.hole = v
		}
	}
	if end > d.last {
		d.last, d.sim = end, f.Simulated
		h.changed(d)
	}
	for c := range d.watchers {
		c.frame(f)
	}
}

// future says that a tick is ahead of the clock, as telemetry.FlagFuture has it of frames.
func (h *Hub) future(tick int64) bool {
	return tick > h.clock.Now().Add(5*time.Minute).UnixNano()
}

// Score takes a score; it keeps s.
func (h *Hub) Score(s *telemetry.Score) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.drill(s.Drill)
	if d.score != nil && s.Tick < d.score.Tick || h.future(s.Tick) {
		return
	}
	d.score = s
	h.changed(d)
	d.scoreSeq = h.seq
}

// Alarm takes one step of an alarm.
func (h *Hub) Alarm(e telemetry.AlarmEvent) { h.alarms(h.book.Event(e)) }

// Command takes what somebody did to an alarm.
func (h *Hub) Command(c telemetry.Command) { h.alarms(h.book.Command(c)) }

func (h *Hub) alarms(changed []*alarmlife.Alarm) {
	if len(changed) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range changed {
		if now, ok := h.book.Get(a.ID); ok {
			a = now // another goroutine may have been faster
		}
		d := h.drill(a.Drill)
		if a.Status == alarmlife.Returned {
			delete(d.standing, a.ID)
		} else {
			d.standing[a.ID] = a
		}
		h.changed(d)
		if a.Origin == telemetry.Backfill {
			continue // of the past: nobody is told
		}
		for c := range h.clients {
			c.alarm(a)
		}
	}
}

// ModelsChanged tells every client that a model was uploaded or switched.
func (h *Hub) ModelsChanged(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		c.tell(news{"models", name})
	}
}

// Annotated tells every client that somebody wrote at a drill's time, or took it back.
func (h *Hub) Annotated(drill string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		c.tell(news{"annotations", drill})
	}
}

// Run counts and looks at what time changes, until ctx is done.
func (h *Hub) Run(ctx context.Context) error {
	counts, history := time.NewTicker(countsEvery), time.NewTicker(historyEvery)
	defer counts.Stop()
	defer history.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-counts.C:
			h.alarms(h.book.Pass())
			h.tally()
		case <-history.C:
			h.refresh()
		}
	}
}

// Stop asks every client to connect again later: the process ends.
func (h *Hub) Stop() { h.leave.Do(func() { close(h.away) }) }

// Counts is what the header of every page shows.
type Counts struct {
	Type      string     `json:"type"`
	P1        int        `json:"p1"` // unacknowledged, by priority
	P2        int        `json:"p2"`
	P3        int        `json:"p3"`
	Age       view.Num   `json:"age_s"` // of the newest reading of any drill, s of wall time
	Readings  float64    `json:"readings_per_s"`
	Reporting int        `json:"drills_reporting"`
	Drills    int        `json:"drills"`
	Clock     view.Clock `json:"clock"`
	Pos       uint64     `json:"pos"`
}

func (h *Hub) tally() {
	unacked := h.book.All(func(a *alarmlife.Alarm) bool {
		return a.Status == alarmlife.Unack || a.Status == alarmlife.RtnUnack
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	c := Counts{Type: "counts", Drills: len(h.drills), Clock: h.Clock(), Pos: h.seq, Age: view.Num(math.NaN())}
	for _, a := range unacked {
		switch a.Priority {
		case telemetry.P1:
			c.P1++
		case telemetry.P2:
			c.P2++
		default:
			c.P3++
		}
	}
	now, newest := time.Now(), int64(0)
	for _, d := range h.order {
		newest = max(newest, d.last)
		if !d.arrived.IsZero() && now.Sub(d.arrived) < reportingAfter {
			c.Reporting++
		}
	}
	if newest != 0 {
		c.Age = view.Num(h.age(newest))
	}
	if s := now.Sub(h.count.at).Seconds(); s > 0 {
		c.Readings = math.Round(float64(h.count.readings) / s)
	}
	h.count.readings, h.count.at = 0, now
	h.counts = mustJSON(c)
	h.countsSeq++
	h.m.reporting.Set(float64(c.Reporting))
}

// age is how old t looks to people: seconds of wall time, never below 0.
func (h *Hub) age(t int64) float64 {
	return max(0, float64(h.clock.Now().UnixNano()-t)/1e9/h.clock.Rate())
}

// Clock is what pages set theirs by.
func (h *Hub) Clock() view.Clock {
	return view.Clock{Now: view.Time(h.clock.Now().UnixNano()), Rate: h.clock.Rate(), Demo: h.cfg.Demo, UTCOffsetMin: h.cfg.UTCOffsetMin}
}

// A Now is one drill's present, as the API tells it.
type Now struct {
	ID       string
	Score    *telemetry.Score // nil: none yet; not to be changed
	Last     int64            // newest sample, Unix ns; 0: none
	Age      float64          // s; NaN: none
	Depth    float64
	Hole     float64
	Sim      bool
	Change   float64   // health points a day
	Week     []float64 // storage.HealthBuckets, or nil
	Standing []*alarmlife.Alarm
}

// Drill returns one drill's present.
func (h *Hub) Drill(id string) (Now, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.drills[id]
	if d == nil {
		return Now{}, false
	}
	return h.now(d), true
}

// Drills returns all drills, by id.
func (h *Hub) Drills() []Now { return h.DrillsAfter("", math.MaxInt) }

// DrillsAfter returns at most limit of them, those after a name.
func (h *Hub) DrillsAfter(name string, limit int) []Now {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := 0
	if name != "" {
		from, _ = slices.BinarySearchFunc(h.order, name, func(d *drill, name string) int {
			if d.id <= name {
				return -1
			}
			return 1
		})
	}
	page := h.order[from:]
	page = page[:min(limit, len(page))]
	out := make([]Now, len(page))
	for i, d := range page {
		out[i] = h.now(d)
	}
	return out
}

func (h *Hub) now(d *drill) Now {
	n := Now{ID: d.id, Score: d.score, Last: d.last, Age: math.NaN(), Depth: d.depth, Hole: d.hole, Sim: d.sim, Change: d.change, Week: d.week, Standing: d.alarms()}
	if d.last != 0 {
		n.Age = h.age(d.last)
	}
	return n
}

// alarms returns the drill's alarms that stand, worst first.
func (d *drill) alarms() []*alarmlife.Alarm {
	out := make([]*alarmlife.Alarm, 0, len(d.standing))
	for _, a := range d.standing {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *alarmlife.Alarm) int {
		aside := func(a *alarmlife.Alarm) int {
			if !a.Standing() {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(aside(a), aside(b)), alarmlife.WorstFirst(a, b))
	})
	return out
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: live message: " + err.Error()) // view types only
	}
	return b
}
