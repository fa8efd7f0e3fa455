package payload

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	maxMillis = 7_258_000_000_000 // the year 2200
	cureTime  = `send RFC 3339 with a zone, as "2026-11-22T10:00:00.000Z", or milliseconds since 1970`
)

// likelySeconds reports whether milliseconds since 1970 are more likely seconds:
// they would lie in the first weeks of 1970, and as seconds after the year 2000.
func likelySeconds(ms float64) bool { return ms >= 946_684_800 && ms < maxMillis/1000 }

// noTime says what is wrong with a time, and what it would be in another unit.
func noTime(at, text string) *Error {
	e := &Error{WrongShape, strings.TrimPrefix(at, "."), "is no time between 1900 and 2200", cureTime}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		if _, err := time.Parse("2006-01-02T15:04:05.999999999", text); err == nil {
			e.Message, e.Cure = "has no zone", "send "+text+"Z if that is UTC, or with its zone as +02:00"
		}
		return e
	}
	for _, u := range []struct {
		name   string
		millis float64 // in one of it
	}{{"seconds", 1e3}, {"microseconds", 1e-3}, {"nanoseconds", 1e-6}} {
		if ms := v * u.millis; ms >= 946_684_800_000 && ms < maxMillis {
			e.Message = "looks like " + u.name + ": it would be " + time.UnixMilli(int64(math.Round(ms))).UTC().Format("2006-01-02T15:04:05Z")
			return e
		}
	}
	return e
}
