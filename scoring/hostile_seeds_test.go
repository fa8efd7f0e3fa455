package scoring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// smallDocuments are one document of each kind and first word of the name.
func smallDocuments(tb testing.TB, root string, most int64) [][]byte {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(root, "*", "*.pmml"))
	if err != nil || len(files) == 0 {
		tb.Fatal("the corpus is not here: ", err)
	}
	seen := map[string]bool{}
	var out [][]byte
	for _, f := range files {
		word, _, _ := strings.Cut(filepath.Base(f), "-")
		key := filepath.Dir(f) + word
		if info, err := os.Stat(f); err != nil || info.Size() > most || seen[key] {
			continue
		}
		seen[key] = true
		b, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}
