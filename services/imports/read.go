package imports

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // reads Parquet
	"github.com/hamba/avro/v2/ocf"
)

// maxLine bounds a line of text.
const maxLine = 16 << 20

// has refuses a file whose columns cannot be what the mapping says, once and not row by row.
func (im *Import) has(columns []string) error {
	list := strings.Join(columns[:min(len(columns), 20)], ", ")
	if len(columns) > 20 {
		list += ", …"
	}
	for i, c := range columns {
		if c != "" && slices.Contains(columns[:i], c) {
			return fmt.Errorf("column %q stands twice: rename one, or leave it out", c)
		}
	}
	for _, x := range []struct{ key, column, what string }{{"time", im.m.Time, "the time"}, {"drill_column", im.m.DrillColumn, "the drill"}} {
		if x.column == "" || slices.Contains(columns, x.column) {
			continue
		}
		cure := fmt.Sprintf("say which one is %s with --mapping FILE that holds {%q: \"…\"} (docs/import.md)", x.what, x.key)
		if len(columns) == 1 && strings.ContainsAny(columns[0], ";\t|") {
			cure = "say what stands between the columns with --mapping FILE that holds {\"delimiter\": \";\"} (docs/import.md)"
		}
		return fmt.Errorf("no column is called %q, which should give %s; there are: %s; %s", x.column, x.what, list, cure)
	}
	return nil
}

// readCSV reads rows of text; a row with more or fewer fields than columns is bad.
func (im *Import) readCSV(_ context.Context, f func(record) error) error {
	fd, err := os.Open(im.path)
	if err != nil {
		return err
	}
	defer fd.Close()
	columns := im.m.Columns
	header := columns == nil
	if im.m.Header != nil {
		header = *im.m.Header
	}
	checked := false
	take := func(fields []string, line int, done int64) error {
		if header {
			header = false
			if columns == nil {
				columns = make([]string, len(fields))
				for i, c := range fields {
					columns[i] = strings.TrimSpace(strings.TrimPrefix(c, "\ufeff"))
				}
			}
			return im.has(columns)
		}
		if !checked {
			checked = true
			if err := im.has(columns); err != nil {
				return err
			}
		}
		if len(fields) != len(columns) {
			return f(record{line: line, bad: fmt.Sprintf("it has %d fields, and there are %d columns", len(fields), len(columns)), done: done})
		}
		values := make(map[string]string, len(columns))
		for i, c := range columns {
			values[c] = fields[i]
		}
		return f(record{line: line, values: values, done: done})
	}
	if im.m.Delimiter == "space" {
		sc := bufio.NewScanner(fd)
		sc.Buffer(nil, maxLine)
		done := int64(0)
		for line := 1; sc.Scan(); line++ {
			done += int64(len(sc.Bytes())) + 1
			if fields := strings.Fields(sc.Text()); len(fields) > 0 {
				if err := take(fields, line, done); err != nil {
					return err
				}
			}
		}
		return sc.Err()
	}
	r := csv.NewReader(fd)
	r.FieldsPerRecord, r.ReuseRecord, r.LazyQuotes = -1, true, false
	switch d := im.m.Delimiter; {
	case d == "tab":
		r.Comma = '\t'
	case len(d) == 1:
		r.Comma = rune(d[0])
	case d != "":
		return fmt.Errorf("delimiter: %q: want one character, tab or space", d)
	}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var pe *csv.ParseError
		if errors.As(err, &pe) {
			if err := f(record{line: pe.Line, bad: pe.Err.Error(), done: r.InputOffset()}); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		line, _ := r.FieldPos(0)
		if err := take(fields, line, r.InputOffset()); err != nil {
			return err
		}
	}
}

