// Package docs holds the documentation to the code.
package docs

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "github.com/mudpulse/mudpulse/"

type rule struct{ may, never []string }

// rules reads the import table out of architecture.md.
func rules(t *testing.T) map[string]rule {
	t.Helper()
	page, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(page), "\n## Imports\n")
	if !ok {
		t.Fatal("architecture.md has no section Imports")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	out := map[string]rule{}
	for line := range strings.Lines(table) {
		cell := strings.Split(strings.TrimSpace(line), "|")
		if len(cell) != 5 || strings.Contains(line, "---") || strings.Contains(line, "may import") {
			continue
		}
		out[strings.TrimSpace(cell[1])] = rule{strings.Fields(cell[2]), strings.Fields(cell[3])}
	}
	if len(out) < 9 {
		t.Fatalf("read only %d rows of the table", len(out))
	}
	return out
}

func TestImportsAreThoseOfTheTable(t *testing.T) {
	rules := rules(t)
	cmd := exec.Command("go", "list", "-e", "-deps", "-test", "-json=ImportPath,ForTest,Imports,Deps", "work")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	module := func(path string) string {
		m, _, _ := strings.Cut(strings.TrimPrefix(path, root), "/")
		m, _, _ = strings.Cut(m, " ")
		return strings.TrimSuffix(strings.TrimSuffix(m, ".test"), "_test")
	}
	seen := 0
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, ForTest string
			Imports, Deps       []string
		}
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from, ours := strings.CutPrefix(p.ImportPath, root)
		if !ours {
			continue
		}
		seen++
		own := module(p.ImportPath)
		r, ok := rules[own]
		if !ok {
			t.Errorf("%s: module %s has no row in architecture.md", from, own)
			continue
		}
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, root) && module(imp) != own && !slices.Contains(r.may, module(imp)) {
				t.Errorf("%s imports %s: not in architecture.md", from, imp)
			}
		}
		for _, dep := range p.Deps {
			if strings.HasPrefix(dep, root) && slices.Contains(rules[from].never, module(dep)) {
				t.Errorf("%s reaches %s: architecture.md says never", from, dep)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("go list named only %d of our packages", seen)
	}
}

func TestModulesThatOthersImportAloneReplaceAllTheyReach(t *testing.T) {
	mods, err := filepath.Glob("../*/go.mod")
	if err != nil || len(mods) < 9 {
		t.Fatalf("%d modules, %v", len(mods), err)
	}
	needs, text := map[string][]string{}, map[string][]byte{}
	for _, m := range mods {
		b, err := os.ReadFile(m)
		if err != nil {
			t.Fatal(err)
		}
		own := filepath.Base(filepath.Dir(m))
		text[own] = b
		for _, x := range regexp.MustCompile(`(?m)^\s*`+root+`(\w+) v0\.0\.0`).FindAllStringSubmatch(string(b), -1) {
			needs[own] = append(needs[own], x[1])
			if !regexp.MustCompile(root + x[1] + ` => \.\./` + x[1]).Match(b) {
				t.Errorf("%s requires %s and does not replace it", own, x[1])
			}
		}
	}
	for own, direct := range needs {
		for _, d := range direct {
			for _, far := range needs[d] {
				if far != own && !bytes.Contains(text[own], []byte(root+far+" => ../"+far+"\n")) {
					t.Errorf("%s reaches %s through %s and does not replace it", own, far, d)
				}
			}
		}
	}
}

// Every relative link in a page of ours leads somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	pages, _ := filepath.Glob("*.md")
	for _, g := range []string{"adr/*.md", "../README.md", "../*/README.md", "benchmarks/*.md"} {
		more, _ := filepath.Glob(g)
		pages = append(pages, more...)
	}
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: link to %s leads nowhere", page, m[1])
			}
		}
	}
}

func TestTheIndexListsEveryDecision(t *testing.T) {
	index, err := os.ReadFile("adr/README.md")
	if err != nil {
		t.Fatal(err)
	}
	adrs, _ := filepath.Glob("adr/0*.md")
	if len(adrs) == 0 {
		t.Fatal("no decisions")
	}
	for _, a := range adrs {
		b, err := os.ReadFile(a)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"Status:", "## Context", "## Decision", "## Consequences", "## Checked by"} {
			if !strings.Contains(string(b), part) {
				t.Errorf("%s: has no %s", a, part)
			}
		}
		if !strings.Contains(string(index), "("+filepath.Base(a)+")") {
			t.Errorf("%s is not in adr/README.md", a)
		}
	}
}

// A promise without its test is a wish: every test named in promises.md exists.
func TestPromisesNameTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("promises.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
	if len(names) < 20 {
		t.Fatalf("promises.md names only %d tests", len(names))
	}
	have := map[string]bool{}
	err = filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != "..") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(b), -1) {
			have[m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if !have[n[1]] {
			t.Errorf("promises.md names %s, which does not exist", n[1])
		}
	}
}

// What docs/operations.md tells to watch and to set is there under that name.
func TestOperationsNamesWhatIsThere(t *testing.T) {
	var pages []byte
	for _, name := range []string{"operations.md", "security.md", "backup.md"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, b...)
	}
	var code bytes.Buffer
	for _, dir := range []string{"../services", "../gateway"} {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			code.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for _, m := range regexp.MustCompile("`((?:gateway|writer|scorer|api|notify)_[a-z_]+)`").FindAllSubmatch(pages, -1) {
		seen++
		_, rest, _ := strings.Cut(string(m[1]), "_") // what prefixes it is said once in the code
		if !bytes.Contains(code.Bytes(), []byte(`"`+string(m[1])+`"`)) && !bytes.Contains(code.Bytes(), []byte(`"`+rest+`"`)) {
			t.Errorf("no metric is called %s", m[1])
		}
	}
	settings := strings.ToLower(code.String())
	for _, m := range regexp.MustCompile("--([a-z][a-z-]*[a-z])").FindAllSubmatch(pages, -1) {
		seen++
		if name := string(m[1]); !strings.Contains(settings, `name:"`+name+`"`) && !regexp.MustCompile(`(?m)^\s*`+strings.ReplaceAll(name, "-", "")+`\s+[^\n]*\x60`).MatchString(settings) {
			t.Errorf("no setting or flag is called --%s", name)
		}
	}
	if seen < 40 {
		t.Errorf("only %d names were looked for", seen)
	}
}
