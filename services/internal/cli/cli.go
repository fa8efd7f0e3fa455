// Package cli is the part of the command line that talks to a running mudpulse.
package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/mudpulse/mudpulse/services/client"
	"github.com/mudpulse/mudpulse/services/gate"
	"github.com/mudpulse/mudpulse/services/internal/edge"
	"github.com/mudpulse/mudpulse/services/internal/process"
)

// Commands are the verbs; kong reads them.
type Commands struct {
	Device  device   `cmd:"" help:"Devices that may publish."`
	Model   model    `cmd:"" help:"PMML models."`
	Channel channel  `cmd:"" help:"Channels beside the catalogue's."`
	Labels  labels   `cmd:"" help:"What was really the matter with drills, and when: models are tested and trained on it."`
	Worker  struct{} `cmd:"" name:"gate-worker" hidden:"" help:"What a running process starts to test a model."`
	Ledger  ledger   `cmd:"" help:"What each stage has of what was sent, and every gap."`
	Gateway struct {
		Try    edge.Try    `cmd:"" help:"Say what would become of a message; needs no running process."`
		Doctor edge.Doctor `cmd:"" help:"Say what is wrong with a gateway, and what to do about it."`
	} `cmd:"" help:"Gateways."`
	Equipment struct {
		Import equipmentImport `cmd:"" help:"Take a table (CSV) of sites, wells, parts, runs and maintenance; bad lines are named."`
		List   struct {
			server
			Drill string `arg:"" optional:"" help:"Of this drill, with hours and metres; default: of all."`
		} `cmd:"" help:"What stood and stands on drills."`
	} `cmd:"" help:"Parts, their runs and maintenance."`
	Evidence   evidence       `cmd:"" help:"Evidence of alarms."`
	Quarantine quarantine     `cmd:"" help:"Messages that were set aside, with reason and cure."`
	Rescore    rescoring      `cmd:"" help:"Score a span of a drill again, late frames in their place; the versions before are kept."`
	Link       link           `cmd:"" help:"Print a one-time link that signs its holder in."`
	Evaluate   evaluateModels `cmd:"" help:"Judge the default models, or yours, on simulated fleets that no model has seen; needs no running process."`
	storeCommands
}

// Env is where a command runs.
type Env struct {
	Ctx context.Context
	Out io.Writer
}

// server says which process to talk to.
type server struct {
	Data   string `help:"Data directory of the process." default:".data" placeholder:"DIR"`
	Server string `help:"Its address, where the data directory is elsewhere." placeholder:"HOST:PORT"`
	Token  string `help:"Administrator's token; default: DIR/admin-token."`
}

func (s server) client() (*client.Client, error) {
	addr, token := s.Server, s.Token
	if addr == "" {
		a, err := process.ReadAddresses(s.Data)
		if err != nil {
			return nil, err
		}
		if addr = a.HTTP; addr == "" {
			return nil, fmt.Errorf("the process on %s serves no API: talk to the one that runs the part api, with --server HOST:PORT", s.Data)
		}
	}
	if token == "" {
		b, err := os.ReadFile(filepath.Join(s.Data, "admin-token"))
		if err != nil {
			return nil, fmt.Errorf("administrator's token: %w; give --token or --data", err)
		}
		token = strings.TrimSpace(string(b))
	}
	return client.New(addr, token), nil
}

type device struct {
	Add struct {
		server
		Drill string `arg:"" help:"Drill it publishes for."`
		ID    string `help:"Its name; default: the drill's name and a number."`
		JSON  bool   `help:"Print username, password and topic as JSON."`
	} `cmd:"" help:"Make a device; its password is printed once."`
	List struct {
		server
	} `cmd:"" help:"Devices and their sessions."`
	Revoke struct {
		server
		ID string `arg:""`
	} `cmd:"" help:"Take a device away."`
}

type ledger struct {
	server
	Drill  string `help:"Of this drill only."`
	Device string `help:"Of this device only."`
	Gaps   bool   `help:"Only devices with gaps."`
	Audit  bool   `help:"Count every row again, rather than rest on what was counted as it came; slow."`
	JSON   bool   `help:"Print the API's answer."`
}

type link struct {
	server
	Name string `help:"Who it is for." default:"admin"`
	Role string `help:"viewer, operator, engineer or administrator." default:"administrator" enum:"viewer,operator,engineer,administrator"`
}

type quarantine struct {
	server
	Limit int `default:"50"`
}

