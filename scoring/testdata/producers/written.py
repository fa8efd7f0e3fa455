"""Documents that no producer writes: every combination of a rule's attributes.

python written.py CORPUS writes CORPUS/<Kind>/<name>.pmml; make pmml-golden then
makes rows and JPMML's answers for those that are new or changed.
"""
import itertools
import pathlib
import sys
from xml.sax.saxutils import quoteattr


def el(tag, *content, **attrs):
    a = "".join(f" {k.rstrip('_').replace('__', '-')}={quoteattr(str(v))}" for k, v in attrs.items() if v is not None)
    inner = "".join(content)
    return f"<{tag}{a}>{inner}</{tag}>" if inner else f"<{tag}{a}/>"


def field(name, type_="double", op=None, *content):
    op = op or ("continuous" if type_ in ("double", "float", "integer") else "categorical")
    return el("DataField", *content, name=name, optype=op, dataType=type_)


def values(*vs, property=None):
    return "".join(el("Value", value=v, property=property) for v in vs)


def schema(*fields, target=None):
    fs = [f if f.startswith("<") else el("MiningField", name=f) for f in fields]
    if target:
        fs.append(el("MiningField", name=target, usageType="target"))
    return el("MiningSchema", *fs)


def out(name, feature="predictedValue", type_="double", *content, **a):
    op = a.pop("optype", "continuous" if type_ in ("double", "float", "integer") else "categorical")
    return el("OutputField", *content, name=name, optype=op, dataType=type_, feature=feature, **a)


def ref(f):
    return el("FieldRef", field=f)


def apply(fn, *args, **a):
    return el("Apply", *args, function=fn, **a)


def const(v, t=None, **a):
    return el("Constant", str(v), dataType=t, **a)


def true():
    return "<True/>"


def simple(f, op, v=None):
    return el("SimplePredicate", field=f, operator=op, value=v)


def compound(op, *ps):
    return el("CompoundPredicate", *ps, booleanOperator=op)


def inset(f, op, type_, *vs):
    text = " ".join(f'"{v}"' if type_ == "string" else str(v) for v in vs)
    return el("SimpleSetPredicate", el("Array", text, n=len(vs), type=type_), field=f, booleanOperator=op)


def node(pred, *kids, **a):
    return el("Node", pred, *kids, **a)


def dist(v, n, **a):
    return el("ScoreDistribution", value=v, recordCount=n, **a)


ROOT = pathlib.Path(sys.argv[1])

Y = field("y")


def write(kind, name, dictionary, model, transformations="", version="4.4"):
    ns = f"http://www.dmg.org/PMML-{version.replace('.', '_')}"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<PMML xmlns="{ns}" version="{version}"><Header/>\n{el("DataDictionary", *dictionary)}\n{transformations}\n{model}\n</PMML>\n'
    text = text.replace("><Node", ">\n<Node").replace("><MiningField", ">\n<MiningField").replace("><DataField", ">\n<DataField").replace("><OutputField", ">\n<OutputField").replace("><Segment", ">\n<Segment").replace("><DerivedField", ">\n<DerivedField").replace("><RegressionTable", ">\n<RegressionTable").replace("><Characteristic", ">\n<Characteristic").replace("><Attribute", ">\n<Attribute")
    path = ROOT / kind / f"{name}.pmml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def numeric(f, coefficient, exponent=None):
    return el("NumericPredictor", name=f, exponent=exponent, coefficient=coefficient)


def table(intercept, *terms, category=None):
    return el("RegressionTable", *terms, intercept=intercept, targetCategory=category)


def regression(*tables, fn="regression", norm=None, mining=None, output="", targets="", local="", **a):
    return el("RegressionModel", mining or schema("x1", "x2", target="y"), output, targets, local, *tables, functionName=fn, normalizationMethod=norm, **a)


NORMS = ["none", "simplemax", "softmax", "logit", "probit", "cloglog", "exp", "loglog", "cauchit"]


