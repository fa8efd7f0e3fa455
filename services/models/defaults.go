package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/mudpulse/mudpulse/services/alarms"
)

// Defaults takes the models (*.pmml in files, which may be nil) and the rules
// that come with the program, and switches them on where nobody has decided
// otherwise: at the first start, and after an upgrade that brings new ones. A
// model that is refused is logged, and the rest goes on.
func (r *Registry) Defaults(ctx context.Context, files fs.FS) error {
	if err := r.defaultRules(ctx); err != nil {
		return err
	}
	if files == nil {
		return nil
	}
	names, err := fs.Glob(files, "*.pmml")
	if err != nil {
		return fmt.Errorf("default models: %w", err)
	}
	// A model may read another's output: those refused are tried again while others succeed.
	for len(names) > 0 {
		var refused []string
		var why []error
		for _, file := range names {
			b, err := fs.ReadFile(files, file)
			if err != nil {
				return fmt.Errorf("default models: %w", err)
			}
			var no *Refused
			if err := r.defaultModel(ctx, NameFrom(path.Base(file)), b); errors.As(err, &no) {
				refused, why = append(refused, file), append(why, err)
			} else if err != nil {
				return fmt.Errorf("default model %s: %w", file, err)
			}
		}
		if len(refused) == len(names) {
			for i, file := range refused {
				r.log.Error("default model refused", "model", file, "err", why[i])
			}
			return nil
		}
		names = refused
	}
	return nil
}

func (r *Registry) defaultModel(ctx context.Context, name string, b []byte) error {
	m, err := r.Get(ctx, name)
	fresh := errors.Is(err, ErrUnknown)
	if err != nil && !fresh {
		return err
	}
	if !fresh && (m.Versions[0].By != Itself || m.Active == nil || m.Active.By != Itself) {
		return nil // somebody has decided
	}
	v, err := r.Upload(ctx, Upload{Name: name, PMML: b, By: Itself})
	if err != nil {
		return err
	}
	if m.Active != nil && m.Active.Version == v.Version {
		return nil
	}
	_, err = r.Activate(ctx, name, v.Version, false, nil, Itself)
	return err
}

func (r *Registry) defaultRules(ctx context.Context) error {
	now, err := r.Rules(ctx)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return err
	}
	mine := alarms.Default()
	mine.Version = now.Version
	if err == nil {
		have, e := json.Marshal(now.Rules)
		if e != nil {
			return fmt.Errorf("rules: %w", e)
		}
		if now.By != Itself || string(have) == string(asJSON(mine)) {
			return nil
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _, err = r.putRules(ctx, mine, err != nil || now.Limits, Itself, "as they come with this version of mudpulse")
	return err
}
