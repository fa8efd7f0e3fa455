package api_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/mudpulse/mudpulse/telemetry"
)

func TestAnAnswerThatTheClientHasIsNotSentAgain(t *testing.T) {
	w := newWorld(t)
	a := w.get("/api/v1/channels", 200)
	tag := a.Header.Get("ETag")
	if tag == "" || a.Header.Get("Cache-Control") != "private, no-cache" {
		t.Fatalf("no tag: %v", a.Header)
	}
	same := w.do("GET", "/api/v1/channels", nil, admin.with(header{"If-None-Match": `"x", ` + tag}))
	if same.StatusCode != 304 || len(same.body) != 0 {
		t.Errorf("%d %d bytes", same.StatusCode, len(same.body))
	}
	w.post("/api/v1/channels", map[string]string{"tag": "S1", "unit": "MPa"}, 201)
	w.want(w.do("GET", "/api/v1/channels", nil, admin.with(header{"If-None-Match": tag})), 200)
	w.want(w.do("GET", "/api/v1/drills", nil, header{"If-None-Match": tag}), 401)
}

func TestAnswersComeInZstdToWhoTakesIt(t *testing.T) {
	w := newWorld(t)
	a := w.want(w.do("GET", "/api/v1/channels", nil, admin.with(header{"Accept-Encoding": "gzip, zstd"})), 200)
	if a.Header.Get("Content-Encoding") != "zstd" {
		t.Fatalf("%v", a.Header)
	}
	z, err := zstd.NewReader(bytes.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	b, err := io.ReadAll(z)
	if err != nil || !bytes.Contains(b, []byte(`"SPP"`)) {
		t.Errorf("%v %.80s", err, b)
	}
}

func TestTablesHoldWhatTheListsHold(t *testing.T) {
	w := newWorld(t)
	a := w.want(w.do("GET", "/api/v1/drills/RIG-07/series.csv?channels=SPP&from=-1h", nil, admin), 200)
	lines := strings.Split(strings.TrimSpace(string(a.body)), "\r\n")
	if len(lines) != 3 || lines[0] != "channel,unit,time,min,max,last,n" || lines[1] != "SPP,MPa,2026-11-22T11:00:00.000Z,1,2,2,2" || lines[2] != "SPP,MPa,2026-11-22T11:00:01.000Z,,3,3,1" {
		t.Errorf("%q", lines)
	}
	if a.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Error(a.Header.Get("Content-Type"))
	}
	w.want(w.do("GET", "/api/v1/drills/RIG-07/series.csv?channels=NOPE", nil, admin), 422)
	w.api.Hub().Alarm(telemetry.AlarmEvent{ID: "RIG-07/x/1795342364", Drill: "RIG-07", Rule: "x", Event: telemetry.AlarmRaised, Priority: 2, Title: "=cmd()", At: noon.UnixNano(), Raised: noon.UnixNano()})
	b := w.want(w.do("GET", "/api/v1/alarms.csv?state=history", nil, admin), 200)
	if !strings.Contains(string(b.body), "RIG-07/x/1795342364,RIG-07,x,2") || !strings.Contains(string(b.body), "'=cmd()") {
		t.Errorf("%s", b.body)
	}
}