def regressions():
    xs = [field("x1"), field("x2")]
    for norm in NORMS:
        if norm != "simplemax":
            write("Regression", f"regression-{norm}", xs + [Y], regression(table(0.5, numeric("x1", 0.25), numeric("x2", -0.75)), norm=norm))
        if norm not in ("exp",):
            t = [table(0.2, numeric("x1", 0.5), numeric("x2", -0.25), category="a"), table(0, category="b")]
            probs = el("Output", *(out(f"p_{v}", "probability", value=v) for v in "ab"), out("p", "probability"))
            write("Regression", f"binary-{norm}", xs + [field("y", "string", None, values("a", "b"))], regression(*t, fn="classification", norm=norm, output=probs))
        if norm in ("none", "simplemax", "softmax", "logit"):
            t = [table(0.2, numeric("x1", 0.1), category="a"), table(0.3, numeric("x2", 0.05), category="b"), table(0.1, category="c")]
            write("Regression", f"three-{norm}", xs + [field("y", "string", None, values("a", "b", "c"))], regression(*t, fn="classification", norm=norm))
        if norm in ("none", "logit", "probit", "cloglog", "loglog", "cauchit"):
            t = [table(-1, numeric("x1", 0.3), category="low"), table(0.5, numeric("x1", 0.3), category="mid"), table(0, category="high")]
            write("Regression", f"ordinal-{norm}", xs + [field("y", "string", "ordinal", values("low", "mid", "high"))], regression(*t, fn="classification", norm=norm))
    terms = [
        numeric("x1", 2, 2), numeric("x2", -0.5, 3), numeric("i", 0.125), numeric("f", 1.1),
        el("CategoricalPredictor", name="s", value="u", coefficient="4"), el("CategoricalPredictor", name="s", value="v", coefficient="-3.5"),
        el("CategoricalPredictor", name="b", value="true", coefficient="10"), el("CategoricalPredictor", name="k", value="1", coefficient="100"), el("CategoricalPredictor", name="k", value="2", coefficient="200"),
        el("PredictorTerm", ref("x1"), ref("x2"), coefficient="0.01"), el("PredictorTerm", ref("i"), ref("i"), ref("f"), name="t", coefficient="0.003"),
    ]
    d = xs + [field("i", "integer"), field("f", "float"), field("s", "string", None, values("u", "v", "w")), field("b", "boolean"), field("k", "integer", "categorical", values(1, 2, 3)), Y]
    write("Regression", "every-term", d, regression(table(1.5, *terms), mining=schema("x1", "x2", "i", "f", "s", "b", "k", target="y")))
    write("Regression", "every-term-float", d, regression(table(1.5, *terms), mining=schema("x1", "x2", "i", "f", "s", "b", "k", target="y"), x__mathContext="float"))
    for n in (0, 1, 2, 3, 5, 10, -1, -2):
        write("Regression", f"exponent-{n}".replace("--", "-minus"), xs + [Y], regression(table(0, numeric("x1", 1, n))))
    write("Regression", "no-target", xs, regression(table(1, numeric("x1", 2)), mining=schema("x1", "x2")))
    write("Regression", "target-integer", xs + [field("y", "integer")], regression(table(1, numeric("x1", 2)), targets=el("Targets", el("Target", field="y", castInteger="round"))))
    write("Regression", "boolean-target", xs + [field("y", "boolean", None, values("true", "false"))], regression(table(0.1, numeric("x1", 2), category="true"), table(0, category="false"), fn="classification", norm="logit", output=el("Output", out("p1", "probability", value="true"))))
    write("Regression", "integer-classes", xs + [field("y", "integer", "categorical", values(0, 1))], regression(table(0.1, numeric("x1", 2), category="1"), table(0, category="0"), fn="classification", norm="logit", output=el("Output", out("p1", "probability", value="1"), out("y2", "predictedValue", "integer", optype="categorical"))))
    write("Regression", "prior-where-missing", xs + [field("y", "string", None, values("a", "b"))], regression(table(0.1, numeric("x1", 2), category="a"), table(0, category="b"), fn="classification", norm="logit", targets=el("Targets", el("Target", el("TargetValue", value="a", priorProbability=0.25), el("TargetValue", value="b", priorProbability=0.75), field="y"))))
    write("Regression", "default-where-missing", xs + [Y], regression(table(0.1, numeric("x1", 2)), targets=el("Targets", el("Target", el("TargetValue", defaultValue=42.5), field="y"))))
    for v in ("3.0", "3.1", "3.2", "4.0", "4.1", "4.2", "4.3"):
        write("Regression", f"version-{v}", xs + [Y], regression(table(0.1, numeric("x1", 2), numeric("x2", 3))), version=v)


def targets():
    xs = [field("x1"), field("x2")]
    n = 0
    for lo, hi, factor, constant, cast in itertools.product((None, -2), (None, 3), (None, 2.5), (None, -0.5), (None, "round", "ceiling", "floor")):
        if sum(x is not None for x in (lo, hi, factor, constant, cast)) in (0, 4):
            continue
        n += 1
        t = el("Targets", el("Target", field="y", min=lo, max=hi, rescaleFactor=factor, rescaleConstant=constant, castInteger=cast))
        o = el("Output", out("y2"), out("twice", "transformedValue", "double", apply("*", ref("y2"), const(2))))
        write("Targets", f"target-{n:02d}", xs + [Y], regression(table(0.1, numeric("x1", 1), numeric("x2", -1)), targets=t, output=o))
    t = el("Targets", el("Target", el("TargetValue", value="a", displayValue="the first"), el("TargetValue", value="b", displayValue="the second"), field="y"))
    o = el("Output", out("d", "predictedDisplayValue", "string"), out("v", "predictedValue", "string"))
    write("Targets", "display-values", xs + [field("y", "string", None, values("a", "b"))], regression(table(0.1, numeric("x1", 2), category="a"), table(0, category="b"), fn="classification", norm="softmax", targets=t, output=o))


