package scoring

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// An Option changes how Load reads a document.
type Option func(*options)

type options struct {
	limits Limits
	name   string
	verify bool
}

// WithLimits bounds what the document may ask for.
func WithLimits(l Limits) Option { return func(o *options) { o.limits = l } }

// WithName chooses the model of that modelName, where the document has several.
func WithName(name string) Option { return func(o *options) { o.name = name } }

// WithoutVerification loads a model without running its ModelVerification.
func WithoutVerification() Option { return func(o *options) { o.verify = false } }

// modelKinds are the model elements, and whether this engine scores them.
var modelKinds = map[string]bool{
	"AnomalyDetectionModel": true, "AssociationModel": true, "BayesianNetworkModel": false, "BaselineModel": true, "ClusteringModel": true,
	"GaussianProcessModel": false, "GeneralRegressionModel": true, "MiningModel": true, "NaiveBayesModel": true, "NearestNeighborModel": true,
	"NeuralNetwork": true, "RegressionModel": true, "RuleSetModel": true, "SequenceModel": false, "Scorecard": true,
	"SupportVectorMachineModel": true, "TextModel": false, "TimeSeriesModel": true, "TreeModel": true,
}

func modelOf(e *element) *element {
	for _, k := range e.kids {
		if _, ok := modelKinds[k.name]; ok && k.get("isScorable") != "false" {
			return k
		}
	}
	return nil
}

