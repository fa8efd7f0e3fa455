package oracle

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Case is a document of the corpus with its rows:
//
//	<Kind>/<name>.pmml         the document
//	<Kind>/<name>.rows.jsonl   rows, as "pmml score" reads them
//	<Kind>/<name>.jpmml.jsonl  JPMML's answers, as "pmml score --full" prints them; make pmml-golden writes it
//	<Kind>/<name>.notes.json   where this engine answers otherwise, and why; if it does
type Case struct {
	Kind, Name string
	base       string // path without endings
	Document   []byte
	Rows       [][]byte
	Notes      []Note
}

// A Note lists rows that are answered otherwise than by JPMML, or that JPMML
// does not answer.
type Note struct {
	Why       string                     `json:"why"`                 // a heading's id in docs/pmml-semantics.md
	Rows      map[string]json.RawMessage `json:"rows"`                // by line of the rows file, from 1, "*" all others: this engine's own answer where it differs, by name; {"error":"part of its words"}
	Tolerance float64                    `json:"tolerance,omitempty"` // of the whole case, where it is not its kind's
	NotLive   bool                       `json:"notLive,omitempty"`   // the document is made to show the difference: make pmml-oracle leaves it out
}

// Cases reads the cases under root whose name contains only, in order.
func Cases(root, only string) ([]*Case, error) {
	docs, err := Documents(root, only)
	if err != nil {
		return nil, err
	}
	for _, c := range docs {
		rows, err := os.ReadFile(c.base + ".rows.jsonl")
		if err != nil {
			return nil, fmt.Errorf("%w: make pmml-golden makes rows", err)
		}
		c.Rows = Lines(rows)
		notes, err := os.ReadFile(c.base + ".notes.json")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		d := json.NewDecoder(bytes.NewReader(notes))
		d.DisallowUnknownFields()
		if err := d.Decode(&c.Notes); err != nil {
			return nil, fmt.Errorf("%s.notes.json: %w", c.base, err)
		}
	}
	return docs, nil
}