def treatments():
    """Each input field is one combination; each output shows the treated value."""
    invalid = [("returnInvalid", None), ("asIs", None), ("asMissing", None), ("asValue", "1.5"), ("asIs", "2.5")]
    missing = [(None, None), ("asIs", None), ("asMean", "7"), ("asMode", "8"), ("asMedian", "9"), ("asValue", "10"), ("returnInvalid", None)]
    outliers = [(None, None, None), ("asIs", "-1", "4"), ("asMissingValues", "-1", "4"), ("asExtremeValues", "-1", "4"), ("asExtremeValues", None, "4"), ("asMissingValues", "-1", None)]
    for (it, iv), (mt, mv), in itertools.product(invalid, missing):
        dd, ms, os = [], [], []
        for n, (ol, lo, hi) in enumerate(outliers):
            for type_ in ("double", "integer", "float"):
                f = f"{type_[0]}{n}"
                if type_ == "integer" and iv:
                    iv_ = "2"
                else:
                    iv_ = iv
                dd.append(field(f, type_, None, el("Interval", closure="closedClosed", leftMargin="-10", rightMargin="20"), values("-99", property="missing"), values("5", property="invalid")))
                ms.append(el("MiningField", name=f, outliers=ol, lowValue=lo, highValue=hi, invalidValueTreatment=it, invalidValueReplacement=iv_, missingValueTreatment=mt, missingValueReplacement=mv))
                os.append(out(f"o_{f}", "transformedValue", type_, ref(f)))
        dd.append(Y)
        name = f"treat-{it}{'-value' if iv else ''}-{mt or 'none'}"
        write("Fields", name, dd, regression(table(1), mining=schema(*ms, target="y"), output=el("Output", *os)))
        rows = [{}]
        for v in ("null", "3", "3.5", "-99", "5", "25", "-11", '"abc"', "-2", "6", "4", "-1", '"3"', '"3.0"', '"-99"', "true", "1e9", "20", "-10"):
            rows.append({f: v for n in range(len(outliers)) for f in (f"d{n}", f"i{n}", f"f{n}")})
        for f in ("d0", "i2", "f3", "d4"):
            for v in ("null", "3.5", "25", '"abc"', "-99"):
                row = {g: "3" for n in range(len(outliers)) for g in (f"d{n}", f"i{n}", f"f{n}")}
                row[f] = v
                rows.append(row)
        (ROOT / "Fields" / f"{name}.rows.jsonl").write_text("".join("{" + ",".join(f'"{k}":{v}' for k, v in r.items()) + "}\n" for r in rows), encoding="utf-8")
    # texts: outliers do not apply
    for (it, iv), (mt, mv) in itertools.product([("returnInvalid", None), ("asIs", None), ("asMissing", None), ("asValue", "c"), ("asIs", "c")], [(None, None), ("asMode", "a"), ("returnInvalid", None), ("asValue", "elsewhere")]):
        ms, os, dd = [], [], []
        for f, type_, vs in (("s", "string", values("a", "b", "c") + values("?", property="missing") + values("x", property="invalid")), ("o", "string", values("?", property="missing") + values("x", property="invalid")), ("b", "boolean", "")):
            dd.append(field(f, type_, None, vs))
            ok = type_ == "string"
            ms.append(el("MiningField", name=f, invalidValueTreatment=it, invalidValueReplacement=iv if ok else iv and "true", missingValueTreatment=mt, missingValueReplacement=mv if ok else mv and "false"))
            os.append(out(f"o_{f}", "transformedValue", type_, ref(f)))
        write("Fields", f"treat-text-{it}{'-value' if iv else ''}-{mt or 'none'}", dd + [Y], regression(table(1), mining=schema(*ms, target="y"), output=el("Output", *os)))


def fields():
    def show(name, type_, *content, op=None):
        write("Fields", name, [field("x", type_, op, *content), Y], regression(table(1), mining=schema("x", target="y"), output=el("Output", out("o", "transformedValue", type_, ref("x"), optype=op or ("continuous" if type_ in ("double", "float", "integer") else "categorical")), out("m", "transformedValue", "boolean", apply("isMissing", ref("x"))))))
    for closure, (lo, hi) in itertools.product(("openOpen", "openClosed", "closedOpen", "closedClosed"), (("-1", "2"), (None, "2"), ("-1", None))):
        show(f"interval-{closure}-{'from' if lo else ''}{'to' if hi else ''}", "double", el("Interval", closure=closure, leftMargin=lo, rightMargin=hi))
    show("intervals-two", "double", el("Interval", closure="closedOpen", leftMargin="-5", rightMargin="-1"), el("Interval", closure="openClosed", leftMargin="1", rightMargin="5"))
    show("intervals-and-values", "double", el("Interval", closure="closedClosed", leftMargin="0", rightMargin="5"), values("-9", property="missing"), values("3", property="invalid"))
    show("values-closed-double", "double", values("1", "2.5", "3"))
    show("values-closed-integer", "integer", values("1", "2", "3"), op="categorical")
    show("values-closed-string", "string", values("1", "2", "x y"))
    show("values-open-string", "string", values("?", "", property="missing"), values("bad", property="invalid"))
    show("values-mixed-string", "string", values("a", "b") + values("N/A", property="missing") + values("zz", property="invalid"))
    show("missing-text-in-double", "double", values("N/A", property="missing"), values("NaN", property="missing"))
    show("missing-number", "double", values("-999", property="missing"), values("-998", property="invalid"))
    for t in ("string", "integer", "float", "double", "boolean"):
        show(f"type-{t}", t)
    show("ordinal-string", "string", values("low", "mid", "high"), op="ordinal")
    show("ordinal-integer", "integer", values("3", "1", "2"), op="ordinal")
    show("categorical-double", "double", values("1", "2"), op="categorical")
    show("continuous-float-values", "float", values("0.1", "0.25"))
    write("Fields", "optype-in-schema", [field("x", "integer"), Y], regression(table(1, el("CategoricalPredictor", name="x", value="2", coefficient="5")), mining=schema(el("MiningField", name="x", optype="categorical"), target="y")))
    write("Fields", "usage-types", [field(f) for f in ("x1", "g", "o", "s", "fw", "aw")] + [Y], regression(table(1, numeric("x1", 2)), mining=schema("x1", *(el("MiningField", name=n, usageType=u) for n, u in (("s", "supplementary"), ("fw", "frequencyWeight"), ("aw", "analysisWeight"))), el("MiningField", name="y", usageType="predicted")), output=el("Output", out("shown", "transformedValue", "double", ref("s")))))