// Load reads a PMML document of version 3.0 to 4.4, binds and checks its first
// scorable model, and runs its ModelVerification. A document that is refused
// comes back with all its problems: see Problems.
func Load(r io.Reader, opts ...Option) (*Model, error) {
	o := options{limits: DefaultLimits(), verify: true}
	for _, f := range opts {
		f(&o)
	}
	data, err := readAll(r, o.limits.Bytes)
	if le := (*LoadError)(nil); errors.As(err, &le) {
		return nil, le
	}
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	root, err := parseDocument(data, o.limits)
	if err != nil {
		return nil, err
	}
	b := &binder{root: root, prog: &program{}, data: map[string]*dataField{}, globals: map[string]*element{}, functions: map[string]*function{}, fnElems: map[string]*element{}, cache: map[string]int{}, lim: o.limits}
	if v := root.get("version"); v != "" && !strings.HasPrefix(v, "3.") && !strings.HasPrefix(v, "4.") {
		b.bad.add(root, "", fmt.Sprintf("PMML version %q is not read", clip(v)), "want 3.0 to 4.4")
	}
	b.dictionary(root.first("DataDictionary"))
	for _, f := range b.dataOrder {
		f.raw = -1
	}
	if td := root.first("TransformationDictionary"); td != nil {
		for _, k := range td.all("DefineFunction") {
			name := k.get("name")
			switch {
			case name == "":
				b.bad.add(k, "", "a function has no name", "give it one")
				continue
			case builtins[name] != nil && !newBuiltins[name]:
				b.bad.add(k, "", fmt.Sprintf("function '%s' has a built-in function's name", clip(name)), "give it another")
				continue
			case b.fnElems[name] != nil:
				b.bad.add(k, "", fmt.Sprintf("function '%s' is defined twice", clip(name)), "remove one")
				continue
			}
			b.fnElems[name] = k
		}
		for _, k := range td.all("DerivedField") {
			b.globals[k.get("name")] = k
		}
	}
	doc := &scope{b: b, fields: map[string]int{}, local: map[string]*element{}, open: map[string]bool{}, element: root}
	me := pick(root, o.name)
	if me == nil {
		cure := "export a model, not a transformation alone"
		if o.name != "" {
			cure = "name one that is there"
		}
		b.bad.add(root, "", "the document has no model to score", cure)
		return nil, b.bad.err()
	}
	for _, k := range root.kids {
		if _, model := modelKinds[k.name]; !model || k == me {
			b.unverified(k)
		}
	}
	m := b.model(doc, me)
	if err := b.bad.err(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	model := newModel(b, m, root, hex.EncodeToString(sum[:]))
	if o.verify {
		if err := model.verify(me); err != nil {
			return nil, err
		}
	}
	if onLoad != nil {
		onLoad(data)
	}
	return model, nil
}

// onLoad is told of every document that is loaded, where a test sets it.
var onLoad func(document []byte)

// functionsOf are the mining functions of a kind.
func functionsOf(kind string) []string {
	switch kind {
	case "AssociationModel":
		return []string{"associationRules"}
	case "ClusteringModel":
		return []string{"clustering"}
	case "TimeSeriesModel":
		return []string{"timeSeries"}
	case "BaselineModel":
		return []string{"regression"}
	case "AnomalyDetectionModel":
		return []string{"regression", "classification", "clustering"}
	case "NaiveBayesModel", "RuleSetModel":
		return []string{"classification"}
	case "NeuralNetwork":
		return []string{"regression", "classification", "mixed"}
	case "NearestNeighborModel":
		return []string{"regression", "classification", "clustering", "mixed"}
	case "MiningModel":
		return []string{"regression", "classification", "clustering", "associationRules", "timeSeries", "mixed"}
	}
	return []string{"regression", "classification"}
}

func pick(root *element, name string) *element {
	if name == "" {
		return modelOf(root)
	}
	for _, k := range root.kids {
		if _, ok := modelKinds[k.name]; ok && k.get("modelName") == name {
			return k
		}
	}
	return nil
}

// model binds a model element, and those in it.
func (b *binder) model(parent *scope, e *element) *model {
	m := &model{id: b.prog.models, name: e.get("modelName"), kind: e.name, function: e.get("functionName"), element: e}
	b.prog.models++
	switch e.get("x-mathContext") {
	case "float":
		m.float = true
	case "", "double":
	default:
		b.bad.refuse(e, fmt.Sprintf("x-mathContext=%q", clip(e.get("x-mathContext"))))
	}
	if !modelKinds[e.name] {
		b.bad.refuse(e, e.name)
		m.eval = nothing{}
		m.scope = &scope{b: b, parent: parent, fields: map[string]int{}, element: e}
		return m
	}
	if !slices.Contains(functionsOf(e.name), m.function) {
		b.bad.add(e, "", fmt.Sprintf("functionName=%q is not what a %s does", clip(m.function), e.name), "want "+strings.Join(functionsOf(e.name), " or "))
	}
	m.scope = b.schema(parent, e)
	m.target = b.target(m.scope, e, m)
	b.others(m.scope, e, m)
	declared := m.classes
	switch e.name {
	case "RegressionModel":
		g := b.regression(m.scope, e, m)
		if x, ok := g.(*regression); ok && len(declared) == 0 {
			m.classes = x.classes
		}
		m.eval = g
	case "TreeModel":
		t := b.tree(m.scope, e, m)
		if x, ok := t.(*tree); ok && len(declared) == 0 {
			m.classes = x.classes
		}
		m.eval = t
	case "MiningModel":
		g := b.mining(m.scope, e, m)
		if x, ok := g.(*mining); ok && len(declared) == 0 {
			m.classes = x.classes
		}
		m.eval = g
	case "Scorecard":
		m.eval = b.scorecard(m.scope, e)
	case "ClusteringModel":
		m.eval = b.clustering(m.scope, e, m)
	case "SupportVectorMachineModel":
		m.eval = b.svm(m.scope, e, m)
	case "NearestNeighborModel":
		m.eval = b.neighbors(m.scope, e, m)
	case "NaiveBayesModel":
		m.eval = b.bayes(m.scope, e, m)
	case "GeneralRegressionModel":
		m.eval = b.generalRegression(m.scope, e, m)
	case "RuleSetModel":
		m.eval = b.ruleSet(m.scope, e)
	case "AssociationModel":
		m.eval = b.association(m.scope, e)
	case "NeuralNetwork":
		m.eval = b.neural(m.scope, e, m)
	case "TimeSeriesModel":
		m.eval = b.timeSeries(m.scope, e, m)
	case "BaselineModel":
		m.eval = b.baseline(m.scope, e, m)
	case "AnomalyDetectionModel":
		m.eval = b.anomaly(m.scope, e)
	}
	if m.eval == nil {
		b.bad.refuse(e, e.name)
		m.eval = nothing{}
	}
	if x, ok := m.eval.(interface{ labels() []string }); ok && len(declared) == 0 {
		m.classes = x.labels()
	}
	b.outputs(m.scope, e, m)
	return m
}
