package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mudpulse/mudpulse/dashboard"
	"github.com/mudpulse/mudpulse/services/api"
	"github.com/mudpulse/mudpulse/services/internal/edge"
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
	cfg.Addr, cfg.AdminToken, cfg.Version, cfg.Demo = p.s.HTTP, p.token, edge.Version(), p.demo != nil
	cfg.Topics, cfg.Client = p.kafka.Topics(), p.opts
	defaults, err := fs.Sub(simulators.Models, "models")
	if err != nil {
		return err
	}
	d := api.Deps{
		DB: p.db, Blobs: p.blobs, Store: p.store, Engine: models.PMML{}, Catalogue: p.catalogue, Clock: p.clock, Log: p.log,
		Registerer: p.reg, Gatherer: p.reg, Dashboard: dashboard.Handler(), Models: defaults,
		Checks: map[string]func(context.Context) error{"writer": p.writerReady}, ModelStatus: p.modelStatus,
	}
	if p.s.Has("gateway") {
		d.Checks["gateway"] = func(context.Context) error { return p.gateway.Healthy() }
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

// modelStatus is what the scorer says of each model, for the models page.
func (p *platform) modelStatus() []api.ModelStatus {
	if p.scorer == nil {
		return nil
	}
	st := p.scorer.Status()
	var out []api.ModelStatus
	for _, m := range st.Models {
		s := api.ModelStatus{Name: m.Name, Version: m.Version, Shadow: m.Shadow, Refused: m.Broken}
		if m.Rows > 0 {
			s.P50 = float64(m.Busy.Microseconds()) / float64(m.Rows)
			s.P99 = s.P50
		}
		if len(m.Waiting) > 0 {
			s.Refused = fmt.Sprintf("waits for the models that give %v", m.Waiting)
		}
		out = append(out, s)
	}
	for _, r := range st.Refused {
		out = append(out, api.ModelStatus{Name: r.Marker.Name, Version: r.Marker.Version, Shadow: r.Marker.Shadow, Refused: r.Why})
	}
	return out
}