def trees():
    xs = [field("x1"), field("x2"), field("s", "string", None, values("u", "v", "w"))]
    ms = schema("x1", "x2", "s", target="y")

    def tree(root, fn="regression", mining=ms, output="", targets="", local="", **a):
        return el("TreeModel", mining, output, targets, local, root, functionName=fn, **a)

    small = node(true(), node(simple("x1", "lessThan", "1"), node(simple("s", "equal", "u"), score=1, id="D"), node(simple("x2", "greaterThan", "0"), score=2, id="E"), id="B", score=15, defaultChild="E"),
                 node(simple("x1", "greaterOrEqual", "1"), node(simple("x2", "lessOrEqual", "-1"), score=3, id="F"), node(simple("x2", "greaterThan", "-1"), score=4, id="G"), id="C", score=16, defaultChild="F"), id="A", score=17, defaultChild="C")
    ids = el("Output", out("id", "entityId", "string"))
    for ms_, nt, pen in itertools.product((None, "none", "lastPrediction", "nullPrediction", "defaultChild"), (None, "returnNullPrediction", "returnLastPrediction"), (None, 0.8)):
        write("Tree", f"regression-{ms_ or 'absent'}-{(nt or 'absent')[:10]}{'-penalty' if pen else ''}", xs + [Y], tree(small, missingValueStrategy=ms_, noTrueChildStrategy=nt, missingValuePenalty=pen, output=ids))
    cy = field("y", "string", None, values("a", "b", "c"))
    kinds = {
        "counts": lambda a, b, c, s: (dist("a", a) + dist("b", b) + dist("c", c), s),
        "confidence": lambda a, b, c, s: (dist("a", a, confidence=0.5) + dist("b", b, confidence=0.25) + dist("c", c, confidence=0.125), s),
        "probability": lambda a, b, c, s: (dist("a", a, probability=0.2) + dist("b", b, probability=0.5) + dist("c", c, probability=0.3), s),
        "two-classes-only": lambda a, b, c, s: (dist("a", a) + dist("c", c), s),
        "ties": lambda a, b, c, s: (dist("b", 5) + dist("a", 5) + dist("c", 5), "a"),
    }
    feats = el("Output", out("id", "entityId", "string"), *(out(f"p_{v}", "probability", value=v) for v in "abc"), out("p", "probability"), *(out(f"c_{v}", "confidence", value=v) for v in "abc"), out("conf", "confidence"))
    few = el("Output", out("id", "entityId", "string"), *(out(f"p_{v}", "probability", value=v) for v in "abc"), out("p", "probability"))
    for name, mk in kinds.items():
        def leaf(pred, a, b, c, s, id_):
            d, sc = mk(a, b, c, s)
            return node(pred, d, score=sc, id=id_, recordCount=a + b + c)
        def inner(pred, id_, default, *kids):
            d, sc = mk(30, 20, 10, "a")
            return node(pred, d, *kids, score=sc, id=id_, recordCount=60, defaultChild=default)
        for strategy, pen in (("defaultChild", 0.75), ("lastPrediction", None), ("none", None), ("nullPrediction", None)):
            root = inner(true(), "0", "1", inner(simple("x1", "lessThan", "1"), "1", "3", leaf(simple("s", "equal", "u"), 10, 3, 1, "a", "3"), leaf(simple("s", "notEqual", "u"), 2, 7, 5, "b", "4")),
                         inner(simple("x1", "greaterOrEqual", "1"), "2", "6", leaf(compound("surrogate", simple("x2", "lessThan", "0"), simple("s", "equal", "w"), "<False/>"), 1, 1, 8, "c", "5"), leaf(compound("surrogate", simple("x2", "greaterOrEqual", "0"), simple("s", "notEqual", "w"), true()), 4, 4, 9, "c", "6")))
            write("Tree", f"classification-{name}-{strategy}", xs + [cy], tree(root, fn="classification", missingValueStrategy=strategy, missingValuePenalty=pen, output=feats if name == "confidence" else few))
    ops = ["equal", "notEqual", "lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual"]
    types = {"double": ("1.5", "double", None, ""), "float": ("0.1", "float", None, ""), "integer": ("2", "integer", None, ""), "string": ("m", "string", None, values("k", "m", "z")), "boolean": ("true", "boolean", None, ""), "ordinal": ("mid", "string", "ordinal", values("low", "mid", "high")), "ordinal-integer": ("1", "integer", "ordinal", values("3", "1", "2")), "categorical-integer": ("2", "integer", "categorical", values(1, 2, 3))}
    for name, (v, t, op, content) in types.items():
        d = [field("x", t, op, content), Y]
        some = ops if name not in ("string", "boolean") else ops[:2]
        for o in some:
            write("Tree", f"predicate-{name}-{o}", d, tree(node(true(), node(simple("x", o, v), score=1), node(simple("x", "isMissing"), score=2), node(simple("x", "isNotMissing"), score=3)), mining=schema("x", target="y")))
        if name not in ("ordinal",):
            at = {"double": "real", "float": "real", "integer": "int", "categorical-integer": "int", "ordinal-integer": "int"}.get(name, "string")
            w = {"double": ("1.5", "2.5"), "float": ("0.1", "0.7"), "integer": ("2", "7"), "string": ("m", "z"), "boolean": ("true",), "ordinal-integer": ("1", "2"), "categorical-integer": ("2", "3")}[name]
            for o in ("isIn", "isNotIn"):
                write("Tree", f"set-{name}-{o}", d, tree(node(true(), node(inset("x", o, at, *w), score=1), node(true(), score=2), score=3), mining=schema("x", target="y")))
    for op in ("and", "or", "xor", "surrogate"):
        p = compound(op, simple("x1", "lessThan", "0"), simple("x2", "lessThan", "0"), simple("s", "equal", "u"))
        q = compound("and", compound(op, simple("x1", "lessThan", "0"), compound("or", simple("x2", "lessThan", "0"), "<False/>")), true())
        write("Tree", f"compound-{op}", xs + [Y], tree(node(true(), node(p, score=1), node(q, score=2), node(true(), score=3))))
        write("Tree", f"compound-{op}-null", xs + [Y], tree(node(true(), node(p, score=1), node(true(), score=3), score=9), missingValueStrategy="lastPrediction"))
    write("Tree", "root-predicate", xs + [Y], tree(node(simple("x1", "lessThan", "0"), node(simple("x2", "lessThan", "0"), score=1), score=2), noTrueChildStrategy="returnLastPrediction"))
    write("Tree", "multi-split", xs + [Y], tree(node(true(), *(node(simple("x1", "lessThan", str(i)), score=i) for i in range(-2, 3)), score=9), noTrueChildStrategy="returnLastPrediction", splitCharacteristic="multiSplit"))
    write("Tree", "score-passing", xs + [Y], tree(node(true(), node(simple("x1", "lessOrEqual", "0"), node(simple("x2", "lessOrEqual", "1"), score=1), score=2), node(simple("x1", "lessOrEqual", "2"), node(simple("x2", "greaterThan", "0"), score=3), score=4), score=5), missingValueStrategy="nullPrediction", noTrueChildStrategy="returnLastPrediction", splitCharacteristic="multiSplit"))
    write("Tree", "math-context-float", xs + [Y], tree(node(true(), node(simple("x1", "lessThan", "0.1"), score="0.1"), node(true(), score="0.7")), x__mathContext="float"))
    write("Tree", "implicit-ids", xs + [Y], tree(node(true(), node(simple("x1", "lessThan", "0"), node(simple("x2", "lessThan", "0"), score=1), node(true(), score=2)), node(true(), score=3)), output=ids))
    write("Tree", "local-transformations", xs + [Y], tree(node(true(), node(simple("z", "lessThan", "0"), score=1), node(true(), score=2)), local=el("LocalTransformations", el("DerivedField", apply("-", ref("x1"), ref("x2")), name="z", optype="continuous", dataType="double"))))
    write("Tree", "integer-classes", [field("x1"), field("y", "integer", "categorical", values(0, 1))], tree(node(true(), node(simple("x1", "lessThan", "0"), dist("0", 3) + dist("1", 1), score=0), node(true(), dist("0", 1) + dist("1", 5), score=1)), fn="classification", mining=schema("x1", target="y"), output=el("Output", out("p", "probability", value="1"))))
    write("Tree", "display-and-residual", [field("x1"), Y], tree(node(true(), node(simple("x1", "lessThan", "0"), score=3), node(true(), score=4)), mining=schema("x1", target="y"), output=el("Output", out("r", "residual"), out("d", "predictedDisplayValue", "string"))))


