package live

import (
	"bytes"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/services/api/view"
)

// row is one drill in a fleet message.
type row struct {
	ID         string           `json:"id"`
	State      string           `json:"state"`
	StateSince view.Time        `json:"state_since"`
	Health     view.Num         `json:"health"`
	Confidence view.Num         `json:"confidence"`
	Change     view.Num         `json:"change"`
	Subsystems []view.Subsystem `json:"subsystems"`
	Reason     *reason          `json:"reason"`
	TimeLeft   *view.TimeLeft   `json:"time_left"`
	Depth      view.Num         `json:"depth"`
	LastTS     view.Time        `json:"last_ts"`
	Tick       view.Time        `json:"score_tick"`
	TopAlarm   *view.Alarm      `json:"top_alarm"`
	Unacked    int              `json:"unacked"`
}

type reason struct {
	Subsystem string `json:"subsystem"`
	Text      string `json:"text"`
}

// encode returns the drill's row. h.mu is held.
func (h *Hub) encode(d *drill) []byte {
	if d.row != nil {
		return d.row
	}
	standing := d.alarms()
	r := row{ID: d.id, State: "unknown", Change: view.Num(d.change), Subsystems: view.Subsystems(d.score), TimeLeft: view.Left(d.score),
		Depth: view.Num(d.depth), LastTS: view.Time(d.last), Health: unknown}
	if s := d.score; s != nil {
		r.State, r.StateSince, r.Health, r.Confidence = s.State, view.Time(s.StateSince), view.Num(s.Health), view.Num(s.Confidence)
		r.Tick = view.Time(s.Tick)
		if why := view.Reasons(s, h.cat, standing, h.cfg.TellFrom); len(why) > 0 {
			r.Reason = &reason{why[0].Subsystem, why[0].Text}
		}
	}
	for _, a := range standing {
		if a.Status == alarmlife.Unack || a.Status == alarmlife.RtnUnack {
			r.Unacked++
		}
	}
	if len(standing) > 0 && standing[0].Standing() {
		top := view.AlarmOf(standing[0])
		r.TopAlarm = &top
		if standing[0].Cleared == 0 { // else its words are not of now
			r.Reason = &reason{top.Subsystem, top.Reason}
		}
	}
	d.row = mustJSON(r)
	return d.row
}

// fleetSince returns a message of the drills that changed after from (0: all),
// nil if none did, and up to where it goes. Clients at the same place share it.
func (h *Hub) fleetSince(from uint64) ([]byte, uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seq == from && from != 0 {
		return nil, from
	}
	if h.fleet.msg != nil && h.fleet.from == from && h.fleet.to == h.seq {
		return h.fleet.msg, h.fleet.to
	}
	var b bytes.Buffer
	head := mustJSON(struct {
		Type string `json:"type"`
		Full bool   `json:"full"`
		At   int64  `json:"at"`
		Pos  uint64 `json:"pos"`
	}{"fleet", from == 0, h.clock.Now().UnixMilli(), h.seq})
	b.Write(head[:len(head)-1])
	b.WriteString(`,"drills":[`)
	n := 0
	for _, d := range h.order {
		if d.seq <= from {
			continue
		}
		if n > 0 {
			b.WriteByte(',')
		}
		b.Write(h.encode(d))
		n++
	}
	b.WriteString("]}")
	h.fleet.from, h.fleet.to, h.fleet.msg = from, h.seq, b.Bytes()
	return h.fleet.msg, h.seq
}

// scoreMessage is the newest score of the drill a client watches.
type scoreMessage struct {
	Type       string           `json:"type"`
	Drill      string           `json:"drill"`
	Tick       view.Time        `json:"tick"`
	State      string           `json:"state"`
	StateSince view.Time        `json:"state_since"`
	Health     view.Num         `json:"health"`
	Confidence view.Num         `json:"confidence"`
	Subsystems []view.Subsystem `json:"subsystems"`
	Reasons    []view.Reason    `json:"reasons"`
	Results    []view.Result    `json:"results"`
	TimeLeft   *view.TimeLeft   `json:"time_left"`
	Pos        uint64           `json:"pos"`
}

// scoreSince returns the newest score of a drill, nil if it came before seq.
func (h *Hub) scoreSince(id string, seq uint64) ([]byte, uint64) {
	h.mu.Lock()
	d := h.drills[id]
	if d == nil || d.score == nil || d.scoreSeq <= seq {
		h.mu.Unlock()
		return nil, seq
	}
	s, standing, at := d.score, d.alarms(), d.scoreSeq
	h.mu.Unlock()
	return mustJSON(scoreMessage{
		Type: "score", Drill: id, Tick: view.Time(s.Tick), State: s.State, StateSince: view.Time(s.StateSince),
		Health: view.Num(s.Health), Confidence: view.Num(s.Confidence), Subsystems: view.Subsystems(s),
		Reasons: view.Reasons(s, h.cat, standing, h.cfg.TellFrom), Results: view.Results(s, h.sha), TimeLeft: view.Left(s), Pos: at,
	}), at
}

// countsSince returns the newest counts, nil if the client has them.
func (h *Hub) countsSince(seq uint64) ([]byte, uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.countsSeq == seq {
		return nil, seq
	}
	return h.counts, h.countsSeq
}
