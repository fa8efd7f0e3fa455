package scoring

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// textIndex is how often a term stands in a text. PMML 4.4.1, TextIndex.
type textIndex struct {
	text   expr
	term   expr
	weight string // localTermWeights
	split  splitter
	steps  []textStep
	exact  bool // isCaseSensitive
	near   int  // maxLevenshteinDistance
	best   bool // countHits="bestHits"
}

// splitter cuts a text into words: at a separator, or where a pattern finds them.
type splitter struct {
	between *regexp.Regexp
	words   *regexp.Regexp
	whole   bool // tokenize="false": the term is looked for anywhere
}

// textStep is a TextIndexNormalization.
type textStep struct {
	rows      []textRow
	recursive bool
}

type textRow struct {
	find *pattern
	to   template
}

// Bounds of a TextIndex, beside maxText.
const (
	maxNormalizations = 100     // rounds of a recursive one
	maxWords          = 200_000 // of a text
	maxDistance       = 100
)

func (b *binder) textIndex(s *scope, e *element) expr {
	t := &textIndex{weight: e.get("localTermWeights"), exact: e.get("isCaseSensitive") == "true", best: e.get("countHits") == "bestHits"}
	switch t.weight {
	case "":
		t.weight = "termFrequency"
	case "termFrequency", "binary", "logarithmic", "augmentedNormalizedTermFrequency":
	default:
		b.bad.add(e, "", fmt.Sprintf("localTermWeights=%q is none", clip(t.weight)), "want termFrequency, binary, logarithmic or augmentedNormalizedTermFrequency")
	}
	if h := e.get("countHits"); h != "" && h != "allHits" && h != "bestHits" {
		b.bad.add(e, "", fmt.Sprintf("countHits=%q is none", clip(h)), "want allHits or bestHits")
	}
	near := b.numAttr(e, "maxLevenshteinDistance", 0)
	if near != math.Trunc(near) || near < 0 || near > maxDistance {
		b.bad.add(e, "", fmt.Sprintf("maxLevenshteinDistance=%q", clip(e.get("maxLevenshteinDistance"))), fmt.Sprintf("want 0 to %d", maxDistance))
		near = 0
	}
	t.near = int(near)
	t.split = b.splitter(e, nil)
	t.text = b.fieldRef(s, &element{name: e.name, line: e.line, col: e.col, parent: e.parent, attrs: []attr{{"field", e.get("textField")}}})
	t.term = b.expression(s, expressionOf(e))
	for _, k := range e.all("TextIndexNormalization") {
		t.steps = append(t.steps, b.normalization(e, k, t))
	}
	return t
}

// splitter reads wordSeparatorCharacterRE, tokenize and jpmml's x-wordRE.
func (b *binder) splitter(e, outer *element) splitter {
	get := func(key, otherwise string) string {
		for _, x := range []*element{e, outer} {
			if x != nil {
				if v, ok := x.lookup(key); ok {
					return v
				}
			}
		}
		return otherwise
	}
	re := func(key, s string) *regexp.Regexp {
		p, err := compile(s)
		if err != nil {
			b.bad.add(e, "", fmt.Sprintf("%s=%q: %v", key, clip(s), err), "write the pattern otherwise, without it")
			return regexp.MustCompile(`\s+`)
		}
		return p.re
	}
	out := splitter{whole: get("tokenize", "true") == "false"}
	if w := get("x-wordRE", ""); w != "" {
		out.words = re("x-wordRE", w)
		return out
	}
	out.between = re("wordSeparatorCharacterRE", get("wordSeparatorCharacterRE", `\s+`))
	return out
}

