package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mudpulse/mudpulse/services/backup"
	"github.com/mudpulse/mudpulse/services/client"
	"github.com/mudpulse/mudpulse/services/imports"
	"github.com/mudpulse/mudpulse/services/internal/blobs"
	"github.com/mudpulse/mudpulse/telemetry"
)

// storeCommands are the verbs about what is kept.
type storeCommands struct {
	Import importFile `cmd:"" help:"Import measurements from a file, as history: CSV, JSON lines, Parquet, Avro, WITSML 1.4.1.1 logs."`
	Export export     `cmd:"" help:"Write a training table (features by name, labels), or readings or scores, to Parquet, CSV or JSON lines."`
	Backup struct {
		server
		To string `arg:"" help:"Folder, or URL of a bucket, as the server sees it."`
	} `cmd:"" help:"Back the platform up: columnstore, users, devices, equipment, models, rules; copying only what is new."`
	Restore struct {
		From  string `arg:"" help:"Folder, or URL of a bucket."`
		Data  string `help:"Data directory, without a platform in it; no process runs on it." default:".data" placeholder:"DIR"`
		Blobs string `help:"Where models' files go; default: DIR/blobs." placeholder:"URL"`
		Name  string `help:"Which backup; default: the newest."`
		List  bool   `help:"Print the backups' names."`
	} `cmd:"" help:"Restore a platform from a backup, verified."`
	Doctor struct {
		server
	} `cmd:"" help:"Read every sealed file, and say what is damaged, what it costs and what cures it."`
}

type importFile struct {
	server
	File    string `arg:"" type:"existingfile"`
	Mapping string `help:"JSON that says what the columns are (docs/import.md)." type:"existingfile" placeholder:"FILE"`
	Drill   string `help:"Whose measurements these are; before the mapping's."`
	DryRun  bool   `name:"dry-run" help:"Read all, send nothing."`
	Bad     string `help:"Where bad rows are listed, with line and reason; default: FILE.bad.tsv." placeholder:"FILE"`
	Again   bool   `help:"Begin at the first row although an earlier try came further; nothing is stored twice."`
}

// progress is how far an import came, kept so that it can go on.
type progress struct {
	File string `json:"file"`
	Sent int    `json:"sent"`
}

