package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
)

type evidence struct {
	Verify struct {
		server
		Drill string   `help:"Of this drill only."`
		Heads string   `help:"Heads that mudpulse evidence heads wrote: that no chain's end was cut off since." type:"existingfile" placeholder:"FILE"`
		Files []string `arg:"" name:"file" optional:"" type:"existingfile" help:"Exported evidence; without any, all that the running process has is checked."`
	} `cmd:"" help:"Compute the hashes of evidence again, and say what was changed."`
	Heads struct {
		server
		Out string `short:"o" help:"Where to; default: standard output." placeholder:"FILE"`
	} `cmd:"" help:"Write the hash of every chain's last record. Kept where the server's owner cannot write, it shows later whether an end was cut off."`
	Export struct {
		server
		Alarm string `arg:"" help:"Its id, as RIG-07/washout/1795342364."`
		Out   string `short:"o" help:"Where to; default: standard output." placeholder:"FILE"`
	} `cmd:"" help:"Write all that is known of one alarm into one file."`
}

func (c *Commands) evidenceExport(env Env) error {
	x := &c.Evidence.Export
	cl, err := x.client()
	if err != nil {
		return err
	}
	b, err := cl.Get(env.Ctx, "/alarms/evidence?id="+url.QueryEscape(x.Alarm))
	if err != nil {
		return err
	}
	return write(env, x.Out, b)
}

func write(env Env, name string, b []byte) error {
	b = append(b, '\n')
	if name != "" {
		return os.WriteFile(name, b, 0o644)
	}
	_, err := env.Out.Write(b)
	return err
}

// kept are the ends of all chains at a time.
type kept struct {
	Format string              `json:"format"`
	At     time.Time           `json:"at"`
	Heads  map[string][]string `json:"heads"` // by drill
}

const keptFormat = "mudpulse-heads-1"

func (c *Commands) evidenceHeads(env Env) error {
	x := &c.Evidence.Heads
	k := kept{keptFormat, time.Now().UTC().Truncate(time.Second), map[string][]string{}}
	err := stored(env, &x.server, "", func(drill string, records []json.RawMessage, _ bool) {
		if heads := alarms.Heads(records); len(heads) > 0 {
			k.Heads[drill] = heads
		}
	})
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(&k, "", " ")
	if err != nil {
		return err
	}
	return write(env, x.Out, b)
}

func readKept(name string) (k kept, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return k, err
	}
	if err := json.Unmarshal(b, &k); err != nil || k.Format != keptFormat {
		return k, fmt.Errorf("--heads: %s is none that mudpulse evidence heads wrote", name)
	}
	return k, nil
}

// evidenceVerify fails where anything was changed.
func (c *Commands) evidenceVerify(env Env) error {
	v := &c.Evidence.Verify
	wrong := 0
	tell := func(name string, r alarms.EvidenceReport) {
		for _, f := range r.Findings {
			at := ""
			if f.Record > 0 {
				at = fmt.Sprintf(", record %d", f.Record)
			}
			fmt.Fprintf(env.Out, "%s%s: %s %s\n", name, at, f.ID, f.What)
		}
		wrong += len(r.Findings)
		if len(r.Findings) == 0 {
			fmt.Fprintf(env.Out, "%s: %d records of %d alarms are as they were sealed\n", name, r.Records, r.Alarms)
		}
	}
	for _, name := range v.Files {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		_, r := alarms.CheckBundle(b)
		tell(name, r)
	}
	if len(v.Files) == 0 {
		if err := c.verifyStored(env, tell); err != nil {
			return err
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d findings: this evidence is not what was sealed", wrong)
	}
	return nil
}

func (c *Commands) verifyStored(env Env, tell func(string, alarms.EvidenceReport)) error {
	v := &c.Evidence.Verify
	var k kept
	if v.Heads != "" {
		var err error
		if k, err = readKept(v.Heads); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	err := stored(env, &v.server, v.Drill, func(drill string, records []json.RawMessage, all bool) {
		r := alarms.Check(records, all)
		r.Findings = append(r.Findings, alarms.Missing(records, k.Heads[drill])...)
		seen[drill] = true
		tell(drill, r)
	})
	for drill, heads := range k.Heads {
		if err == nil && !seen[drill] && (v.Drill == "" || v.Drill == drill) { // the drill itself is gone
			tell(drill, alarms.EvidenceReport{Findings: alarms.Missing(nil, heads)})
		}
	}
	return err
}

// stored gives all records of each drill that the running process has; all is
// false where some were left off.
func stored(env Env, at *server, drill string, give func(drill string, records []json.RawMessage, all bool)) error {
	cl, err := at.client()
	if err != nil {
		return err
	}
	drills := []string{drill}
	if drill == "" {
		var all struct {
			Drills []struct {
				ID string `json:"id"`
			} `json:"drills"`
		}
		b, err := cl.Get(env.Ctx, "/drills")
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, &all); err != nil {
			return fmt.Errorf("drills: %w", err)
		}
		drills = drills[:0]
		for _, d := range all.Drills {
			drills = append(drills, d.ID)
		}
	}
	for _, drill := range drills {
		b, err := cl.Get(env.Ctx, "/alarms/records?drill="+url.QueryEscape(drill))
		if err != nil {
			return err
		}
		var got struct {
			Records []json.RawMessage `json:"records"`
			All     bool              `json:"all"`
		}
		if err := json.Unmarshal(b, &got); err != nil {
			return fmt.Errorf("records of %s: %w", drill, err)
		}
		give(drill, got.Records, got.All)
	}
	return nil
}