// normalization reads a table of texts and what stands for them.
func (b *binder) normalization(outer, e *element, t *textIndex) textStep {
	step := textStep{recursive: e.get("recursive") == "true"}
	if e.get("maxLevenshteinDistance") != "" && e.get("maxLevenshteinDistance") != "0" {
		b.bad.refuse(e, "maxLevenshteinDistance of a TextIndexNormalization")
	}
	named := func(key, otherwise string) string {
		if v := e.get(key); v != "" {
			return columnName(v)
		}
		return otherwise
	}
	in, out, flag := named("inField", "string"), named("outField", "stem"), named("regexField", "regex")
	exact := t.exact
	if v, ok := e.lookup("isCaseSensitive"); ok {
		exact = v == "true"
	}
	split := b.splitter(e, outer)
	table := e.first("InlineTable")
	if table == nil {
		b.bad.add(e, "", "the TextIndexNormalization has no InlineTable", "a TableLocator is not followed: put the rows into the document")
	}
	for _, k := range table.all("row") {
		c := cells(k)
		find := c[in]
		if find == "" {
			b.bad.add(k, "", fmt.Sprintf("a row has no %s", clip(in)), "give it one")
			continue
		}
		to := c[out]
		if c[flag] != "true" {
			literal := find
			find, to = regexp.QuoteMeta(find), strings.NewReplacer(`\`, `\\`, `$`, `$$`).Replace(to)
			if !split.whole { // a word, or several
				if isWord(literal[0]) {
					find = `\b` + find
				}
				if isWord(literal[len(literal)-1]) {
					find += `\b`
				}
			}
		}
		if !exact {
			find = `(?i)` + find
		}
		p, err := compile(find)
		if err != nil {
			b.bad.add(k, "", fmt.Sprintf("pattern %q: %v", clip(c[in]), err), "write the pattern otherwise, without it")
			continue
		}
		tpl, err := p.template(to)
		if err != nil {
			b.bad.add(k, "", err.Error(), "groups are counted from 1")
			continue
		}
		step.rows = append(step.rows, textRow{p, tpl})
	}
	return step
}

// isWord tells the letters that \b knows.
func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// normal applies the normalizations in order.
func (t *textIndex) normal(r *row, s string) (string, bool) {
	for i := range t.steps {
		for round := 0; ; round++ {
			before := s
			for _, x := range t.steps[i].rows {
				var ok bool
				if s, ok = x.find.replace(s, x.to); !ok {
					r.fail("", KindMath, "a TextIndexNormalization makes a text longer than %d bytes", maxText)
					return "", false
				}
			}
			if !t.steps[i].recursive || s == before {
				break
			}
			if round == maxNormalizations {
				r.fail("", KindMath, "a recursive TextIndexNormalization comes to no end in %d rounds", maxNormalizations)
				return "", false
			}
		}
	}
	return s, true
}

func (t *textIndex) eval(r *row) value {
	tv, wv := t.text.eval(r), t.term.eval(r)
	if tv.k == missing || wv.k == missing {
		return none
	}
	if len(tv.lexical()) > maxText {
		return r.fail("", KindMath, "a text is longer than %d bytes", maxText)
	}
	text_, ok := t.normal(r, tv.lexical())
	if !ok {
		return none
	}
	term, ok := t.normal(r, wv.lexical())
	if !ok {
		return none
	}
	if !t.exact {
		text_, term = strings.ToLower(text_), strings.ToLower(term)
	}
	words, wanted := t.split.cut(text_), t.split.cut(term)
	if t.split.whole {
		if term == "" || t.near > 0 && len(text_) > 10_000 {
			return num(0)
		}
		words, wanted = runes(text_), runes(term)
	}
	if len(words) > maxWords {
		return r.fail("", KindMath, "a text has more than %d words", maxWords)
	}
	f := float64(t.count(words, wanted))
	switch t.weight {
	case "binary":
		if f > 0 {
			f = 1
		}
		return whole(f)
	case "logarithmic":
		return num(portable.Log10(1 + f))
	case "augmentedNormalizedTermFrequency":
		if f == 0 {
			return num(0)
		}
		return num(0.5 * (1 + f/mostFrequent(words)))
	}
	return whole(f)
}

// cut makes words, without the punctuation around them.
func (s splitter) cut(x string) []string {
	if s.whole {
		return nil
	}
	if s.words != nil {
		return s.words.FindAllString(x, -1)
	}
	var out []string
	for _, w := range s.between.Split(x, -1) {
		if w = strings.TrimFunc(w, unicode.IsPunct); w != "" {
			out = append(out, w)
		}
	}
	return out
}

func runes(s string) []string {
	out := make([]string, 0, len(s))
	for _, r := range s {
		out = append(out, string(r))
	}
	return out
}

// count is how many places of the text hold the term, word by word, at a
// distance of no more than near in all.
func (t *textIndex) count(words, term []string) int {
	if len(term) == 0 {
		return 0
	}
	hits, best := 0, t.near
	for i := 0; i+len(term) <= len(words); i++ {
		d := 0
		for j, w := range term {
			if w != words[i+j] {
				if t.near == 0 {
					d = 1
				} else if t.split.whole {
					d++
				} else {
					d += levenshtein([]rune(w), []rune(words[i+j]), best-d)
				}
			}
			if d > best {
				break
			}
		}
		switch {
		case d > best:
		case t.best && d < best:
			hits, best = 1, d
		default:
			hits++
		}
	}
	return hits
}

// levenshtein is the distance of two words, or more than most.
func levenshtein(a, b []rune, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most || most < 0 {
		return most + 1
	}
	prev, cur := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			c := prev[j-1]
			if a[i-1] != b[j-1] {
				c++
			}
			cur[j] = min(c, prev[j]+1, cur[j-1]+1)
			least = min(least, cur[j])
		}
		if least > most {
			return most + 1
		}
		prev, cur = cur, prev
	}
	return prev[len(b)]
}

func mostFrequent(words []string) float64 {
	counts := map[string]int{}
	most := 0
	for _, w := range words {
		counts[w]++
		most = max(most, counts[w])
	}
	return float64(most)
}
