package gate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"time"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/telemetry"
)

// What goes to the process: parts of a length and bytes each: the job in JSON, its
// blobs, then frames, drill after drill, each drill ended by an empty part. What
// comes back: JSON lines, an update each.
const maxPart = 128 << 20

func writePart(w *bufio.Writer, b []byte) error {
	if _, err := w.Write(binary.AppendUvarint(nil, uint64(len(b)))); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

func readPart(r *bufio.Reader, b []byte) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > maxPart {
		return nil, fmt.Errorf("a part of %d bytes", n)
	}
	if uint64(cap(b)) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	_, err = io.ReadFull(r, b)
	return b, err
}

// An update is one line of the process.
type update struct {
	Drills int         `json:"drills,omitempty"` // done
	Report *Report     `json:"report,omitempty"`
	Rules  *RuleReport `json:"rules,omitempty"`
	Error  string      `json:"error,omitempty"`
}

func (u *update) last() bool { return u.Report != nil || u.Rules != nil }

// memory that the process may use before its collector works harder.
const memory = 1 << 30

// Work does the job that comes in on r, and reports on w. The error was told there too.
func Work(ctx context.Context, r io.Reader, w io.Writer) error {
	out := json.NewEncoder(w)
	u, err := work(ctx, bufio.NewReaderSize(r, 1<<20), func(drills int) error { return out.Encode(update{Drills: drills}) })
	if err != nil {
		return errors.Join(err, out.Encode(update{Error: err.Error()}))
	}
	return out.Encode(u)
}

// Niced makes this process one that yields to all others; for a process of its own.
func Niced() {
	debug.SetMemoryLimit(memory)
	beNice()
}

type shelf map[string][]byte

func (s shelf) Fetch(_ context.Context, sha string) ([]byte, error) {
	if b, ok := s[sha]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("no blob %s", sha)
}

func work(ctx context.Context, r *bufio.Reader, done func(drills int) error) (u update, err error) {
	began := spent()
	raw, err := readPart(r, nil)
	if err != nil {
		return u, fmt.Errorf("job: %w", err)
	}
	var job Job
	if err := json.Unmarshal(raw, &job); err != nil {
		return u, fmt.Errorf("job: %w", err)
	}
	blobs := shelf{}
	for _, sha := range job.Blobs {
		if blobs[sha], err = readPart(r, nil); err != nil {
			return u, fmt.Errorf("blob %s: %w", sha, err)
		}
	}
	b := &bench{job: &job, blobs: blobs, pmml: scorer.NewPMML(blobs)}
	if job.SHA256 != "" {
		m, err := scoring.Load(bytes.NewReader(blobs[job.SHA256]), scoring.WithoutVerification())
		if err != nil {
			return u, fmt.Errorf("model: %w", err)
		}
		b.drift = m.NewDrift(learnFrom)
	}
	for i := range job.Arms {
		rules, err := alarms.Parse(job.Arms[i].Rules)
		if err != nil {
			return u, fmt.Errorf("%s: %w", job.Arms[i].Name, err)
		}
		b.rules = append(b.rules, rules)
		b.tapes = append(b.tapes, newTape(&job, rules))
	}
	for i := range job.Drills {
		if err := b.drill(ctx, r, job.Drills[i]); err != nil {
			return u, fmt.Errorf("drill %s: %w", job.Drills[i], err)
		}
		if err := done(i + 1); err != nil {
			return u, err
		}
	}
	if job.SHA256 == "" {
		u.Rules = b.ruleReport()
		u.Rules.Took = (spent() - began).Seconds()
		return u, nil
	}
	u.Report = b.report()
	u.Report.Took = (spent() - began).Seconds()
	return u, nil
}

// learnFrom is how many values drift is told from, where the document has no ModelStats.
const learnFrom = 2000

// A bench drives drills through all arms.
type bench struct {
	job     *Job
	blobs   shelf
	pmml    *scorer.PMML
	drift   *scoring.Drift
	rules   []*alarms.Rules
	tapes   []*tape
	frames  int64
	covered int64 // ns of drills' time that frames cover
	refused string
}

