package scorer

import (
	"slices"

	"github.com/mudpulse/mudpulse/services/alarms"
)

// A program is what is computed at every tick of the drills for which the same
// models are active: signals in a row, models in order. Immutable.
type program struct {
	nodes    []node
	names    []string
	index    map[string]int // signal by name
	src      []source
	node     []int  // which node makes a signal; -1 none
	channels []int  // signals that are channels
	features []int  // signals that are features, in the plan's order
	later    []bool // by signal: a feature that is computed when an alarm asks for it
	parts    []int  // signals that are numbers of parts
	state    int    // signal; -1: nobody reads it
	plan     *plan
	watch    *alarms.Watch
	watched  []int // signal of each of watch.Signals
	compose  composer
}

type node struct {
	*activation
	in, out []int    // signals
	texts   []bool   // by in: read as text
	reads   []string // channels behind its inputs: without any of them the drill is not for it
	after   []int    // nodes whose outputs it reads
}

// compile makes the program of models already in order, and of rules.
func compile(acts []*activation, watch *alarms.Watch) (*program, error) {
	p := &program{index: map[string]int{}, state: -1, watch: watch}
	made := map[string]int{} // node by key of its model
	var names []string       // of features
	signal := func(name string, shadow bool) int {
		key := name
		model, _, dotted := nameOf(name)
		if dotted && shadow {
			if _, ok := made["shadow/"+model]; ok {
				key = "shadow/" + name
			}
		}
		if i, ok := p.index[key]; ok {
			return i
		}
		i := len(p.names)
		p.index[key] = i
		p.names = append(p.names, name)
		p.node = append(p.node, -1)
		switch {
		case name == stateSignal:
			p.src = append(p.src, fromState)
			p.state = i
		case dotted && model == partModel:
			p.src = append(p.src, fromPart)
			p.parts = append(p.parts, i)
		case dotted && model == healthModel:
			p.src = append(p.src, fromHealth)
		case dotted:
			p.src = append(p.src, fromNowhere) // until its node says that it makes it
		case isFeature(name):
			p.src = append(p.src, fromFeature)
			p.features = append(p.features, i)
			names = append(names, name)
		default:
			p.src = append(p.src, fromChannel)
			p.channels = append(p.channels, i)
		}
		return i
	}
	for n, a := range acts {
		x := node{activation: a}
		for _, f := range a.in {
			i := signal(f.Name, a.shadow)
			x.in = append(x.in, i)
			x.texts = append(x.texts, f.Text)
			switch p.src[i] {
			case fromChannel:
				x.reads = append(x.reads, f.Name)
			case fromFeature:
				x.reads = append(x.reads, featureChannels(f.Name)...)
			case fromOutput:
				if j := p.node[i]; !slices.Contains(x.after, j) {
					x.after = append(x.after, j)
				}
			}
		}
		key := a.name
		if a.shadow {
			key = "shadow/" + a.name
		}
		made[key] = n
		for _, o := range a.out {
			i := signal(a.name+"."+o, a.shadow)
			p.src[i], p.node[i] = fromOutput, n
			x.out = append(x.out, i)
		}
		p.nodes = append(p.nodes, x)
	}
	for _, s := range watch.Signals {
		p.watched = append(p.watched, signal(s, false))
	}
	asked := len(p.names)
	var later []string
	for _, s := range watch.Lazy {
		if i := signal(s, false); i >= asked && p.src[i] == fromFeature {
			later = append(later, s)
		}
	}
	p.later = make([]bool, len(p.names))
	for _, s := range later {
		p.later[p.index[s]] = true
	}
	var err error
	if p.plan, err = newPlan(names, later); err != nil {
		return nil, err
	}
	p.compose = newComposer(p)
	return p, nil
}
