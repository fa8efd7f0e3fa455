// Package view is how things look in the API's JSON, over HTTP and over the live
// channel alike. Times are RFC 3339 UTC with milliseconds; what is unknown is null.
package view

import (
	"math"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Time is Unix ns; 0 is null.
type Time int64

// MarshalJSON writes RFC 3339 with milliseconds.
func (t Time) MarshalJSON() ([]byte, error) {
	if t == 0 {
		return []byte("null"), nil
	}
	b := append(make([]byte, 0, 26), '"')
	b = time.Unix(0, int64(t)).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	return append(b, '"'), nil
}

// UnmarshalJSON reads RFC 3339 or null.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = 0
		return nil
	}
	var at time.Time
	if err := at.UnmarshalJSON(b); err != nil {
		return err
	}
	*t = Time(at.UnixNano())
	return nil
}

// Schema describes it in OpenAPI.
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true}
}

// Num is a number; NaN and infinities are null.
type Num float64

// MarshalJSON writes the shortest form that reads back the same.
func (n Num) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(nil, v, format, -1, 64), nil
}

// UnmarshalJSON reads a number or null.
func (n *Num) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Num(math.NaN())
		return nil
	}
	v, err := strconv.ParseFloat(string(b), 64)
	*n = Num(v)
	return err
}

// Schema describes it in OpenAPI.
func (Num) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true}
}

// Positive is v, or null where v is not above zero: how records write "unknown".
func Positive(v float64) Num {
	if v > 0 {
		return Num(v)
	}
	return Num(math.NaN())
}

// Clock is what the page sets its clock by.
type Clock struct {
	Now          Time    `json:"now"`
	Rate         float64 `json:"rate" doc:"seconds of this clock in one of wall time"`
	Demo         bool    `json:"demo"`
	UTCOffsetMin int     `json:"utc_offset_min,omitempty" doc:"rig-local time is UTC plus this"`
}