// Run does command, as kong names it; ok is false where it is none of ours.
func (c *Commands) Run(env Env, command string) (ok bool, err error) {
	verbs := map[string]func(Env) error{
		"device add <drill>": c.deviceAdd, "device list": c.deviceList, "device revoke <id>": c.deviceRevoke,
		"channel add <tag>": c.channelAdd, "model push <file>": c.modelPush, "model list": c.modelList, "model report <name>": c.modelReport, "model promote <name>": c.modelPromote,
		"model shadow <name>": c.modelShadow, "model rollback <name>": c.modelRollback, "model deactivate <name>": c.modelDeactivate,
		"model deprecate <name>": c.modelDeprecate, "model decided <name>": c.modelDecided, "labels import <file>": c.labelsImport, "labels list": c.labelsList,
		"gate-worker":             func(env Env) error { gate.Niced(); return gate.Work(env.Ctx, os.Stdin, env.Out) },
		"gateway try":             func(env Env) error { return c.Gateway.Try.Run(env.Out) },
		"gateway doctor":          func(env Env) error { return c.Gateway.Doctor.Run(env.Ctx, env.Out) },
		"evaluate":                c.evaluate,
		"equipment import <file>": c.equipmentImport, "equipment list": c.equipmentList, "equipment list <drill>": c.equipmentList,
		"ledger": c.ledger, "quarantine": c.quarantine, "link": c.link,
		"evidence verify": c.evidenceVerify, "evidence verify <file>": c.evidenceVerify, "evidence export <alarm>": c.evidenceExport, "evidence heads": c.evidenceHeads,
		"rescore": c.rescore, "export": c.export, "export <columns>": c.export,
		"import <file>": c.importFile, "backup <to>": c.backup, "restore <from>": c.restore, "doctor": c.doctor,
	}
	f, ok := verbs[command]
	if !ok {
		return false, nil
	}
	err = f(env)
	var p *client.Problem
	if errors.As(err, &p) && p.Status == 401 {
		err = fmt.Errorf("the token is not this process's: %w", err)
	}
	return true, err
}

func (c *Commands) deviceAdd(env Env) error {
	a := &c.Device.Add
	cl, err := a.client()
	if err != nil {
		return err
	}
	d, err := cl.AddDevice(env.Ctx, a.Drill, a.ID)
	if err != nil {
		return err
	}
	if a.JSON {
		return json.NewEncoder(env.Out).Encode(d)
	}
	_, err = fmt.Fprintf(env.Out, "username  %s\npassword  %s      (told this once)\ntopic     %s\n\n%s\n", d.Username, d.Password, d.Topic, d.Example)
	return err
}

func (c *Commands) deviceList(env Env) error { return show(env, c.Device.List.server, "/devices") }

func (c *Commands) deviceRevoke(env Env) error {
	cl, err := c.Device.Revoke.client()
	if err != nil {
		return err
	}
	return cl.RevokeDevice(env.Ctx, c.Device.Revoke.ID)
}

func (c *Commands) quarantine(env Env) error {
	return show(env, c.Quarantine.server, fmt.Sprintf("/quarantine?limit=%d", c.Quarantine.Limit))
}

func (c *Commands) link(env Env) error {
	cl, err := c.Link.client()
	if err != nil {
		return err
	}
	url, err := cl.Invite(env.Ctx, c.Link.Name, c.Link.Role)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Out, url)
	return err
}

// ledger prints a line a boot, and a line a gap below it.
func (c *Commands) ledger(env Env) error {
	cl, err := c.Ledger.client()
	if err != nil {
		return err
	}
	q := url.Values{}
	if c.Ledger.Drill != "" {
		q.Set("drill", c.Ledger.Drill)
	}
	if c.Ledger.Device != "" {
		q.Set("device", c.Ledger.Device)
	}
	if c.Ledger.Gaps {
		q.Set("show", "gaps")
	}
	if c.Ledger.Audit {
		q.Set("audit", "true")
	}
	path := "/ledger?" + q.Encode()
	b, err := cl.Get(env.Ctx, path)
	if err != nil {
		return err
	}
	if c.Ledger.JSON {
		_, err = env.Out.Write(append(b, '\n'))
		return err
	}
	var l struct {
		Rows []struct {
			Drill, Device, Boot                      string
			Sent, Accepted, Stored, Scored, Readable int64
			Gaps                                     []struct {
				Stage    string
				From, To json.Number
				Count    int64
				Why      string
			}
		}
		Totals struct {
			Sent, Accepted, Stored, Scored, Readable, Gaps, Quarantined int64
		}
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return err
	}
	fmt.Fprintf(env.Out, "%-12s %-16s %-16s %10s %10s %10s %10s %10s\n", "drill", "device", "boot", "sent", "accepted", "stored", "scored", "readable")
	line := "%-12s %-16s %-16s %10d %10d %10d %10d %10d\n"
	for _, r := range l.Rows {
		fmt.Fprintf(env.Out, line, r.Drill, r.Device, r.Boot, r.Sent, r.Accepted, r.Stored, r.Scored, r.Readable)
		for _, g := range r.Gaps {
			fmt.Fprintf(env.Out, "    %s misses %s to %s (%d): %s\n", g.Stage, g.From, g.To, g.Count, g.Why)
		}
	}
	if len(l.Rows) == 0 && !c.Ledger.Gaps && (c.Ledger.Drill != "" || c.Ledger.Device != "") {
		fmt.Fprintln(env.Out, "nothing came from this drill or device so far: mudpulse device list names those there are")
	}
	t := l.Totals
	fmt.Fprintf(env.Out, line+"%d gaps, %d set aside (mudpulse quarantine)\n", "all", "", "", t.Sent, t.Accepted, t.Stored, t.Scored, t.Readable, t.Gaps, t.Quarantined)
	return nil
}

func show(env Env, s server, path string) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	b, err := cl.Get(env.Ctx, path)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Out, out.String())
	return err
}
