package models

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// two versions, of which the first is on.
func twoVersions(t *testing.T) (*Registry, *telemetry.ManualClock) {
	t.Helper()
	r := registry(t)
	clock := r.clock.(*telemetry.ManualClock)
	for i, rows := range []string{"", good} {
		v, err := r.Upload(t.Context(), Upload{PMML: tree("", rows), By: Itself})
		if err != nil || v.Version != i+1 {
			t.Fatal(v, err)
		}
	}
	if _, err := r.Activate(t.Context(), "wash", 1, false, nil, "E. Haddad"); err != nil {
		t.Fatal(err)
	}
	r.Gated()
	return r, clock
}

func TestAVersionGoesOnOnlyAfterItsReportOrWithAReason(t *testing.T) {
	f := func(s Standing, override, want string) {
		t.Helper()
		r, _ := twoVersions(t)
		if s.State != "" {
			s.Name, s.Version = "wash", 2
			if err := r.Save(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		id, _, err := r.Promote(t.Context(), Promotion{Name: "wash", Version: 2, Override: override, By: "E. Haddad"})
		switch {
		case want == "" && err != nil:
			t.Errorf("%+v: %v", s, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
		m, e := r.Get(t.Context(), "wash")
		if e != nil || (m.Active.Version == 2) != (want == "") {
			t.Errorf("on is %+v %v", m.Active, e)
		}
		if want != "" {
			return
		}
		all, err := r.Switches(t.Context(), "wash")
		if last := all[len(all)-1]; err != nil || last.ID != id || last.Reason != override {
			t.Errorf("written down as %+v %v", last, err)
		}
	}
	f(Standing{State: Done, Verdict: Better}, "", "")
	f(Standing{State: Done, Verdict: Same}, "", "")
	f(Standing{State: Done, Verdict: Untested}, "", "")
	f(Standing{State: Done, Verdict: Worse, Why: []string{"misses RIG-12, pump, 14 Sep"}}, "", "misses RIG-12, pump, 14 Sep; to put it on all the same, say why")
	f(Standing{State: Done, Verdict: Worse, Why: []string{"misses RIG-12"}}, "because", "is no reason that anybody could judge")
	f(Standing{State: Done, Verdict: Worse, Why: []string{"misses RIG-12"}}, "RIG-12 is sold, see mail of 3 Nov", "")
	f(Standing{State: Waiting}, "", "its test on the past is not finished")
	f(Standing{State: Failed, Why: []string{"the disk is full"}}, "", "could not be tested on the past; the disk is full")
	f(Standing{}, "", "has not been tested")
	f(Standing{}, "the plant stands still without it", "")
}

func TestACanaryIsPutOnPromotedAndTakenOff(t *testing.T) {
	r, _ := twoVersions(t)
	if err := r.Save(t.Context(), Standing{Name: "wash", Version: 2, State: Done, Verdict: Better}); err != nil {
		t.Fatal(err)
	}
	promote := func(p Promotion) error {
		p.Name, p.By = "wash", "E. Haddad"
		_, _, err := r.Promote(t.Context(), p)
		return err
	}
	state := func(active, canary int) {
		t.Helper()
		m, err := r.Get(t.Context(), "wash")
		if err != nil {
			t.Fatal(err)
		}
		a, c := 0, 0
		if m.Active != nil {
			a = m.Active.Version
		}
		if m.Canary != nil {
			c = m.Canary.Version
		}
		if a != active || c != canary {
			t.Errorf("on are %d and canary %d, want %d and %d", a, c, active, canary)
		}
	}
	if err := promote(Promotion{Version: 2, Canary: true}); err == nil || !strings.Contains(err.Error(), "for some drills") {
		t.Error(err)
	}
	if err := promote(Promotion{Version: 2, Canary: true, Drills: []string{"RIG-07"}}); err != nil {
		t.Fatal(err)
	}
	state(1, 2)
	if _, v, err := r.Rollback(t.Context(), "wash", "E. Haddad"); err != nil || v != 1 {
		t.Fatal(v, err)
	}
	state(1, 0)
	if err := promote(Promotion{Version: 2, Canary: true, Drills: []string{"RIG-07"}}); err != nil {
		t.Fatal(err)
	}
	if err := promote(Promotion{Version: 2}); err != nil {
		t.Fatal(err)
	}
	state(2, 0)
	if _, v, err := r.Rollback(t.Context(), "wash", "E. Haddad"); err != nil || v != 1 {
		t.Fatal(v, err)
	}
	state(1, 0)
	if err := r.Deprecate(t.Context(), "wash", 2, "late by a day"); err != nil {
		t.Fatal(err)
	}
	if err := promote(Promotion{Version: 2}); !errors.Is(err, ErrState) || !strings.Contains(err.Error(), "deprecated: late by a day") {
		t.Error(err)
	}
	if _, err := r.Activate(t.Context(), "wash", 1, true, nil, "E. Haddad"); !errors.Is(err, ErrState) || !strings.Contains(err.Error(), "version 1 of wash is the one that is on") {
		t.Error(err)
	}
	if _, err := r.Deactivate(t.Context(), "wash", "E. Haddad"); err != nil {
		t.Fatal(err)
	}
	if err := promote(Promotion{Version: 1, Canary: true, Drills: []string{"RIG-07"}}); !errors.Is(err, ErrState) {
		t.Error(err)
	}
}

func TestWhoDecidedIsToldForEachMoment(t *testing.T) {
	r, clock := twoVersions(t)
	begin := clock.Now()
	if err := r.Save(t.Context(), Standing{Name: "wash", Version: 2, State: Done, Verdict: Same}); err != nil {
		t.Fatal(err)
	}
	step := func(f func() error) {
		t.Helper()
		clock.Advance(time.Hour)
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	step(func() error {
		_, _, err := r.Promote(t.Context(), Promotion{Name: "wash", Version: 2, Canary: true, Drills: []string{"RIG-0*"}})
		return err
	})
	step(func() error { _, _, err := r.Promote(t.Context(), Promotion{Name: "wash", Version: 2}); return err })
	step(func() error { _, _, err := r.Rollback(t.Context(), "wash", "E. Haddad"); return err })
	step(func() error { _, err := r.Activate(t.Context(), "wash", 2, true, nil, "E. Haddad"); return err })
	step(func() error { _, err := r.Deactivate(t.Context(), "wash", "E. Haddad"); return err })
	all, err := r.Switches(t.Context(), "wash")
	if err != nil {
		t.Fatal(err)
	}
	decided := func(drill string) (out []int) {
		for h := -1; h < 6; h++ {
			s, on := Decider(all, drill, begin.Add(time.Duration(h)*time.Hour+time.Minute).UnixNano())
			if !on {
				s.Version = 0
			}
			out = append(out, s.Version)
		}
		return out
	}
	if got, want := decided("RIG-07"), []int{0, 1, 2, 2, 1, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("RIG-07 by %v, want %v", got, want)
	}
	if got, want := decided("RIG-12"), []int{0, 1, 1, 2, 1, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("RIG-12 by %v, want %v", got, want)
	}
}
