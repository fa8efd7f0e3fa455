package models

import (
	"bytes"
	"encoding/xml"
	"math"
	"regexp"
	"strconv"
)

// A document is what a PMML file says of its fields that scoring has no use for.
type document struct {
	units  map[string]string     // by field: what <Extension extender="mudpulse" name="unit" value="psi"/> says
	ranges map[string][2]float64 // by field or column: of its ModelVerification and ModelStats
	column map[string]string     // of the verification's fields
}

// seen returns the range of a field's values in the document's own rows.
func (d *document) seen(field string) (low, high float64, ok bool) {
	r, ok := d.ranges[field]
	if c, has := d.column[field]; has {
		if o, has := d.ranges[c]; has {
			if !ok {
				r = o
			}
			r, ok = [2]float64{min(r[0], o[0]), max(r[1], o[1])}, true
		}
	}
	return r[0], r[1], ok
}

func (d *document) saw(name, text string) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) || v != v {
		return
	}
	r, ok := d.ranges[name]
	if !ok {
		r = [2]float64{v, v}
	}
	d.ranges[name] = [2]float64{min(r[0], v), max(r[1], v)}
}

// documented reads the DataDictionary, and the parts that hold values: the model
// between them may be large, and is jumped. b has been loaded, so it is well formed.
func documented(b []byte) *document {
	d := &document{units: map[string]string{}, ranges: map[string][2]float64{}, column: map[string]string{}}
	d.read(part(b, "DataDictionary"))
	d.read(part(b, "ModelStats"))
	d.read(part(b, "ModelVerification"))
	return d
}

// part cuts what stands between the first element of that name and the last, whatever their prefix.
func part(b []byte, name string) []byte {
	from := regexp.MustCompile(`<([A-Za-z0-9._-]+:)?` + name + `[\s/>]`).FindIndex(b)
	last := bytes.LastIndex(b, []byte(name+">"))
	if from == nil || last < from[0] {
		return nil
	}
	return b[from[0] : last+len(name)+1]
}

func (d *document) read(b []byte) {
	x := xml.NewDecoder(bytes.NewReader(b))
	x.Strict = false
	field, cell, depth := "", "", 0
	for {
		t, err := x.Token()
		if err != nil {
			return
		}
		switch t := t.(type) {
		case xml.StartElement:
			at := map[string]string{}
			for _, a := range t.Attr {
				at[a.Name.Local] = a.Value
			}
			switch t.Name.Local {
			case "DataField":
				field = at["name"]
			case "UnivariateStats":
				field = at["field"]
			case "Extension":
				if at["extender"] == "mudpulse" && at["name"] == "unit" && field != "" {
					d.units[field] = at["value"]
				}
			case "NumericInfo":
				d.saw(field, at["minimum"])
				d.saw(field, at["maximum"])
			case "VerificationField":
				if c := at["column"]; c != "" {
					if _, after, ok := bytes.Cut([]byte(c), []byte(":")); ok {
						c = string(after)
					}
					d.column[at["field"]] = c
				}
			case "row":
				depth = 1
			default:
				if depth > 0 {
					depth++
					cell = t.Name.Local
				}
			}
		case xml.CharData:
			if depth == 2 {
				d.saw(cell, string(bytes.TrimSpace(t)))
			}
		case xml.EndElement:
			switch {
			case t.Name.Local == "DataField" || t.Name.Local == "UnivariateStats":
				field = ""
			case depth > 0:
				depth--
			}
		}
	}
}
