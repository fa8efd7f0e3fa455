package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/services/internal/process"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Try prints what would become of a message; nothing runs and nothing is kept.
// A process need not be there.
type Try struct {
	Topic   string `required:"" help:"MQTT topic of the message."`
	Payload string `required:"" help:"File that holds it; - for the standard input."`
	Drill   string `help:"Drill that the device may publish for; empty: as a site's broker, for any."`
	Device  string `help:"Its name." default:"try"`
	Site    string `help:"The site's file of rules and names." placeholder:"FILE"`
	JSON    bool   `help:"Print it as JSON."`
}

// Run reads the message and prints the outcome. It is an error if anything of
// the message would be set aside.
func (t *Try) Run(out io.Writer) error {
	body, err := io.ReadAll(os.Stdin)
	if t.Payload != "-" {
		body, err = os.ReadFile(t.Payload)
	}
	if err != nil {
		return err
	}
	s := &process.Settings{GatewayID: "try", Data: os.TempDir(), MQTT: "127.0.0.1:0", SpoolBytes: 64 << 20, LiveHorizon: gateway.DefaultConfig().LiveHorizon, Drain: gateway.DefaultConfig().Drain, MaxMessage: telemetry.MaxFrameBytes, Site: t.Site, Prefix: telemetry.DefaultPrefix}
	g, err := New(s, Deps{Brokers: []string{"127.0.0.1:1"}, Registry: nobody{}, Clock: telemetry.SystemClock{}})
	if err != nil {
		return err
	}
	o := g.Try(telemetry.Device{ID: t.Device, Drill: t.Drill}, t.Topic, body)
	if t.JSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(o); err != nil {
			return err
		}
	} else {
		printOutcome(out, o)
	}
	if o.Verdict != "accepted" {
		return errors.New("not all of it would be taken")
	}
	return nil
}

func printOutcome(w io.Writer, o gateway.Outcome) {
	fmt.Fprintf(w, "%s: %s\n", o.Topic, o.Verdict)
	for _, f := range o.Frames {
		fmt.Fprintf(w, "frame of %s, %s, %s, %d readings, travels as %s\n", f.Drill, f.ID, f.Time.Format("2006-01-02T15:04:05.000Z07:00"), f.Readings, f.Origin)
		for _, x := range f.Flags {
			fmt.Fprintf(w, "  flagged %s\n", strings.TrimSpace(x+why(x)))
		}
		if f.Dropped > 0 {
			fmt.Fprintf(w, "  %d values left out: not wanted, or not readable\n", f.Dropped)
		}
		if f.Unread != "" {
			fmt.Fprintf(w, "  channels.%s: a value is no number\n  cure: send numbers, null where there is none\n", f.Unread)
		}
		for _, c := range f.Channels {
			note := c.Unit
			if !c.Registered {
				note = "not registered: kept, not scored until an administrator gives it a unit"
			}
			fmt.Fprintf(w, "  %-24s %v %s\n", c.Channel, c.Values, note)
		}
	}
	for _, q := range o.Quarantined {
		fmt.Fprintf(w, "set aside: %s: %s: %s\n  cure: %s\n", q.Code, q.Field, q.Message, q.Cure)
	}
}

// why explains a flag to who can do something about it.
func why(flag string) string {
	switch flag {
	case "future":
		return ": ts is ahead of this machine's clock: set the device's clock (NTP), or its zone"
	case "past":
		return ": ts is older than thirty days: set the device's clock, unless this is history"
	case "unnumbered":
		return ": without boot and seq it is known by a hash, and a gap is not noticed"
	case "untimed":
		return ": without ts it gets the gateway's time, and can come twice"
	case "partial":
		return ": some of it is set aside, see below"
	}
	return ""
}

type nobody struct{}

func (nobody) Device(string) (telemetry.Device, bool) { return telemetry.Device{}, false }
func (nobody) Changes() uint64                        { return 0 }
