package alarms

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mudpulse/mudpulse/telemetry"
)

// An EvidenceFinding is what is wrong with one record of evidence.
type EvidenceFinding struct {
	Record int    `json:"record"` // its place among those checked, from 1; 0: the file itself
	ID     string `json:"id"`     // of its alarm, where it can be read
	What   string `json:"what"`
}

// An EvidenceReport is what checking evidence came to.
type EvidenceReport struct {
	Records  int               `json:"records"`
	Alarms   int               `json:"alarms"`
	Chains   int               `json:"chains"`   // runs of records, each holding the hash of the one before
	Outside  int               `json:"outside"`  // records that hold the hash of one that is not among those checked
	Findings []EvidenceFinding `json:"findings"` // empty: nothing was changed
}

// Check computes the hash of each record, which is an AlarmEvent as it was
// written, and follows their chains. whole says that nothing may be missing;
// of one alarm's records, those between them are other alarms'.
//
// What it cannot see: records cut off the end of a chain, and a chain computed
// anew from a changed record on. Who keeps heads elsewhere sees both: Missing.
func Check(records []json.RawMessage, whole bool) EvidenceReport {
	r := EvidenceReport{Records: len(records), Findings: []EvidenceFinding{}}
	alarmIDs, byHash, after := map[string]bool{}, map[string]int{}, map[string]int{}
	events := make([]*telemetry.AlarmEvent, len(records))
	find := func(i int, id, form string, args ...any) {
		r.Findings = append(r.Findings, EvidenceFinding{i + 1, id, fmt.Sprintf(form, args...)})
	}
	for i, raw := range records {
		e, err := read(raw)
		if err != nil {
			find(i, "", "%v", err)
			continue
		}
		alarmIDs[e.ID] = true
		if got := Hash(e); got != e.Evidence.Hash {
			find(i, e.ID, "was changed: %s computes to %.12s…, and is sealed with %.12s…", e.Event, got, e.Evidence.Hash)
			continue
		}
		if _, twice := byHash[e.Evidence.Hash]; twice {
			continue // written again after a restart
		}
		byHash[e.Evidence.Hash] = i
		events[i] = e
	}
	for i, e := range events {
		if e == nil {
			continue
		}
		prev := e.Evidence.Prev
		if prev == "" {
			r.Chains++
			continue
		}
		if _, ok := byHash[prev]; !ok {
			r.Outside++
			if whole {
				find(i, e.ID, "the record before %s is missing: %.12s…", e.Event, prev)
			}
			continue
		}
		if j, ok := after[prev]; ok {
			find(i, e.ID, "%s follows the same record as number %d", e.Event, j+1)
		}
		after[prev] = i
	}
	r.Alarms = len(alarmIDs)
	return r
}

