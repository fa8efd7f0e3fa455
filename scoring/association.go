package scoring

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// PMML 4.4.1, AssociationModel. It predicts no field: its outputs select rules
// by the items of the row.
type association struct {
	basket int // slot of the collection of items; -1: each item has a field of its own
	items  []item
	sets   []itemset
	rules  []associationRule
}

// item is on where its field has the category, or without one is true.
type item struct {
	slot  int
	want  value // missing kind: the field is true or false, or T or F
	value string
}

type itemset struct {
	items []int32
	texts []value // their values
}

type associationRule struct {
	id         string
	antecedent int
	consequent int
	of         map[string]float64 // confidence, support, lift, leverage, affinity
}

// Marks of a rule, by row.
const (
	markAntecedent = 1 << iota
	markConsequent
)

// ruleOutput is what an OutputField asks of an AssociationModel.
type ruleOutput struct {
	pick   byte    // 'r' recommendation, 'x' exclusiveRecommendation, 'a' ruleAssociation
	order  []int32 // rules, the first in rank first
	values []value // of what is asked, by rule
	typ    dataType
	many   bool // isMultiValued: all up to rank
}

func (b *binder) association(s *scope, e *element) evaluator {
	a := &association{basket: -1}
	if len(s.targets) > 0 {
		b.bad.add(s.all[s.targets[0]], s.targets[0], "an AssociationModel predicts no field", "take the target out of its MiningSchema")
	}
	if e.first("Targets") != nil {
		b.bad.add(e.first("Targets"), "", "an AssociationModel has no Targets", "take them out")
	}
	var active, group []string
	for _, n := range s.active {
		switch s.all[n].get("usageType") {
		case "", "active":
			active = append(active, n)
		case "group":
			group = append(group, n)
		}
	}
	switch {
	case len(group) > 1:
		b.bad.add(e, group[1], fmt.Sprintf("the MiningSchema has %d group fields", len(group)), "want one, or none")
	case len(group) == 1 && len(active) != 1:
		b.bad.add(e, group[0], fmt.Sprintf("the MiningSchema has a group field and %d active fields", len(active)), "want one: the item")
	case len(group) == 1:
		a.basket = s.fields[active[0]]
	case len(active) == 0:
		b.bad.add(e, "", "the MiningSchema has no active field", "name those of the items")
	}
	ids := map[string]int32{}
	for _, k := range e.all("Item") {
		if _, twice := ids[k.get("id")]; twice {
			b.bad.add(k, "", fmt.Sprintf("two Items have the id %q", clip(k.get("id"))), "change one")
		}
		ids[k.get("id")] = int32(len(a.items))
		a.items = append(a.items, b.item(s, k, a.basket))
	}
	setIDs := map[string]int{}
	for _, k := range e.all("Itemset") {
		if _, twice := setIDs[k.get("id")]; twice {
			b.bad.add(k, "", fmt.Sprintf("two Itemsets have the id %q", clip(k.get("id"))), "change one")
		}
		setIDs[k.get("id")] = len(a.sets)
		var set itemset
		for _, ref := range k.all("ItemRef") {
			i, ok := ids[ref.get("itemRef")]
			if !ok {
				b.bad.add(ref, "", fmt.Sprintf("itemRef=%q is no Item", clip(ref.get("itemRef"))), "declare it")
				continue
			}
			set.items = append(set.items, i)
			set.texts = append(set.texts, str(a.items[i].value))
		}
		a.sets = append(a.sets, set)
	}
	ruleIDs := map[string]bool{}
	for i, k := range e.all("AssociationRule") {
		x := associationRule{id: k.get("id"), of: map[string]float64{}}
		if x.id == "" {
			x.id = strconv.Itoa(i + 1)
		}
		if ruleIDs[x.id] {
			b.bad.add(k, "", fmt.Sprintf("two AssociationRules have the id %q", clip(x.id)), "change one")
		}
		ruleIDs[x.id] = true
		set := func(key string) int {
			at, ok := setIDs[k.get(key)]
			if !ok {
				b.bad.add(k, "", fmt.Sprintf("%s=%q is no Itemset", key, clip(k.get(key))), "declare it")
			}
			return at
		}
		x.antecedent, x.consequent = set("antecedent"), set("consequent")
		for _, key := range []string{"confidence", "support", "lift", "leverage", "affinity"} {
			if txt, ok := k.lookup(key); ok {
				x.of[key] = b.number(k, key, txt)
			}
		}
		a.rules = append(a.rules, x)
	}
	return a
}