// Load returns models; the candidate is one that tells what it is given.
func (b *bench) Load(ctx context.Context, sha string) (scorer.Model, error) {
	m, err := b.pmml.Load(ctx, sha)
	if err != nil || sha != b.job.SHA256 {
		return m, err
	}
	return &watched{Model: m, b: b}, nil
}

// drill scores the frames of one drill by all arms.
func (b *bench) drill(ctx context.Context, r *bufio.Reader, name string) error {
	parts := make([]*scorer.Partition, len(b.job.Arms))
	for i := range parts {
		cfg := scorer.DefaultPartitionConfig()
		cfg.RowBudget = 0 // speed was looked at before; here the machine's decides nothing
		b.tapes[i].begin(name)
		var loader scorer.Loader = b.pmml
		if i == 0 {
			loader = b
		}
		p, err := scorer.NewPartition(cfg, loader, rulesOf(b.job.Arms[i].Rules), telemetry.DefaultCatalogue(), stored{}, b.tapes[i])
		if err != nil {
			return err
		}
		marks := []telemetry.Marker{{ID: "rules", Kind: telemetry.MarkerRules, Name: "rules", Action: "activate", SHA256: "rules"}}
		for _, tag := range b.job.Tags {
			marks = append(marks, telemetry.Marker{ID: "channel/" + tag, Kind: telemetry.MarkerChannel, Name: tag, Action: "activate"})
		}
		marks = append(marks, b.job.Arms[i].On...)
		for k := range marks {
			for _, history := range []bool{false, true} {
				if err := p.Marker(ctx, &marks[k], history); err != nil {
					return err
				}
			}
		}
		for _, no := range p.Refused() {
			if i == 0 && b.refused == "" {
				b.refused = no.Marker.Name + ": " + no.Why
			}
		}
		parts[i] = p
	}
	var f telemetry.Frame
	var d telemetry.Decoder
	var buf []byte
	last, n := int64(math.MinInt64/2), int64(0)
	for {
		var err error
		if buf, err = readPart(r, buf); err != nil {
			return err
		}
		if len(buf) == 0 {
			break
		}
		if err := d.Decode(buf, &f); err != nil {
			return fmt.Errorf("frame: %w", err)
		}
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		b.frames++
		if gap := f.TS - last; gap > 0 && gap <= longestGap {
			b.covered += gap
		}
		last = max(last, f.TS)
		boot, history := f.Boot, f.Origin == telemetry.Backfill
		for _, p := range parts {
			f.Boot = boot
			if err := p.Frame(ctx, &f, history, n); err != nil {
				return err
			}
		}
	}
	for _, p := range parts {
		p.Flush()
	}
	return nil
}

// longestGap is how far two frames of a drill may lie apart for the time between them to count.
const longestGap = int64(2 * time.Hour)

type rulesOf []byte

func (r rulesOf) Fetch(context.Context, string) ([]byte, error) { return r, nil }

// stored answers de-duplication: what is given again was stored once, and is given once.
type stored struct{}

func (stored) FrameStored(context.Context, string, telemetry.FrameID, int64) (bool, error) {
	return false, nil
}

// watched is the candidate: what it reads is counted.
type watched struct {
	scorer.Model
	b *bench
}

func (w *watched) Evaluator() scorer.Evaluator {
	return &watching{Evaluator: w.Model.Evaluator(), b: w.b}
}

type watching struct {
	scorer.Evaluator
	b *bench
}

func (w *watching) Remembers() (scorer.Rememberer, bool) {
	if m, ok := w.Evaluator.(interface {
		Remembers() (scorer.Rememberer, bool)
	}); ok {
		return m.Remembers()
	}
	return nil, false
}

func (w *watching) Number(input, row int, v float64) {
	w.b.drift.Number(input, v)
	w.Evaluator.Number(input, row, v)
}

func (w *watching) Text(input, row int, s string) {
	w.b.drift.Text(input, s)
	w.Evaluator.Text(input, row, s)
}
