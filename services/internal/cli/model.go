package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/services/client"
	"github.com/mudpulse/mudpulse/services/gate"
)

type model struct {
	Push struct {
		server
		File     string `arg:"" type:"existingfile"`
		Rows     string `help:"CSV of inputs and what should come out of them; default: the model's name with .csv, where that is there." type:"existingfile" placeholder:"FILE"`
		Name     string `help:"Its name; default: the one in the file, else the file's."`
		Activate bool   `help:"Put it on as soon as its report does not speak against it."`
		Shadow   bool   `help:"Let it score beside, raising nothing."`
		Wait     bool   `help:"Wait for the report, and print it." default:"true" negatable:""`
	} `cmd:"" help:"Upload a PMML model and test it on the past; nothing is restarted."`
	List struct {
		server
	} `cmd:"" help:"Models and versions."`
	Report struct {
		server
		Name    string `arg:""`
		Version int    `help:"Default: the newest."`
		Run     bool   `help:"Test it again first, where something has changed since."`
		JSON    bool   `help:"Print the API's answer."`
	} `cmd:"" help:"How a version stood the past, beside the one that is on and plain limits."`
	Promote struct {
		server
		Name     string   `arg:""`
		Version  int      `help:"Default: the newest."`
		Drills   []string `help:"For these drills only, as 'RIG-*'."`
		Canary   string   `help:"On a share of these drills, in the place of the version that stays on for the others, as 5%." placeholder:"SHARE"`
		Override string   `help:"Why, where its report speaks against it; it is written down." placeholder:"REASON"`
	} `cmd:"" help:"Put a version in the place of the one that is on."`
	Shadow struct {
		server
		Name    string   `arg:""`
		Version int      `help:"Default: the newest."`
		Drills  []string `help:"For these drills only, as 'RIG-*'."`
	} `cmd:"" help:"Let a version score beside, raising nothing."`
	Rollback struct {
		server
		Name string `arg:""`
	} `cmd:"" help:"Take a canary off, or switch back to the version that was on before."`
	Deactivate struct {
		server
		Name string `arg:""`
	} `cmd:"" help:"Switch a model off."`
	Deprecate struct {
		server
		Name    string `arg:""`
		Version int    `required:""`
		Why     string `help:"Empty: it may be put on again." placeholder:"REASON"`
	} `cmd:"" help:"Say that a version is not to be put on any more."`
	Decided struct {
		server
		Name  string `arg:""`
		Drill string `required:""`
		At    string `help:"RFC 3339, or as -1h." default:"now"`
	} `cmd:"" help:"Which version judged a drill at a moment."`
}

type channel struct {
	Add struct {
		server
		Tag  []string `arg:"" help:"As devices or files call them."`
		Unit string   `required:"" help:"1 where they have none."`
		What string   `help:"What they are."`
	} `cmd:"" help:"Register channels: they are scored from then on."`
}

type labels struct {
	Import struct {
		server
		File string `arg:"" type:"existingfile"`
	} `cmd:"" help:"Record failures and the like: CSV of drill, kind, from, to, value."`
	List struct {
		server
	} `cmd:"" help:"All of them."`
}

func (c *Commands) modelPush(env Env) error {
	p := &c.Model.Push
	cl, err := p.client()
	if err != nil {
		return err
	}
	b, err := os.ReadFile(p.File)
	if err != nil {
		return err
	}
	if len(b) == 0 {
		return fmt.Errorf("%s is empty: export the model again", p.File)
	}
	name := p.Name
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(p.File), filepath.Ext(p.File))
	}
	rows, err := ownRows(p.File, p.Rows)
	if err != nil {
		return err
	}
	m, err := cl.PushModel(env.Ctx, name, b, rows, p.Activate && !p.Shadow, p.Shadow)
	if err != nil {
		return notTaken(p.File, err)
	}
	for _, ch := range m.Checks {
		mark := "ok  "
		if !ch.OK {
			mark = "note"
		}
		fmt.Fprintf(env.Out, "%s  %s: %s\n", mark, ch.Name, ch.Detail)
	}
	fmt.Fprintf(env.Out, "%s version %d, SHA-256 %s\n", m.Name, m.Version, m.SHA256)
	if p.Wait {
		r, err := waitReport(env, cl, m.Name, m.Version)
		if err != nil {
			return err
		}
		r.print(env.Out)
	}
	v, err := standing(env.Ctx, cl, m.Name, m.Version)
	if err != nil {
		return err
	}
	switch {
	case v == "active" || v == "shadow":
		fmt.Fprintf(env.Out, "%s %d is on%s\n", m.Name, m.Version, map[bool]string{true: " beside, raising nothing"}[v == "shadow"])
	case p.Activate && !p.Wait:
		fmt.Fprintf(env.Out, "%s %d goes on when its report does not speak against it\n", m.Name, m.Version)
	default:
		fmt.Fprintf(env.Out, "%s %d is not on: mudpulse model promote %[1]s --version %[2]d\n", m.Name, m.Version)
	}
	return nil
}

