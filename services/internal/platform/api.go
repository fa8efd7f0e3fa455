package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/dashboard"
	"github.com/mudpulse/mudpulse/services/api"
	"github.com/mudpulse/mudpulse/services/exports"
	"github.com/mudpulse/mudpulse/services/internal/process"
	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/services/models"
	"github.com/mudpulse/mudpulse/simulators"
)

func (p *platform) openAPI(ctx context.Context) (err error) {
	if err := p.openBlobs(ctx); err != nil {
		return err
	}
	if p.db, err = relational.Open(ctx, p.s.Path("mudpulse.db")); err != nil {
		return err
	}
	p.closers = append(p.closers, p.db.Close)
	cfg := api.DefaultConfig()
	cfg.Addr, cfg.AdminToken, cfg.Version, cfg.Demo = p.s.HTTP, p.token, process.Version(), p.demo != nil
	cfg.TellFrom, cfg.URL = p.s.TellFrom, p.s.URL
	cfg.Topics, cfg.Client = p.kafka.Topics(), p.opts
	var defaults fs.FS
	if p.s.DefaultModels {
		if defaults, err = fs.Sub(simulators.Models, "models"); err != nil {
			return err
		}
	}
	d := api.Deps{
		DB: p.db, Blobs: p.blobs, Store: p.store, Engine: models.PMML{}, Catalogue: p.catalogue, Clock: p.clock, Log: p.log,
		Registerer: p.reg, Gatherer: p.reg, Dashboard: dashboard.Handler(api.Prefix), Models: defaults,
		Checks: map[string]func(context.Context) error{}, ModelStatus: p.modelStatus,
		Keeper: p.keeper(),
	}
	if p.writer != nil {
		d.Checks["writer"] = p.writerReady
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("where this program lies: %w", err)
	}
	d.Frames, d.GateWorker = p.store, []string{self, "gate-worker"}
	if err := p.openRescore(); err != nil {
		return err
	}
	d.Rescore = p.rescore
	if p.duckdb != nil {
		ecfg := exports.DefaultConfig(p.s.Path("exports"))
		ecfg.Engine.LimitRules = p.s.LimitRules
		if p.exports, err = exports.New(ecfg, p.duckdb, p.catalogue, p.log); err != nil {
			return err
		}
		d.Exports = p.exports
	}
	if p.s.Has("gateway") {
		d.Gateway = func() api.Gateway {
			if p.gateway == nil {
				return nil
			}
			return p.gateway
		}
		d.MQTT = func() string {
			if p.gateway == nil || p.gateway.Addr().TCP == nil {
				return ""
			}
			return p.gateway.Addr().TCP.String()
		}
		d.Checks["gateway"] = func(context.Context) error { return p.gateway.Healthy() }
	}
	if p.sql != nil {
		d.SQL = func() (string, bool) {
			if addr := p.sql.Addr(); addr != nil {
				return addr.String(), p.s.SQLCert != ""
			}
			return "", false
		}
	}
	if p.s.Has("scorer") {
		d.Checks["scorer"] = p.scorerReady
	}
	if p.demo != nil {
		d.Drills = p.demo.drills()
	}
	if p.api, err = api.New(cfg, d); err != nil {
		return err
	}
	return p.api.Prepare(ctx)
}

func (p *platform) writerReady(context.Context) error {
	if !p.writer.Ready() {
		return errors.New("is reading what was logged before the start")
	}
	return nil
}

func (p *platform) scorerReady(context.Context) error {
	if !p.scorer.Ready() {
		return errors.New("is replaying from its last checkpoint")
	}
	return nil
}

// rates turns the scorer's totals into rows a second, between one look and the next.
type rates struct {
	mu   sync.Mutex
	at   time.Time
	rows map[string]int64
	per  map[string]float64
}

// look takes the totals and returns rows a second by model; a second look within
// the same second tells the same.
func (r *rates) look(now time.Time, rows map[string]int64) map[string]float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := now.Sub(r.at).Seconds()
	if s < 1 && r.per != nil {
		return r.per
	}
	per := map[string]float64{}
	for ref, n := range rows {
		if before, ok := r.rows[ref]; ok && n >= before && s > 0 {
			per[ref] = float64(n-before) / s
		} else {
			per[ref] = math.NaN()
		}
	}
	r.at, r.rows, r.per = now, rows, per
	return per
}

// modelStatus is what the scorer says of each model, for the models page.
func (p *platform) modelStatus() []api.ModelStatus {
	if p.scorer == nil {
		return nil
	}
	st := p.scorer.Status()
	rows := map[string]int64{}
	for _, m := range st.Models {
		rows[m.Ref] += m.Rows
	}
	per := p.rates.look(time.Now(), rows)
	var out []api.ModelStatus
	for _, m := range st.Models {
		s := api.ModelStatus{Name: m.Name, Version: m.Version, Shadow: m.Shadow, Refused: m.Broken, Rows: per[m.Ref], Mean: math.NaN(), Errors: m.Trouble.Rows, Since: m.Trouble.Since, Last: m.Trouble.Last, Drill: m.Trouble.Drill, Why: m.Trouble.Why}
		if m.Rows > 0 {
			s.Mean = float64(m.Busy.Nanoseconds()) / 1e3 / float64(m.Rows)
		}
		if len(m.Waiting) > 0 {
			s.Refused = fmt.Sprintf("waits for the models that give %v", m.Waiting)
		}
		out = append(out, s)
	}
	for _, r := range st.Refused {
		out = append(out, api.ModelStatus{Name: r.Marker.Name, Version: r.Marker.Version, Shadow: r.Marker.Shadow, Refused: r.Why, Rows: math.NaN(), Mean: math.NaN()})
	}
	return out
}
