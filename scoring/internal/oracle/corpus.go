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
	Why       string                     `json:"why"`       // a heading's id in docs/pmml-semantics.md
	Rows      map[string]json.RawMessage `json:"rows"`      // by line of the rows file, from 1, "*" all others: the answer; {"error":"part of its words"}
	Tolerance float64                    `json:"tolerance"` // of the whole case, where it is not its kind's
}

// Cases reads the corpus under root, in order.
func Cases(root string) ([]*Case, error) {
	var out []*Case
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".pmml") {
			return err
		}
		c := &Case{Kind: filepath.Base(filepath.Dir(path)), base: strings.TrimSuffix(path, ".pmml")}
		c.Name = c.Kind + "/" + filepath.Base(c.base)
		if c.Document, err = os.ReadFile(path); err != nil {
			return err
		}
		rows, err := os.ReadFile(c.base + ".rows.jsonl")
		if err != nil {
			return err
		}
		c.Rows = Lines(rows)
		notes, err := os.ReadFile(c.base + ".notes.json")
		if err == nil {
			d := json.NewDecoder(bytes.NewReader(notes))
			d.DisallowUnknownFields()
			err = d.Decode(&c.Notes)
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err != nil {
			return fmt.Errorf("%s.notes.json: %w", c.base, err)
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

// Judge compares this engine's answer to row i with JPMML's, or with the
// note's where there is one. It returns what is wrong, "" if nothing, and the
// largest relative difference. Where neither engine answers they agree.
func (c *Case) Judge(i int, jpmml, ours Answer) (wrong string, worst float64) {
	words, failed := ours.Failed()
	theirs, theyFailed := jpmml.Failed()
	note, noted := c.Noted(i)
	if noted {
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
		if !theyFailed {
			if d, _ := Compare(jpmml, ours, c.Tolerance()); d == "" {
				return "the note is needless: JPMML answers the same", 0
			}
		}
		return Compare(want, ours, c.Tolerance())
	}
	switch {
	case failed && theyFailed:
		return "", 0
	case failed:
		return "JPMML answers, we do not: " + words, 0
	case theyFailed:
		return fmt.Sprintf("JPMML does not answer (%s), we do and no note says why: %s", theirs, ours), 0
	}
	return Compare(jpmml, ours, c.Tolerance())
}

func (a Answer) String() string {
	b, _ := json.Marshal(map[string]any(a))
	return string(b)
}