// ownRows reads the engineer's rows: the file named, or the one beside the model.
func ownRows(model, named string) ([]byte, error) {
	if named != "" {
		return os.ReadFile(named)
	}
	b, err := os.ReadFile(strings.TrimSuffix(model, filepath.Ext(model)) + ".csv")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// versions is what the API says of a model.
type versions struct {
	Version  int
	Versions []struct {
		Version int
		Status  string
	}
}

func about(ctx context.Context, cl *client.Client, name string) (versions, error) {
	var m versions
	b, err := cl.Get(ctx, "/models/"+url.PathEscape(name))
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(b, &m)
}

// standing says whether a version is on.
func standing(ctx context.Context, cl *client.Client, name string, version int) (string, error) {
	m, err := about(ctx, cl, name)
	for _, v := range m.Versions {
		if v.Version == version {
			return v.Status, err
		}
	}
	return "", err
}

// A report is the API's answer.
type report struct {
	State    string
	Progress float64
	Working  bool
	Verdict  string
	Against  []string
	Report   *gate.Report
	raw      []byte
}

func getReport(ctx context.Context, cl *client.Client, name string, version int) (*report, error) {
	b, err := cl.Get(ctx, fmt.Sprintf("/models/%s/versions/%d/report", url.PathEscape(name), version))
	if err != nil {
		return nil, err
	}
	r := &report{raw: b}
	return r, json.Unmarshal(b, r)
}

// waitReport polls until a report is there, and shows how far it is.
func waitReport(env Env, cl *client.Client, name string, version int) (*report, error) {
	last := -1
	for {
		r, err := getReport(env.Ctx, cl, name, version)
		if env.Ctx.Err() != nil { // who waited had enough
			return nil, fmt.Errorf("no longer waiting; the server goes on testing %s %d on the past: mudpulse model report %[1]s --version %[2]d", name, version)
		}
		if err != nil || r.State != "waiting" {
			return r, err
		}
		if n := int(r.Progress * 10); r.Working && n != last {
			last = n
			fmt.Fprintf(env.Out, "tested on the past: [%-10s] %3.0f %%\n", strings.Repeat("=", n), 100*r.Progress)
		}
		select {
		case <-env.Ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// print shows a report as an engineer reads it.
func (r *report) print(w io.Writer) {
	switch {
	case r.State == "":
		fmt.Fprintln(w, "not tested on the past")
		return
	case r.Report == nil:
		fmt.Fprintf(w, "%s: %s\n", r.State, strings.Join(r.Against, "; "))
		return
	}
	g := r.Report
	fmt.Fprintf(w, "\n%s\n\n", g.Lead)
	fmt.Fprintf(w, "past      %s to %s, %d drills, %d frames, %d rows scored, %d could not be; %d failures on record, %d verdicts\n", g.Past.From, g.Past.To, g.Past.Drills, g.Past.Frames, g.Past.Rows, g.Past.Errors, g.Past.Labels, g.Past.Judged)
	fmt.Fprintf(w, "%-24s %8s %12s %12s %12s %8s %14s\n", "", "alarms", "caught", "warning p50", "9 in 10 get", "false", "per drill-month")
	for _, a := range g.Arms {
		fmt.Fprintf(w, "%-24s %8d %12s %12s %12s %8d %7.2f (%.2f to %.2f)\n", a.Name, a.Alarms, fmt.Sprintf("%d of %d", a.Caught, a.Of), warned(a.Median), warned(a.P10), a.False, a.Rate, a.Low, a.High)
	}
	for _, l := range g.TimeLeft {
		fmt.Fprintf(w, "time left %s: %d rows, MAE %.2f h, RMSE %.2f h, PHM08 %.2f\n", l.Name, l.N, l.MAE, l.RMSE, l.PHM)
	}
	fmt.Fprintf(w, "alarms    %d gained, %d lost, %d earlier, %d later\n", g.Gained, g.Lost, g.Earlier, g.Later)
	for i, c := range g.Changes {
		if i == 12 {
			fmt.Fprintf(w, "          and %d more\n", len(g.Changes)-i)
			break
		}
		fmt.Fprintf(w, "          %-8s %s %s %s%s\n", c.How, c.At, c.Drill, c.Rule, map[string]string{"yes": ", true", "no": ", false"}[c.True])
	}
	for _, s := range g.For {
		fmt.Fprintln(w, "for      ", s)
	}
	for _, s := range g.Against {
		fmt.Fprintln(w, "against  ", s)
	}
	fmt.Fprintf(w, "verdict   %s\n", g.Verdict)
}

func warned(h float64) string {
	if h < 0 {
		return "missed"
	}
	return strconv.FormatFloat(h, 'f', 1, 64) + " h"
}

func (c *Commands) modelList(env Env) error { return show(env, c.Model.List.server, "/models") }

func (c *Commands) modelReport(env Env) error {
	a := &c.Model.Report
	cl, err := a.client()
	if err != nil {
		return err
	}
	m, err := about(env.Ctx, cl, a.Name)
	if err != nil {
		return err
	}
	if a.Version == 0 {
		a.Version = m.Version
	}
	if a.Run {
		if err := cl.Do(env.Ctx, http.MethodPost, fmt.Sprintf("/models/%s/versions/%d/report", url.PathEscape(a.Name), a.Version), "", nil, nil); err != nil {
			return err
		}
	}
	r, err := waitReport(env, cl, a.Name, a.Version)
	if err != nil {
		return err
	}
	if a.JSON {
		_, err = env.Out.Write(append(r.raw, '\n'))
		return err
	}
	r.print(env.Out)
	return nil
}

// share reads 5% and 0.05.
func share(s string) (float64, error) {
	text, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	v, err := strconv.ParseFloat(text, 64)
	if percent {
		v /= 100
	}
	if err != nil || v <= 0 || v > 1 {
		return 0, fmt.Errorf("canary: %q: want a share, as 5%%", s)
	}
	return v, nil
}

func (c *Commands) modelPromote(env Env) error {
	a := &c.Model.Promote
	cl, err := a.client()
	if err != nil {
		return err
	}
	in := map[string]any{"version": a.Version, "override": a.Override}
	if len(a.Drills) > 0 {
		in["drills"] = a.Drills
	}
	if a.Canary != "" {
		if in["canary"], err = share(a.Canary); err != nil {
			return err
		}
	}
	marker, version, err := cl.Promote(env.Ctx, a.Name, in)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Out, "%s %d is on from marker %s\n", a.Name, version, marker)
	return err
}

func (c *Commands) modelShadow(env Env) error {
	a := &c.Model.Shadow
	cl, err := a.client()
	if err != nil {
		return err
	}
	marker, err := cl.Activate(env.Ctx, a.Name, a.Version, true, a.Drills)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Out, "%s scores beside what is on, and raises nothing, from marker %s\n", a.Name, marker)
	return err
}

func (c *Commands) modelRollback(env Env) error {
	cl, err := c.Model.Rollback.client()
	if err != nil {
		return err
	}
	marker, version, err := cl.Rollback(env.Ctx, c.Model.Rollback.Name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Out, "%s %d is on from marker %s\n", c.Model.Rollback.Name, version, marker)
	return err
}

func (c *Commands) modelDeactivate(env Env) error {
	cl, err := c.Model.Deactivate.client()
	if err != nil {
		return err
	}
	return cl.Deactivate(env.Ctx, c.Model.Deactivate.Name)
}

func (c *Commands) modelDeprecate(env Env) error {
	a := &c.Model.Deprecate
	cl, err := a.client()
	if err != nil {
		return err
	}
	b, err := json.Marshal(map[string]string{"why": a.Why})
	if err != nil {
		return err
	}
	return cl.Do(env.Ctx, http.MethodPost, fmt.Sprintf("/models/%s/versions/%d/deprecate", url.PathEscape(a.Name), a.Version), "application/json", strings.NewReader(string(b)), nil)
}

func (c *Commands) modelDecided(env Env) error {
	a := &c.Model.Decided
	return show(env, a.server, fmt.Sprintf("/models/%s/decided?%s", url.PathEscape(a.Name), url.Values{"drill": {a.Drill}, "at": {a.At}}.Encode()))
}

func (c *Commands) channelAdd(env Env) error {
	a := &c.Channel.Add
	cl, err := a.client()
	if err != nil {
		return err
	}
	for _, tag := range a.Tag {
		if err := cl.Send(env.Ctx, http.MethodPost, "/channels", map[string]string{"tag": tag, "unit": a.Unit, "what": a.What}, nil); err != nil {
			return fmt.Errorf("%s: %w", tag, err)
		}
	}
	_, err = fmt.Fprintf(env.Out, "%d channels registered\n", len(a.Tag))
	return err
}

func (c *Commands) labelsImport(env Env) error {
	a := &c.Labels.Import
	cl, err := a.client()
	if err != nil {
		return err
	}
	f, err := os.Open(a.File)
	if err != nil {
		return err
	}
	defer f.Close()
	var out struct{ Labels int }
	if err := cl.Do(env.Ctx, http.MethodPost, "/labels", "text/csv", f, &out); err != nil {
		return notTaken(a.File, err)
	}
	_, err = fmt.Fprintf(env.Out, "%d labels recorded\n", out.Labels)
	return err
}

func (c *Commands) labelsList(env Env) error { return show(env, c.Labels.List.server, "/labels") }

// notTaken says why a file was not taken: refused by the server, or never read by it.
func notTaken(file string, err error) error {
	var p *client.Problem
	if errors.As(err, &p) {
		return fmt.Errorf("%s is refused: %w", file, err)
	}
	return fmt.Errorf("%s was not sent: %w", file, err)
}
