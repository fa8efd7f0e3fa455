package platform

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/mudpulse/mudpulse/services/api"
	"github.com/mudpulse/mudpulse/services/gate"
	"github.com/mudpulse/mudpulse/services/rescore"
	"github.com/mudpulse/mudpulse/services/writer"
	"github.com/mudpulse/mudpulse/storage/clickhouse"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/storage/pgwire"
)

// columnstore is what the parts ask of either: DuckDB in this process, or a
// ClickHouse that several share.
type columnstore interface {
	writer.Store
	api.Past
	gate.Store
	rescore.Store
	Run(ctx context.Context) error
	Close() error
}

// openStore opens what writer and api share.
func (p *platform) openStore(context.Context) (err error) {
	if p.s.Columnstore != "" {
		return p.openClickHouse()
	}
	return p.openDuckDB()
}

func (p *platform) openDuckDB() (err error) {
	cfg := duckdb.DefaultConfig(p.s.Path("store"))
	if cfg.Memory, err = bytes(p.s.Memory); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if cfg.Memory < leastMemory {
		return fmt.Errorf("memory: must be at least 256MB, not %s: a commit may not fit into less, and the columnstore then has to be started again", p.s.Memory)
	}
	cfg.CrashPoint = p.crash
	cfg.KeepReadings, cfg.KeepRollups, cfg.KeepRecords = p.s.KeepReadings, p.s.KeepRollups, p.s.KeepRecords
	if p.duckdb, err = duckdb.Open(cfg, p.catalogue, p.clock, p.log); err != nil {
		return err
	}
	p.store = p.duckdb
	p.closers = append(p.closers, p.store.Close)
	if err := p.openWriter(writer.DefaultConfig()); err != nil {
		return err
	}
	scfg := pgwire.DefaultConfig()
	scfg.Addr, scfg.Views, scfg.Login = p.s.SQL, duckdb.Views, p.sqlLogin()
	scfg.Timeout, scfg.MaxRows = p.s.SQLTimeout, p.s.SQLRows
	scfg.MaxMemory, scfg.Memory = cfg.Memory/2, p.duckdb.QueryMemory
	if p.s.SQLCert != "" || p.s.SQLKey != "" {
		cert, err := tls.LoadX509KeyPair(p.s.SQLCert, p.s.SQLKey)
		if err != nil {
			return fmt.Errorf("sql-cert, sql-key: %w", err)
		}
		scfg.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	p.sql, err = pgwire.New(scfg, p.duckdb.SQL(), p.log)
	return err
}

// openClickHouse opens the store to write, or beside a writer elsewhere. Analysts ask ClickHouse itself.
func (p *platform) openClickHouse() error {
	cfg := clickhouse.DefaultConfig(p.s.Columnstore)
	cfg.ReadOnly, cfg.CrashPoint = !p.s.Has("writer"), p.crash
	cfg.KeepReadings, cfg.KeepRecords = p.s.KeepReadings, p.s.KeepRecords
	store, err := clickhouse.Open(cfg, p.catalogue, p.clock, p.log)
	if err != nil {
		return err
	}
	p.store = store
	p.closers = append(p.closers, p.store.Close)
	if cfg.ReadOnly {
		return nil
	}
	wcfg := writer.DefaultConfig()
	wcfg.Every, wcfg.MaxRows = time.Second, 40_000 // each commit is a dozen inserts, and ClickHouse likes few and large ones
	return p.openWriter(wcfg)
}

func (p *platform) openWriter(cfg writer.Config) (err error) {
	cfg.Retry = storeRetry
	if p.demo != nil {
		cfg.Fetch = demoFetch
	}
	cfg.Topics, cfg.Client, cfg.Drain, cfg.CrashPoint = p.kafka.Topics(), p.opts, p.s.Drain, p.crash
	p.writer, err = writer.New(cfg, p.store, p.catalogue, p.clock, p.log, p.reg)
	return err
}
