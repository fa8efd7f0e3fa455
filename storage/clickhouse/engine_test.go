//go:build e2e

package clickhouse

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/mudpulse/mudpulse/storage/clickhouse/clickhousetest"
	"github.com/mudpulse/mudpulse/storage/storagetest"
	"github.com/mudpulse/mudpulse/telemetry"
)

var databases atomic.Int64

// fresh returns the configuration of an empty database.
func fresh(url string) Config {
	return DefaultConfig(fmt.Sprintf("%s/test%d", url, databases.Add(1)))
}

func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg, telemetry.DefaultCatalogue(), telemetry.SystemClock{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestClickHouseDoesWhatEveryColumnstoreMust(t *testing.T) {
	url := clickhousetest.Start(t, t.TempDir())
	storagetest.Run(t, func(t *testing.T) func() storagetest.Store {
		cfg := fresh(url)
		return func() storagetest.Store { return open(t, cfg) }
	}, 1)
}
