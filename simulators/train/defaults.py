"""Train the default models from the table that deploy/cmd/traindata prints.

    go run ./deploy/cmd/traindata > train.csv
    python simulators/train/defaults.py train.csv simulators/models

Seeded; scikit-learn 1.9.0 and sklearn2pmml write the trees, this script writes
the regressions and the scorecard, which no exporter gives the outputs that
mudpulse reads: health_<subsystem>, reason_<subsystem>, normal_<subsystem>,
time_left_h. It prints what each model scores on rigs it has not seen.
"""
import os
import sys
import tempfile
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeRegressor
from sklearn2pmml import sklearn2pmml
from sklearn2pmml.pipeline import PMMLPipeline

NS = "http://www.dmg.org/PMML-4_4"
ET.register_namespace("", NS)
SPP, FLOW = "SPP__ewma__3m__in_rotary", "FLIN__ewma__3m__in_rotary"
DEPTH, MUD = "DBTM__last__30m__in_rotary", "MDI__last__30m__in_rotary"
ENV, VEL, TEMP, SPEED = (f"{c}__ewma__10m__in_rotary" for c in ("TDENV", "TDVEL", "TDBT", "RPM"))
PULS, PART, OIL, WIND, TORQUE = (f"{c}__ewma__10m__in_rotary" for c in ("PPULS", "GBPC", "GBOT", "TDWT", "TQ"))
SSI, RPM30, WOB30 = "SSI__mean__30s", "RPM__mean__30s", "WOB__mean__30s"


def document(name, kind, inputs, body, target="y", every=None, text=""):
    """A PMML document around a hand-written model body."""
    ext = f'<Extension extender="mudpulse" name="every" value="{every}"/>' if every else ""
    fields = "".join(f'<DataField name="{i}" optype="continuous" dataType="double"/>' for i in inputs)
    mining = "".join(f'<MiningField name="{i}"/>' for i in inputs)
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<PMML xmlns="{NS}" version="4.4">\n'
            f'<Header copyright="mudpulse" description="{text}">{ext}<Application name="simulators/train/defaults.py"/></Header>\n'
            f'<DataDictionary>{fields}<DataField name="{target}" optype="continuous" dataType="double"/></DataDictionary>\n'
            f'<{kind} modelName="{name}" functionName="regression"{body[0]}>\n'
            f'<MiningSchema>{mining}<MiningField name="{target}" usageType="target"/></MiningSchema>\n{body[1]}\n</{kind}>\n</PMML>\n')


def apply(fn, *args):
    return f'<Apply function="{fn}">' + "".join(args) + "</Apply>"


def ref(name):
    return f'<FieldRef field="{name}"/>'


def const(v, kind="double"):
    return f'<Constant dataType="{kind}">{v}</Constant>'


def out(name, expression, kind="double"):
    op = "categorical" if kind == "string" else "continuous"
    return f'<OutputField name="{name}" optype="{op}" dataType="{kind}" feature="transformedValue">{expression}</OutputField>'


def when(condition, then):
    return apply("if", condition, then)


def norm(field, points):
    lines = "".join(f'<LinearNorm orig="{a}" norm="{b}"/>' for a, b in points)
    return f'<NormContinuous field="{field}" outliers="asExtremeValues">{lines}</NormContinuous>'


def derived(name, expression):
    return f'<DerivedField name="{name}" optype="continuous" dataType="double">{expression}</DerivedField>'


def verification(inputs, target, rows, columns):
    """ModelVerification of a hand-written model: rows of inputs with what Python computes."""
    fields = "".join(f'<VerificationField field="{f}" column="c{i}"/>' for i, f in enumerate(inputs))
    fields += f'<VerificationField field="{target}" column="y" precision="1e-9"/>'
    table = "".join("<row>" + "".join(f"<c{i}>{r[f]!r}</c{i}>" for i, f in enumerate(inputs)) + f"<y>{r[columns]!r}</y></row>" for _, r in rows.iterrows())
    return f'<ModelVerification recordCount="{len(rows)}" fieldCount="{len(inputs) + 1}"><VerificationFields>{fields}</VerificationFields><InlineTable>{table}</InlineTable></ModelVerification>'