// readJSON reads an object a line.
func (im *Import) readJSON(_ context.Context, f func(record) error) error {
	fd, err := os.Open(im.path)
	if err != nil {
		return err
	}
	defer fd.Close()
	sc := bufio.NewScanner(fd)
	sc.Buffer(nil, maxLine)
	done := int64(0)
	for line := 1; sc.Scan(); line++ {
		done += int64(len(sc.Bytes())) + 1
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		r := record{line: line, done: done}
		var row map[string]any
		d := json.NewDecoder(bytes.NewReader(sc.Bytes()))
		d.UseNumber()
		if err := d.Decode(&row); err != nil {
			r.bad = "it is no JSON object: " + err.Error()
		} else {
			r.values = texts(row)
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return sc.Err()
}

// texts writes values as a text file would hold them; what is nested is left out.
func texts(row map[string]any) map[string]string {
	out := make(map[string]string, len(row))
	for k, v := range row {
		switch v := v.(type) {
		case nil:
			out[k] = ""
		case string:
			out[k] = v
		case json.Number:
			out[k] = v.String()
		case bool:
			out[k] = map[bool]string{true: "1", false: "0"}[v]
		case time.Time:
			out[k] = v.UTC().Format(time.RFC3339Nano)
		case float64:
			out[k] = strconv.FormatFloat(v, 'g', -1, 64)
		case float32:
			out[k] = strconv.FormatFloat(float64(v), 'g', -1, 32)
		case map[string]any: // a union of Avro: its one member
			for _, m := range v {
				if len(v) == 1 {
					for _, t := range texts(map[string]any{k: m}) {
						out[k] = t
					}
				}
			}
		case []any:
		default:
			out[k] = fmt.Sprint(v)
		}
	}
	return out
}

// readParquet reads with DuckDB.
func (im *Import) readParquet(ctx context.Context, f func(record) error) error {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	rows, err := db.QueryContext(ctx, "SELECT * FROM read_parquet(?)", im.path)
	if err != nil {
		why, _, _ := strings.Cut(err.Error(), "\n") // DuckDB adds our statement
		return fmt.Errorf("is no Parquet file that can be read: %s", why)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	if err := im.has(names); err != nil {
		return err
	}
	values, dst := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		dst[i] = &values[i]
	}
	for line := 1; rows.Next(); line++ {
		if err := rows.Scan(dst...); err != nil {
			return err
		}
		row := make(map[string]any, len(names))
		for i, n := range names {
			row[n] = values[i]
		}
		if err := f(record{line: line, values: texts(row)}); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (im *Import) readAvro(_ context.Context, f func(record) error) error {
	fd, err := os.Open(im.path)
	if err != nil {
		return err
	}
	defer fd.Close()
	d, err := ocf.NewDecoder(fd)
	if err != nil {
		return err
	}
	for line := 1; d.HasNext(); line++ {
		r := record{line: line}
		var row map[string]any
		if err := d.Decode(&row); err != nil {
			return fmt.Errorf("row %d: %w", line, err) // what follows cannot be found
		}
		r.values = texts(row)
		if err := f(r); err != nil {
			return err
		}
	}
	return d.Error()
}

// readWITSML reads <log> elements of WITSML 1.4.1.1: the curves' mnemonics and
// units, then <data> rows, in time. Well or wellbore name the drill where the mapping does not.
func (im *Import) readWITSML(_ context.Context, f func(record) error) error {
	fd, err := os.Open(im.path)
	if err != nil {
		return err
	}
	defer fd.Close()
	d := xml.NewDecoder(bufio.NewReaderSize(fd, 1<<16))
	var names, units []string
	var well, index, indexType string
	any := false
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			if !any {
				return errors.New("there is no <data> of a <log> in it")
			}
			return nil
		}
		if err != nil {
			return err
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		line, _ := d.InputPos()
		text := func() (string, error) {
			var s string
			err := d.DecodeElement(&s, &start)
			return strings.TrimSpace(s), err
		}
		switch start.Name.Local {
		case "log":
			names, units, well, index, indexType = nil, nil, "", "", ""
		case "nameWell":
			if well, err = text(); err != nil {
				return err
			}
			well = strings.ReplaceAll(well, " ", "-")
		case "indexType":
			if indexType, err = text(); err != nil {
				return err
			}
		case "indexCurve":
			if index, err = text(); err != nil {
				return err
			}
		case "mnemonicList":
			s, err := text()
			if err != nil {
				return err
			}
			names = split(s)
			if indexType != "" && indexType != "date time" {
				return fmt.Errorf("line %d: the log's index is %q: only logs in time can be imported", line, indexType)
			}
		case "unitList":
			s, err := text()
			if err != nil {
				return err
			}
			units = split(s)
		case "data":
			s, err := text()
			if err != nil {
				return err
			}
			any = true
			fields := split(s)
			r := record{line: line, drill: well, done: d.InputOffset()}
			if len(fields) != len(names) {
				r.bad = fmt.Sprintf("it has %d values, and mnemonicList names %d", len(fields), len(names))
			} else {
				r.values, r.units = map[string]string{}, map[string]string{}
				for i, n := range names {
					r.values[n] = fields[i]
					if i < len(units) {
						r.units[n] = units[i]
					}
				}
				at := index
				if at == "" && len(names) > 0 {
					at = names[0]
				}
				if _, ok := r.values[im.m.Time]; !ok {
					r.values[im.m.Time] = r.values[at]
					delete(r.values, at)
				}
			}
			if err := f(r); err != nil {
				return err
			}
		}
	}
}

func split(s string) []string {
	out := strings.Split(s, ",")
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}
