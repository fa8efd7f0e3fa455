package api

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

type meta struct {
	Version    string     `json:"version"`
	Clock      view.Clock `json:"clock"`
	Simulated  bool       `json:"simulated" doc:"some of the drills are simulated"`
	Tour       Tour       `json:"tour"`
	Subsystems []string   `json:"subsystems"`
	States     []string   `json:"states"`
	SQL        *sqlAt     `json:"sql,omitempty" doc:"where analysts connect by the Postgres protocol; absent: at another process of this site"`
}

type sqlAt struct {
	Host string `json:"host" doc:"empty: every address of this machine; a loopback address: only from this machine"`
	Port int    `json:"port"`
	TLS  bool   `json:"tls"`
}

type channel struct {
	Tag        string   `json:"tag"`
	What       string   `json:"what"`
	Quantity   string   `json:"quantity"`
	Unit       string   `json:"unit" doc:"SI"`
	Field      string   `json:"field" doc:"oilfield unit"`
	Factor     float64  `json:"factor" doc:"oilfield value = SI value * factor + shift"`
	Shift      float64  `json:"shift"`
	Resolution float64  `json:"resolution"`
	Low        view.Num `json:"low" doc:"plausible range"`
	High       view.Num `json:"high"`
	NormalLow  view.Num `json:"normal_low"`
	NormalHigh view.Num `json:"normal_high"`
	PhysLow    view.Num `json:"phys_low" doc:"beyond these the reading is set aside"`
	PhysHigh   view.Num `json:"phys_high"`
	Class      string   `json:"class" enum:"narrow,fast,medium,slow,waveform"`
	Subsystem  string   `json:"subsystem"`
	WITS       string   `json:"wits,omitempty"`
	WITSML     string   `json:"witsml,omitempty"`
	User       bool     `json:"user" doc:"the site's own"`
}

type channelIn struct {
	Tag        string   `json:"tag" minLength:"1" maxLength:"24" example:"S11"`
	Unit       string   `json:"unit" maxLength:"20" doc:"empty or – for a plain number" example:"MPa"`
	What       string   `json:"what,omitempty" maxLength:"120"`
	Quantity   string   `json:"quantity,omitempty" maxLength:"40"`
	Field      string   `json:"field,omitempty" maxLength:"20"`
	Factor     *float64 `json:"factor,omitempty"`
	Shift      float64  `json:"shift,omitempty"`
	Resolution float64  `json:"resolution,omitempty" minimum:"0" doc:"0: values are kept as they come"`
	Low        *float64 `json:"low,omitempty"`
	High       *float64 `json:"high,omitempty"`
	NormalLow  float64  `json:"normal_low,omitempty"`
	NormalHigh float64  `json:"normal_high,omitempty"`
	PhysLow    *float64 `json:"phys_low,omitempty"`
	PhysHigh   *float64 `json:"phys_high,omitempty"`
	Class      string   `json:"class,omitempty" enum:"narrow" doc:"channels of the site's own lie in the narrow table"`
	Subsystem  string   `json:"subsystem,omitempty" maxLength:"20"`
}

type unregistered struct {
	Tag      string    `json:"tag"`
	Drills   []string  `json:"drills"`
	LastSeen view.Time `json:"last_seen"`
}

type ledgerRow struct {
	Drill    string `json:"drill"`
	Device   string `json:"device"`
	Boot     string `json:"boot"`
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
	Sent     uint64 `json:"sent"`
	Accepted uint64 `json:"accepted"`
	Stored   uint64 `json:"stored"`
	Scored   uint64 `json:"scored"`
	Readable uint64 `json:"readable"`
	Gaps     []gap  `json:"gaps"`
}

type gap struct {
	Stage string `json:"stage" doc:"that has not what the one before has"`
	From  uint64 `json:"from"`
	To    uint64 `json:"to"`
	Count uint64 `json:"count"`
	Why   string `json:"why"`

	Pending bool `json:"pending" doc:"newer than all that the stage has: probably on its way"`
}

type ledgerTotals struct {
	Sent          uint64 `json:"sent"`
	Accepted      uint64 `json:"accepted"`
	Stored        uint64 `json:"stored"`
	Scored        uint64 `json:"scored"`
	Readable      uint64 `json:"readable"`
	Gaps          int    `json:"gaps"`
	Quarantined   uint64 `json:"quarantined"`
	WithoutLedger bool   `json:"without_ledger" doc:"no gateway has reported yet: accepted says nothing"`
}

