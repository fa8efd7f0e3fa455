package scoring

import "strconv"

// Models inside models, of PMML 3.0 to 4.0 and of exporters that still write
// them: a Regression or DecisionTree in a tree's Node gives the score there;
// in a MiningModel they run one after the other.

// locals makes derived fields part of the scope.
func (s *scope) locals(lt *element) {
	for _, d := range lt.all("DerivedField") {
		name := d.get("name")
		if _, twice := s.local[name]; twice {
			s.b.bad.add(d, name, "derived field '"+clip(name)+"' is declared twice", "remove one")
			continue
		}
		s.local[name] = d
	}
	for _, d := range lt.all("DerivedField") { // all are checked, also those that nothing reads
		if name := d.get("name"); s.local[name] == d {
			if _, ok := s.fields[name]; !ok {
				s.derive(name, d)
			}
		}
	}
}

// embedded binds a Regression or DecisionTree, which sees the fields of the
// model around it, and has no MiningSchema.
func (b *binder) embedded(s *scope, e *element, m *model) *model {
	sub := &model{id: b.prog.models, name: e.get("modelName"), kind: e.name, function: e.get("functionName"), float: m.float, element: e}
	b.prog.models++
	if sub.function == "" {
		sub.function = m.function
	}
	sub.scope = &scope{b: b, parent: s, inherit: true, fields: map[string]int{}, local: map[string]*element{}, open: map[string]bool{}, element: e, targets: s.targets, all: s.all}
	if lt := e.first("LocalTransformations"); lt != nil {
		sub.scope.locals(lt)
	}
	sub.target = b.target(sub.scope, e, sub)
	b.depth++
	defer func() { b.depth-- }()
	if b.depth > 50 {
		b.bad.add(e, "", "models are nested deeper than 50", "flatten them")
		sub.eval = nothing{}
		return sub
	}
	if e.name == "DecisionTree" {
		sub.eval = b.tree(sub.scope, e, sub)
	} else {
		sub.eval = b.regression(sub.scope, e, sub)
	}
	switch x := sub.eval.(type) {
	case *tree:
		sub.classes = x.classes
	case *regression:
		sub.classes = x.classes
	}
	b.outputs(sub.scope, e, sub)
	return sub
}

// embeddedChain binds a MiningModel without Segmentation.
func (b *binder) embeddedChain(s *scope, e *element, m *model) evaluator {
	g := &mining{method: "modelChain", class: m.function == "classification", float: m.float, treatment: "continue", threshold: 1}
	for _, k := range e.kids {
		if k.name != "Regression" && k.name != "DecisionTree" {
			continue
		}
		x := segment{id: strconv.Itoa(len(g.segments) + 1), weight: 1, by: -1, target: -1, when: fixed(yes), model: b.embedded(s, k, m)}
		g.segments = append(g.segments, x)
		g.chain(b, s, &x)
		g.take(x.model.classes)
	}
	return g
}
