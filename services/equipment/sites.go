package equipment

import (
	"context"
	"errors"
	"fmt"
)

// A Site is where drills work.
type Site struct{ ID, Name, Country string }

// A Well is drilled by one drill at a time; times are event time, 0: not yet.
type Well struct {
	ID, Name, Site, Drill string
	Spudded, Completed    int64
}

// PutSite keeps what is known of a site.
func (r *Registry) PutSite(ctx context.Context, s Site) error {
	if err := refused(named("id", s.ID)); err != nil {
		return err
	}
	_, err := r.db.ExecContext(ctx, "INSERT INTO sites (id, name, country) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, country = excluded.country", s.ID, s.Name, s.Country)
	if err != nil {
		return fmt.Errorf("site %q: %w", s.ID, err)
	}
	return nil
}

// Sites lists the sites.
func (r *Registry) Sites(ctx context.Context) ([]Site, error) {
	out := []Site{}
	err := each(ctx, r.db, "SELECT id, name, country FROM sites ORDER BY id", func(scan func(...any) error) error {
		var s Site
		err := scan(&s.ID, &s.Name, &s.Country)
		out = append(out, s)
		return err
	})
	return out, err
}

// PutWell keeps what is known of a well.
func (r *Registry) PutWell(ctx context.Context, w Well) error {
	err := named("id", w.ID)
	if w.Site != "" {
		err = errors.Join(err, named("site", w.Site))
	}
	if w.Drill != "" {
		err = errors.Join(err, named("drill", w.Drill))
	}
	if w.Completed != 0 && w.Completed <= w.Spudded {
		err = errors.Join(err, errors.New("completed: must be after spudded"))
	}
	if err := refused(err); err != nil {
		return err
	}
	_, err = r.db.ExecContext(ctx, `INSERT INTO wells (id, name, site, drill, spudded, completed) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, site = excluded.site, drill = excluded.drill, spudded = excluded.spudded, completed = excluded.completed`,
		w.ID, w.Name, w.Site, w.Drill, w.Spudded, w.Completed)
	if err != nil {
		return fmt.Errorf("well %q: %w", w.ID, err)
	}
	return nil
}

// Wells lists the wells.
func (r *Registry) Wells(ctx context.Context) ([]Well, error) {
	out := []Well{}
	err := each(ctx, r.db, "SELECT id, name, site, drill, spudded, completed FROM wells ORDER BY site, id", func(scan func(...any) error) error {
		var w Well
		err := scan(&w.ID, &w.Name, &w.Site, &w.Drill, &w.Spudded, &w.Completed)
		out = append(out, w)
		return err
	})
	return out, err
}

// A Setting of a drill is kept beside what describes it.
type Setting struct {
	Site        string
	DogLegLimit float64 // degrees per 30 m; 0: none
}

// SettingOf returns a drill's settings.
func (r *Registry) SettingOf(ctx context.Context, drill string) (s Setting, err error) {
	rows, err := r.db.QueryContext(ctx, "SELECT site, dogleg_limit FROM drills WHERE id = ?", drill)
	if err != nil {
		return s, fmt.Errorf("drill %q: %w", drill, err)
	}
	defer rows.Close()
	if rows.Next() {
		err = rows.Scan(&s.Site, &s.DogLegLimit)
	}
	return s, errors.Join(err, rows.Err())
}

// Set keeps a drill's settings.
func (r *Registry) Set(ctx context.Context, drill string, s Setting) error {
	err := named("drill", drill)
	if s.Site != "" {
		err = errors.Join(err, named("site", s.Site))
	}
	if !(s.DogLegLimit >= 0 && s.DogLegLimit <= 90) {
		err = errors.Join(err, fmt.Errorf("dogleg_limit: must be 0 (none) to 90 degrees per 30 m, not %v", s.DogLegLimit))
	}
	if err := refused(err); err != nil {
		return err
	}
	_, err = r.db.ExecContext(ctx, "INSERT INTO drills (id, site, dogleg_limit) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET site = excluded.site, dogleg_limit = excluded.dogleg_limit", drill, s.Site, s.DogLegLimit)
	if err != nil {
		return fmt.Errorf("drill %q: %w", drill, err)
	}
	return nil
}
