package oracle

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Generate makes n rows for a document, the same for the same seed: values
// that its own text speaks of (declared values, margins, thresholds and their
// neighbours, rows of its ModelVerification), values between them, and such as
// are missing, invalid, of another type, out of range or far out.
func Generate(document []byte, n int, seed uint64) ([][]byte, error) {
	g, err := read(document)
	if err != nil {
		return nil, err
	}
	g.r = rand.New(rand.NewPCG(seed, 4)) //nolint:gosec // rows of a test
	out := make([][]byte, n)
	for i := range out {
		row := map[string]any{}
		var base map[string]string
		if len(g.verified) > 0 && g.r.IntN(2) == 0 {
			base = g.verified[g.r.IntN(len(g.verified))]
		}
		gone, dirty := 0.0, 0.0
		switch i % 10 {
		case 5, 6:
			gone = 0.3
		case 7:
			gone, dirty = 0.1, 0.1
		case 8:
			dirty = 0.25
		case 9:
			gone = 0.7
		}
		for _, f := range g.fields {
			v := g.value(f, base)
			switch {
			case g.targets[f.name] && g.r.IntN(2) == 0, g.r.Float64() < gone:
				if g.r.IntN(3) > 0 {
					continue // absent
				}
				v = nil
			case g.r.Float64() < dirty:
				v = g.dirt(f)
			}
			row[f.name] = v
		}
		if out[i], err = json.Marshal(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// generator is what a document says of its inputs.
type generator struct {
	r        *rand.Rand
	fields   []*inputField
	byName   map[string]*inputField
	targets  map[string]bool
	numbers  []float64 // constants anywhere in the document
	words    []string
	verified []map[string]string
}

type inputField struct {
	name, dataType, optype string
	valid, bad             []string // declared values; invalid and missing ones
	said                   []string // constants that stand beside the field's name
	low, high              float64
	list                   bool
}

const mostConstants = 4000

// read collects the generator from the document's text.
func read(document []byte) (*generator, error) {
	g := &generator{byName: map[string]*inputField{}, targets: map[string]bool{}}
	d := xml.NewDecoder(bytes.NewReader(document))
	d.CharsetReader = nil
	var field []string // by depth: the field that the elements inside speak of
	var text strings.Builder
	var cells map[string]string
	inTable, active, columns := "", map[string]bool{}, map[string]string{}
	models := 0
	for {
		tok, err := d.RawToken()
		if tok == nil && err != nil {
			break
		}
		switch t := tok.(type) {
		case xml.StartElement:
			a := map[string]string{}
			for _, x := range t.Attr {
				if x.Name.Space == "" || x.Name.Space == "x" {
					a[x.Name.Local] = x.Value
				}
			}
			name := t.Name.Local
			inside := ""
			if len(field) > 0 {
				inside = field[len(field)-1]
			}
			if f := a["field"]; f != "" {
				inside = f
			}
			switch name {
			case "DataField":
				f := &inputField{name: a["name"], dataType: a["dataType"], optype: a["optype"], low: math.Inf(1), high: math.Inf(-1)}
				g.fields = append(g.fields, f)
				g.byName[f.name] = f
				inside = f.name
			case "MiningSchema":
				models++
			case "MiningField":
				inside = a["name"]
				if u := a["usageType"]; u == "target" || u == "predicted" {
					if models == 1 {
						g.targets[inside] = true
					}
				} else {
					active[inside] = true
				}
				if f := g.byName[inside]; f != nil && a["usageType"] == "group" {
					f.list = false
				}
			case "NumericPredictor", "CategoricalPredictor", "ParameterField":
				inside = a["name"]
			case "PPCell":
				inside = a["predictorName"]
			case "BayesInput":
				inside = a["fieldName"]
			case "VerificationField":
				if columns[a["field"]] = a["column"]; a["column"] == "" {
					columns[a["field"]] = a["field"]
				}
			case "ModelVerification":
				inTable = "verification"
			case "row":
				if inTable != "" {
					cells = map[string]string{}
				}
			case "Value":
				if f := g.byName[inside]; f != nil && models == 0 {
					if p := a["property"]; p == "" || p == "valid" {
						f.valid = append(f.valid, a["value"])
					} else {
						f.bad = append(f.bad, a["value"])
					}
				}
			case "AssociationModel":
				for _, f := range g.fields {
					f.list = true
				}
			}
			for _, key := range []string{"value", "orig", "leftMargin", "rightMargin", "lowValue", "highValue", "missingValueReplacement", "mapMissingTo", "mean", "lower", "upper", "referencePoint", "time", "category"} {
				if v, ok := a[key]; ok && name != "Extension" {
					g.say(inside, v)
				}
			}
			field = append(field, inside)
			text.Reset()
		case xml.EndElement:
			s := strings.TrimSpace(text.String())
			switch name := t.Name.Local; {
			case name == "ModelVerification":
				inTable = ""
			case name == "row" && cells != nil:
				r := map[string]string{}
				for f, c := range columns {
					if v, ok := cells[c]; ok {
						r[f] = v
					}
				}
				g.verified = append(g.verified, r)
				cells = nil
			case cells != nil:
				cells[t.Name.Local] = s
			case name == "Array" || name == "REAL-Entries" || name == "Constant" || s != "" && len(s) < 60:
				for _, w := range words(s) {
					g.say(field[len(field)-1], w)
				}
			}
			field = field[:len(field)-1]
			text.Reset()
		case xml.CharData:
			if text.Len() < 1<<20 {
				text.Write(t)
			}
		}
	}
	g.fields = slices.DeleteFunc(g.fields, func(f *inputField) bool { return !active[f.name] && !g.targets[f.name] })
	if len(g.fields) == 0 {
		return nil, fmt.Errorf("the document has no active field")
	}
	return g, nil
}

// words splits an Array's text, with quotes.
func words(s string) []string {
	var out []string
	for s = strings.TrimSpace(s); s != "" && len(out) < mostConstants; s = strings.TrimSpace(s) {
		if s[0] == '"' {
			if end := strings.IndexByte(s[1:], '"'); end >= 0 {
				out = append(out, s[1:end+1])
				s = s[end+2:]
				continue
			}
		}
		w, rest, _ := strings.Cut(s, " ")
		out = append(out, strings.TrimSpace(w))
		s = rest
	}
	return out
}

func (g *generator) say(field, v string) {
	x, err := strconv.ParseFloat(v, 64)
	ok := err == nil && !math.IsInf(x, 0) && !math.IsNaN(x)
	if f := g.byName[field]; f != nil {
		if len(f.said) < mostConstants {
			f.said = append(f.said, v)
		}
		if ok {
			f.low, f.high = min(f.low, x), max(f.high, x)
		}
		return
	}
	if ok && len(g.numbers) < mostConstants {
		g.numbers = append(g.numbers, x)
	} else if !ok && len(g.words) < mostConstants {
		g.words = append(g.words, v)
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// value is one that the field may well have.
func (g *generator) value(f *inputField, base map[string]string) any {
	if v, ok := base[f.name]; ok && g.r.IntN(4) > 0 {
		return f.typed(v)
	}
	if f.list {
		var out []any
		for range g.r.IntN(4) {
			out = append(out, g.one(f))
		}
		if out == nil {
			return nil
		}
		return out
	}
	return g.one(f)
}

func (g *generator) one(f *inputField) any {
	if len(f.valid) > 0 && g.r.IntN(20) > 0 {
		return f.typed(pick(g.r, f.valid))
	}
	switch f.dataType {
	case "string":
		switch {
		case len(f.said) > 0 && g.r.IntN(8) > 0:
			return pick(g.r, f.said)
		case len(g.words) > 0 && g.r.IntN(8) > 0:
			return pick(g.r, g.words)
		}
		return pick(g.r, []string{"a", "b", "other", ""})
	case "boolean":
		return g.r.IntN(2) == 0
	case "date", "dateDaysSince[0]", "dateDaysSince[1960]", "dateDaysSince[1970]", "dateDaysSince[1980]":
		return fmt.Sprintf("20%02d-%02d-%02d", 10+g.r.IntN(20), 1+g.r.IntN(12), 1+g.r.IntN(28))
	case "time", "timeSeconds":
		return fmt.Sprintf("%02d:%02d:%02d", g.r.IntN(24), g.r.IntN(60), g.r.IntN(60))
	case "dateTime", "dateTimeSecondsSince[0]", "dateTimeSecondsSince[1960]", "dateTimeSecondsSince[1970]", "dateTimeSecondsSince[1980]":
		return fmt.Sprintf("20%02d-%02d-%02dT%02d:%02d:%02d", 10+g.r.IntN(20), 1+g.r.IntN(12), 1+g.r.IntN(28), g.r.IntN(24), g.r.IntN(60), g.r.IntN(60))
	}
	x := g.number(f)
	if f.dataType == "integer" {
		return math.Round(x)
	}
	return x
}

// number is a constant of the document, its neighbour, or one between.
func (g *generator) number(f *inputField) float64 {
	c := g.r.IntN(10)
	if c < 5 && len(f.said) > 0 || c < 3 && len(g.numbers) > 0 {
		var x float64
		if len(f.said) > 0 && (len(g.numbers) == 0 || g.r.IntN(4) > 0) {
			x, _ = strconv.ParseFloat(pick(g.r, f.said), 64)
		} else {
			x = pick(g.r, g.numbers)
		}
		if math.IsInf(x, 0) || math.IsNaN(x) || math.Abs(x) > 1e300 {
			x = 0
		}
		switch g.r.IntN(6) {
		case 0:
			return math.Nextafter(x, math.Inf(1))
		case 1:
			return math.Nextafter(x, math.Inf(-1))
		case 2:
			return float64(math.Nextafter32(float32(x), float32(math.Inf(-1))))
		}
		return x
	}
	low, high := f.low, f.high
	if !(low < high) {
		low, high = -3, 3
	}
	if c == 9 {
		low, high = low-(high-low), high+(high-low)
	}
	x := low + (high-low)*g.r.Float64()
	switch g.r.IntN(4) {
	case 0:
		return math.Round(x)
	case 1:
		return math.Round(x*100) / 100
	}
	return x
}

// dirt is a value that the field should not have.
func (g *generator) dirt(f *inputField) any {
	if len(f.bad) > 0 && g.r.IntN(2) == 0 {
		return f.typed(pick(g.r, f.bad))
	}
	switch f.dataType {
	case "string":
		return pick(g.r, []any{"nobody declared this", "", " ", "A"})
	case "boolean":
		return pick(g.r, []any{"true", "false", "maybe", 1, 0, 2})
	case "integer":
		return pick(g.r, []any{1.5, "7", "seven", 1e6, -1e6, "2.0", true})
	case "double", "float":
		return pick(g.r, []any{1e9, -1e9, "1.5", "one", "NaN", "1e3", 123456789, -0.0, "INF", 1e-300})
	}
	return pick(g.r, []any{"yesterday", "2020-13-41"})
}

// typed gives the text as JSON has it: a number for a number's field.
func (f *inputField) typed(s string) any {
	switch f.dataType {
	case "integer", "float", "double":
		if x, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(x, 0) && !math.IsNaN(x) {
			return x
		}
	case "boolean":
		if s == "true" || s == "false" {
			return s == "true"
		}
	}
	return s
}