def add_outputs(path, outputs, every=None, text=""):
    """Gives the model that sklearn2pmml wrote the outputs that mudpulse reads."""
    tree = ET.parse(path)
    root = tree.getroot()
    model = next(e for e in root if e.tag.split("}")[1] in ("MiningModel", "TreeModel", "RegressionModel"))
    old = model.find(f"{{{NS}}}Output")
    new = ET.fromstring(f'<Output xmlns="{NS}">{outputs}</Output>')
    if old is None:
        at = [e.tag.split("}")[1] for e in model].index("MiningSchema") + 1
        model.insert(at, new)
    else:
        for e in new:
            old.append(e)
    header = root.find(f"{{{NS}}}Header")
    header.attrib["description"] = text
    if every:
        header.insert(0, ET.fromstring(f'<Extension xmlns="{NS}" extender="mudpulse" name="every" value="{every}"/>'))
    for stamp in header.findall(f"{{{NS}}}Timestamp"):
        header.remove(stamp)
    tree.write(path, encoding="UTF-8", xml_declaration=True)


def split(data):
    """Rigs to learn from, and rigs that no model has seen."""
    rigs = sorted(data["rig"].unique())
    held = set(rigs[::7])
    return data[~data["rig"].isin(held)], data[data["rig"].isin(held)]


def write(folder, name, text):
    with open(os.path.join(folder, name + ".pmml"), "w", encoding="utf-8") as f:
        f.write(text)


def expected_spp(train, test, folder):
    """What standpipe pressure this flow should give: RegressionModel in logarithms."""
    inputs = [FLOW, DEPTH, MUD]

    def design(d):
        q, l, m = np.log(d[FLOW]), np.log(d[DEPTH]), np.log(d[MUD])
        return np.column_stack([q, l, m, q * l, l * l])

    def usable(d):
        return d[(d["state"] == "rotary") & (d[FLOW] > 1000) & d["age_washout"].isna() & d[inputs + [SPP]].notna().all(axis=1)]

    fit = usable(train)
    reg = LinearRegression().fit(design(fit), np.log(fit[SPP]))
    terms = [("ln_flow",), ("ln_depth",), ("ln_mud",), ("ln_flow", "ln_depth"), ("ln_depth", "ln_depth")]
    table = f'<RegressionTable intercept="{float(reg.intercept_)!r}">'
    table += "".join(f'<NumericPredictor name="{t[0]}" coefficient="{float(c)!r}"/>' for t, c in zip(terms, reg.coef_) if len(t) == 1)
    table += "".join(f'<PredictorTerm coefficient="{float(c)!r}">' + "".join(ref(x) for x in t) + "</PredictorTerm>" for t, c in zip(terms, reg.coef_) if len(t) == 2)
    table += "</RegressionTable>"
    local = "<LocalTransformations>" + derived("ln_flow", apply("ln", apply("max", ref(FLOW), const(1.0)))) + derived("ln_depth", apply("ln", apply("max", ref(DEPTH), const(1.0)))) + derived("ln_mud", apply("ln", apply("max", ref(MUD), const(1.0)))) + "</LocalTransformations>"
    output = '<Output><OutputField name="expected_mpa" optype="continuous" dataType="double" feature="predictedValue"/></Output>'
    sample = fit.sample(10, random_state=1).copy()
    sample["want"] = np.exp(reg.predict(design(sample)))
    write(folder, "expected_spp", document("expected_spp", "RegressionModel", inputs, (' normalizationMethod="exp"', output + local + table + verification(inputs, "y", sample, "want")),
                                           text="Standpipe pressure that this flow, depth and mud should give, MPa"))
    seen = usable(test)
    error = np.exp(reg.predict(design(seen))) / seen[SPP] - 1
    print(f"expected_spp: unseen rigs, {len(seen)} rows: error median {100 * np.median(np.abs(error)):.2f} %, 99th {100 * np.quantile(np.abs(error), .99):.2f} %")
    return lambda d: np.exp(reg.predict(design(d)))