func (c *Commands) importFile(env Env) error {
	a := &c.Import
	var m imports.Mapping
	if a.Mapping != "" {
		f, err := os.Open(a.Mapping)
		if err != nil {
			return err
		}
		m, err = imports.ReadMapping(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	if a.Drill != "" {
		m.Drill, m.DrillColumn = a.Drill, ""
	}
	if a.Bad == "" {
		a.Bad = a.File + ".bad.tsv"
	}
	list := &badRows{path: a.Bad, out: env.Out}
	defer list.close()
	im, err := imports.Open(a.File, m, telemetry.DefaultCatalogue(), list.add)
	if err != nil {
		return err
	}
	s := sender{ctx: env.Ctx, out: env.Out, dry: a.DryRun, kept: filepath.Join(a.Data, "imports", im.Boot()+".json"), p: progress{File: a.File}}
	if !a.DryRun {
		if s.cl, err = a.client(); err != nil {
			return err
		}
		if b, err := os.ReadFile(s.kept); err == nil && !a.Again {
			if err := json.Unmarshal(b, &s.p); err != nil {
				return fmt.Errorf("%s: %w", s.kept, err)
			}
			s.skip = s.p.Sent
			fmt.Fprintf(env.Out, "goes on after %d frames that were sent before\n", s.skip)
		}
	}
	err = im.Frames(env.Ctx, s.take)
	if err == nil {
		err = s.flush()
	}
	s.report(1, true)
	switch {
	case err != nil && s.n == 0:
		return fmt.Errorf("nothing is imported: %w", err)
	case err != nil:
		return fmt.Errorf("import, after %d frames: %w; the same command goes on from there", s.n, err)
	case im.Rows == 0:
		return fmt.Errorf("nothing is imported: %s holds no rows", a.File)
	}
	verb := "imported as history"
	if a.DryRun {
		verb = "would be imported; nothing was sent"
	}
	fmt.Fprintf(env.Out, "%d rows of %s: %d frames of %d drills, %d readings %s\n", im.Rows, im.Format(), s.n, len(s.drills), s.readings, verb)
	if len(im.Unmapped) > 0 {
		fmt.Fprintf(env.Out, "left out, since no channel is called so and no mapping names them: %v\n", im.Unmapped)
	}
	if im.BadRows > 0 {
		fmt.Fprintf(env.Out, "%d bad rows, all of them in %s\n", im.BadRows, a.Bad)
	}
	if im.BadRows == im.Rows {
		return errors.Join(errors.New("nothing is imported: every row is bad"), list.err)
	}
	return list.err
}

// badRows lists bad rows in a file, and the first on the screen.
type badRows struct {
	path string
	out  io.Writer
	f    *os.File
	w    *bufio.Writer
	n    int
	err  error
}

func (b *badRows) add(bad imports.Bad) {
	if b.n++; b.n <= 5 {
		fmt.Fprintln(b.out, "bad:", bad)
	}
	if b.f == nil && b.err == nil {
		if b.f, b.err = os.Create(b.path); b.err == nil {
			b.w = bufio.NewWriter(b.f)
			fmt.Fprintln(b.w, "line\tcolumn\treason")
		}
	}
	if b.w != nil {
		fmt.Fprintf(b.w, "%d\t%s\t%s\n", bad.Line, bad.Column, bad.Why)
	}
}

func (b *badRows) close() {
	if b.w != nil {
		b.err = errors.Join(b.err, b.w.Flush(), b.f.Close())
	}
}

// A sender batches frames by drill and keeps how far it came.
type sender struct {
	ctx  context.Context
	out  io.Writer
	cl   *client.Client
	dry  bool
	kept string
	p    progress
	skip int

	n, readings, held int
	drills            map[string]bool
	drill             string
	body              bytes.Buffer
	said              time.Time
	unit              string // of n; "" frames
}

const (
	maxFrames = 1000
	maxBody   = 4 << 20
)

func (s *sender) take(f *telemetry.Frame, share float64) error {
	if s.drills == nil {
		s.drills = map[string]bool{}
	}
	s.drills[f.Drill] = true
	s.n++
	s.readings += f.Readings()
	if s.n <= s.skip || s.dry {
		return nil
	}
	if s.held > 0 && (f.Drill != s.drill || s.held >= maxFrames || s.body.Len() >= maxBody) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	f.Device = "import-" + f.Drill[:min(len(f.Drill), 57)]
	b := telemetry.AppendFrame(nil, f)
	s.body.Write(binary.AppendUvarint(nil, uint64(len(b))))
	s.body.Write(b)
	s.drill = f.Drill
	s.held++
	s.report(share, false)
	return nil
}

// flush sends what is held; a busy server is asked again for a while.
func (s *sender) flush() error {
	if s.held == 0 {
		return nil
	}
	path := "/store/import?drill=" + url.QueryEscape(s.drill)
	for pause := 200 * time.Millisecond; ; pause *= 2 {
		err := s.cl.Do(s.ctx, http.MethodPost, path, "application/octet-stream", bytes.NewReader(s.body.Bytes()), nil)
		if err == nil {
			break
		}
		var p *client.Problem
		if errors.As(err, &p) && p.Status < 500 || pause > 20*time.Second {
			return err
		}
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case <-time.After(pause):
		}
	}
	s.p.Sent += s.held
	s.held = 0
	s.body.Reset()
	b, err := json.Marshal(s.p)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.kept), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(s.kept+".tmp", b, 0o600); err != nil {
		return err
	}
	return os.Rename(s.kept+".tmp", s.kept)
}