// Heads are the hashes of the records that no other follows: the ends of chains,
// ascending. Kept elsewhere they show later whether an end was cut off.
func Heads(records []json.RawMessage) []string {
	followed, out := map[string]bool{}, []string{}
	var all []string
	for _, raw := range records {
		if e, err := read(raw); err == nil {
			followed[e.Evidence.Prev] = true
			all = append(all, e.Evidence.Hash)
		}
	}
	for _, h := range all {
		if !followed[h] {
			out = append(out, h)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Missing finds which heads that were kept are among the records no more, as they were sealed.
func Missing(records []json.RawMessage, heads []string) []EvidenceFinding {
	have := map[string]bool{}
	for _, raw := range records {
		if e, err := read(raw); err == nil && Hash(e) == e.Evidence.Hash {
			have[e.Evidence.Hash] = true
		}
	}
	var out []EvidenceFinding
	for _, h := range heads {
		if !have[h] {
			out = append(out, EvidenceFinding{What: fmt.Sprintf("the record %.12s…, which was a chain's last, is gone: the end was cut off, or computed anew", h)})
		}
	}
	return out
}

// read takes one record, to the byte as it would be written.
func read(raw json.RawMessage) (*telemetry.AlarmEvent, error) {
	e := &telemetry.AlarmEvent{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(e); err != nil {
		return nil, fmt.Errorf("was changed: it cannot be read: %w", err)
	}
	if e.Evidence == nil {
		return nil, errors.New("was changed: its evidence is gone")
	}
	b, err := json.Marshal(e)
	if err != nil || !bytes.Equal(b, bytes.TrimSpace(raw)) {
		return nil, errors.New("was changed: it is not written as it was sealed")
	}
	return e, nil
}

// bundleFormat is what an exported file says it is.
const bundleFormat = "mudpulse-evidence-1"

// A Bundle is all that is known of one alarm in one file.
type Bundle struct {
	Format   string              `json:"format"`
	Alarm    string              `json:"alarm"`
	Exported int64               `json:"exported,string"` // Unix ns
	Records  []json.RawMessage   `json:"records"`         // its steps as they are stored, oldest first
	Commands []telemetry.Command `json:"commands"`        // what people did to it, oldest first
	SHA256   string              `json:"sha256"`          // of this file with this value empty
}

// Export writes a bundle.
func Export(alarm string, at int64, records []json.RawMessage, commands []telemetry.Command) ([]byte, error) {
	if commands == nil {
		commands = []telemetry.Command{}
	}
	b := Bundle{Format: bundleFormat, Alarm: alarm, Exported: at, Records: records, Commands: commands}
	sum, err := b.sum()
	if err != nil {
		return nil, err
	}
	b.SHA256 = sum
	return json.Marshal(&b)
}

func (b Bundle) sum() (string, error) {
	b.SHA256 = ""
	raw, err := json.Marshal(&b)
	if err != nil {
		return "", fmt.Errorf("evidence of %s: %w", b.Alarm, err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// CheckBundle checks an exported file, to the byte.
func CheckBundle(raw []byte) (Bundle, EvidenceReport) {
	raw = bytes.TrimSpace(raw)
	var b Bundle
	broken := func(form string, args ...any) (Bundle, EvidenceReport) {
		return b, EvidenceReport{Records: len(b.Records), Findings: []EvidenceFinding{{0, b.Alarm, fmt.Sprintf(form, args...)}}}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return broken("the file was changed, or is no evidence: %v", err)
	}
	if b.Format != bundleFormat {
		return broken("the file is of format %q; this reads %s", b.Format, bundleFormat)
	}
	r := Check(b.Records, false)
	add := func(i int, what string) { r.Findings = append(r.Findings, EvidenceFinding{i, b.Alarm, what}) }
	if again, err := json.Marshal(&b); err != nil || !bytes.Equal(again, raw) {
		add(0, "the file was changed: it is not written as it was exported")
	}
	if sum, err := b.sum(); err != nil || sum != b.SHA256 {
		add(0, "the file was changed: it does not compute to its SHA-256")
	}
	raised := 0
	for i, rec := range b.Records {
		e, err := read(rec)
		if err != nil {
			continue // found already
		}
		if e.ID != b.Alarm {
			add(i+1, "is of another alarm, "+e.ID)
		}
		if e.Event == telemetry.AlarmRaised {
			raised++
		}
	}
	if raised != 1 {
		add(0, fmt.Sprintf("the alarm is raised %d times in it", raised))
	}
	return b, r
}

// Lacks says what is missing of an alarm's evidence when it was raised: nothing,
// in an empty string, is as it should be. explains says whether the kind of its
// model gives contributions.
func Lacks(e *telemetry.AlarmEvent, explains bool) string {
	ev := e.Evidence
	switch {
	case ev == nil:
		return "evidence"
	case len(ev.Rule) == 0 || e.RulesSHA256 == "" || e.RuleV == 0:
		return "rule and its version"
	case len(ev.Frames) == 0 || ev.Offset == "":
		return "frames"
	case len(ev.Inputs) == 0:
		return "values"
	case e.Reason == "" || e.Advice == "":
		return "words"
	case e.Incident == "" || e.State == "":
		return "incident or state"
	case e.Model != "" && e.ModelSHA256 == "":
		return "model's SHA-256"
	case explains && len(ev.Contributions) == 0:
		return "contributions"
	}
	return ""
}

// Alike is how alike two pieces of evidence are, 0 to 1: over the inputs that
// both have, how near their values lie for their size.
func Alike(a, b *telemetry.Evidence) float64 {
	if a == nil || b == nil {
		return 0
	}
	sum, n := 0.0, 0
	for i := range a.Inputs {
		x := &a.Inputs[i]
		for j := range b.Inputs {
			y := &b.Inputs[j]
			if x.Name != y.Name {
				continue
			}
			n++
			switch size := max(math.Abs(x.Value), math.Abs(y.Value)); {
			case x.Missing != y.Missing:
			case x.Missing || size == 0:
				sum++
			default:
				sum += 1 - min(1, math.Abs(x.Value-y.Value)/size)
			}
		}
	}
	if n == 0 {
		return 0
	}
	return sum / float64(max(n, len(a.Inputs), len(b.Inputs)))
}

// Unsummed is how far baseline and contributions are from the score.
func Unsummed(ev *telemetry.Evidence) float64 {
	sum := ev.Baseline
	for _, c := range ev.Contributions {
		sum += c.Value
	}
	return sum - ev.Score
}