def minings():
    xs = [field("x1"), field("x2"), field("w")]
    ms = schema("x1", "x2", target="y")

    def seg(i, pred, model, weight=None):
        return el("Segment", pred, model, id=i, weight=weight)

    def mining(method, *segs, fn="regression", mpt=None, threshold=None, output="", targets="", mining=ms, **a):
        return el("MiningModel", mining, output, targets, el("Segmentation", *segs, multipleModelMethod=method, missingPredictionTreatment=mpt, missingThreshold=threshold), functionName=fn, **a)

    def leaf(*scores, fn="regression", field_="x1", **a):
        kids = [node(simple(field_, "lessThan", str(i)), score=s) for i, s in enumerate(scores)]
        return el("TreeModel", schema("x1", "x2", *(["w"] if field_ == "w" else []), target="y"), node(true(), *kids), functionName=fn, **a)

    def cleaf(*rows, field_="x1"):
        kids = [node(simple(field_, "lessThan", str(i)), "".join(dist(c, n) for c, n in zip("abc", r)), score="abc"[r.index(max(r))]) for i, r in enumerate(rows)]
        return el("TreeModel", schema("x1", "x2", *(["w"] if field_ == "w" else []), target="y"), node(true(), *kids), functionName="classification", missingValueStrategy="nullPrediction")

    preds = [true(), simple("x2", "lessThan", "1"), simple("x2", "greaterThan", "-1"), true()]
    scores = [(1, 2, 3), (4.5, 5.25, 6), (-7, 0.1, 9), (0.3, 0.7, 11)]
    cy = field("y", "string", None, values("a", "b", "c"))
    dists = [((5, 3, 1), (1, 6, 2), (2, 2, 7)), ((1, 1, 8), (9, 1, 3), (4, 4, 1)), ((2, 3, 4), (4, 3, 2), (1, 0, 0)), ((0, 1, 1), (3, 3, 3), (0, 5, 1))]
    weights = [1, 2, 0.5, 1.25]
    for method in ("average", "weightedAverage", "median", "weightedMedian", "max", "sum", "weightedSum", "selectFirst"):
        for mpt, th in ((None, None), ("continue", None), ("skipSegment", None), ("skipSegment", 0.3), ("returnMissing", None), ("returnMissing", 0.5)):
            if method == "selectFirst" and mpt or method == "max":
                continue
            segs = [seg(f"s{i}", p, leaf(*s, field_="x2" if i == 2 else "x1"), w) for i, (p, s, w) in enumerate(zip(preds, scores, weights))]
            write("Mining", f"regression-{method}-{mpt or 'absent'}{'-threshold' if th else ''}", xs + [Y], mining(method, *segs, mpt=mpt, threshold=th))
    probs = el("Output", *(out(f"p_{v}", "probability", value=v) for v in "abc"), out("label", "predictedValue", "string"))
    for method in ("majorityVote", "weightedMajorityVote", "average", "weightedAverage", "max", "median", "selectFirst"):
        for mpt, th in ((None, None), ("skipSegment", None), ("skipSegment", 0.3), ("returnMissing", None)):
            if method == "selectFirst" and mpt:
                continue
            ps = [true(), true(), true()] if method == "median" else preds
            segs = [seg(f"s{i}", p, cleaf(*s, field_="x2" if i == 2 else "x1"), w) for i, (p, s, w) in enumerate(zip(ps, dists, weights))]
            write("Mining", f"classification-{method}-{mpt or 'absent'}{'-threshold' if th else ''}", xs + [cy], mining(method, *segs, fn="classification", mpt=mpt, threshold=th, output=probs))
    for method, weighted, mpt, th in itertools.product(("average", "weightedAverage", "sum", "median"), (False, True), ("skipSegment", "returnMissing"), ("0", "0.25", "0.5", "0.75", "1")):
        segs = [seg(f"s{i}", true(), leaf(i, field_=f), (3 if i == 1 else 1) if weighted else None) for i, f in enumerate(("x1", "x1", "x2", "w"))]
        write("Mining", f"threshold-{method}-{'weights' if weighted else 'ones'}-{mpt}-{th}", xs + [Y], mining(method, *segs, mpt=mpt, threshold=th, mining=schema("x1", "x2", "w", target="y")))
    for method, mpt, th in itertools.product(("majorityVote", "weightedMajorityVote", "average"), ("skipSegment", "returnMissing"), ("0", "0.25", "0.5", "0.75")):
        segs = [seg(f"s{i}", true(), cleaf(dists[i][0], field_=f), 3 if i == 1 else 1) for i, f in enumerate(("x1", "x1", "x2", "w"))]
        write("Mining", f"threshold-{method}-{mpt}-{th}", xs + [cy], mining(method, *segs, fn="classification", mpt=mpt, threshold=th, mining=schema("x1", "x2", "w", target="y")))
    write("Mining", "no-active-segment", xs + [Y], mining("average", seg("a", simple("x1", "lessThan", "0"), leaf(1, 2, 3)), seg("b", simple("x1", "lessThan", "-1"), leaf(4, 5, 6))))
    write("Mining", "no-active-segment-default", xs + [Y], mining("selectFirst", seg("a", simple("x1", "lessThan", "0"), leaf(1, 2, 3)), targets=el("Targets", el("Target", el("TargetValue", defaultValue=-1), field="y"))))
    inner = regression(table(0.5, numeric("x1", 2)), mining=schema("x1", target="y"), output=el("Output", out("first", "predictedValue", "double"), out("hidden", "transformedValue", "double", apply("+", ref("first"), const(1)), isFinalResult="false")))
    last = regression(table(0, numeric("first", 1), numeric("hidden", 10)), mining=schema("first", "hidden", target="y"), output=el("Output", out("second")))
    write("Mining", "chain", xs + [Y], mining("modelChain", seg("1", true(), inner), seg("2", true(), last), output=el("Output", out("all"), out("of1", "predictedValue", "double", segmentId="1"), out("f2", "transformedValue", "double", apply("*", ref("first"), const(3))))))
    last2 = regression(table(0, numeric("first", 1)), mining=schema("first", target="y"))
    write("Mining", "chain-conditional", xs + [Y], mining("modelChain", seg("1", simple("x2", "lessThan", "0"), regression(table(0.5, numeric("x1", 2)), mining=schema("x1", target="y"), output=el("Output", out("first")))), seg("2", true(), el("RegressionModel", schema(el("MiningField", name="first", missingValueReplacement="7"), target="y"), table(0, numeric("first", 1)), functionName="regression"))))
    logit = el("RegressionModel", schema("margin", target="y"), el("Output", *(out(f"probability({v})", "probability", value=v) for v in "ab")), table(0, numeric("margin", 1), category="b"), table(0, category="a"), functionName="classification", normalizationMethod="logit")
    boost = el("MiningModel", schema("x1", "x2"), el("Output", out("margin", "predictedValue", "double", isFinalResult="false")), el("Targets", el("Target", rescaleConstant="-0.25")), el("Segmentation", *(seg(i, true(), el("TreeModel", schema("x1", "x2"), node(true(), *(node(simple("x2" if i % 2 else "x1", "lessThan", str(j)), score=str(0.1 * (i - 2) * (j + 1))) for j in range(3)), node(true(), score="0.05")), functionName="regression", missingValueStrategy="none")) for i in range(1, 6)), multipleModelMethod="sum"), functionName="regression", x__mathContext="float")
    write("Mining", "boosted-logit", xs + [field("y", "string", None, values("a", "b"))], mining("modelChain", seg("1", true(), boost), seg("2", true(), logit), fn="classification"))
    local = el("LocalTransformations", el("DerivedField", apply("+", ref("x1"), ref("x2")), name="sum", optype="continuous", dataType="float"))
    write("Mining", "local-transformations", xs + [Y], el("MiningModel", ms, local, el("Segmentation", seg("1", simple("sum", "lessThan", "1"), el("TreeModel", schema("sum", target="y"), node(true(), node(simple("sum", "lessThan", "0"), score=1), node(true(), score=2)), functionName="regression")), seg("2", true(), leaf(7, 8, 9)), multipleModelMethod="selectFirst"), functionName="regression"))
    treated = lambda v: el("RegressionModel", schema(el("MiningField", name="x1", missingValueReplacement=v), target="y"), table(0, numeric("g", 1)), functionName="regression")
    write("Mining", "global-derived-sees-each-treatment", xs + [Y], mining("sum", seg("1", true(), treated("1")), seg("2", true(), treated("100"))), el("TransformationDictionary", el("DerivedField", apply("*", ref("x1"), const(2)), name="g", optype="continuous", dataType="double")))
    write("Mining", "nested", xs + [Y], mining("average", seg("1", true(), el("MiningModel", schema("x1", "x2", target="y"), el("Targets", el("Target", field="y", rescaleFactor="2", max="5")), el("Segmentation", seg("a", true(), leaf(1, 2, 3)), seg("b", true(), leaf(4, 5, 6)), multipleModelMethod="sum"), functionName="regression")), seg("2", true(), leaf(10, 20, 30)), targets=el("Targets", el("Target", field="y", rescaleConstant="0.5"))))


