package scoring_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/scoring/internal/oracle"
)

var update = flag.Bool("update-support", false, "write docs/pmml-support.md")

const supportFile = "../docs/pmml-support.md"

// state is what is known of an entry, and who says so.
type state struct{ word, by, reason string }

// Every element, attribute and enumerated value of PMML 4.4 is verified by a
// case that JPMML answers, worked by hand in a test that docs/pmml-semantics.md
// names, or refused by name at load; docs/pmml-support.md says which.
func TestEveryConstructOfPMMLHasAState(t *testing.T) {
	schema, err := oracle.ReadSchema("testdata/schema.tsv")
	if err != nil {
		t.Fatal(err)
	}
	s := &support{t: t, schema: schema, states: map[oracle.Entry]state{}, refused: map[oracle.Entry]string{}}
	s.readRefusals()
	s.verified()
	s.handWorked()
	for e, reason := range s.refused {
		if st, ok := s.states[e]; ok {
			t.Errorf("unsupported.tsv refuses %v, which is %s by %s: take it out", e, st.word, st.by)
		}
		s.states[e] = state{"refused", "unsupported.tsv", reason}
	}
	s.refusedAtLoad()
	open := 0
	for _, e := range schema.Entries() {
		if _, ok := s.states[e]; !ok {
			if open++; open <= 2000 {
				t.Errorf("%v has no state: add a case, or refuse it in unsupported.tsv", e)
			}
		}
	}
	text := s.table()
	if *update {
		if err := os.WriteFile(supportFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(supportFile)
	if err != nil {
		t.Fatal(err)
	}
	said := statesIn(have)
	for name, word := range statesIn(text) {
		switch {
		case said[name] == word:
		case said[name] == "refused", said[name] == "hand-worked" && word == "verified": // more is supported than is said
			t.Logf("%s says that %s is refused; it is %s", supportFile, name, word)
		default:
			t.Errorf("%s says that %s is %q; it is %s: go test ./scoring -run TestEveryConstruct -update-support", supportFile, name, said[name], word)
		}
	}
}

// statesIn reads the table: entry to state.
func statesIn(table []byte) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(string(table)) {
		if c := strings.Split(line, " | "); len(c) > 3 {
			out[strings.Trim(c[0], "|* ")] = c[1]
		}
	}
	return out
}

type support struct {
	t       *testing.T
	schema  *oracle.Schema
	states  map[oracle.Entry]state
	refused map[oracle.Entry]string
	cases   []*oracle.Case
	uses    []map[oracle.Entry]bool // by case
}

func entryOf(s string) oracle.Entry {
	e, rest, _ := strings.Cut(s, "@")
	a, v, _ := strings.Cut(rest, "=")
	return oracle.Entry{Element: e, Attribute: a, Value: v}
}

func (s *support) readRefusals() {
	b, err := os.ReadFile("unsupported.tsv")
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		entry, reason, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || reason == "" {
			s.t.Errorf("unsupported.tsv: %q has no reason", line)
		}
		s.refused[entryOf(entry)] = reason
	}
}

// verified reads the corpus: what a document says of which JPMML answers at
// least one row. TestCorpusScoresAsJPMMLDoes holds us to its answers.
func (s *support) verified() {
	cases, err := oracle.Cases(corpus, "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range cases {
		answers, err := c.Answers()
		if err != nil {
			s.t.Fatal(err)
		}
		s.cases = append(s.cases, c)
		used := s.schema.Used(c.Document)
		s.uses = append(s.uses, used)
		agreed := false
		for i, a := range answers {
			_, failed := a.Failed()
			_, noted := c.Noted(i)
			agreed = agreed || !failed && !noted
		}
		if !agreed {
			continue
		}
		for e := range used {
			if _, ok := s.states[e]; !ok {
				s.states[e] = state{word: "verified", by: c.Name}
			}
		}
	}
}

// handWorked reads the documents in the tests that the semantics' headings name.
func (s *support) handWorked() {
	b, err := os.ReadFile("../docs/pmml-semantics.md")
	if err != nil {
		s.t.Fatal(err)
	}
	heading, whose := "", map[string]string{}
	for line := range strings.Lines(string(b)) {
		if m := regexp.MustCompile(`^### ([a-z0-9-]+):`).FindStringSubmatch(line); m != nil {
			heading = m[1]
		}
		for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(line, -1) {
			if whose[name] == "" {
				whose[name] = heading
			}
		}
	}
	listed, err := os.ReadFile("testdata/handworked.tsv")
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(listed)) {
		if name, heading, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			whose[name] = heading
		}
	}
	names := make([]string, 0, len(whose))
	for name, heading := range whose {
		if !semantics(s.t)[heading] {
			s.t.Errorf("%s is of %q, which is no heading of docs/pmml-semantics.md", name, heading)
		}
		names = append(names, name)
	}
	sort.Strings(names)
	loads := loadedBy(s.t, names)
	for _, name := range names {
		if len(loads[name]) == 0 {
			s.t.Errorf("%s is said to be worked by hand, and loads no document", name)
		}
		for _, doc := range loads[name] {
			used := s.schema.Used([]byte(doc))
			s.cases = append(s.cases, &oracle.Case{Name: name, Document: []byte(doc)})
			s.uses = append(s.uses, used)
			for e := range used {
				if _, ok := s.states[e]; !ok {
					s.states[e] = state{word: "hand-worked", by: name, reason: whose[name]}
				}
			}
		}
	}
}

// record names the file to which a run of this binary writes what its tests load.
const record = "SCORING_RECORD_LOADS"

type loaded struct{ Test, Document string }

