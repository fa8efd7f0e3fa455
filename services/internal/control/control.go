// Package control follows the compacted control topic: the present models,
// rules, channels and devices, for processes that have no relational store.
package control

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Follow reads topic from its start and calls handle for each record, in
// order, until ctx is done. A nil value takes the key away.
func Follow(ctx context.Context, client []kgo.Opt, topic string, handle func(key string, value []byte)) error {
	cl, err := kgo.NewClient(append(client, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return fmt.Errorf("follow %s: %w", topic, err)
	}
	defer cl.Close()
	for ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) { handle(string(r.Key), r.Value) })
	}
	return nil
}

// Devices knows who may publish, from the control topic, with a copy on disk so
// that a gateway starts while its log is away. It implements gateway.Registry.
type Devices struct {
	path string // of the copy; empty: none
	log  *slog.Logger

	mu      sync.RWMutex
	byID    map[string]telemetry.Device
	changes uint64
}

// NewDevices reads the copy at path, if there is one.
func NewDevices(path string, log *slog.Logger) *Devices {
	d := &Devices{path: path, log: log, byID: map[string]telemetry.Device{}}
	b, err := os.ReadFile(path)
	if err != nil {
		return d // the topic will tell
	}
	if err := json.Unmarshal(b, &d.byID); err != nil {
		log.Warn("copy of the devices is damaged; waiting for the log", "file", path, "err", err)
		d.byID = map[string]telemetry.Device{}
	}
	return d
}

// Device returns the device of that user name.
func (d *Devices) Device(username string) (telemetry.Device, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	dev, ok := d.byID[username]
	return dev, ok && !dev.Disabled
}

// Changes counts the changes of devices.
func (d *Devices) Changes() uint64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.changes
}

// Handle takes one record of the control topic; others than devices are ignored.
func (d *Devices) Handle(key string, value []byte) {
	id, ok := strings.CutPrefix(key, telemetry.ControlDevice+"/")
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if value == nil {
		delete(d.byID, id)
		d.changes++
	} else {
		var dev telemetry.Device
		if err := json.Unmarshal(value, &dev); err != nil || dev.ID != id {
			d.log.Warn("control record is no device", "key", key, "err", err)
			return
		}
		if old, ok := d.byID[id]; ok && reflect.DeepEqual(old, dev) {
			return
		}
		d.byID[id] = dev
		d.changes++
	}
	if err := d.save(maps.Clone(d.byID)); err != nil {
		d.log.Warn("copy of the devices not written", "file", d.path, "err", err)
	}
}

func (d *Devices) save(byID map[string]telemetry.Device) error {
	if d.path == "" {
		return nil
	}
	b, err := json.Marshal(byID)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(d.path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(d.path+".tmp", b, 0o600); err != nil {
		return err
	}
	return os.Rename(d.path+".tmp", d.path)
}

// Channels takes one record of the control topic into the catalogue; others
// than channels are ignored.
func Channels(catalogue *telemetry.Catalogue, key string, value []byte, log *slog.Logger) {
	if !strings.HasPrefix(key, telemetry.ControlChannel+"/") || value == nil {
		return
	}
	var ch telemetry.Channel
	err := json.Unmarshal(value, &ch)
	if err == nil {
		err = catalogue.Register(ch)
	}
	if err != nil {
		log.Warn("control record is no channel", "key", key, "err", err)
	}
}