def scorecards():
    xs = [field("x1"), field("x2"), field("s", "string", None, values("u", "v", "w")), Y]
    ms = schema("x1", "x2", "s", target="y")

    def card(algorithm="pointsBelow", initial="10", use=None, base=None, char_base=(3, 2, 5), method=None, codes=True, complex_=False, n=4):
        def attr(pred, score, code=None, content=""):
            return el("Attribute", pred, content, partialScore=score, reasonCode=code if codes else None)
        c = el("Characteristics",
               el("Characteristic", attr(simple("x1", "lessThan", "0"), 1, "A1"), attr(simple("x1", "lessThan", "2"), 4, "A2"), attr(true(), 7), name="first", reasonCode="RA" if codes else None, baselineScore=char_base and char_base[0]),
               el("Characteristic", attr(simple("s", "equal", "u"), -2, "B1"), attr(compound("or", simple("s", "equal", "v"), simple("s", "isMissing")), 2.5), attr(simple("s", "equal", "w"), 6), name="second", reasonCode="RB" if codes else None, baselineScore=char_base and char_base[1]),
               el("Characteristic", attr(simple("x2", "greaterThan", "1"), 5.5, "A1"), attr(simple("x2", "isNotMissing"), None if complex_ else 3, "C2", el("ComplexPartialScore", apply("*", ref("x2"), const(2))) if complex_ else ""), attr(simple("x2", "isMissing"), 0, "C3"), name="third", reasonCode="RC" if codes else None, baselineScore=char_base and char_base[2]))
        o = el("Output", out("score"), *(out(f"r{i}", "reasonCode", "string", rank=i) for i in range(1, n + 1))) if codes else el("Output", out("score"))
        return el("Scorecard", ms, o, c, functionName="regression", initialScore=initial, useReasonCodes=use, reasonCodeAlgorithm=algorithm, baselineScore=base, baselineMethod=method)
    for algorithm, initial, cx in itertools.product(("pointsBelow", "pointsAbove", None), (None, "10"), (False, True)):
        write("Scorecard", f"{algorithm or 'absent'}-{'initial' if initial else 'zero'}{'-complex' if cx else ''}", xs, card(algorithm, initial, complex_=cx))
    for method in ("max", "min", "mean", "neutral", "other"):
        write("Scorecard", f"baseline-{method}", xs, card(base="4", char_base=None, method=method))
    write("Scorecard", "no-reason-codes", xs, card(use="false", codes=False, char_base=None))
    strict = el("Scorecard", ms, el("Characteristics", el("Characteristic", el("Attribute", simple("x1", "lessThan", "0"), partialScore=1), name="only")), functionName="regression", useReasonCodes="false")
    write("Scorecard", "no-true-attribute", xs, strict)