type gatewayView struct {
	Gateway  string             `json:"gateway"`
	At       view.Time          `json:"at"`
	Started  view.Time          `json:"started"`
	Version  string             `json:"version"`
	Age      view.Num           `json:"age_s"`
	Sessions int                `json:"sessions"`
	Online   int                `json:"connected"`
	Spool    spool              `json:"spool"`
	Damage   []telemetry.Damage `json:"damage"`
	Counters map[string]int64   `json:"counters"`
}

type spool struct {
	Bytes  int64     `json:"bytes"`
	Limit  int64     `json:"limit"`
	Frames int64     `json:"frames" doc:"not yet in the log"`
	Oldest view.Time `json:"oldest"`
	Full   bool      `json:"full" doc:"acknowledgements are withheld"`
	Error  string    `json:"error"`
}

func (a *API) sqlAt() *sqlAt {
	if a.d.SQL == nil {
		return nil
	}
	addr, tls := a.d.SQL()
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil // not yet listening
	}
	out := &sqlAt{at.Addr().Unmap().String(), int(at.Port()), tls}
	if at.Addr().IsUnspecified() {
		out.Host = ""
	}
	return out
}

func (a *API) registerData() {
	add(a, people.Viewer, http.MethodGet, "/meta", "get-meta", "What this server is", func(context.Context, *struct{}) (*body[meta], error) {
		m := meta{a.cfg.Version, a.hub.Clock(), a.cfg.Demo, a.cfg.Tour, telemetry.Subsystems[:], telemetry.States[:], a.sqlAt()}
		for _, d := range a.hub.Drills() {
			m.Simulated = m.Simulated || d.Sim
		}
		return answer(m), nil
	})
	add(a, people.Viewer, http.MethodGet, "/channels", "list-channels", "The catalogue of channels", func(context.Context, *struct{}) (*body[[]channel], error) {
		out := []channel{}
		for _, c := range a.d.Catalogue.All() {
			out = append(out, showChannel(c))
		}
		return answer(out), nil
	})
	add(a, people.Viewer, http.MethodGet, "/channels/unregistered", "list-unregistered", "Channels that come from drills and that nobody has registered", func(context.Context, *struct{}) (*body[struct {
		Unregistered []unregistered `json:"unregistered"`
	}], error) {
		var out struct {
			Unregistered []unregistered `json:"unregistered"`
		}
		out.Unregistered = []unregistered{}
		for _, s := range a.d.Store.Unregistered() {
			out.Unregistered = append(out.Unregistered, unregistered{s.Tag, append([]string{}, s.Drills...), view.Time(s.LastSeen)})
		}
		return answer(out), nil
	})
	add(a, people.Administrator, http.MethodPost, "/channels", "register-channel", "Register a channel of the site's own", a.addChannel, status(http.StatusCreated))
	add(a, people.Viewer, http.MethodGet, "/ledger", "get-ledger", "What each stage has of what was sent, and every gap", a.ledger)
	a.registerQuarantine()
	add(a, people.Viewer, http.MethodGet, "/gateways", "list-gateways", "What the gateways say of themselves", a.gateways)
	a.registerDevices()
}

func showChannel(c telemetry.Channel) channel {
	out := channel{c.Tag, c.What, c.Quantity, c.Unit, c.Field, c.Factor, c.Shift, c.Resolution, view.Num(c.Low), view.Num(c.High),
		view.Num(c.NormalLow), view.Num(c.NormalHigh), view.Num(c.PhysLow), view.Num(c.PhysHigh), c.Class.String(), c.Subsystem, c.WITS, c.WITSML, c.User}
	if c.User && c.PhysLow <= -math.MaxFloat64 { // without limits
		out.PhysLow, out.PhysHigh = view.Num(math.NaN()), view.Num(math.NaN())
	}
	if c.User && c.Low <= -math.MaxFloat64 {
		out.Low, out.High = view.Num(math.NaN()), view.Num(math.NaN())
	}
	return out
}

