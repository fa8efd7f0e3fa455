package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

func TestExportedEvidenceIsVerifiedWithoutARunningProcess(t *testing.T) {
	e := telemetry.AlarmEvent{Event: telemetry.AlarmRaised, ID: "RIG-07/washout/1795342364", Drill: "RIG-07", Rule: "washout", Value: 21.5, Evidence: &telemetry.Evidence{Inputs: []telemetry.Measured{}, Frames: []telemetry.FrameID{}}}
	e.Evidence.Hash = alarms.Hash(&e)
	record, err := json.Marshal(&e)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := alarms.Export(e.ID, 1, []json.RawMessage{record}, nil)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "evidence.json")
	verify := func(b []byte) (string, error) {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		var c Commands
		c.Evidence.Verify.Files = []string{name}
		ok, err := c.Run(Env{Ctx: t.Context(), Out: &out}, "evidence verify <file>")
		if !ok {
			t.Fatal("there is no such verb")
		}
		return out.String(), err
	}
	if out, err := verify(append(raw, '\n')); err != nil || !strings.Contains(out, "1 records of 1 alarms are as they were sealed") {
		t.Errorf("%s %v", out, err)
	}
	if out, err := verify(bytes.Replace(raw, []byte("21.5"), []byte("21.6"), 1)); err == nil || !strings.Contains(out, "record 1") || !strings.Contains(out, "was changed") {
		t.Errorf("%s %v", out, err)
	}
}
