package platform

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/services/rescore"
	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/telemetry"
)

// openRescore makes what scores spans again and gives the outcome to the topic of scores.
func (p *platform) openRescore() error {
	cl, err := kgo.NewClient(p.opts...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	p.closers = append(p.closers, func() error { cl.Close(); return nil })
	topic := p.kafka.Topics().Scores
	cfg := rescore.DefaultConfig(p.s.Path("rescore.json"))
	cfg.Engine.LimitRules = p.s.LimitRules
	cfg.Within, cfg.Look, cfg.CrashPoint = p.s.AmendWithin, p.s.AmendLook, p.crash
	if p.demo != nil {
		// Its clock runs faster than frames travel, and its history, which comes after its present, is no late news.
		cfg.Late, cfg.Settled = demoRate*cfg.Late, p.demo.seeded
	}
	p.rescore, err = rescore.New(cfg, rescore.Deps{
		Store: p.store, Loader: scorer.NewPMML(p.blobs), Rules: p.blobs, Catalogue: p.catalogue, Log: p.log,
		Publish: func(ctx context.Context, scores []*telemetry.Score) error {
			recs := make([]*kgo.Record, len(scores))
			for i, s := range scores {
				s.Produced = p.clock.Now().UnixNano()
				recs[i] = &kgo.Record{Topic: topic, Key: []byte(s.Drill), Value: telemetry.AppendScore(nil, s)}
			}
			if err := cl.ProduceSync(ctx, recs...).FirstErr(); err != nil {
				return fmt.Errorf("publish scores: %w", err)
			}
			return nil
		},
	})
	return err
}
