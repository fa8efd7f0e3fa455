package main

import (
	"context"
	"encoding/binary"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// A watcher is one open page: the fleet, the alarms, and one drill's strip.
type watcher struct {
	mu     sync.Mutex
	delays []time.Duration // from the end of a frame's second, when it was published, to its last sample here
	taking bool
	bytes  int64
}

// run reads the live channel until ctx ends.
func (w *watcher) run(ctx context.Context, addr, token, drill string) error {
	conn, _, err := websocket.Dial(ctx, "ws://"+addr+"/api/v1/live", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(16 << 20)
	for _, wish := range []map[string]any{{"op": "fleet"}, {"op": "alarms"},
		{"op": "drill", "drill": drill, "sub": 1, "channels": []string{"HKLD", "WOB", "RPM", "TQ", "SPP", "FLIN", "ROP", "BPOS"}}} {
		if err := wsjson.Write(ctx, conn, wish); err != nil {
			return err
		}
	}
	for {
		typ, b, err := conn.Read(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		now := time.Now()
		w.mu.Lock()
		w.bytes += int64(len(b))
		if typ == websocket.MessageBinary && w.taking {
			if newest := newest(b); newest > 0 {
				// The last of ten samples a second lies 100 ms before the second's end.
				w.delays = append(w.delays, now.Sub(time.Unix(0, newest).Add(100*time.Millisecond)))
			}
		}
		w.mu.Unlock()
	}
}

// newest is the time of the newest sample of a binary message, Unix ns; see dashboard/src/frame.ts.
func newest(b []byte) int64 {
	if len(b) < 16 {
		return 0
	}
	f64 := func(at int) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b[at:])) }
	base, at, last := f64(8), 16, 0.0
	for range binary.LittleEndian.Uint16(b[2:]) {
		rows := int(binary.LittleEndian.Uint16(b[at+2:]))
		at += 8
		if rows > 0 {
			last = max(last, f64(at+8*(rows-1)))
		}
		at += rows * 24
	}
	return int64((base + last) * 1e6)
}

// quantiles of all watchers' delays.
func quantiles(ws []*watcher) (p50, p99 time.Duration, n int) {
	var all []time.Duration
	for _, w := range ws {
		w.mu.Lock()
		all = append(all, w.delays...)
		w.mu.Unlock()
	}
	if len(all) == 0 {
		return 0, 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100], len(all)
}