def washout(train, test, folder, expected):
    """A pressure deficit against the expected: logistic RegressionModel, chained to expected_spp."""
    def rows(d):
        d = d[(d["state"] == "rotary") & (d[FLOW] > 1000) & d[[FLOW, DEPTH, MUD, SPP]].notna().all(axis=1)].copy()
        d["deficit"] = 100 * (1 - d[SPP] / expected(d))
        return d

    fit = rows(train)
    fit = fit[fit["age_washout"].isna() | (fit["age_washout"] > 0.30)]
    reg = LogisticRegression(C=10, class_weight="balanced").fit(fit[["deficit"]], fit["age_washout"].notna())
    a, b = float(reg.intercept_[0]), float(reg.coef_[0][0])
    inputs = [SPP, FLOW, "expected_spp.expected_mpa"]
    deficit = apply("*", const(100.0), apply("-", const(1.0), apply("/", ref(SPP), ref("expected_spp.expected_mpa"))))
    pumping = when(apply("greaterThan", ref(FLOW), const(800.0)), deficit)
    hole = [(0, 1.5), (1.5, 2), (5.6, 4), (11.7, 6), (18.8, 8), (26, 10), (33, 12), (44, 16)]  # research §2.5: hole, mm, by fall of pressure, %
    left = apply("*", const(7.4), apply("-", const(1.0), apply("/", apply("ln", apply("/", apply("+", ref("hole_mm"), const(4.0)), const(5.5))), const(float(np.log(20 / 5.5))))))
    bad = apply("greaterThan", ref("deficit_pct"), const(3.5))
    local = "<LocalTransformations>" + derived("deficit", pumping) + "</LocalTransformations>"
    output = ("<Output>" + '<OutputField name="probability" optype="continuous" dataType="double" feature="predictedValue"/>'
              + out("deficit_pct", ref("deficit")) + out("hole_mm", norm("deficit", hole))
              + out("health_hydraulics", norm("deficit", [(1.5, 97), (3, 84), (4.5, 60), (6, 34), (9, 22), (16, 8), (44, 2)]))
              + out("reason_hydraulics", when(bad, const(f"washout:{SPP}", "string")), "string")
              + out("normal_hydraulics", ref("expected_spp.expected_mpa"))
              + out("time_left_h", when(bad, left)) + out("time_left_low_h", when(bad, apply("*", const(0.55), left))) + out("time_left_high_h", when(bad, apply("*", const(1.7), left)))
              + "</Output>")
    table = f'<RegressionTable intercept="{a!r}"><NumericPredictor name="deficit" coefficient="{b!r}"/></RegressionTable>'
    write(folder, "washout", document("washout", "RegressionModel", inputs, (' normalizationMethod="logit"', output + local + table), text="Wash-out of the drill string, from the pressure that is missing"))
    seen = rows(test)
    p = reg.predict_proba(seen[["deficit"]])[:, 1]
    late = seen["age_washout"] > 0.5
    print(f"washout: unseen rigs: p > 0.95 in {100 * (p[late] > .95).mean():.1f} % of rows past half of life, in {100 * (p[seen['age_washout'].isna()] > .95).mean():.3f} % of rows of a whole string")


def wear(train, test, folder, name, kind, inputs, model, health, subsystem, code, cap, below, text):
    """Hours left of a part that wears out: log target, capped; trees through sklearn2pmml."""
    def rows(d):
        d = d[d[inputs].notna().all(axis=1) & (d[inputs[-1]] > 0)].copy()
        d["log_left"] = np.log10(np.minimum(d[f"left_{kind}"].fillna(cap), cap).clip(lower=1))
        return d

    fit, seen = rows(train), rows(test)
    fit = pd.concat([fit[fit[f"age_{kind}"].notna()], fit[fit[f"age_{kind}"].isna()].sample(frac=0.25, random_state=3)])
    pipeline = PMMLPipeline([("regressor", model)])
    pipeline.fit(fit[inputs], fit["log_left"])
    pipeline.verify(fit[inputs].sample(15, random_state=5))
    path = os.path.join(folder, name + ".pmml")
    with tempfile.TemporaryDirectory() as tmp:
        raw = os.path.join(tmp, "m.pmml")
        sklearn2pmml(pipeline, raw)
        os.replace(raw, path) if os.stat(tmp).st_dev == os.stat(folder).st_dev else open(path, "wb").write(open(raw, "rb").read())
    hours = '<Apply function="pow"><Constant dataType="double">10.0</Constant><FieldRef field="predicted_log_left"/></Apply>'
    bad = apply("lessThan", ref("left_h"), const(float(below)))
    outputs = ('<OutputField name="predicted_log_left" optype="continuous" dataType="double" feature="predictedValue" isFinalResult="false"/>'
               + out("left_h", hours) + out(f"health_{subsystem}", norm("left_h", health)) + out(f"reason_{subsystem}", when(bad, const(f"{code}:{inputs[0]}", "string")), "string")
               + out("time_left_h", when(bad, ref("left_h"))) + out("time_left_low_h", when(bad, apply("*", const(0.6), ref("left_h")))) + out("time_left_high_h", when(bad, apply("*", const(1.6), ref("left_h")))))
    add_outputs(path, outputs, "60s", text)
    p = 10 ** pipeline.predict(seen[inputs])
    near = seen[f"left_{kind}"] < below
    print(f"{name}: unseen rigs: median error {np.median(np.abs(p[near] - seen.loc[near, f'left_{kind}'])):.1f} h in the last {below} h; below {below} h in {100 * (p[seen[f'age_{kind}'].isna()] < below).mean():.2f} % of rows of sound parts")