// MakeRows writes rows for the documents under root that have none.
func MakeRows(root string, n int) error {
	docs, err := Documents(root, "")
	if err != nil {
		return err
	}
	for _, c := range docs {
		if _, err := os.Stat(c.base + ".rows.jsonl"); err == nil {
			continue
		}
		rows, err := Generate(c.Document, n, 1)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		if err := os.WriteFile(c.base+".rows.jsonl", append(bytes.Join(rows, []byte("\n")), '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Documents reads the documents under root alone, those whose name contains
// only; none where there is no such folder.
func Documents(root, only string) ([]*Case, error) {
	var out []*Case
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".pmml") {
			return err
		}
		c := &Case{Kind: filepath.Base(filepath.Dir(path)), base: strings.TrimSuffix(path, ".pmml")}
		c.Name = c.Kind + "/" + filepath.Base(c.base)
		if c.Document, err = os.ReadFile(path); err != nil {
			return err
		}
		if !strings.Contains(c.Name, only) {
			return nil
		}
		out = append(out, c)
		return nil
	})
	return out, err
}

// Sum identifies the document and rows that were answered.
func (c *Case) Sum() string {
	h := sha256.New()
	h.Write(c.Document)
	for _, r := range c.Rows {
		h.Write(r)
		h.Write([]byte{'\n'})
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// Path is the document's.
func (c *Case) Path() string { return c.base + ".pmml" }

// Answers reads JPMML's answers. It is an error if they are not there, or are to another text.
func (c *Case) Answers() ([]Answer, error) {
	b, err := os.ReadFile(c.base + ".jpmml.jsonl")
	if err != nil {
		return nil, fmt.Errorf("%w: run make pmml-golden", err)
	}
	lines := Lines(b)
	var head struct{ Of string }
	if len(lines) == 0 || json.Unmarshal(lines[0], &head) != nil || head.Of != c.Sum() || len(lines) != len(c.Rows)+1 {
		return nil, fmt.Errorf("%s.jpmml.jsonl answers another document or other rows: run make pmml-golden", c.base)
	}
	var out []Answer
	for i, l := range lines[1:] {
		a, err := Parse(l)
		if err != nil {
			return nil, fmt.Errorf("%s.jpmml.jsonl, line %d: %w", c.base, i+2, err)
		}
		out = append(out, a)
	}
	return out, nil
}

// Write stores JPMML's answers.
func (c *Case) Write(answers [][]byte) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"of\":%q,\"jpmml\":%q}\n", c.Sum(), Version)
	for _, a := range answers {
		b.Write(a)
		b.WriteByte('\n')
	}
	return os.WriteFile(c.base+".jpmml.jsonl", b.Bytes(), 0o644)
}

// Renote writes the answers of individual rows' notes again, as narrow as they can be, and drops those that JPMML gives too.
func (c *Case) Renote(row int, diffs []Diff, ours Answer) bool {
	for n := range c.Notes {
		key := strconv.Itoa(row + 1)
		if _, ok := c.Notes[n].Rows[key]; !ok {
			continue
		}
		why := c.Notes[n].Why
		delete(c.Notes[n].Rows, key)
		if len(diffs) > 0 {
			c.Add(why, row, diffs, ours, false)
		}
		return true
	}
	return false
}

// Add notes what is answered otherwise in row i, and whether make pmml-oracle leaves the document out.
func (c *Case) Add(why string, i int, diffs []Diff, ours Answer, notLive bool) {
	short := Answer{}
	for _, d := range diffs {
		switch {
		case d.Ours != "":
			short["error"] = d.Ours
		case d.Name != "":
			short[d.Name] = ours[d.Name]
		default:
			for k, v := range ours {
				if k != "_targets" {
					short[k] = v
				}
			}
		}
	}
	for n := range c.Notes {
		if c.Notes[n].Why == why {
			c.Notes[n].Rows[strconv.Itoa(i+1)] = json.RawMessage(short.String())
			return
		}
	}
	c.Notes = append(c.Notes, Note{Why: why, Rows: map[string]json.RawMessage{strconv.Itoa(i + 1): json.RawMessage(short.String())}, NotLive: notLive})
}

// WriteNotes stores the notes, a row a line.
func (c *Case) WriteNotes() error {
	c.Notes = slices.DeleteFunc(c.Notes, func(n Note) bool { return len(n.Rows) == 0 && n.Tolerance == 0 })
	if len(c.Notes) == 0 {
		return os.Remove(c.base + ".notes.json")
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(c.Notes); err != nil {
		return err
	}
	text := regexp.MustCompile(`(?s)("[0-9*]+": )\{(.*?)\n   \}`).ReplaceAllStringFunc(b.String(), func(s string) string {
		return strings.Join(strings.Fields(s), " ")
	})
	return os.WriteFile(c.base+".notes.json", []byte(text), 0o644)
}

// Exact are the kinds whose answers are compared to the last bit.
var Exact = []string{"Tree", "RuleSet", "Association"}

// Tolerance is the largest relative difference allowed.
func (c *Case) Tolerance() float64 {
	for _, n := range c.Notes {
		if n.Tolerance > 0 {
			return n.Tolerance
		}
	}
	if slices.Contains(Exact, c.Kind) {
		return 0
	}
	return 1e-12
}

// Noted is what the notes say of row i, from 0.
func (c *Case) Noted(i int) (json.RawMessage, bool) {
	for _, key := range []string{strconv.Itoa(i + 1), "*"} {
		for _, n := range c.Notes {
			if a, ok := n.Rows[key]; ok {
				return a, true
			}
		}
	}
	return nil, false
}

// Judge compares this engine's answer to row i with JPMML's, or, where a note
// says otherwise, with the note. It returns what is wrong, "" if nothing, and
// the largest relative difference. Where neither engine answers they agree.
func (c *Case) Judge(i int, jpmml, ours Answer) (wrong string, worst float64) {
	words, failed := ours.Failed()
	note, noted := c.Noted(i)
	if !noted {
		return first(c.Differences(jpmml, ours))
	}
	var want Answer
	if err := json.Unmarshal(note, &want); err != nil {
		return "the note is no answer: " + err.Error(), 0
	}
	if part, ok := want["error"].(string); ok {
		if !failed || !strings.Contains(words, part) {
			return fmt.Sprintf("want an error with %q, got %s", part, ours), 0
		}
		return "", 0
	}
	if failed {
		return "want an answer, got the error: " + words, 0
	}
	diffs, worst := c.Differences(jpmml, ours)
	if len(diffs) == 0 {
		return "the note is needless: JPMML answers the same", 0
	}
	noticed := map[string]bool{}
	for _, d := range diffs {
		if _, ok := want[d.Name]; !ok && d.Name != "" {
			return d.String() + "; the note does not speak of it", worst
		}
		noticed[d.Name] = true
	}
	if !noticed[""] {
		for name := range want {
			if name != "_targets" && !noticed[name] {
				return fmt.Sprintf("the note is needless at %s: JPMML answers the same", name), worst
			}
		}
	}
	got := Answer{}
	for name := range want {
		got[name] = ours[name]
	}
	return first(Compare(want, got, c.Tolerance()))
}

func first(diffs []Diff, worst float64) (string, float64) {
	if len(diffs) == 0 {
		return "", worst
	}
	return diffs[0].String(), worst
}

// Differences are where this engine answers otherwise than JPMML. Where an
// output alone keeps JPMML from answering, all the rest is compared.
func (c *Case) Differences(jpmml, ours Answer) (diffs []Diff, worst float64) {
	words, failed := ours.Failed()
	theirs, theyFailed := jpmml.Failed()
	switch {
	case failed && theyFailed:
		return nil, 0
	case failed:
		return []Diff{{Ours: words}}, 0
	case !theyFailed:
		return Compare(jpmml, ours, c.Tolerance())
	}
	parts, _ := jpmml["parts"].(map[string]any)
	bare, ok := parts[""].(map[string]any)
	if !ok {
		return []Diff{{Words: theirs, Got: map[string]any(ours)}}, 0
	}
	want, got, of := Answer{}, Answer{"_targets": ours["_targets"]}, map[string]any{}
	for name, v := range bare {
		if _, hidden := parts[name]; !hidden && name != "_targets" {
			want[name], got[name] = v, ours[name]
		}
	}
	targets, _ := bare["_targets"].(map[string]any)
	for name, d := range targets {
		if _, hidden := parts[name]; !hidden {
			of[name] = d
		}
	}
	want["_targets"] = of
	for name, v := range parts {
		part, _ := v.(map[string]any)
		if words, bad := Answer(part).Failed(); bad && name != "" {
			diffs = append(diffs, Diff{At: name, Name: name, Words: words, Got: ours[name]})
		} else if name != "" {
			want[name], got[name] = v, ours[name]
		}
	}
	slices.SortFunc(diffs, func(a, b Diff) int { return strings.Compare(a.At, b.At) })
	more, worst := Compare(want, got, c.Tolerance())
	return append(diffs, more...), worst
}

// NotLive is why the document is made to show a difference, "" if it is not.
func (c *Case) NotLive() string {
	for _, n := range c.Notes {
		if n.NotLive {
			return n.Why
		}
	}
	return ""
}

func (a Answer) String() string {
	b, _ := json.Marshal(map[string]any(a))
	return string(b)
}
