package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	"github.com/mudpulse/mudpulse/services/alarms"
)

type evidence struct {
	Verify struct {
		server
		Drill string   `help:"Of this drill only."`
		Files []string `arg:"" name:"file" optional:"" type:"existingfile" help:"Exported evidence; without any, all that the running process has is checked."`
	} `cmd:"" help:"Compute the hashes of evidence again, and say what was changed."`
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
	b = append(b, '\n')
	if x.Out != "" {
		return os.WriteFile(x.Out, b, 0o644)
	}
	_, err = env.Out.Write(b)
	return err
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
	cl, err := v.client()
	if err != nil {
		return err
	}
	drills := []string{v.Drill}
	if v.Drill == "" {
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
		tell(drill, alarms.Check(got.Records, got.All))
	}
	return nil
}
