package scoring

import (
	"fmt"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// PMML 4.4.1, SupportVectorMachineModel: sums of kernels over support vectors,
// or a plane's coefficients.
type svm struct {
	kernel   kernel
	fields   []svmField
	vectors  [][]float64 // those that a machine uses
	machines []svmMachine
	class    bool
	votes    bool // each machine votes; else the best value wins
	maxWins  bool // the largest value
	float    bool
}

type kernel struct {
	name                string
	gamma, coef, degree float64
}

// svmField is a component of the vectors: a number, or 1 for a category.
type svmField struct {
	x    expr
	slot int // of a category
	want value
	name string
}

type svmMachine struct {
	vectors   []int32 // nil: the coefficients are the plane's
	weights   []float64
	b         float64
	target    string
	other     string
	threshold float64
}

func (b *binder) svm(s *scope, e *element, m *model) evaluator {
	g := &svm{class: m.function == "classification", float: m.float, votes: e.get("classificationMethod") == "OneAgainstOne"}
	switch c := e.get("classificationMethod"); c {
	case "", "OneAgainstAll", "OneAgainstOne":
	default:
		b.bad.add(e, "", fmt.Sprintf("classificationMethod=%q is none", clip(c)), "want OneAgainstAll or OneAgainstOne")
	}
	switch w := e.get("maxWins"); w {
	case "", "false", "0":
	case "true", "1":
		g.maxWins = true
	default:
		b.bad.add(e, "", fmt.Sprintf("maxWins=%q is none", clip(w)), "want true or false")
	}
	plane := false
	switch r := e.get("svmRepresentation"); r {
	case "", "SupportVectors":
	case "Coefficients":
		plane = true
	default:
		b.bad.add(e, "", fmt.Sprintf("svmRepresentation=%q is none", clip(r)), "want SupportVectors or Coefficients")
	}
	b.kernel(e, g)
	if plane && g.kernel.name != "LinearKernelType" {
		b.bad.add(e, "", "svmRepresentation=\"Coefficients\" with a "+g.kernel.name, "a plane's coefficients go with the LinearKernelType")
	}
	d := e.first("VectorDictionary")
	b.svmFields(s, d.first("VectorFields"), g)
	if len(g.fields) == 0 {
		b.bad.add(e, "", "the model has no VectorFields", "export it again")
		return nothing{}
	}
	known := map[string]*element{}
	for _, k := range d.all("VectorInstance") {
		id := k.get("id")
		if _, twice := known[id]; twice || id == "" {
			b.bad.add(k, "", fmt.Sprintf("the id '%s' is empty or stands twice", clip(id)), "give each vector its own")
		}
		known[id] = k
	}
	place := map[string]int32{}
	for _, k := range e.all("SupportVectorMachine") {
		x := svmMachine{target: b.category(k, m, "targetCategory"), other: b.category(k, m, "alternateTargetCategory")}
		x.threshold, _ = b.inherited("threshold", 0, k, e)
		c := k.first("Coefficients")
		for _, w := range c.all("Coefficient") {
			x.weights = append(x.weights, b.numAttr(w, "value", 0))
		}
		if c == nil {
			b.bad.add(k, "", "a machine has no Coefficients", "export the model again")
			continue
		}
		x.b = b.numAttr(c, "absoluteValue", 0)
		n := len(g.fields)
		if !plane {
			for _, v := range k.first("SupportVectors").all("SupportVector") {
				x.vectors = append(x.vectors, b.supportVector(v, g, known, place))
			}
			n = len(x.vectors)
			if n == 0 {
				x.vectors = []int32{}
			}
		}
		if len(x.weights) != n {
			b.bad.add(c, "", fmt.Sprintf("%d Coefficients", len(x.weights)), fmt.Sprintf("want %d: one for each support vector, or field of a plane", n))
		}
		g.machines = append(g.machines, x)
	}
	b.svmClasses(e, m, g)
	return g
}

func (b *binder) kernel(e *element, g *svm) {
	k := e.first("LinearKernelType", "PolynomialKernelType", "RadialBasisKernelType", "SigmoidKernelType")
	if k == nil {
		b.bad.add(e, "", "the model has no kernel", "want LinearKernelType, PolynomialKernelType, RadialBasisKernelType or SigmoidKernelType")
		return
	}
	g.kernel = kernel{name: k.name, gamma: b.numAttr(k, "gamma", 1), coef: b.numAttr(k, "coef0", 1), degree: b.numAttr(k, "degree", 1)}
}

func (b *binder) svmFields(s *scope, e *element, g *svm) {
	if e == nil {
		return
	}
	for _, k := range e.kids {
		switch k.name {
		case "FieldRef":
			if i := s.lookup(k.get("field")); i >= 0 && b.prog.slots[i].typ == typeString {
				b.bad.add(k, k.get("field"), fmt.Sprintf("field '%s' is a string and is computed with", clip(k.get("field"))), "use a CategoricalPredictor")
			}
			g.fields = append(g.fields, svmField{x: b.fieldRef(s, k), name: k.get("field")})
			b.reads = b.reads[:0]
		case "CategoricalPredictor":
			i := s.field(k, k.get("name"))
			g.fields = append(g.fields, svmField{slot: i, want: b.literal(k, b.prog.slots[i], k.get("value")), name: k.get("name")})
			if c := b.numAttr(k, "coefficient", 1); c != 1 {
				b.bad.refuse(k, fmt.Sprintf("a CategoricalPredictor of VectorFields with coefficient=%v, not 1,", c))
			}
		default:
			b.bad.refuse(k, k.name+" in VectorFields")
		}
	}
}

// category reads a class in the target's spelling.
func (b *binder) category(e *element, m *model, key string) string {
	txt, ok := e.lookup(key)
	if !ok {
		return ""
	}
	if f := b.data[m.target.field]; f != nil {
		v, ok := f.typ.parse(txt, f.year)
		if !ok {
			b.bad.add(e, f.name, fmt.Sprintf("%s=%q is no %v", key, clip(txt), f.typ), "mend it or the target's dataType")
		}
		return v.lexical()
	}
	return txt
}

// supportVector returns the place of a vector, read when it is first used.
func (b *binder) supportVector(e *element, g *svm, known map[string]*element, place map[string]int32) int32 {
	id := e.get("vectorId")
	i, ok := place[id]
	if ok {
		return i
	}
	k := known[id]
	if k == nil {
		b.bad.add(e, "", fmt.Sprintf("vectorId='%s' is no VectorInstance", clip(id)), "name one of the VectorDictionary")
		return 0
	}
	i = int32(len(g.vectors))
	place[id] = i
	g.vectors = append(g.vectors, b.vector(k, len(g.fields)))
	return i
}

// svmClasses checks what the machines decide.
func (b *binder) svmClasses(e *element, m *model, g *svm) {
	n := len(g.machines)
	switch {
	case n == 0:
		b.bad.add(e, "", "the model has no SupportVectorMachine", "export it again")
		return
	case !g.class && n > 1:
		b.bad.add(e, "", fmt.Sprintf("a regression has %d SupportVectorMachines", n), "want one; or functionName=\"classification\"")
		return
	case !g.class:
		return
	}
	if n == 1 && g.machines[0].other == "" && len(m.classes) == 2 { // the target's other value
		for _, c := range m.classes {
			if c != g.machines[0].target {
				g.machines[0].other = c
			}
		}
	}
	machines := e.all("SupportVectorMachine")
	for i, x := range g.machines {
		if x.target == "" {
			b.bad.add(machines[i], "", "a machine of a classification has no targetCategory", "give it")
		}
		if x.other == "" && (g.votes || n == 1) {
			b.bad.add(machines[i], "", "a machine that decides between two classes has no alternateTargetCategory", "give it")
		}
	}
	g.votes = g.votes || n == 1
}

func (g *svm) labels() []string {
	var out []string
	for _, x := range g.machines {
		for _, c := range []string{x.target, x.other} {
			if c != "" && index(out, c) < 0 {
				out = append(out, c)
			}
		}
	}
	return out
}

func (g *svm) evaluate(r *row, out *result) {
	n := len(g.fields)
	out.work = room(out.work, n+len(g.vectors))
	x, k := out.work[:n], out.work[n:]
	for i := range g.fields {
		f := &g.fields[i]
		if f.x == nil {
			v := r.get(f.slot)
			if v.k == missing {
				r.fail(f.name, KindModel, "value is missing, and a support vector machine needs all")
				return
			}
			x[i] = 0
			if v.equal(f.want) {
				x[i] = 1
			}
			continue
		}
		v := f.x.eval(r)
		if v.k == missing || v.k == list {
			r.fail(f.name, KindModel, "value is missing, and a support vector machine needs all")
			return
		}
		x[i] = v.f
	}
	if g.float {
		for i := range x {
			x[i] = float64(float32(x[i]))
		}
		for i, v := range g.vectors {
			k[i] = float64(g.kernel.of32(x, v))
		}
	} else {
		for i, v := range g.vectors {
			k[i] = g.kernel.of(x, v)
		}
	}
	switch {
	case !g.class:
		out.v = value{k: number, f32: g.float, f: g.value(&g.machines[0], x, k)}
	case g.votes:
		g.vote(x, k, out)
	default:
		best, at := 0.0, -1
		for i := range g.machines {
			if y := g.value(&g.machines[i], x, k); at < 0 || best != best && y == y || g.maxWins && y > best || !g.maxWins && y < best {
				best, at = y, i
			}
		}
		out.v = str(g.machines[at].target)
	}
}

// value is a machine's: the kernels, weighted, and its constant.
func (g *svm) value(m *svmMachine, x, k []float64) float64 {
	if g.float {
		var s float32
		for i, w := range m.weights {
			y := 0.0
			if m.vectors == nil {
				y = x[i]
			} else {
				y = k[m.vectors[i]]
			}
			s += float32(float32(w) * float32(y))
		}
		return float64(s + float32(m.b))
	}
	s := 0.0
	if m.vectors == nil {
		s = inner(m.weights, x)
	} else {
		for i, w := range m.weights {
			s += float64(w * k[m.vectors[i]])
		}
	}
	return s + m.b
}

// vote lets each machine choose between its two classes. PMML 4.4.1: targetCategory
// below the threshold, or above it if maxWins; of a tie, the first that got a vote.
func (g *svm) vote(x, k []float64, out *result) {
	out.keys, out.p = out.keys[:0], out.p[:0]
	for i := range g.machines {
		m := &g.machines[i]
		y := g.value(m, x, k)
		c := m.other
		if g.maxWins && y > m.threshold || !g.maxWins && y < m.threshold {
			c = m.target
		}
		at := index(out.keys, c)
		if at < 0 {
			at = len(out.keys)
			out.keys, out.p = append(out.keys, c), append(out.p, 0)
		}
		out.p[at]++
	}
	for i := range out.p {
		out.p[i] /= float64(len(g.machines))
	}
	out.classes = out.keys
	out.v = str(out.keys[winner(out.p)])
}

func inner(a, b []float64) float64 {
	s := 0.0
	b = b[:len(a)]
	for i, f := range a {
		s += float64(f * b[i])
	}
	return s
}

// of is K(x,v). PMML 4.4.1, kernel types.
func (k *kernel) of(x, v []float64) float64 {
	switch k.name {
	case "LinearKernelType":
		return inner(x, v)
	case "PolynomialKernelType":
		return portable.Pow(float64(k.gamma*inner(x, v))+k.coef, k.degree)
	case "SigmoidKernelType":
		return portable.Tanh(float64(k.gamma*inner(x, v)) + k.coef)
	}
	return portable.Exp(float64(-k.gamma * squares(x, v)))
}

func (k *kernel) of32(x, v []float64) float32 {
	var s float32
	if k.name == "RadialBasisKernelType" {
		for i, f := range x {
			d := float32(f) - float32(v[i])
			s += float32(d * d)
		}
		return exp32(float32(-float32(k.gamma) * s))
	}
	for i, f := range x {
		s += float32(float32(f) * float32(v[i]))
	}
	if k.name == "LinearKernelType" {
		return s
	}
	s = float32(float32(k.gamma)*s) + float32(k.coef)
	if k.name == "SigmoidKernelType" {
		return float32(portable.Tanh(float64(s)))
	}
	return float32(portable.Pow(float64(s), float64(float32(k.degree))))
}