// report draws how far it is, once a second on a terminal.
func (s *sender) report(share float64, last bool) {
	f, terminal := s.out.(*os.File)
	if terminal {
		fi, err := f.Stat()
		terminal = err == nil && fi.Mode()&os.ModeCharDevice != 0
	}
	if !terminal || !last && time.Since(s.said) < time.Second {
		return
	}
	s.said = time.Now()
	bar := ""
	if share >= 0 {
		bar = fmt.Sprintf("[%-30.*s] %3.0f %%", int(share*30), "##############################", share*100)
	}
	fmt.Fprintf(s.out, "\r%s %d %s", bar, s.n, cmp.Or(s.unit, "frames"))
	if last {
		fmt.Fprintln(s.out)
	}
}

func (c *Commands) backup(env Env) error {
	cl, err := c.Backup.client()
	if err != nil {
		return err
	}
	cl.Wait(12 * time.Hour)
	to := c.Backup.To
	if abs, err := filepath.Abs(to); err == nil && !bytes.Contains([]byte(to), []byte("://")) {
		to = abs
	}
	var r backup.Report
	if err := cl.Do(env.Ctx, http.MethodPost, "/store/backup?to="+url.QueryEscape(to), "", nil, &r); err != nil {
		return err
	}
	fmt.Fprintf(env.Out, "backup %s: %d sealed files, %d of them new; ", r.Name, r.Files, r.Copied)
	if r.Whole {
		fmt.Fprintf(env.Out, "users, devices, equipment and rules, %d files of models and rules; %d bytes copied\n", r.Blobs, r.CopiedBytes)
	} else {
		fmt.Fprintf(env.Out, "%d bytes copied. Users, devices and models are kept by another process: they are not in it\n", r.CopiedBytes)
	}
	if r.Damaged > 0 {
		return fmt.Errorf("%d sealed files are damaged and not in it: mudpulse doctor names them", r.Damaged)
	}
	return nil
}

func (c *Commands) restore(env Env) error {
	a := &c.Restore
	b, err := backup.Open(env.Ctx, a.From)
	if err != nil {
		return err
	}
	defer b.Close()
	if a.List {
		names, err := backup.List(env.Ctx, b)
		for _, n := range names {
			fmt.Fprintln(env.Out, n)
		}
		return err
	}
	where, err := blobs.Open(env.Ctx, cmp.Or(a.Blobs, filepath.Join(a.Data, "blobs")))
	if err != nil {
		return err
	}
	defer where.Close()
	m, err := backup.Restore(env.Ctx, b, a.Name, a.Data, where)
	if err != nil {
		return err
	}
	what := "users, devices, equipment and rules, " + strconv.Itoa(len(m.Blobs)) + " files of models and rules"
	if m.Relational == nil {
		what = "no users, devices or models, which were not backed up"
	}
	_, err = fmt.Fprintf(env.Out, "restored as of %s: %d sealed files and the database, %s; every byte verified\n", m.Created.Format(time.RFC3339), len(m.Files), what)
	return err
}

func (c *Commands) doctor(env Env) error {
	cl, err := c.Doctor.client()
	if err != nil {
		return err
	}
	cl.Wait(12 * time.Hour)
	var out struct {
		Damage []struct {
			File, Dataset, Hour, Why, Cure string
			Rows                           int64
		}
	}
	if err := cl.Do(env.Ctx, http.MethodPost, "/store/check", "", nil, &out); err != nil {
		return err
	}
	for _, d := range out.Damage {
		fmt.Fprintf(env.Out, "%s\n  costs   %s of %s (%d rows)\n  why     %s\n  cure    %s\n", d.File, d.Hour, d.Dataset, d.Rows, d.Why, d.Cure)
	}
	if n := len(out.Damage); n > 0 {
		return fmt.Errorf("%d sealed files are damaged", n)
	}
	_, err = fmt.Fprintln(env.Out, "every sealed file has the bytes it was sealed with")
	return err
}
