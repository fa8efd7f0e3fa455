//go:build e2e

package gateway_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	inprocess "github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/gateway/credential"
	"github.com/mudpulse/mudpulse/telemetry"
)

// registry knows the devices by their password.
type registry struct{ hash string }

func (r registry) Device(name string) (telemetry.Device, bool) {
	return telemetry.Device{ID: name, Drill: name, Password: r.hash}, true
}

func (registry) Changes() uint64 { return 0 }

// The gateway's clock jumps an hour ahead and back, twice: what is late by it
// travels as backfill, what is early is flagged, nothing is lost or changed.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	l := embedded(t)
	clock := telemetry.NewManualClock(time.Now())
	cfg := inprocess.DefaultConfig()
	cfg.Listen.TCP = fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t, 1))
	cfg.Spool.Dir = filepath.Join(t.TempDir(), "spool")
	cfg.Kafka.Brokers, cfg.Kafka.Prefix, cfg.StatusEvery = l.brokers, l.prefix, time.Second
	g, err := inprocess.New(cfg, inprocess.Deps{Clock: clock, Registry: registry{credential.Hash(secret)}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	<-g.Ready()
	f := launch(t, func() string { return cfg.Listen.TCP })
	for i, jump := range []time.Duration{time.Hour, -time.Hour, -time.Hour, time.Hour} {
		sleep(700 * time.Millisecond)
		if i == 1 {
			l.down() // what waits meanwhile is aged by the jump back and forth
		}
		clock.Set(clock.Now().Add(jump + 700*time.Millisecond))
		if i == 2 {
			l.up()
		}
	}
	sleep(700 * time.Millisecond)
	res, _ := judge(t, "clock jumps ± 1 h", "listener", l, f, true)
	res.note = fmt.Sprintf("%d as backfill", g.Counters()["backfill_frames_total"])
	res.closed(t)
}

// Of three brokers one is killed and comes back. The long dose only: three take
// more memory than a runner of CI has to spare.
func TestOneOfThreeBrokersKilled(t *testing.T) {
	if !long {
		t.Log("NOT RUN in the CI dose: CHAOS=long runs it")
		return
	}
	l := apache(t, 3)
	r := listener(t, l)
	r.begin(t)
	f := launch(t, r.addr)
	for range 2 {
		sleep(5 * time.Second)
		l.down()
		sleep(15 * time.Second)
		l.up()
	}
	res, _ := judge(t, "one of three brokers killed, × 2", r.name, l, f, true)
	res.closed(t)
}
