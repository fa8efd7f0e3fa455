package scoring

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unsafe"
)

// decode gives the document as UTF-8: from UTF-16, or one of the one-byte
// encodings that exporters still write.
func decode(data []byte) (string, error) {
	switch {
	case len(data) >= 3 && data[0] == 0xEF && data[1] == 0xBB && data[2] == 0xBF:
		data = data[3:]
	case len(data) >= 2 && (data[0] == 0xFE && data[1] == 0xFF || data[0] == 0xFF && data[1] == 0xFE):
		return decode16(data), nil
	}
	src := unsafe.String(unsafe.SliceData(data), len(data))
	decl := src[:min(len(src), 200)]
	if !strings.HasPrefix(decl, "<?xml") {
		return src, nil
	}
	decl, _, _ = strings.Cut(decl, "?>")
	_, enc, ok := strings.Cut(decl, "encoding")
	if !ok {
		return src, nil
	}
	enc = strings.Trim(strings.TrimLeft(strings.TrimLeft(enc, " \t\r\n"), "="), " \t\r\n")
	if len(enc) > 1 {
		enc, _, _ = strings.Cut(enc[1:], enc[:1])
	}
	switch strings.ToLower(enc) {
	case "utf-8", "utf8", "us-ascii", "ascii", "":
		return src, nil
	case "iso-8859-1", "latin1", "windows-1252", "cp1252":
		var b strings.Builder
		b.Grow(len(data) + len(data)/8)
		for _, c := range data {
			if r := rune(c); c >= 0x80 && c <= 0x9F && strings.HasSuffix(strings.ToLower(enc), "1252") {
				b.WriteRune(windows1252[c-0x80])
			} else {
				b.WriteRune(r)
			}
		}
		return b.String(), nil
	}
	return "", &LoadError{Line: 1, Column: 1, Reason: fmt.Sprintf("encoding %q is not read", clip(enc)), Cure: "save the file as UTF-8"}
}

func decode16(data []byte) string {
	big := data[0] == 0xFE
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i+1 < len(data); i += 2 {
		u := uint16(data[i]) | uint16(data[i+1])<<8
		if big {
			u = uint16(data[i])<<8 | uint16(data[i+1])
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}

// windows1252 is 0x80 to 0x9F; the five that are not assigned stay broken.
var windows1252 = [32]rune{
	'€', 0xFFFE, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0xFFFE, 'Ž', 0xFFFE,
	0xFFFE, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0xFFFE, 'ž', 'Ÿ',
}

// readAll reads r, which must not be larger than the limit.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	known := int64(0)
	if x, ok := r.(interface{ Len() int }); ok {
		known = int64(x.Len())
	}
	r = io.LimitReader(r, limit+1)
	var chunks [][]byte
	total, size := 0, 64<<10
	if known > 0 {
		size = int(min(known, limit)) + 1
	}
	for {
		c := make([]byte, size)
		n, err := io.ReadFull(r, c)
		chunks = append(chunks, c[:n])
		if total += n; int64(total) > limit {
			return nil, &LoadError{Reason: fmt.Sprintf("the document is larger than the limit of %d bytes", limit), Cure: "raise the limit, or make the model smaller"}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return nil, err
		}
		size = min(2*size, 8<<20)
	}
	if len(chunks) == 1 {
		return chunks[0], nil
	}
	out := make([]byte, 0, total)
	for i, c := range chunks {
		out = append(out, c...)
		chunks[i] = nil
	}
	return out, nil
}
