package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ran says of each command that README and docs/ show which test runs it, or why none does.
var ran = map[string]string{
	"mudpulse gateway":       "TestTrySaysWhatWouldBecomeOfAMessage",
	"make run":               "TestOneProcessCarriesTheWholeFlow",
	"make test":              "it is what runs the tests",
	"make bench-gateway":     "a measurement: minutes of all cores",
	"mudpulse run":           "TestOneProcessCarriesTheWholeFlow",
	"mudpulse link":          "TestARestoredPlatformGoesOnWhereItsBackupStood",
	"mudpulse device":        "TestOneProcessCarriesTheWholeFlow",
	"mudpulse config":        "TestAFlagBeatsTheEnvironmentBeatsTheFileBeatsTheDefault",
	"mudpulse model":         "TestTheEngineersRoadOnCMAPSS",
	"mudpulse labels":        "TestTheEngineersRoadOnCMAPSS",
	"mudpulse channel":       "TestTheEngineersRoadOnCMAPSS",
	"mudpulse export":        "TestTheEngineersRoadOnCMAPSS",
	"mudpulse import":        "TestHistoryIsImportedBackedUpAndRestored",
	"mudpulse backup":        "TestARestoredPlatformGoesOnWhereItsBackupStood",
	"mudpulse restore":       "TestARestoredPlatformGoesOnWhereItsBackupStood",
	"mudpulse evaluate":      "TestTheSameSeedsGiveTheSameReportHoweverManyWorkers",
	"psql postgres:":         "TestAnalystsReadThroughTheirOwnClients",
	"python docs/train/cmap": "TestTheEngineersRoadOnCMAPSS",
	"python docs/train/ai4i": "TestTheEngineersRoadOnAI4I",
}

// Every command in a fenced block is run by a test that is there, or has a reason why not.
func TestEveryCommandOfTheDocsIsRunOrSaysWhyNot(t *testing.T) {
	tests := map[string]bool{}
	name := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != "..") {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range name.FindAllSubmatch(b, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for command, by := range ran {
		if strings.HasPrefix(by, "Test") && !tests[by] {
			t.Errorf("%s: there is no %s", command, by)
		}
	}
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`^(?:bin/)?(make [a-z-]+|mudpulse [a-z]+|psql [a-z]+:|python docs/train/[a-z0-9]{4})`)
	seen := 0
	for _, page := range append(append([]string{"../README.md"}, pages...), more...) {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		fenced := false
		for n, line := range strings.Split(string(b), "\n") {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
				continue
			}
			m := command.FindStringSubmatch(line)
			if !fenced || m == nil {
				continue
			}
			seen++
			if ran[m[1]] == "" {
				t.Errorf("%s:%d: no test runs %q, and nothing says why", page, n+1, m[1])
			}
		}
	}
	if seen < 35 {
		t.Errorf("only %d commands were found", seen)
	}
}
