//go:build e2e

package gateway_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// A disk that is full withholds acknowledgements until Kafka, back again, lets
// the spool be released. Only the gateway sees the small disk.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	l := embedded(t)
	r := listener(t, l, "--spool-bytes", "268435456")
	small := filepath.Join(r.gw.dir, "gateway")
	r.gw.under = []string{"unshare", "-rm", "sh", "-c", fmt.Sprintf("cp %[1]s/devices.json %[2]s/devices.json && mount -t tmpfs -o size=6m,mode=700 none %[1]s && cp %[2]s/devices.json %[1]s/ && exec \"$@\"", small, r.gw.dir), "sh"}
	r.begin(t)
	f := launch(t, r.addr)
	sleep(time.Second)
	l.down()
	harness.Wait(t, time.Minute, "the disk to be full", func() bool {
		b, err := os.ReadFile(r.gw.Log)
		return err == nil && bytes.Contains(b, []byte("acknowledgements are withheld")) && bytes.Contains(b, []byte("no space left"))
	})
	sleep(time.Second)
	l.up()
	res, _ := judge(t, "disk full (tmpfs of 6 MB)", r.name, l, f, true)
	res.closed(t)
}

// Bytes of the spool that change while the gateway is down cost the records
// they belong to, each of which is named; nothing else.
func TestSpoolDamaged(t *testing.T) {
	t.Parallel()
	l := embedded(t)
	r := listener(t, l)
	r.begin(t)
	f := launch(t, r.addr)
	sleep(time.Second)
	l.down()
	sleep(2 * time.Second)
	sent, acked := f.settle()
	r.gw.Kill()
	const flips = 5
	segs, err := filepath.Glob(filepath.Join(r.gw.dir, "gateway", "*.seg"))
	if err != nil || len(segs) == 0 {
		t.Fatalf("no segments: %v", err)
	}
	last := segs[len(segs)-1]
	b, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	for i := range flips {
		b[len(b)/2+i*len(b)/12] ^= 0x40
	}
	if err := os.WriteFile(last, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(r.gw.dir, "gateway", "state.json")) // all of it is to be published again
	r.gw.start("")
	l.up()
	read := l.read()
	read.until(acked, 8*time.Second)
	res := result{name: fmt.Sprintf("spool damaged in %d places", flips), road: r.name, log: l.kind, sent: sent, acked: len(acked), logged: len(read.seen)}
	lost := 0
	for k := range acked {
		if read.seen[k] == 0 {
			lost++
		}
	}
	harness.Wait(t, 30*time.Second, fmt.Sprintf("%d damaged places to be named in the gateways topic", flips), func() bool {
		read.until(map[key]bool{{}: true}, time.Second)
		return len(read.damage) == flips
	})
	var size int64
	for d := range read.damage {
		size += d.Bytes
	}
	res.note = fmt.Sprintf("%d records damaged, %d places (%d bytes) named", lost, len(read.damage), size)
	if lost > flips {
		res.missing = lost - flips
	}
	res.closed(t)
}

// A device that was started again and kept its boot id sends other frames under
// numbers it has used: all of them are kept (the consumers flag the conflict).
func TestRebootUnderTheSameBootID(t *testing.T) {
	t.Parallel()
	l := embedded(t)
	r := listener(t, l)
	r.begin(t)
	f := launch(t, r.addr)
	for range 3 {
		sleep(700 * time.Millisecond)
		for _, d := range f.devices {
			d.reboot()
		}
	}
	sleep(700 * time.Millisecond)
	res, _ := judge(t, "reboots, same boot id", r.name, l, f, true)
	res.closed(t)
}
