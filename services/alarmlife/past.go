package alarmlife

import (
	"context"
	"maps"
	"slices"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A Past has all that ever happened to alarms, in the order of time.
type Past interface {
	AlarmSteps(ctx context.Context, after storage.Place, n int) ([]telemetry.AlarmEvent, storage.Place, error)
	CommandSteps(ctx context.Context, after storage.Place, n int) ([]telemetry.Command, storage.Place, error)
	AlarmEvents(ctx context.Context, q storage.AlarmQuery) ([]telemetry.AlarmEvent, error)
}

const (
	pastPage = 50_000 // steps that are read at once
	fullPage = 2000   // alarms whose steps are read whole at once
)

// Replay gives event and command all that a Book needs to hold what stands now,
// however long ago it was raised, and the newest of the rest. It folds the whole
// past, without what alarms tell, in a book of its own, and reads whole what that
// book holds in the end.
func Replay(ctx context.Context, past Past, now int64, event func(telemetry.AlarmEvent), command func(telemetry.Command)) error {
	b := NewBook(func() int64 { return now })
	if err := b.replay(ctx, past); err != nil {
		return err
	}
	ids := slices.Sorted(maps.Keys(b.now))
	given := map[string]bool{}
	give := func(list []telemetry.Command) {
		for _, c := range list {
			if !given[c.ID] {
				given[c.ID] = true
				command(c)
			}
		}
	}
	for len(ids) > 0 {
		some := ids[:min(fullPage, len(ids))]
		ids = ids[len(some):]
		events, err := past.AlarmEvents(ctx, storage.AlarmQuery{IDs: some, Limit: fullPage * maxEvents})
		if err != nil {
			return err
		}
		for _, e := range events {
			event(e)
		}
		for _, id := range some {
			give(b.records[id].commands)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.records)) { // of alarms whose steps are still to come
		give(b.records[id].commands)
	}
	for _, key := range slices.Sorted(maps.Keys(b.rules)) { // of alarms that are let go, or never were
		give(b.rules[key])
	}
	return nil
}

// replay folds the past, steps and commands in one order of time: what is over is
// let go as it goes, so the book stays small however long the past is.
func (b *Book) replay(ctx context.Context, past Past) error {
	steps := reading[telemetry.AlarmEvent]{read: past.AlarmSteps}
	commands := reading[telemetry.Command]{read: past.CommandSteps}
	for {
		e, err := steps.next(ctx)
		if err != nil {
			return err
		}
		c, err := commands.next(ctx)
		if err != nil {
			return err
		}
		switch {
		case e == nil && c == nil:
			return nil
		case c == nil || e != nil && e.At <= effective(c):
			b.Event(*e)
			steps.at++
		default:
			b.Command(*c)
			commands.at++
		}
	}
}

// A reading goes through the past page by page.
type reading[T any] struct {
	read  func(context.Context, storage.Place, int) ([]T, storage.Place, error)
	page  []T
	at    int
	place storage.Place
	over  bool
}

// next is what comes next, nil at the end.
func (r *reading[T]) next(ctx context.Context) (*T, error) {
	if r.at == len(r.page) && !r.over {
		var err error
		if r.page, r.place, err = r.read(ctx, r.place, pastPage); err != nil {
			return nil, err
		}
		r.at, r.over = 0, len(r.page) < pastPage
	}
	if r.at == len(r.page) {
		return nil, nil
	}
	return &r.page[r.at], nil
}
