package models

import (
	"fmt"
	"slices"

	"github.com/mudpulse/mudpulse/gateway/payload"
	"github.com/mudpulse/mudpulse/scoring/feature"
	"github.com/mudpulse/mudpulse/telemetry"
)

// levels are the functions of a feature that stay in its channel's unit and range.
var levels = []string{"last", "lag", "mean", "min", "max", "median", "q", "ewma"}

// level returns the channel that an input is a value of, as WOB or SPP__mean__60s
// are; nil for a slope, a count, or what is judged against a baseline.
func level(in *Input, cat Channels) *telemetry.Channel {
	name, err := feature.Parse(in.Name)
	if err != nil && feature.IsFeature(in.Name) {
		return nil
	}
	if err != nil {
		name = feature.Name{Kind: feature.Field, Channel: in.Name}
	}
	if name.Kind == feature.Output || name.Kind == feature.Since || name.Channel == "state" || name.Z {
		return nil
	}
	if name.Kind != feature.Field && !slices.Contains(levels, name.Function) {
		return nil
	}
	if ch := cat.Get(name.Channel); ch != nil && ch.Tag == name.Channel {
		return ch
	}
	return nil
}

// misused says where an input is taken to be in another unit than it comes in:
// the document says so, or its own rows hold what the channel can never be.
func misused(about *About, cat Channels) (problems []Problem, doubts []string) {
	for i := range about.Inputs {
		in := &about.Inputs[i]
		ch := level(in, cat)
		if ch == nil || ch.Unit == "" {
			continue
		}
		cure := fmt.Sprintf("train it on %s, as mudpulse export gives them", ch.Unit)
		if in.Declared != "" && in.Declared != ch.Unit {
			factor, shift, ok := payload.ConvertUnit(in.Declared, ch)
			switch {
			case !ok:
				problems = append(problems, Problem{Element: in.Name, Message: fmt.Sprintf("is declared in %q, which is no unit of %s (%s)", in.Declared, ch.What, ch.Unit), Cure: cure})
				continue
			case factor != 1 || shift != 0:
				problems = append(problems, Problem{Element: in.Name, Message: fmt.Sprintf("is declared in %s and comes in %s", in.Declared, ch.Unit),
					Cure: fmt.Sprintf("%s, or convert it in a DerivedField: %s = (value - %.6g) / %.6g", cure, in.Declared, shift, factor)})
				continue
			}
		}
		if len(in.Seen) != 2 || ch.PhysLow >= ch.PhysHigh {
			continue
		}
		lo, hi := in.Seen[0], in.Seen[1]
		if lo < ch.PhysLow || hi > ch.PhysHigh {
			p := Problem{Element: in.Name, Message: fmt.Sprintf("takes values from %.6g to %.6g in its own rows, and %s is %.6g to %.6g %s at most", lo, hi, ch.What, ch.PhysLow, ch.PhysHigh, ch.Unit), Cure: cure}
			if f, s, ok := payload.ConvertUnit(ch.Field, ch); ok && ch.Field != ch.Unit && lo*f+s >= ch.PhysLow && hi*f+s <= ch.PhysHigh {
				p.Cure = fmt.Sprintf("they look like %s; %s", ch.Field, cure)
			}
			problems = append(problems, p)
			continue
		}
		if ch.NormalLow < ch.NormalHigh && (lo > ch.NormalHigh || hi < ch.NormalLow) {
			doubt := fmt.Sprintf("%s: its own rows hold %.6g to %.6g, and %.6g to %.6g %s is usual", in.Name, lo, hi, ch.NormalLow, ch.NormalHigh, ch.Unit)
			if f, s, ok := payload.ConvertUnit(ch.Field, ch); ok && ch.Field != ch.Unit && hi*f+s >= ch.NormalLow && lo*f+s <= ch.NormalHigh {
				doubt += "; are they in " + ch.Field + "?"
			}
			doubts = append(doubts, doubt)
		}
	}
	return problems, doubts
}
