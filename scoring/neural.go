package scoring

import (
	"fmt"
	"math"
	"slices"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// PMML 4.4.1, NeuralNetwork: layers of neurons, evaluated in document order.
type neural struct {
	inputs  []derived
	layers  []layer
	size    int // of inputs and neurons
	outputs [][]neuralOutput
	classes [][]string // by target; nil where it is a number
	ids     []string   // of inputs and neurons
	float   bool
}

type layer struct {
	fn        activation
	norm      string // none, simplemax, softmax
	threshold float64
	from      int // the first neuron's place
	neurons   []neuron
}

// neuron reads places from, or those from first on where they are consecutive.
type neuron struct {
	first   int
	from    []int32 // nil: consecutive
	weights []float64
	bias    float64
	gain    float64 // of radialBasis: fan-in × ln altitude
	twice   float64 // of radialBasis: 2·width²
}

// neuralOutput makes a target's value of a neuron's.
type neuralOutput struct {
	at    int
	class string
	denorm
}

// denorm are the inverses of NormContinuous that lead back to the field.
type denorm []*normContinuous

type activation byte

const (
	actThreshold activation = iota
	actLogistic
	actTanh
	actIdentity
	actExponential
	actReciprocal
	actSquare
	actGauss
	actSine
	actCosine
	actElliott
	actArctan
	actRectifier
	actRadial
)

var activations = map[string]activation{
	"threshold": actThreshold, "logistic": actLogistic, "tanh": actTanh, "identity": actIdentity, "exponential": actExponential, "reciprocal": actReciprocal, "square": actSquare,
	"Gauss": actGauss, "sine": actSine, "cosine": actCosine, "Elliott": actElliott, "arctan": actArctan, "rectifier": actRectifier, "radialBasis": actRadial,
}

func (b *binder) neural(s *scope, e *element, m *model) evaluator {
	g := &neural{float: m.float}
	places := map[string]int{}
	place := func(k *element) {
		id := k.get("id")
		if _, twice := places[id]; twice || id == "" {
			b.bad.add(k, "", fmt.Sprintf("the id '%s' is empty or stands twice", clip(id)), "give each input and neuron its own")
		}
		places[id] = len(g.ids)
		g.ids = append(g.ids, id)
	}
	for _, k := range e.first("NeuralInputs").all("NeuralInput") {
		place(k)
		d := k.first("DerivedField")
		if d == nil {
			b.bad.add(k, "", "a NeuralInput has no DerivedField", "export the model again")
			continue
		}
		typ, year := b.dataType(d, "dataType", typeDouble)
		g.inputs = append(g.inputs, derived{b.expression(s, expressionOf(d)), typ, year, d.get("name")})
		b.reads = b.reads[:0]
		if typ == typeString {
			b.bad.add(d, d.get("name"), "a NeuralInput is a string", "mend its dataType, or use NormDiscrete")
		}
	}
	layers := e.all("NeuralLayer")
	if len(g.inputs) == 0 || len(layers) == 0 {
		b.bad.add(e, "", "the network has no NeuralInputs or no NeuralLayer", "export it again")
		return nothing{}
	}
	for _, k := range layers {
		g.layers = append(g.layers, b.layer(e, k, g, places, place))
	}
	g.size = len(g.ids)
	b.neuralOutputs(s, e, m, g, places)
	return g
}

// labels are the classes of the first target.
func (g *neural) labels() []string { return g.classes[0] }

// inherited reads an attribute of the innermost of the elements that has it.
func (b *binder) inherited(key string, def float64, elements ...*element) (float64, bool) {
	for _, k := range elements {
		if txt, ok := k.lookup(key); ok {
			return b.number(k, key, txt), true
		}
	}
	return def, false
}

func (b *binder) layer(net, e *element, g *neural, places map[string]int, place func(*element)) layer {
	name := e.get("activationFunction")
	if name == "" {
		name = net.get("activationFunction")
	}
	fn, known := activations[name]
	if !known {
		b.bad.add(e, "", fmt.Sprintf("activationFunction=%q is none", clip(name)), "want threshold, logistic, tanh, identity, exponential, reciprocal, square, Gauss, sine, cosine, Elliott, arctan, rectifier or radialBasis")
	}
	l := layer{fn: fn, norm: e.get("normalizationMethod"), from: len(g.ids)}
	if l.norm == "" {
		l.norm = net.get("normalizationMethod")
	}
	switch l.norm {
	case "", "none", "simplemax", "softmax":
	default:
		b.bad.add(e, "", fmt.Sprintf("normalizationMethod=%q is none", clip(l.norm)), "want none, simplemax or softmax")
	}
	l.threshold, _ = b.inherited("threshold", 0, e, net)
	neurons := e.all("Neuron")
	if len(neurons) == 0 {
		b.bad.add(e, "", "a layer has no Neurons", "export the model again")
	}
	for _, k := range neurons {
		n := neuron{bias: b.numAttr(k, "bias", 0)}
		cons := k.all("Con")
		if len(cons) == 0 {
			b.bad.add(k, "", "a neuron has no connections", "export the model again")
		}
		for _, c := range cons {
			at, ok := places[c.get("from")]
			if !ok {
				cure := "a neuron reads inputs and neurons of the layers before it"
				if near := nearest(c.get("from"), g.ids); near != "" {
					cure += fmt.Sprintf("; nearest: '%s'", near)
				}
				b.bad.add(c, "", fmt.Sprintf("from='%s' is no input or neuron before this layer", clip(c.get("from"))), cure)
			}
			n.from = append(n.from, int32(at))
			n.weights = append(n.weights, b.number(c, "weight", c.get("weight")))
		}
		n.compact(l.neurons)
		if fn == actRadial {
			width, ok := b.inherited("width", 0, k, e, net)
			if !ok || width == 0 {
				b.bad.add(k, "", "a neuron of radialBasis has no width", "give it to the neuron, its layer or the network")
			}
			altitude, _ := b.inherited("altitude", 1, k, e, net)
			if !(altitude > 0) {
				b.bad.add(k, "", fmt.Sprintf("altitude=%v", altitude), "want a number greater than 0")
			}
			n.gain = float64(float64(len(cons)) * portable.Log(altitude))
			n.twice = float64(2 * float64(width*width))
			if g.float {
				w := float32(width)
				n.gain = float64(float32(len(cons)) * float32(portable.Log(float64(float32(altitude)))))
				n.twice = float64(2 * float32(w*w))
			}
		}
		l.neurons = append(l.neurons, n)
	}
	for _, k := range neurons { // known to later layers only
		place(k)
	}
	return l
}

// compact shares the list of places with the neuron before, or does without.
func (n *neuron) compact(before []neuron) {
	if len(n.from) == 0 {
		return
	}
	n.first = int(n.from[0])
	consecutive := true
	for i, at := range n.from {
		consecutive = consecutive && int(at) == n.first+i
	}
	if consecutive {
		n.from = nil
	} else if len(before) > 0 && slices.Equal(before[len(before)-1].from, n.from) {
		n.from = before[len(before)-1].from
	}
}

func (b *binder) neuralOutputs(s *scope, e *element, m *model, g *neural, places map[string]int) {
	g.outputs = make([][]neuralOutput, len(m.targets()))
	g.classes = make([][]string, len(m.targets()))
	outs := e.first("NeuralOutputs").all("NeuralOutput")
	if len(outs) == 0 {
		b.bad.add(e, "", "the network has no NeuralOutputs", "export it again")
	}
	for _, k := range outs {
		at, ok := places[k.get("outputNeuron")]
		if !ok {
			b.bad.add(k, "", fmt.Sprintf("outputNeuron='%s' is no neuron", clip(k.get("outputNeuron"))), "name one that is there")
		}
		o := neuralOutput{at: at}
		x := expressionOf(k.first("DerivedField"))
		field := b.inverse(s, x, &o, 0)
		i := slices.IndexFunc(m.targets(), func(t *target) bool { return t.field == field })
		switch {
		case x == nil || field == "":
			b.bad.add(k, "", "a NeuralOutput has no expression that leads to a target", "want FieldRef, NormContinuous or NormDiscrete of a target")
			continue
		case i < 0 && len(s.targets) > 0:
			b.bad.add(k, field, fmt.Sprintf("a NeuralOutput is of field '%s', which is no target", clip(field)), "give it usageType=\"target\" in the MiningSchema")
			continue
		case i < 0:
			i = 0
		}
		t := m.targets()[i]
		if class := x.name == "NormDiscrete"; class != (t.does(m) == "classification") {
			b.bad.add(k, field, fmt.Sprintf("a NeuralOutput of the %s of '%s' is a %s", t.does(m), clip(field), x.name), "want NormDiscrete for a class, FieldRef or NormContinuous for a number")
			continue
		} else if class {
			g.classes[i] = append(g.classes[i], o.class)
		}
		g.outputs[i] = append(g.outputs[i], o)
	}
	for i, t := range m.targets() {
		if n := len(g.outputs[i]); n == 0 || n > 1 && t.does(m) != "classification" {
			b.bad.add(e, t.field, fmt.Sprintf("target '%s' has %d NeuralOutputs", clip(t.field), n), "want one of a number, one for each class")
		}
	}
}

// inverse follows an output's expression to the field that it is of.
func (b *binder) inverse(s *scope, x *element, o *neuralOutput, depth int) string {
	if x == nil || depth > 20 {
		return ""
	}
	name := x.get("field")
	switch x.name {
	case "NormDiscrete":
		t := typeString
		year := 1970
		if f := b.data[name]; f != nil {
			t, year = f.typ, f.year
		}
		v, ok := t.parse(x.get("value"), year)
		if !ok {
			b.bad.add(x, name, fmt.Sprintf("%q is no %v", clip(x.get("value")), t), "mend the value or the field's dataType")
		}
		o.class = v.lexical()
		return name
	case "FieldRef":
	case "NormContinuous":
		if n, ok := b.denorm(x); ok {
			o.denorm = append(o.denorm, n)
		}
	default:
		return ""
	}
	d := s.local[name]
	if d == nil && b.data[name] == nil {
		d = b.globals[name]
	}
	if d != nil {
		return b.inverse(s, expressionOf(d), o, depth+1)
	}
	return name
}

// denorm reads a NormContinuous to be inverted: its norms must rise or fall throughout.
func (b *binder) denorm(e *element) (*normContinuous, bool) {
	plain := &element{name: e.name, line: e.line, col: e.col, parent: e.parent, attrs: slices.Clone(e.attrs), kids: e.kids}
	x, ok := b.normContinuous(&scope{b: b, params: map[string]param{e.get("field"): {}}, element: e}, plain).(*normContinuous)
	if !ok {
		return nil, false
	}
	up, down := true, true
	for i := 1; i < len(x.norm); i++ {
		up, down = up && x.norm[i] > x.norm[i-1], down && x.norm[i] < x.norm[i-1]
	}
	if !up && !down {
		b.bad.add(e, e.get("field"), "a NeuralOutput's norms neither rise nor fall throughout: they have no inverse", "export the model again")
	}
	return x, up || down
}

// invert finds the field's value of a norm. PMML 4.4.1, NeuralNetwork,
// Transformations of output; beyond the ends as outliers says.
func (n *normContinuous) invert(y float64) (float64, bool) {
	last := len(n.orig) - 1
	falling := n.norm[last] < n.norm[0]
	below := func(y, at float64) bool {
		if falling {
			return y > at
		}
		return y < at
	}
	if below(y, n.norm[0]) || below(n.norm[last], y) {
		switch {
		case n.outlier == 'm':
			return 0, false
		case n.outlier == 'x' && below(y, n.norm[0]):
			return n.orig[0], true
		case n.outlier == 'x':
			return n.orig[last], true
		}
	}
	i := 0
	for i < last-1 && below(n.norm[i+1], y) {
		i++
	}
	return n.orig[i] + float64((y-n.norm[i])/(n.norm[i+1]-n.norm[i])*(n.orig[i+1]-n.orig[i])), true
}

func (g *neural) evaluate(r *row, out *result) {
	out.work = room(out.work, g.size)
	a := out.work
	for i := range g.inputs {
		v := g.inputs[i].eval(r)
		if v.k == missing {
			return
		}
		a[i] = v.f
	}
	for i := range g.layers {
		l := &g.layers[i]
		if g.float {
			l.run32(a)
		} else {
			l.run(a)
		}
		if !l.normalize(a[l.from:l.from+len(l.neurons)], g.float) {
			r.fail("", KindMath, "%s", sharesOfNothing)
			return
		}
	}
	g.answer(0, a, out)
	for i := range out.also {
		g.answer(i+1, a, &out.also[i])
	}
}

// answer is the value of one target.
func (g *neural) answer(target int, a []float64, out *result) {
	outs := g.outputs[target]
	if g.classes[target] == nil {
		y := a[outs[0].at]
		for _, n := range outs[0].denorm {
			var ok bool
			if y, ok = n.invert(y); !ok {
				return
			}
			if g.float {
				y = float64(float32(y))
			}
		}
		out.v = value{k: number, f32: g.float, f: y}
		return
	}
	out.p = out.p[:0]
	for i := range outs {
		out.p = append(out.p, a[outs[i].at])
	}
	if w := decided(out.p); w >= 0 {
		out.classes = g.classes[target]
		out.v, out.entity = str(out.classes[w]), g.ids[outs[w].at]
	}
}

func (l *layer) run(a []float64) {
	for i := range l.neurons {
		n := &l.neurons[i]
		z := 0.0
		switch {
		case l.fn == actRadial:
			for j, w := range n.weights {
				d := n.input(a, j) - w
				z += float64(d * d)
			}
			a[l.from+i] = portable.Exp(n.gain - z/n.twice)
			continue
		case n.from == nil:
			x := a[n.first : n.first+len(n.weights)]
			for j, w := range n.weights {
				z += float64(w * x[j])
			}
		default:
			for j, w := range n.weights {
				z += float64(w * a[n.from[j]])
			}
		}
		a[l.from+i] = l.activate(z + n.bias)
	}
}

func (n *neuron) input(a []float64, j int) float64 {
	if n.from == nil {
		return a[n.first+j]
	}
	return a[n.from[j]]
}

// normalize is the layer's normalizationMethod; ok is false where there is nothing to share.
func (l *layer) normalize(y []float64, float bool) (ok bool) {
	switch {
	case l.norm == "softmax" && float:
		softmax32(y)
	case l.norm == "softmax":
		softmax(y)
	case l.norm == "simplemax" && float:
		return share32(y) != 0
	case l.norm == "simplemax":
		s := sum(y)
		for i := range y {
			if y[i] /= s; s == 0 {
				y[i] = nan
			}
		}
		return s != 0
	}
	return true
}

func (l *layer) activate(z float64) float64 {
	switch l.fn {
	case actThreshold:
		if z > l.threshold {
			return 1
		}
		return 0
	case actLogistic:
		return 1 / (1 + portable.Exp(-z))
	case actTanh:
		return portable.Tanh(z)
	case actExponential:
		return portable.Exp(z)
	case actReciprocal:
		return 1 / z
	case actSquare:
		return float64(z * z)
	case actGauss:
		return portable.Exp(-float64(z * z))
	case actSine:
		return portable.Sin(z)
	case actCosine:
		return portable.Cos(z)
	case actElliott:
		return z / (1 + math.Abs(z))
	case actArctan:
		return float64(2*portable.Atan(z)) / math.Pi
	case actRectifier:
		return max(0, z)
	}
	return z
}