def outputs():
    xs = [field("x1"), field("x2")]
    o = el("Output",
           out("pred"), out("shown", "transformedValue", "double", apply("+", ref("pred"), ref("x1"))), out("gone", "transformedValue", "boolean", apply("isMissing", ref("pred"))),
           out("hidden", "transformedValue", "double", apply("*", ref("shown"), const(2)), isFinalResult="false"), out("after", "transformedValue", "double", apply("-", ref("hidden"), const(1))),
           out("text", "transformedValue", "string", apply("if", apply("greaterThan", ref("pred"), const(0)), const("up", "string"), const("down", "string"))),
           el("OutputField", el("Decisions", el("Decision", value="stop"), el("Decision", value="go"), businessProblem="drill on?"), apply("if", apply("lessThan", ref("pred"), const(1)), const("stop"), const("go")), name="dec", optype="categorical", dataType="string", feature="decision"),
           out("int", "transformedValue", "integer", apply("round", ref("pred"))), out("f", "transformedValue", "float", ref("pred")), out("res", "residual"))
    write("Output", "regression-features", xs + [Y], regression(table(0.1, numeric("x1", 1.1), numeric("x2", -1)), output=o))
    o = el("Output", out("pred", "predictedValue", "string"), out("disp", "predictedDisplayValue", "string"), *(out(f"p{v}", "probability", value=v) for v in "abc"), out("p", "probability"), out("pf", "probability", "float", value="a"), out("res", "residual"), out("is_a", "transformedValue", "boolean", apply("equal", ref("pred"), const("a"))), out("sum", "transformedValue", "double", apply("+", ref("pa"), ref("pb"))))
    t = [table(0.2, numeric("x1", 0.5), category="a"), table(0.3, numeric("x2", 0.25), category="b"), table(0, category="c")]
    write("Output", "classification-features", xs + [field("y", "string", None, el("Value", value="a", displayValue="Alpha"), el("Value", value="b"), el("Value", value="c"))], regression(*t, fn="classification", norm="softmax", output=o))
    write("Output", "named-as-the-target", xs + [Y], regression(table(0.1, numeric("x1", 1.1)), output=el("Output", out("y", "transformedValue", "double", apply("*", ref("x1"), const(10))))))


