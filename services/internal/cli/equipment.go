package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
)

type equipmentImport struct {
	server
	File string `arg:"" type:"existingfile" help:"Table with a line of column names; docs/equipment.md."`
}

// equipmentImport prints a line for each that was refused, and fails where one was.
func (c *Commands) equipmentImport(env Env) error {
	in := &c.Equipment.Import
	cl, err := in.client()
	if err != nil {
		return err
	}
	table, err := os.ReadFile(in.File)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"table": string(table)})
	if err != nil {
		return err
	}
	var out struct {
		Taken, Refused int
		Lines          []struct {
			Line      int
			What, Why string
		}
	}
	if err := cl.Do(env.Ctx, "POST", "/equipment/import", "application/json", bytes.NewReader(body), &out); err != nil {
		return err
	}
	for _, l := range out.Lines {
		if l.Why != "" {
			fmt.Fprintf(env.Out, "%s:%d: %s: %s\n", in.File, l.Line, l.What, l.Why)
		}
	}
	fmt.Fprintf(env.Out, "%d lines taken, %d refused\n", out.Taken, out.Refused)
	if out.Refused > 0 {
		return fmt.Errorf("%d lines of %s were refused; mend them and import the table again: what is there already does no harm", out.Refused, in.File)
	}
	return nil
}

func (c *Commands) equipmentList(env Env) error {
	l := &c.Equipment.List
	return show(env, l.server, "/equipment?drill="+url.QueryEscape(l.Drill))
}