// item binds an Item. PMML 4.4.1: of a basket, the category or the value is an
// entry of the collection; else value names a field, alone or as field=category.
func (b *binder) item(s *scope, k *element, basket int) item {
	x := item{slot: basket, value: k.get("value")}
	name, named := k.lookup("field")
	category, has := k.lookup("category")
	switch {
	case named && !has:
		b.bad.add(k, name, "an Item has a field and no category", "give it")
		return x
	case named:
		x.slot = s.field(k, name)
	case basket >= 0:
		category, has = x.value, true
	default:
		name = x.value
		if x.slot = s.lookup(name); x.slot < 0 {
			name, category, has = strings.Cut(x.value, "=")
			x.slot = s.field(k, name)
		} else {
			has = false
		}
	}
	if has && x.slot >= 0 {
		x.want = b.literal(k, b.prog.slots[x.slot], category)
	}
	return x
}

// on reports whether the item is in the row.
func (x *item) on(r *row, basket bool) bool {
	v := r.get(x.slot)
	if basket {
		switch v.k {
		case list:
			return slices.ContainsFunc(v.list, x.want.equal)
		case missing:
			if r.err == nil {
				r.fail(r.slots[x.slot].name, KindModel, "value is missing, and the model needs it")
			}
		default:
			r.fail(r.slots[x.slot].name, KindType, "%s is one item, and the model takes a collection", quote(v))
		}
		return false
	}
	if v.k == missing {
		return false
	}
	if x.want.k != missing {
		return v.equal(x.want)
	}
	if v.k == text && (v.s == "T" || v.s == "F") {
		return v.s == "T"
	}
	t, ok := typeBoolean.cast(v, 0)
	if !ok {
		r.fail(r.slots[x.slot].name, KindModel, "%s is neither true nor false, and stands for an item", quote(v))
	}
	return t.f != 0
}

// evaluate marks the rules whose antecedent, or consequent, is in the row.
func (a *association) evaluate(r *row, out *result) {
	n := len(a.items)
	out.marks = append(out.marks[:0], make([]byte, n+len(a.sets)+len(a.rules))...)
	items, sets, rules := out.marks[:n], out.marks[n:n+len(a.sets)], out.marks[n+len(a.sets):]
	for i := range a.items {
		if a.items[i].on(r, a.basket >= 0) {
			items[i] = 1
		}
	}
	if r.err != nil {
		return
	}
	for i := range a.sets {
		sets[i] = 1
		for _, x := range a.sets[i].items {
			sets[i] &= items[x]
		}
	}
	for i := range a.rules {
		rules[i] = sets[a.rules[i].antecedent]*markAntecedent | sets[a.rules[i].consequent]*markConsequent
	}
}

var ruleFeatures = map[string]string{
	"ruleValue": "", "antecedent": "antecedent", "consequent": "consequent", "rule": "rule", "ruleId": "ruleId", "entityId": "ruleId",
	"confidence": "confidence", "support": "support", "lift": "lift", "leverage": "leverage",
}