func TestMain(m *testing.M) {
	path := os.Getenv(record)
	if path == "" {
		os.Exit(m.Run())
	}
	f, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	e := json.NewEncoder(f)
	scoring.OnLoad(func(doc []byte) {
		mu.Lock()
		defer mu.Unlock()
		if err := e.Encode(loaded{runningTest(), string(doc)}); err != nil {
			panic(err)
		}
	})
	code := m.Run()
	f.Close()
	os.Exit(code)
}

// runningTest is the test on the stack, "" if none is.
func runningTest() string {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	for {
		fr, more := frames.Next()
		if m := regexp.MustCompile(`scoring(?:_test)?\.(Test\w+)`).FindStringSubmatch(fr.Function); m != nil && m[1] != "TestMain" {
			return m[1]
		}
		if !more {
			return ""
		}
	}
}

// loadedBy runs the tests in a process of their own and returns the documents that each loads.
func loadedBy(t *testing.T, names []string) map[string][]string {
	path := filepath.Join(t.TempDir(), "loads")
	cmd := exec.Command(os.Args[0], "-test.run=^("+strings.Join(names, "|")+")$")
	cmd.Env = append(os.Environ(), record+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the tests worked by hand do not pass: %v\n%s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, line := range oracle.Lines(b) {
		var l loaded
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		out[l.Test] = append(out[l.Test], l.Document)
	}
	return out
}

// refusedAtLoad tries what is left: put into a document of the corpus, it must
// be refused by its name; what stands only in what is refused goes with it.
func (s *support) refusedAtLoad() {
	tried := map[oracle.Entry]bool{}
	for range 5 { // elements within elements
		for _, e := range s.schema.Entries() {
			if _, ok := s.states[e]; ok {
				continue
			}
			if whole := s.states[oracle.Entry{Element: e.Element}]; e.Attribute != "" && whole.word == "refused" {
				s.states[e] = state{"refused", whole.by, "with " + e.Element}
				continue
			}
			if attr := s.states[oracle.Entry{Element: e.Element, Attribute: e.Attribute}]; e.Value != "" && attr.word == "refused" {
				s.states[e] = state{"refused", attr.by, "with the attribute"}
				continue
			}
			if e.Attribute == "" {
				parents := s.schema.Parents(e.Element)
				within := len(parents) > 0
				for _, p := range parents {
					within = within && s.states[oracle.Entry{Element: p}].word == "refused"
				}
				if within {
					s.states[e] = state{"refused", s.states[oracle.Entry{Element: parents[0]}].by, "with " + strings.Join(parents, ", ")}
					continue
				}
			}
			if tried[e] {
				continue
			}
			tried[e] = true
			if words, by := s.inject(e); words != "" {
				s.states[e] = state{"refused", "load of " + by, words}
			}
		}
	}
	for e := range s.refused {
		if words, _ := s.inject(e); words == "" && s.hosts(e) {
			s.t.Errorf("unsupported.tsv refuses %v, and a document that has it loads", e)
		}
	}
}

// hosts reports whether a document of the corpus could hold the entry.
func (s *support) hosts(e oracle.Entry) bool {
	return slices.ContainsFunc(s.uses, func(u map[oracle.Entry]bool) bool {
		if e.Attribute != "" {
			return u[oracle.Entry{Element: e.Element}]
		}
		return slices.ContainsFunc(s.schema.Parents(e.Element), func(p string) bool { return u[oracle.Entry{Element: p}] })
	})
}

// inject puts the entry into documents of the corpus until one is refused by
// the entry's name, and returns the reason; "" if none is.
func (s *support) inject(e oracle.Entry) (words, by string) {
	hosts := []string{e.Element}
	if e.Attribute == "" {
		hosts = s.schema.Parents(e.Element)
	}
	for _, at := range hosts {
		tried := 0
		for i, c := range s.cases {
			if len(c.Document) > 60_000 || tried >= 3 || !s.uses[i][oracle.Entry{Element: at}] {
				continue
			}
			doc, ok := insert(string(c.Document), at, e, s.schema.Sample(e))
			if !ok {
				continue
			}
			tried++
			_, err := scoring.Load(strings.NewReader(doc), scoring.WithoutVerification())
			for _, p := range scoring.Problems(err) {
				if names(p, e) {
					return p.Reason, c.Name
				}
			}
		}
	}
	return "", ""
}

// names reports whether the problem is the entry, by its name.
func names(p *scoring.LoadError, e oracle.Entry) bool {
	said := p.Element + ": " + p.Reason
	switch {
	case e.Attribute == "":
		return strings.Contains(said, e.Element) && strings.Contains(said, "not supported")
	case e.Value == "":
		return strings.Contains(said, e.Attribute) && strings.Contains(said, e.Element)
	}
	return strings.Contains(said, e.Value) && strings.Contains(said, e.Attribute)
}

// insert sets the attribute at the first element of that name, or puts the
// element into it as its first child.
func insert(doc, at string, e oracle.Entry, value string) (string, bool) {
	m := regexp.MustCompile(`<` + at + `((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(/?)>`).FindStringSubmatchIndex(doc)
	if m == nil {
		return "", false
	}
	attrs, empty := doc[m[2]:m[3]], m[4] < m[5]
	tail := ">"
	if e.Attribute != "" {
		attrs = regexp.MustCompile(`\s+`+regexp.QuoteMeta(e.Attribute)+`\s*=\s*("[^"]*"|'[^']*')`).ReplaceAllString(attrs, "")
		attrs += fmt.Sprintf(` %s="%s"`, e.Attribute, value)
		if empty {
			tail = "/>"
		}
	} else if tail = "><" + e.Element + "/>"; empty {
		tail += "</" + at + ">"
	}
	return doc[:m[0]] + "<" + at + attrs + tail + doc[m[1]:], true
}