def stick_slip(train, test, folder):
    """RandomForest on half a minute: a MiningModel of trees with probabilities."""
    inputs = [SSI, RPM30, WOB30]

    def rows(d):
        return d[d[inputs].notna().all(axis=1)]

    fit, seen = rows(train), rows(test)
    label = (fit["age_stick_slip"].notna() & (fit[SSI] > 0.5)).astype(int)
    model = RandomForestClassifier(n_estimators=15, max_depth=4, min_samples_leaf=20, random_state=7, class_weight="balanced")
    pipeline = PMMLPipeline([("classifier", model)])
    pipeline.fit(fit[inputs], pd.Series(label.values, name="stick_slip"))
    pipeline.verify(fit[inputs].sample(15, random_state=5))
    path = os.path.join(folder, "stick_slip.pmml")
    sklearn2pmml(pipeline, path)
    bad = apply("greaterThan", ref("probability(1)"), const(0.5))
    add_outputs(path, out("probability", ref("probability(1)")) + out("health_bit", norm("probability(1)", [(0.2, 96), (0.5, 75), (0.8, 55), (1, 48)]))
                + out("reason_bit", when(bad, const(f"stick-slip:{SSI}", "string")), "string"), None, "Stick-slip: the bit stops and spins")
    p = pipeline.predict_proba(seen[inputs])[:, 1]
    true = seen["age_stick_slip"].notna() & (seen[SSI] > 0.5)
    print(f"stick-slip: unseen rigs: p > 0.8 in {100 * (p[true] > .8).mean():.1f} % of rows of it, in {100 * (p[~true] > .8).mean():.3f} % of the others")


def cooling(train, test, folder):
    """Winding temperature that load, and oil that knows how hot the day is, explain: RegressionModel; the rest is the filter's."""
    inputs = [WIND, TORQUE, OIL, SPEED]

    def rows(d):
        return d[d[inputs].notna().all(axis=1) & (d[TORQUE] > 4)]

    def design(d):
        return np.column_stack([d[TORQUE] ** 2, d[OIL], d[SPEED]])

    fit = rows(train)
    fit = fit[fit["age_cooling"].isna() & fit["age_gearbox"].isna()]
    reg = LinearRegression().fit(design(fit), fit[WIND])
    table = f'<RegressionTable intercept="{float(reg.intercept_)!r}">' + "".join(
        f'<NumericPredictor name="{n}" exponent="{e}" coefficient="{float(c)!r}"/>' for n, e, c in zip((TORQUE, OIL, SPEED), (2, 1, 1), reg.coef_)) + "</RegressionTable>"
    excess = apply("-", ref(WIND), ref("expected_c"))
    bad = apply("greaterThan", ref("excess_c"), const(4.0))
    output = ('<Output><OutputField name="expected_c" optype="continuous" dataType="double" feature="predictedValue"/>' + out("excess_c", excess)
              + out("health_topdrive", norm("excess_c", [(2, 97), (4, 82), (7, 62), (12, 40), (25, 15)]))
              + out("reason_topdrive", when(bad, const(f"cooling:{WIND}", "string")), "string") + out("normal_topdrive", ref("expected_c")) + "</Output>")
    write(folder, "cooling", document("cooling", "RegressionModel", inputs, ("", output + table), every="60s", text="Motor cooling: winding temperature beyond what the load explains"))
    seen = rows(test)
    rest = seen[WIND] - reg.predict(design(seen))
    print(f"cooling: unseen rigs: excess 99.9th of sound motors {np.quantile(rest[seen['age_cooling'].isna()], .999):.1f} °C; median past half of life {np.median(rest[seen['age_cooling'] > .5]):.1f} °C")


