package evaluate

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mudpulse/mudpulse/simulators/rig"
)

// A keep is a folder with what came of each drill, so that a run of hours that
// was interrupted goes on where it was. A file is of one drill of one study under
// one set of contenders, made by one program: of another it is not looked at.
type keep struct{ dir, key string }

// keptRun is a run as it is kept.
type keptRun struct {
	Drill     string
	Days      float64
	Faults    []rig.Fault
	Doings    []keptDoing
	Episodes  []Episode
	Left      []keptLeft
	Chances   []keptChance
	Ticks     int64
	Low       int64
	RateNames []string
	RateKept  [][]float64
	RateApart [][]float64
	Duty      []Episode
}

type keptDoing struct {
	Kind     string
	From, To time.Time
}

type keptLeft struct {
	Kind             string
	Said, Truth, Age float64
}

type keptChance struct {
	Said float64
	Came bool
}

// newKeep returns the folder for these contenders; its files carry the program's
// SHA-256, for another program may drive or judge otherwise.
func newKeep(dir string, sets []*set) (*keep, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	h := sha256.New()
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	f, err := os.Open(exe)
	if err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	_, err = io.Copy(h, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	for _, s := range sets {
		fmt.Fprintf(h, "\n%s", s.name)
		for i := range s.markers {
			fmt.Fprintf(h, " %s %s", s.markers[i].Name, s.markers[i].SHA256)
		}
	}
	return &keep{dir: dir, key: hex.EncodeToString(h.Sum(nil)[:8])}, nil
}

func (k *keep) path(s Study, drill int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", s))
	return filepath.Join(k.dir, fmt.Sprintf("%s-%x-%d.gob", k.key, sum[:6], drill))
}

// get returns a drill's runs; nil where they are not there, or not whole.
func (k *keep) get(s Study, drill int) ([]*run, error) {
	b, err := os.ReadFile(k.path(s, drill))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	var in []keptRun
	if gob.NewDecoder(bytes.NewReader(b)).Decode(&in) != nil {
		return nil, nil
	}
	var out []*run
	for i := range in {
		x := &in[i]
		r := &run{drill: x.Drill, days: x.Days, faults: x.Faults, episodes: x.Episodes, ticks: x.Ticks, low: x.Low, duty: x.Duty}
		for _, d := range x.Doings {
			r.doings = append(r.doings, doing{d.Kind, d.From, d.To})
		}
		for _, l := range x.Left {
			r.left = append(r.left, leftSample{l.Kind, l.Said, l.Truth, l.Age})
		}
		for _, c := range x.Chances {
			r.chances = append(r.chances, chance{c.Said, c.Came})
		}
		if x.RateNames != nil {
			r.rates = &rates{names: x.RateNames, kept: x.RateKept, apart: x.RateApart}
		}
		out = append(out, r)
	}
	return out, nil
}

// put keeps a drill's runs: the file is there whole, or not at all.
func (k *keep) put(s Study, drill int, runs []*run) error {
	var out []keptRun
	for _, r := range runs {
		x := keptRun{Drill: r.drill, Days: r.days, Faults: r.faults, Episodes: r.episodes, Ticks: r.ticks, Low: r.low, Duty: r.duty}
		for _, d := range r.doings {
			x.Doings = append(x.Doings, keptDoing{d.kind, d.from, d.to})
		}
		for _, l := range r.left {
			x.Left = append(x.Left, keptLeft{l.kind, l.said, l.truth, l.age})
		}
		for _, c := range r.chances {
			x.Chances = append(x.Chances, keptChance{c.said, c.came})
		}
		if r.rates != nil {
			x.RateNames, x.RateKept, x.RateApart = r.rates.names, r.rates.kept, r.rates.apart
		}
		out = append(out, x)
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(out); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	path := k.path(s, drill)
	if err := os.WriteFile(path+".part", b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	return nil
}