func (a *API) addChannel(ctx context.Context, in *struct{ Body channelIn }) (*body[channel], error) {
	b := in.Body
	var wrong []error
	bad := func(key, format string, args ...any) {
		wrong = append(wrong, &huma.ErrorDetail{Location: "body." + key, Message: fmt.Sprintf(format, args...)})
	}
	if err := telemetry.ValidTag(b.Tag); err != nil {
		bad("tag", "%v", err)
	}
	or := func(v *float64, otherwise float64) float64 {
		if v == nil {
			return otherwise
		}
		return *v
	}
	// Numbers that JSON can carry stand for "no limit".
	ch := telemetry.Channel{
		Tag: b.Tag, What: cmp.Or(b.What, b.Tag), Quantity: b.Quantity, Unit: cmp.Or(b.Unit, "–"), Field: cmp.Or(b.Field, b.Unit, "–"), Factor: or(b.Factor, 1), Shift: b.Shift,
		Resolution: b.Resolution, Low: or(b.Low, -math.MaxFloat64), High: or(b.High, math.MaxFloat64),
		PhysLow: or(b.PhysLow, -math.MaxFloat64), PhysHigh: or(b.PhysHigh, math.MaxFloat64),
		NormalLow: b.NormalLow, NormalHigh: b.NormalHigh, Subsystem: b.Subsystem,
	}
	if ch.Low >= ch.High {
		bad("low", "must be below high")
	}
	if ch.PhysLow >= ch.PhysHigh {
		bad("phys_low", "must be below phys_high")
	}
	if ch.NormalLow > ch.NormalHigh {
		bad("normal_low", "must not be above normal_high")
	}
	if ch.Factor == 0 {
		bad("factor", "must not be 0")
	}
	if b.Subsystem != "" && !slices.Contains(telemetry.Subsystems[:], b.Subsystem) {
		bad("subsystem", "%q is none of %s", b.Subsystem, strings.Join(telemetry.Subsystems[:], ", "))
	}
	if len(wrong) > 0 {
		return nil, huma.Error422UnprocessableEntity("the channel is refused", wrong...)
	}
	remark(ctx, ch.Tag, "unit "+ch.Unit)
	if err := a.devices.AddChannel(ctx, ch, who(ctx).Name); err != nil {
		return nil, err
	}
	return answer(showChannel(*a.d.Catalogue.Get(ch.Tag))), nil
}

func (a *API) ledger(ctx context.Context, in *struct {
	Drill  string `query:"drill" maxLength:"64"`
	Device string `query:"device" maxLength:"64"`
	Show   string `query:"show" enum:"all,gaps,totals" default:"all" doc:"all rows, only those with gaps, or the totals alone"`
	Audit  bool   `query:"audit" doc:"count every row again, rather than rest on what was counted as it came; slow"`
}) (*body[struct {
	Rows   []ledgerRow  `json:"rows"`
	Totals ledgerTotals `json:"totals"`
}], error) {
	l, err := a.d.Store.Ledger(ctx, storage.LedgerQuery{Drill: in.Drill, Device: in.Device, Audit: in.Audit})
	if err != nil {
		return nil, err
	}
	var out struct {
		Rows   []ledgerRow  `json:"rows"`
		Totals ledgerTotals `json:"totals"`
	}
	out.Rows = []ledgerRow{}
	for _, r := range l.Rows {
		if in.Show == "totals" || in.Show == "gaps" && len(r.Gaps) == 0 {
			continue
		}
		row := ledgerRow{r.Drill, r.Device, r.Boot, r.First, r.Last, r.Sent, r.Accepted, r.Stored, r.Scored, r.Readable, make([]gap, len(r.Gaps))}
		for i, g := range r.Gaps {
			row.Gaps[i] = gap{g.Stage, g.From, g.To, g.Count, g.Why, g.Pending}
		}
		out.Rows = append(out.Rows, row)
	}
	out.Totals = ledgerTotals{l.Sent, l.Accepted, l.Stored, l.Scored, l.Readable, l.Gaps, l.Quarantined, l.WithoutLedger}
	return answer(out), nil
}

func (a *API) gateways(ctx context.Context, _ *struct{}) (*body[struct {
	Gateways []gatewayView `json:"gateways"`
}], error) {
	all, err := a.d.Store.Gateways(ctx)
	if err != nil {
		return nil, err
	}
	var out struct {
		Gateways []gatewayView `json:"gateways"`
	}
	out.Gateways = make([]gatewayView, len(all))
	now := a.d.Clock.Now().UnixNano()
	for i, g := range all {
		v := gatewayView{Gateway: g.Gateway, At: view.Time(g.At), Started: view.Time(g.Started), Version: g.Version,
			Age: view.Num(max(0, float64(now-g.At)/1e9/a.d.Clock.Rate())), Sessions: len(g.Sessions), Damage: append([]telemetry.Damage{}, g.Damage...), Counters: g.Counters,
			Spool: spool{g.Spool.Bytes, g.Spool.Limit, g.Spool.Frames, view.Time(g.Spool.OldestTS), g.Spool.Full, g.Spool.Error}}
		for _, s := range g.Sessions {
			if s.Connected {
				v.Online++
			}
		}
		if v.Counters == nil {
			v.Counters = map[string]int64{}
		}
		out.Gateways[i] = v
	}
	return answer(out), nil
}