def gearbox(train, test, folder):
    """Gearbox wear: a Scorecard, whose reason codes are in the standard. Limits between classes are quantiles of sound gearboxes and of worn ones."""
    inputs = [PART, VEL, OIL]
    sound = train[train["age_gearbox"].isna()]
    worn = train[train["age_gearbox"] > 0.6]
    cuts = {}
    for f in (PART, VEL):
        high = float(sound[f].quantile(0.999))
        cuts[f] = (high, float((high + 2 * worn[f].median()) / 3), float(worn[f].quantile(0.9)))

    def characteristic(name, field, code, points):
        c = cuts[field]
        edges = [(None, c[0]), (c[0], c[1]), (c[1], c[2]), (c[2], None)]
        attributes = f'<Attribute partialScore="0" reasonCode="{code}"><SimplePredicate field="{field}" operator="isMissing"/></Attribute>'
        for (lo, hi), p in zip(edges, points):
            tests = [f'<SimplePredicate field="{field}" operator="greaterOrEqual" value="{lo!r}"/>'] if lo is not None else []
            tests += [f'<SimplePredicate field="{field}" operator="lessThan" value="{hi!r}"/>'] if hi is not None else []
            test = tests[0] if len(tests) == 1 else f'<CompoundPredicate booleanOperator="and">{"".join(tests)}</CompoundPredicate>'
            attributes += f'<Attribute partialScore="{p}" reasonCode="{code}">{test}</Attribute>'
        return f'<Characteristic name="{name}" baselineScore="0">{attributes}</Characteristic>'

    body = ('<Output><OutputField name="health" optype="continuous" dataType="double" feature="predictedValue" isFinalResult="false"/>'
            + '<OutputField name="code" optype="categorical" dataType="string" feature="reasonCode" rank="1" isFinalResult="false"/>'
            + out("health_topdrive", when(apply("isNotMissing", ref(PART)), ref("health")))
            + out("reason_topdrive", when(apply("lessThan", ref("health"), const(80.0)), ref("code")), "string") + "</Output><Characteristics>"
            + characteristic("oil particles", PART, f"gearbox:{PART}", (0, -18, -34, -52)) + characteristic("casing velocity", VEL, f"gearbox-velocity:{VEL}", (0, -4, -9, -16)) + "</Characteristics>")
    write(folder, "gearbox", document("gearbox", "Scorecard", inputs, (' initialScore="98" useReasonCodes="true" reasonCodeAlgorithm="pointsBelow" baselineScore="0"', body), every="60s",
                                      text="Gearbox wear from oil particles and casing velocity"))
    seen = test[test[PART].notna()]
    print(f"gearbox: unseen rigs: over the first limit ({cuts[PART][0]:.0f} 1/mL) in {100 * (seen.loc[seen['age_gearbox'].isna(), PART] > cuts[PART][0]).mean():.2f} % of rows of sound gearboxes, {100 * (seen.loc[seen['age_gearbox'] > .8, PART] > cuts[PART][0]).mean():.1f} % of rows past 0.8 of life")


def main(table, folder):
    data = pd.read_csv(table)
    train, test = split(data)
    expected = expected_spp(train, test, folder)
    washout(train, test, folder, expected)
    wear(train, test, folder, "bearing", "bearing", [ENV, VEL, TEMP, SPEED], GradientBoostingRegressor(n_estimators=60, max_depth=3, learning_rate=0.12, min_samples_leaf=60, random_state=7),
         [(0, 10), (24, 24), (72, 45), (120, 58), (200, 78), (300, 94), (500, 97)], "topdrive", "bearing", 500, 160, "Hours that the top-drive bearing has left")
    wear(train, test, folder, "pump_valve", "pump_valve", [PULS], DecisionTreeRegressor(max_leaf_nodes=24, min_samples_leaf=60, random_state=7),
         [(0, 12), (12, 24), (48, 45), (96, 62), (150, 84), (240, 96)], "pumps", "pump-valve", 240, 110, "Hours that a leaking fluid-end valve has left")
    stick_slip(train, test, folder)
    cooling(train, test, folder)
    gearbox(train, test, folder)


if __name__ == "__main__":
    main(*sys.argv[1:3])
