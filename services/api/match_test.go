package api_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/services/api"
	"github.com/mudpulse/mudpulse/services/api/people"
)

func TestWhatIsWrittenWholeIsWrittenOnlyOverWhatWasRead(t *testing.T) {
	w := newWorld(t)
	w.post("/api/v1/devices", map[string]string{"drill": "RIG-07"}, 201)
	mara := w.signIn("Mara", people.Administrator)
	set := alarms.Default()
	rules := func(n int) any {
		set.Rules[0].Limit++
		set.Rules[0].Title = "Hot " + strconv.Itoa(n)
		raw, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	notifications := func(n int) any {
		return map[string]any{"hosts": []string{"h" + strconv.Itoa(n) + ".example.com"}, "smtp": map[string]any{"host": "", "port": 0, "tls": "", "user": "", "password": "", "from": "", "password_set": false}, "targets": []any{}, "rules": []any{}}
	}
	names := func(n int) any {
		return map[string]any{"names": map[string]any{"P" + strconv.Itoa(n): map[string]any{"channel": "SPP"}}}
	}
	f := func(path, query string, ok int, body func(n int) any, who string) {
		t.Helper()
		seen := w.get(path, 200).Header.Get("ETag")
		put := func(n int, by header, tag string) answer {
			if tag != "" {
				by = by.with(header{"If-Match": tag})
			}
			return w.do("PUT", path+query, body(n), by)
		}
		mine := w.want(put(1, mara, seen), ok).Header.Get("ETag")
		if now := w.get(path, 200).Header.Get("ETag"); mine == seen || mine != now {
			t.Errorf("%s: the tag was %s, is %s after a change, and %s when read again", path, seen, mine, now)
		}
		no := w.want(put(2, admin, seen), 412)
		no.says(t, who)
		no.is(t, "errors.0.value", mine)
		no.is(t, "errors.1.value", "Mara")
		if now := w.get(path, 200).Header.Get("ETag"); now != mine {
			t.Errorf("%s: what was refused changed it", path)
		}
		w.want(put(3, admin, "W/"+mine), ok) // as a proxy hands it on
		w.want(put(4, admin, `"x", *`), ok)  // whatever it is, if there is any
		w.want(put(5, admin, ""), ok)        // a script's
		w.want(put(6, admin, `"made up"`), 412)
	}
	f("/api/v1/rules", "?untried=true&note=for+a+test", 202, rules, "Mara changed it at 2026-11-22T12:00:00Z (version ")
	f("/api/v1/notifications", "", 200, notifications, "Mara changed it at ")
	f("/api/v1/devices/rig-07-1/names", "", 200, names, "Mara changed it at ")

	tag := w.get("/api/v1/rules", 200).Header.Get("ETag")
	w.want(w.do("POST", "/api/v1/rules/versions/1/restore", map[string]any{"note": "x"}, admin.with(header{"If-Match": `"1-0"`})), 412)
	w.want(w.do("POST", "/api/v1/rules/versions/1/restore", map[string]any{"note": "x"}, admin.with(header{"If-Match": tag})), 202)

	part := func(h header, status int) {
		t.Helper()
		w.want(w.do("PUT", "/api/v1/parts/B-1", map[string]any{"kind": "bit", "note": h["If-None-Match"]}, h), status)
	}
	fresh := admin.with(header{"If-None-Match": "*"})
	part(fresh, 204)
	part(fresh, 412)
	part(admin, 204)
}

func TestOfTwoWhoReadTheSameOneIsRefused(t *testing.T) {
	w := newWorld(t)
	w.post("/api/v1/devices", map[string]string{"drill": "RIG-07"}, 201)
	const path = "/api/v1/devices/rig-07-1/names"
	h := admin.with(header{"If-Match": w.get(path, 200).Header.Get("ETag")})
	var all sync.WaitGroup
	got := make([]int, 8)
	for i := range got {
		all.Go(func() {
			got[i] = w.do("PUT", path, map[string]any{"names": map[string]any{"P" + strconv.Itoa(i): map[string]any{"channel": "SPP"}}}, h).StatusCode
		})
	}
	all.Wait()
	n := map[int]int{}
	for _, s := range got {
		n[s]++
	}
	if n[http.StatusOK] != 1 || n[http.StatusPreconditionFailed] != len(got)-1 {
		t.Errorf("one of %d is taken and the others are told; got %v", len(got), n)
	}
}

func TestItIsSaidWhereSQLIs(t *testing.T) {
	f := func(addr string, tls bool, host, port any) {
		t.Helper()
		w := newWorld(t, func(_ *api.Config, d *api.Deps) { d.SQL = func() (string, bool) { return addr, tls } })
		m := w.get("/api/v1/meta", 200)
		if addr == "" {
			m.is(t, "sql", nil)
			return
		}
		m.is(t, "sql.host", host)
		m.is(t, "sql.port", port)
		m.is(t, "sql.tls", tls)
	}
	f("127.0.0.1:6001", false, "127.0.0.1", 6001.0)
	f("[::]:5433", true, "", 5433.0)
	f("10.1.2.3:5433", false, "10.1.2.3", 5433.0)
	f("", false, nil, nil)
}
