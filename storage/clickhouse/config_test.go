package clickhouse

import (
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage/internal/ledger"
)

func TestAWrongURLIsRefusedAndItsPasswordNotRepeated(t *testing.T) {
	f := func(url, want string) {
		t.Helper()
		err := DefaultConfig(url).Validate()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	f("", "no protocol")
	f("postgres://u:secret@h/d", "no protocol")
	f("clickhouse:///d", "no host")
	f("clickhouse://u:secret@h:9000/my-data", "letters, digits")
	f("clickhouse://h/d?cluster=a'b", "letters, digits")
	f("clickhouse://u:sec%ret@h/d", "not a URL")
	for url, database := range map[string]string{"clickhouse://u:p@a:9000,b:9000/d?cluster=main": "d", "https://h:8443": "mudpulse", "http://h:8123/x?dial_timeout=5s": "x"} {
		o, got, _, err := parse(url)
		if err != nil || got != database || o.Auth.Database != "default" {
			t.Errorf("%s: database %q, %v", url, got, err)
		}
	}
	c := DefaultConfig("http://h")
	c.KeepReadings, c.KeepRecords = 2*time.Hour, time.Hour
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "keep_readings") {
		t.Errorf("readings kept longer than their frames: %v", err)
	}
}

func TestOnAClusterTablesAreReplicated(t *testing.T) {
	s := &Store{database: "d", cluster: "main"}
	for _, def := range tableDefs {
		q := s.create(def)
		if !strings.Contains(q, "ON CLUSTER main") || !strings.Contains(q, "Replicated") || !strings.Contains(q, "'/clickhouse/tables/{shard}/d/"+def.name+"'") || strings.Contains(q, " non_replicated") {
			t.Errorf("%s", q)
		}
	}
	s.cluster = ""
	if q := s.create(tableDefs[0]); strings.Contains(q, "Replicated") || strings.Contains(q, "CLUSTER") {
		t.Errorf("%s", q)
	}
}

func TestVoidCommitsAreNotRead(t *testing.T) {
	h := horizon{last: 20, void: ledger.Spans{{Lo: 3, Hi: 4}, {Lo: 12, Hi: 12}, {Lo: 30, Hi: 40}}}
	for after, want := range map[uint64]string{0: "tx <= 20 AND NOT (tx BETWEEN 3 AND 4) AND NOT (tx BETWEEN 12 AND 12)", 5: "tx <= 20 AND tx > 5 AND NOT (tx BETWEEN 12 AND 12)"} {
		if got := h.rows(after); got != want {
			t.Errorf("after %d: %s, want %s", after, got, want)
		}
	}
}