// answers binds an OutputField that selects rules. PMML 4.4.1, Output.
func (a *association) answers(b *binder, e *element, o *output) bool {
	what, ok := ruleFeatures[o.feature]
	if !ok {
		return false
	}
	x := &ruleOutput{}
	o.ruled = x
	if what == "" {
		if what = e.get("ruleFeature"); what == "" {
			what = "consequent"
		}
	}
	one := func(key, def string, of ...string) string {
		v, ok := e.lookup(key)
		if !ok {
			return def
		}
		if !slices.Contains(of, v) {
			b.bad.add(e, o.name, fmt.Sprintf("%s=%q is none", key, clip(v)), "want "+strings.Join(of, ", "))
		}
		return v
	}
	switch one("algorithm", "exclusiveRecommendation", "recommendation", "exclusiveRecommendation", "ruleAssociation") {
	case "recommendation":
		x.pick = 'r'
	case "ruleAssociation":
		x.pick = 'a'
	default:
		x.pick = 'x'
	}
	x.many = one("isMultiValued", "0", "0", "1") == "1"
	if o.rank == 0 && !x.many {
		b.bad.add(e, o.name, "rank=\"0\" of one value", "rank 0 is all: want isMultiValued=\"1\"")
	}
	basis := one("rankBasis", "confidence", "confidence", "support", "lift", "leverage", "affinity")
	up := one("rankOrder", "descending", "descending", "ascending") == "ascending"
	for i := range a.rules {
		if _, ok := a.rules[i].of[basis]; !ok {
			b.bad.add(e, o.name, fmt.Sprintf("rankBasis=%q, and rule %s has none", basis, clip(a.rules[i].id)), "rank by what all rules have")
			return true
		}
		x.order = append(x.order, int32(i))
		x.values = append(x.values, a.feature(i, what))
	}
	sort.SliceStable(x.order, func(i, j int) bool { // of equals, the document's order
		p, q := a.rules[x.order[i]].of[basis], a.rules[x.order[j]].of[basis]
		if up {
			return p < q
		}
		return p > q
	})
	switch what {
	case "antecedent", "consequent", "rule", "ruleId":
		x.typ = typeString
	case "confidence", "support", "lift", "leverage", "affinity":
		x.typ = typeDouble
	default:
		b.bad.add(e, o.name, fmt.Sprintf("ruleFeature=%q is none", clip(what)), "want antecedent, consequent, rule, ruleId, confidence, support, lift, leverage or affinity")
	}
	return true
}

// feature is what an output may ask of rule i; missing where the rule has none.
func (a *association) feature(i int, what string) value {
	x := &a.rules[i]
	if what == "ruleId" {
		return str(x.id)
	}
	if f, ok := x.of[what]; ok {
		return num(f)
	}
	if len(a.sets) == 0 {
		return none // the binder has said why
	}
	from, to := a.sets[x.antecedent], a.sets[x.consequent]
	switch what {
	case "antecedent":
		return value{k: list, list: from.texts}
	case "consequent":
		return value{k: list, list: to.texts}
	case "rule":
		join := func(vs []value) string {
			var t []string
			for _, v := range vs {
				t = append(t, v.s)
			}
			return "{" + strings.Join(t, ",") + "}"
		}
		return str(join(from.texts) + "->" + join(to.texts))
	}
	return none
}

// selected reports whether a rule with such marks is selected. PMML 4.4.1,
// Output: recommendation, where its antecedent is in the row; exclusive, and its
// consequent is not; ruleAssociation, and its consequent is too.
func (x *ruleOutput) selected(marks byte) bool {
	switch x.pick {
	case 'r':
		return marks&markAntecedent != 0
	case 'x':
		return marks == markAntecedent
	}
	return marks == markAntecedent|markConsequent
}

func (a *association) answer(_ *row, res *result, o *output) value {
	x := o.ruled
	if len(res.marks) == 0 {
		return none
	}
	marks := res.marks[len(a.items)+len(a.sets):]
	many := value{k: list}
	n := 0
	for _, i := range x.order {
		if !x.selected(marks[i]) {
			continue
		}
		if n++; x.many {
			many.list = append(many.list, x.values[i])
		}
		if n == o.rank {
			if x.many {
				return many
			}
			return x.values[i]
		}
	}
	if x.many {
		return many
	}
	return none
}
