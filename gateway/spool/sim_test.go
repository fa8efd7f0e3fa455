package spool_test

import (
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"

	"github.com/mudpulse/mudpulse/gateway/spool"
)

// disk is a directory in memory that tells what was synced from what was not.
type disk struct {
	mu      sync.Mutex
	files   map[string]*inode // as a running process sees it
	durable map[string]*inode // names as after the last Sync of the directory
	dead    bool              // the process was killed: nothing has an effect any more
	fail    func(op string) error
	open    atomic.Int32 // files open for reading
	read    atomic.Int64 // bytes read
	space   int          // bytes that can still be written; negative: no bound
}

// inode is a file: data is what was written, synced how much of it is durable.
type inode struct {
	data   []byte
	synced int
}

func newDisk() *disk {
	return &disk{files: map[string]*inode{}, durable: map[string]*inode{}, space: -1}
}

var errDead = errors.New("process is dead")

func (d *disk) op(name string) error {
	if d.dead {
		return errDead
	}
	if d.fail != nil {
		return d.fail(name)
	}
	return nil
}

// kill stops the process here and returns what a process killed leaves, or,
// where power went, what of it a disk may hold.
func (d *disk) kill(power bool, rnd *rand.Rand) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	after := newDisk()
	names := d.files
	if power {
		names = maps.Clone(d.durable)
		for name, f := range d.files {
			if rnd.IntN(2) == 0 {
				names[name] = f // the entry made it although nobody asked
			}
		}
	}
	for name, f := range names {
		data := append([]byte(nil), f.data...)
		if power && f.synced < len(data) {
			data = data[:f.synced+rnd.IntN(len(data)-f.synced+1)]
			if n := len(data) - f.synced; n > 0 && rnd.IntN(3) == 0 {
				clear(data[f.synced+rnd.IntN(n):]) // length is there, content is not
			}
		}
		after.files[name] = &inode{data: data, synced: len(data)}
	}
	after.durable = maps.Clone(after.files)
	return after
}

func (d *disk) Create(name string) (spool.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op("create"); err != nil {
		return nil, err
	}
	if d.files[name] != nil {
		return nil, os.ErrExist
	}
	f := &inode{}
	d.files[name] = f
	return &handle{d, f, false}, nil
}

func (d *disk) Open(name string) (spool.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[name]
	if f == nil {
		return nil, os.ErrNotExist
	}
	d.open.Add(1)
	return &handle{d, f, true}, nil
}

func (d *disk) List() (map[string]int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]int64{}
	for name, f := range d.files {
		out[name] = int64(len(f.data))
	}
	return out, nil
}

func (d *disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op("remove"); err != nil {
		return err
	}
	f := d.files[name]
	if f == nil {
		return os.ErrNotExist
	}
	if d.space >= 0 {
		d.space += len(f.data)
	}
	delete(d.files, name)
	return nil
}

func (d *disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op("rename"); err != nil {
		return err
	}
	f := d.files[from]
	if f == nil {
		return os.ErrNotExist
	}
	d.files[to] = f
	delete(d.files, from)
	return nil
}

func (d *disk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op("syncdir"); err != nil {
		return err
	}
	d.durable = maps.Clone(d.files)
	return nil
}

type handle struct {
	d    *disk
	f    *inode
	read bool
}

func (h *handle) Write(b []byte) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.d.op("write"); err != nil {
		return 0, err
	}
	n := len(b)
	if h.d.space >= 0 {
		n = min(n, h.d.space)
		h.d.space -= n
	}
	h.f.data = append(h.f.data, b[:n]...)
	if n < len(b) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func (h *handle) ReadAt(b []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if off >= int64(len(h.f.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.f.data[off:])
	h.d.read.Add(int64(n))
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Sync that fails leaves what was not synced to be lost, as a kernel may.
func (h *handle) Sync() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.d.op("sync"); err != nil {
		return err
	}
	h.f.synced = len(h.f.data)
	return nil
}

func (h *handle) Truncate(n int64) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.d.op("truncate"); err != nil {
		return err
	}
	if h.d.space >= 0 {
		h.d.space += len(h.f.data) - int(n)
	}
	h.f.data = h.f.data[:n]
	h.f.synced = min(h.f.synced, int(n))
	return nil
}

func (h *handle) Close() error {
	if h.read {
		h.d.open.Add(-1)
	}
	return nil
}
