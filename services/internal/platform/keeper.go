package platform

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/services/api"
	"github.com/mudpulse/mudpulse/services/backup"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// keeper is what this process can do for the command line's verbs about the store.
func (p *platform) keeper() api.Keeper {
	var k api.Keeper
	if p.duckdb != nil { // ClickHouse checks and backs up itself
		k.Check = func(ctx context.Context) ([]storage.Damage, error) { return p.duckdb.Check(ctx, nil) }
		k.Backup = func(ctx context.Context, to string) (any, error) {
			if !strings.Contains(to, "://") && !filepath.IsAbs(to) {
				return nil, fmt.Errorf("backup: %q: want an absolute path, or a bucket's URL", to)
			}
			b, err := backup.Open(ctx, to)
			if err != nil {
				return nil, err
			}
			defer b.Close()
			return backup.Run(ctx, backup.Platform{Store: p.duckdb, Dir: p.s.Path("store"), DB: p.db, Blobs: p.blobs}, b, time.Now(), p.crash)
		}
	}
	if p.s.Has("gateway") {
		k.Import = p.importFrames
	}
	return k
}

// importFrames gives frames to the gateway on the road of history, as a device of their own.
func (p *platform) importFrames(ctx context.Context, drill string, frames [][]byte) error {
	id := "import-" + drill[:min(len(drill), 57)]
	dev, ok := p.api.Devices().Device(id)
	if !ok {
		if _, _, err := p.api.Devices().Ensure(ctx, id, drill, "import"); err != nil {
			return err
		}
		if dev, ok = p.api.Devices().Device(id); !ok {
			return fmt.Errorf("device %s is gone again", id)
		}
	}
	messages := make([]gateway.Message, len(frames))
	for i, f := range frames {
		messages[i] = gateway.Message{Topic: telemetry.MQTTProtoTopic(drill), Payload: f}
	}
	return p.gateway.AcceptAll(ctx, dev, messages, gateway.AsBackfill())
}