def types():
    """Every data type, wherever one may be declared."""
    date, time, both = "2021-03-04", "05:06:07", "2021-03-04T05:06:07"
    texts = {"boolean": "true", "string": "a", "integer": "3", "float": "0.5", "double": "0.25", "date": date, "time": time, "dateTime": both, "timeSeconds": time, **{f"dateDaysSince[{y}]": date for y in (1960, 1970, 1980)}, **{f"dateTimeSecondsSince[{y}]": both for y in (1960, 1970, 1980)}}
    for t, v in texts.items():
        op = "categorical" if t in ("string", "boolean") else "continuous"
        name = t.replace("[", "-").replace("]", "")
        d = [field("x", t, op), field("s", "string"), Y]
        fn = el("DefineFunction", el("ParameterField", name="p", optype=op, dataType=t), el("FieldRef", field="p"), name="same", optype=op, dataType=t)
        derived = el("DerivedField", ref("x"), name="dx", optype=op, dataType=t)
        shown = "string" if t in texts and t[:4] in ("date", "time") else t
        show = lambda n, e, as_=None: out(n, "transformedValue", as_ or t, e, optype=op)
        equal = lambda n, e: out(n, "transformedValue", "boolean", apply("equal", ref("x"), e))
        o = {
            "derived": (equal("e", ref("dx")),), "function": (equal("e", apply("same", ref("x"))),), "constant": (equal("e", const(v, t)),), "output": (show("o", ref("x")), equal("e", ref("o"))),
            "discretize": (equal("e", el("Discretize", el("DiscretizeBin", el("Interval", closure="closedOpen", leftMargin=0), binValue=v), field="n", defaultValue=v, dataType=t)),),
            "mapvalues": (equal("e", el("MapValues", el("FieldColumnPair", field="s", column="in"), el("InlineTable", "<row><in>a</in><out>" + v + "</out></row>"), outputColumn="out", defaultValue=v, dataType=t)),),
        }
        for where, outs in o.items():
            extra = [field("n")] if where == "discretize" else []
            ms = schema("x", "s", *(["n"] if extra else []), target="y")
            td = el("TransformationDictionary", fn if where == "function" else "", derived if where == "derived" else "") if where in ("function", "derived") else ""
            write("Types", f"{where}-{name}", d + extra, regression(table(1), mining=ms, output=el("Output", *outs)), td)
            rows = [f'{{"x":{q},"s":"a"{",@n@:1".replace("@", chr(34)) if extra else ""}}}' for q in ([v] if t in ("boolean", "integer", "float", "double") else [f'"{v}"']) + (['"2020-01-02"'] if v == date else ['"23:59:59"'] if v == time else ['"1999-12-31T23:59:59"'] if v == both else [])] + ['{"s":"b"}']
            (ROOT / "Types" / f"{where}-{name}.rows.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


def differences():
    """Documents made to show where this engine differs: their notes say why."""
    xs = [field("x1"), field("x2")]
    t = [table(0.2, numeric("x1", 0.5), category="a"), table(0.3, numeric("x2", 0.25), category="b"), table(0, category="c")]
    write("Output", "residual-of-a-class", xs + [field("y", "string", None, values("a", "b", "c"))], regression(*t, fn="classification", norm="softmax", output=el("Output", out("ra", "residual", value="a"), out("rb", "residual", value="b"))))


if __name__ == "__main__":
    for make in (regressions, targets, treatments, fields, trees, minings, scorecards, outputs, types, differences):
        make()
