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
from scipy.optimize import minimize
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn2pmml import sklearn2pmml
from sklearn2pmml.pipeline import PMMLPipeline

NS = "http://www.dmg.org/PMML-4_4"
ET.register_namespace("", NS)
SPP, FLOW = "SPP__ewma__3m__in_rotary", "FLIN__ewma__3m__in_rotary"
DEPTH, MUD = "DBTM__last__30m__in_rotary", "MDI__last__30m__in_rotary"
LONG = [f"{c}__mean__25h__in_rotary" for c in ("SPP", "FLIN", "DBTM", "MDI")]
ENV, VEL, TEMP, SPEED = (f"{c}__ewma__10m__in_rotary" for c in ("TDENV", "TDVEL", "TDBT", "RPM"))
PULS, PART, OIL, WIND, TORQUE = (f"{c}__ewma__10m__in_rotary" for c in ("PPULS", "GBPC", "GBOT", "TDWT", "TQ"))
ENVZ, VELZ, PARTZ, PULSZ = (f"{c}__ewma__10m__z__in_rotary" for c in ("TDENV", "TDVEL", "GBPC", "PPULS"))
ENVS, PULSS, PARTS = "TDENV__slope__36h__in_rotary", "PPULS__slope__36h__in_rotary", "GBPC__slope__96h__in_rotary"
OWN = [f"{c}__240h__in_rotary" for c in ("TDWT__mean", "GBOT__mean", "TDBT__mean", "TQ__rms")]
SLOW = "10m"  # cadence of what changes over days
TURNED = "RPM__min__30m"
HEAT = ["TQ__rms__10m", "TQ__rms__30m", "TQ__rms__2h"]
SSI, TWIST, TORQUE10, RPM10, WOB10 = "SSI__mean__5s", "TQ__std__10s", "TQ__mean__10s", "RPM__mean__10s", "WOB__mean__10s"
SIDE, AXIAL, SPP10, ROP10 = "VIBLAT__mean__60s", "VIBAX__mean__60s", "SPP__mean__10s", "ROP__mean__10s"


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


def verification(inputs, rows, results):
    """ModelVerification of a hand-written model: rows of inputs beside what Python, not the document, makes of them. Results: by field, one a row; nothing where none is due."""
    columns = {f: f"c{i}" for i, f in enumerate(inputs)} | {f: f"r{i}" for i, f in enumerate(results)}
    fields = "".join(f'<VerificationField field="{f}" column="{c}"' + (' precision="1e-9"' if f in results else "") + "/>" for f, c in columns.items())
    table = ""
    for i, (_, row) in enumerate(rows.iterrows()):
        cells = {columns[f]: row[f] for f in inputs} | {columns[f]: said[i] for f, said in results.items()}
        table += "<row>" + "".join(f"<{c}>{v if isinstance(v, str) else repr(float(v))}</{c}>" for c, v in cells.items() if not pd.isna(v)) + "</row>\n"
    return f'<ModelVerification recordCount="{len(rows)}" fieldCount="{len(columns)}"><VerificationFields>{fields}</VerificationFields><InlineTable>\n{table}</InlineTable></ModelVerification>'


def some(*kinds, n=6):
    """So many rows of each kind, seeded."""
    return pd.concat([d.sample(min(n, len(d)), random_state=5) for d in kinds])


def between(values, points):
    """What NormContinuous says."""
    return np.interp(values, *zip(*points))


def add_outputs(path, outputs, every=None, text=""):
    """Gives the model that sklearn2pmml wrote the outputs that mudpulse reads."""
    tree = ET.parse(path)
    root = tree.getroot()
    model = next(e for e in root if e.tag.split("}")[1] in ("MiningModel", "TreeModel", "RegressionModel", "ClusteringModel"))
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
    sample = fit.sample(10, random_state=1)
    write(folder, "expected_spp", document("expected_spp", "RegressionModel", inputs, (' normalizationMethod="exp"', output + local + table + verification(inputs, sample, {"y": np.exp(reg.predict(design(sample)))})),
                                           text="Standpipe pressure that this flow, depth and mud should give, MPa"))
    seen = usable(test)
    error = np.exp(reg.predict(design(seen))) / seen[SPP] - 1
    print(f"expected_spp: unseen rigs, {len(seen)} rows: error median {100 * np.median(np.abs(error)):.2f} %, 99th {100 * np.quantile(np.abs(error), .99):.2f} %")
    def answer(d):
        return np.exp(reg.predict(design(d)))

    def formula(flow, depth, mud):
        """The same in PMML: the logarithm of the expectation."""
        ln = {n: apply("ln", apply("max", ref(f), const(1.0))) for n, f in (("ln_flow", flow), ("ln_depth", depth), ("ln_mud", mud))}
        total = const(float(reg.intercept_))
        for t, c in zip(terms, reg.coef_):
            term = apply("*", const(float(c)), ln[t[0]])
            total = apply("+", total, apply("*", term, ln[t[1]]) if len(t) == 2 else term)
        return total

    answer.formula = formula
    return answer


def washout(train, test, folder, expected):
    """What is missing of the pressure, against the drill's own last 25 hours: logistic RegressionModel, chained to expected_spp."""
    def rows(d):
        d = d[(d["state"] == "rotary") & (d[FLOW] > 1000) & d[[FLOW, DEPTH, MUD, SPP] + LONG].notna().all(axis=1)].copy()
        then = d[LONG].set_axis([SPP, FLOW, DEPTH, MUD], axis=1)
        d["own"] = then[SPP] / expected(then)
        d["deficit"] = 100 * (1 - d[SPP] / expected(d) / d["own"])
        return d

    fit = rows(train)
    fit = fit[fit["age_washout"].isna() | (fit["age_washout"] > 0.30)]
    reg = LogisticRegression(C=10, class_weight="balanced").fit(fit[["deficit"]], fit["age_washout"].notna())
    b = float(reg.coef_[0][0])
    # The alarm's 0.95 stands above all but three in 10,000 rows of whole strings, and the slope is the fit's.
    sound = fit.loc[fit["age_washout"].isna(), "deficit"]
    at = max(float(sound.quantile(1 - 3e-4)), float((np.log(19) - reg.intercept_[0]) / b))
    a = float(np.log(19) - b * at)
    inputs = [SPP, FLOW, "expected_spp.expected_mpa"] + LONG
    expected_then = apply("exp", expected.formula(*LONG[1:]))
    deficit = apply("*", const(100.0), apply("-", const(1.0), apply("/", ref(SPP), apply("*", ref("expected_spp.expected_mpa"), ref("own")))))
    pumping = when(apply("greaterThan", ref(FLOW), const(800.0)), deficit)
    hole = [(0, 1.5), (1.5, 2), (5.6, 4), (11.7, 6), (18.8, 8), (26, 10), (33, 12), (44, 16)]  # research §2.5: hole, mm, by fall of pressure, %
    left = apply("*", const(7.0), apply("-", const(1.0), apply("/", apply("ln", apply("/", apply("+", ref("hole_mm"), const(4.0)), const(5.5))), const(float(np.log(20 / 5.5))))))
    health = [(0.5 * at, 96), (0.8 * at, 78), (at, 58), (1.3 * at, 36), (2 * at, 20), (44, 2)]
    bad = apply("greaterThan", ref("deficit_pct"), const(at))
    local = "<LocalTransformations>" + derived("own", apply("/", ref(LONG[0]), expected_then)) + derived("deficit", pumping) + "</LocalTransformations>"
    output = ("<Output>" + '<OutputField name="probability" optype="continuous" dataType="double" feature="predictedValue"/>'
              + out("deficit_pct", ref("deficit")) + out("hole_mm", norm("deficit", hole))
              + out("health_hydraulics", norm("deficit", health))
              + out("reason_hydraulics", when(bad, const(f"washout:{SPP}", "string")), "string")
              + out("normal_hydraulics", apply("*", ref("expected_spp.expected_mpa"), ref("own")))
              + out("time_left_h", when(bad, left)) + out("time_left_low_h", when(bad, apply("*", const(0.55), left))) + out("time_left_high_h", when(bad, apply("*", const(1.7), left)))
              + "</Output>")
    table = f'<RegressionTable intercept="{a!r}"><NumericPredictor name="deficit" coefficient="{b!r}"/></RegressionTable>'
    proof = some(fit[fit["deficit"] <= at], fit[fit["deficit"] > at])
    proof["expected_spp.expected_mpa"], gone = expected(proof), proof["deficit"].to_numpy()
    size, found = between(gone, hole), gone > at
    hours = np.where(found, 7 * (1 - np.log((size + 4) / 5.5) / np.log(20 / 5.5)), np.nan)
    proven = verification(inputs, proof, {
        "probability": 1 / (1 + np.exp(-(a + b * gone))), "deficit_pct": gone, "hole_mm": size, "health_hydraulics": between(gone, health),
        "reason_hydraulics": [f"washout:{SPP}" if x else None for x in found], "normal_hydraulics": (expected(proof) * proof["own"]).to_numpy(),
        "time_left_h": hours, "time_left_low_h": 0.55 * hours, "time_left_high_h": 1.7 * hours})
    write(folder, "washout", document("washout", "RegressionModel", inputs, (' normalizationMethod="logit"', output + local + table + proven), text="Wash-out of the drill string, from the pressure that is missing"))
    seen = rows(test)
    late = seen["age_washout"] > 0.5
    print(f"washout: unseen rigs: alarms from {at:.1f} % missing on, in {100 * (seen.loc[late, 'deficit'] > at).mean():.1f} % of rows past half of life, in {100 * (seen.loc[seen['age_washout'].isna(), 'deficit'] > at).mean():.3f} % of rows of a whole string; 99.9th of those {seen.loc[seen['age_washout'].isna(), 'deficit'].quantile(.999):.1f} %")


def wear(train, test, folder, name, kind, inputs, model, health, subsystem, code, cap, below, text, least=None):
    """Hours left of a part that wears out: log target, capped; trees through sklearn2pmml. Where the first input is not above least, it is sound, whatever its slope."""
    def rows(d):
        d = d[d[inputs].notna().all(axis=1) & (d[inputs[0]] > 0)].copy()
        d["log_left"] = np.log10(np.minimum(d[f"left_{kind}"].fillna(cap), cap).clip(lower=1))
        return d

    fit, seen = rows(train), rows(test)
    fit = pd.concat([fit[fit[f"age_{kind}"].notna()], fit[fit[f"age_{kind}"].isna()].sample(frac=0.25, random_state=3)])
    # Slopes are per second, so tiny: trees of scikit-learn take values within 1e-7 of each other for the same.
    slopes = [i for i in inputs if "__slope__" in i]
    scaled = ColumnTransformer([("levels", "passthrough", [i for i in inputs if i not in slopes]), ("slopes", StandardScaler(), slopes)])
    pipeline = PMMLPipeline([("scale", scaled), ("regressor", model)] if slopes else [("regressor", model)])
    pipeline.fit(fit[inputs], fit["log_left"])
    pipeline.verify(fit[inputs].sample(15, random_state=5))
    def answer(d):
        said = 10 ** pipeline.predict(d[inputs])
        return said if least is None else np.where(d[inputs[0]] > least, said, cap)

    p = answer(seen)
    near = seen[f"left_{kind}"] < below
    low, high = np.quantile(seen.loc[near, f"left_{kind}"] / p[near], [0.1, 0.9])
    path = os.path.join(folder, name + ".pmml")
    with tempfile.TemporaryDirectory() as tmp:
        raw = os.path.join(tmp, "m.pmml")
        sklearn2pmml(pipeline, raw)
        os.replace(raw, path) if os.stat(tmp).st_dev == os.stat(folder).st_dev else open(path, "wb").write(open(raw, "rb").read())
    hours = apply("pow", const(10.0), ref("predicted_log_left"))
    if least is not None:
        hours = apply("if", apply("greaterThan", ref(inputs[0]), const(least)), hours, const(float(cap)))
    bad = apply("lessThan", ref("left_h"), const(float(below)))
    outputs = '<OutputField name="predicted_log_left" optype="continuous" dataType="double" feature="predictedValue" isFinalResult="false"/>' + out("left_h", hours)
    if health:
        outputs += out(f"health_{subsystem}", norm("left_h", health)) + out(f"reason_{subsystem}", when(bad, const(f"{code}:{inputs[0]}", "string")), "string")
    outputs += (out("time_left_h", when(bad, ref("left_h"))) + out("time_left_low_h", when(bad, apply("*", const(float(low)), ref("left_h"))))
                + out("time_left_high_h", when(bad, apply("*", const(float(high)), ref("left_h")))))
    add_outputs(path, outputs, SLOW, text)
    print(f"{name}: unseen rigs: median error {np.median(np.abs(p[near] - seen.loc[near, f'left_{kind}'])):.1f} h in the last {below} h, of ten eight between {low:.2f} and {high:.2f} times what is said; below {below} h in {100 * (p[seen[f'age_{kind}'].isna()] < below).mean():.2f} % of rows of sound parts")
    return answer


def stick_slip(train, test, folder):
    """RandomForest on five to ten seconds: a MiningModel of trees with probabilities."""
    inputs = [SSI, TWIST, RPM10, WOB10]

    def rows(d):
        return d[d[inputs].notna().all(axis=1)]

    fit, seen = rows(train), rows(test)
    label = (fit["doing"] == "stick_slip").astype(int)
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
    true = seen["doing"] == "stick_slip"
    print(f"stick-slip: unseen rigs: p > 0.8 in {100 * (p[true] > .8).mean():.1f} % of rows of it, in {100 * (p[~true] > .8).mean():.3f} % of the others")


def steady(d):
    """Rows in which the motor has turned for half an hour, and done about the same work for two, and about that of its ten days: only then is its temperature that of the work."""
    return (d[HEAT[1]] > 6) & (d[HEAT[1]] > 0.85 * d[OWN[3]]) & (d[HEAT[1]] < 1.4 * d[OWN[3]]) & (d[TURNED] > 40) & (d[SPEED] > 60) & ((d[HEAT[1]] - d[HEAT[2]]).abs() < 0.12 * d[HEAT[2]]) & ((d[HEAT[0]] - d[HEAT[1]]).abs() < 0.12 * d[HEAT[1]])


def cooling(train, test, folder):
    """Winding temperature that the work of the last two hours, and what else feels the day's heat, explain beside the drill's own ten days: RegressionModel; the rest is the filter's."""
    inputs = [WIND, OIL, TEMP, SPEED] + HEAT + OWN + [TURNED]

    def rows(d):
        return d[d[inputs].notna().all(axis=1) & steady(d)]

    # Differences from its own ten days alone: how the drill was built, where its sensors stand and what climate it works in fall out.
    work, felt = HEAT, [(OIL, OWN[1]), (TEMP, OWN[2])]

    def design(d):
        return np.column_stack([d[n] ** 2 - d[OWN[3]] ** 2 for n in work] + [d[now] - d[own] for now, own in felt])

    fit = rows(train)
    fit = fit[fit["age_cooling"].isna() & fit["age_gearbox"].isna() & fit["age_bearing"].isna()]
    def left_over(d, reg):
        return d[WIND] - d[OWN[0]] - reg.predict(design(d))

    reg = LinearRegression().fit(design(fit), fit[WIND] - fit[OWN[0]])
    for _ in range(2):  # sensors that drift, spike and stick teach nothing
        fit = fit[left_over(fit, reg).abs() < 8]
        reg = LinearRegression().fit(design(fit), fit[WIND] - fit[OWN[0]])
    at = max(6.0, float(left_over(fit, reg).quantile(0.998)))  # what a sound motor with a sound sensor is not above, on the rigs it learnt from
    b = [float(c) for c in reg.coef_]
    terms = [(n, 2, c) for n, c in zip(work, b)] + [(OWN[3], 2, -sum(b[:len(work)]))]
    terms += [t for (now, own), c in zip(felt, b[len(work):]) for t in ((now, 1, c), (own, 1, -c))] + [(OWN[0], 1, 1.0)]
    table = f'<RegressionTable intercept="{float(reg.intercept_)!r}">' + "".join(
        f'<NumericPredictor name="{n}" exponent="{e}" coefficient="{c!r}"/>' for n, e, c in terms) + "</RegressionTable>"

    def near(a, b):
        return apply("lessThan", apply("abs", apply("-", ref(a), ref(b))), apply("*", const(0.12), ref(b)))

    working = apply("and", apply("greaterThan", ref(HEAT[1]), const(6.0)), apply("greaterThan", ref(TURNED), const(40.0)), near(HEAT[1], HEAT[2]), near(HEAT[0], HEAT[1]),
                    apply("greaterThan", ref(HEAT[1]), apply("*", const(0.85), ref(OWN[3]))), apply("lessThan", ref(HEAT[1]), apply("*", const(1.4), ref(OWN[3]))))
    excess = when(working, apply("-", ref(WIND), ref("expected_c")))
    health = [(0.5 * at, 97), (0.9 * at, 80), (1.15 * at, 62), (2 * at, 40), (4 * at, 15)]
    bad = apply("greaterThan", ref("excess_c"), const(at))
    output = ('<Output><OutputField name="expected_c" optype="continuous" dataType="double" feature="predictedValue"/>' + out("excess_c", excess)
              + out("over", apply("/", ref("excess_c"), const(at)))
              + out("health_topdrive", norm("excess_c", health))
              + out("reason_topdrive", when(bad, const(f"cooling:{WIND}", "string")), "string") + out("normal_topdrive", ref("expected_c")) + "</Output>")
    whole, worn = train[train[inputs].notna().all(axis=1)], rows(train)
    proof = some(fit, worn[worn["age_cooling"] > 0.7], whole[(whole[HEAT[1]] < 5) & (whole[TURNED] < 30)])  # of the last it says what it expects, and no more
    due = (proof[OWN[0]] + reg.predict(design(proof))).to_numpy()
    excess_c = np.where(steady(proof), proof[WIND] - due, np.nan)
    proven = verification(inputs, proof, {
        "expected_c": due, "excess_c": excess_c, "over": excess_c / at, "health_topdrive": between(excess_c, health),
        "reason_topdrive": [f"cooling:{WIND}" if x > at else None for x in excess_c], "normal_topdrive": due})
    write(folder, "cooling", document("cooling", "RegressionModel", inputs, ("", output + table + proven), every=SLOW, text="Motor cooling: winding temperature beyond what the work explains"))
    seen = rows(test)
    rest = left_over(seen, reg)
    print(f"cooling: unseen rigs: limit {at:.1f} °C; excess 99.9th of sound motors {np.quantile(rest[seen['age_cooling'].isna()], .999):.1f} °C; median past half of life {np.median(rest[seen['age_cooling'] > .5]):.1f} °C; "
          f"over the limit {100 * (rest[seen['age_cooling'].isna()] > at).mean():.3f} % of sound rows, {100 * (rest[seen['age_cooling'] > .7] > at).mean():.1f} % past 0.7 of life")
    return lambda d: left_over(d, reg) / at, at


def gearbox(train, test, folder):
    """Gearbox wear: a Scorecard, whose reason codes are in the standard. Classes of particles and of casing velocity, as they are and against the drill's own beginning."""
    inputs = [PART, PARTZ, VELZ]
    sound = train[train["age_gearbox"].isna()]
    much = float(sound[PART].quantile(0.995))
    cuts = {PART: (2 * much, 3 * much, 5 * much), PARTZ: (6.0, 8.0, 12.0, 20.0), VELZ: (2.5, 4.0, 8.0, 14.0)}

    def characteristic(name, field, code, points):
        c = cuts[field]
        edges = list(zip((None,) + c, c + (None,)))
        attributes = f'<Attribute partialScore="0" reasonCode="{code}"><SimplePredicate field="{field}" operator="isMissing"/></Attribute>'
        for (lo, hi), p in zip(edges, points):
            tests = [f'<SimplePredicate field="{field}" operator="greaterOrEqual" value="{lo!r}"/>'] if lo is not None else []
            tests += [f'<SimplePredicate field="{field}" operator="lessThan" value="{hi!r}"/>'] if hi is not None else []
            test = tests[0] if len(tests) == 1 else f'<CompoundPredicate booleanOperator="and">{"".join(tests)}</CompoundPredicate>'
            attributes += f'<Attribute partialScore="{p}" reasonCode="{code}">{test}</Attribute>'
        return f'<Characteristic name="{name}" baselineScore="0">{attributes}</Characteristic>'

    # Its own beginning decides; a level that no sound gearbox has adds to it, and velocity, which a bearing raises too, settles what is close.
    points = {PART: (0, -6, -12, -20), PARTZ: (0, -12, -22, -32, -45), VELZ: (0, -8, -10, -12, -16)}
    body = ('<Output><OutputField name="health" optype="continuous" dataType="double" feature="predictedValue" isFinalResult="false"/>'
            + '<OutputField name="code" optype="categorical" dataType="string" feature="reasonCode" rank="1" isFinalResult="false"/>'
            + out("health_topdrive", when(apply("isNotMissing", ref(PART)), ref("health")))
            + out("reason_topdrive", when(apply("lessThan", ref("health"), const(80.0)), ref("code")), "string") + "</Output><Characteristics>"
            + characteristic("oil particles", PART, f"gearbox:{PART}", points[PART]) + characteristic("oil particles, its own", PARTZ, f"gearbox:{PART}", points[PARTZ])
            + characteristic("casing velocity, its own", VELZ, "gearbox-velocity:" + VEL, points[VELZ]) + "</Characteristics>")
    def lost(d, f):
        return sum(np.where(d[f] >= c, q - p, 0) for c, p, q in zip(cuts[f], points[f][1:], points[f]))

    def health(d):
        h = pd.Series(98.0, index=d.index)
        for f in inputs:
            h -= lost(d, f)
        return h

    def reason(d):
        """The reason where it is no question of how equal points, or two of one code, are ranked."""
        level, own, velocity = (lost(d, f) for f in inputs)
        return np.where(health(d) >= 80, None, np.where(np.maximum(level, own) > velocity, f"gearbox:{PART}", np.where(velocity > level + own, "gearbox-velocity:" + VEL, None)))

    h = health(train)
    proof = some(train[h == 98], train[(h < 98) & (h >= 80)], train[h < 80], train[(h < 98) & train[PARTZ].isna()], train[train[PART].isna() & (train["state"] == "rotary")], n=5)
    heard = proof[PART].notna()
    proven = verification(inputs, proof, {"y": health(proof).to_numpy(), "health_topdrive": health(proof).where(heard).to_numpy(), "reason_topdrive": reason(proof)})

    write(folder, "gearbox", document("gearbox", "Scorecard", inputs, (' initialScore="98" useReasonCodes="true" reasonCodeAlgorithm="pointsBelow" baselineScore="0"', body + proven), every=SLOW,
                                      text="Gearbox wear from oil particles and casing velocity"))


    seen = test[test[PART].notna()]
    h = health(seen)
    print(f"gearbox: unseen rigs: health under 70 in {100 * (h[seen['age_gearbox'].isna()] < 70).mean():.3f} % of rows of sound gearboxes, in {100 * (h[(seen['left_gearbox'] < 168) & (seen['left_gearbox'] > 120)] < 70).mean():.1f} % of rows 5 to 7 days before failure; a level no sound gearbox has from {2 * much:.0f} 1/mL")
    return health


def hazard(train, test, folder, left):
    """P(a failure of the machine within 72 h): proportional hazards in discrete time, a GeneralRegressionModel with the link cloglog, over what the other models say."""
    parts = {"bearing": 200, "pump_valve": 150, "gearbox_left": 400, "cooling_left": 400}  # from so many hours on they weigh
    inputs = [f"{n}.left_h" for n in parts]
    need = [ENV, ENVS, VEL, TEMP, SPEED, PULS, PULSS, PART, PARTZ, VELZ, WIND, OIL, TURNED] + HEAT + OWN

    def design(d):
        return np.column_stack([np.maximum(0, np.log(h / np.maximum(0.5, left[n](d)))) for n, h in parts.items()])

    def rows(d):
        return d[d[need].notna().all(axis=1) & steady(d)]

    def label(d):
        return d["fails_72h"].to_numpy(float)

    fit = rows(train)
    x, y = np.column_stack([np.ones(len(fit)), design(fit)]), label(fit)

    def loss(b):
        h = np.exp(np.clip(x @ b, -30, 5))
        p = np.clip(1 - np.exp(-h), 1e-9, 1 - 1e-9)
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)) + 1e-4 * np.sum(b[1:] ** 2)

    beta = minimize(loss, np.array([-4.0, 1, 1, 1, 1]), method="BFGS").x
    names = [f"s_{n}" for n in parts]
    # A part of which nothing is said adds nothing: max leaves out what is missing, and would take it for half an hour.
    local = "<LocalTransformations>" + "".join(derived(f"s_{n}", apply("if", apply("isNotMissing", ref(f"{n}.left_h")), apply("max", const(0.0), apply("ln", apply("/", const(float(h)), apply("max", const(0.5), ref(f"{n}.left_h"))))), const(0.0))) for n, h in parts.items()) + "</LocalTransformations>"
    parameters = "".join(f'<Parameter name="p{i}" label="{n}"/>' for i, n in enumerate(["intercept"] + names))
    covariates = "".join(f'<Predictor name="{n}"/>' for n in names)
    cells = "".join(f'<PPCell value="1" predictorName="{n}" parameterName="p{i + 1}"/>' for i, n in enumerate(names))
    values = "".join(f'<PCell parameterName="p{i}" df="1" beta="{float(v)!r}"/>' for i, v in enumerate(beta))
    body = ('<Output><OutputField name="p_72h" optype="continuous" dataType="double" feature="predictedValue"/></Output>' + local
            + f"<ParameterList>{parameters}</ParameterList><FactorList/><CovariateList>{covariates}</CovariateList><PPMatrix>{cells}</PPMatrix><ParamMatrix>{values}</ParamMatrix>")
    hours = pd.DataFrame({f"{n}.left_h": left[n](fit) for n in parts}, index=fit.index)
    proof = some(hours[hours.gt(list(parts.values())).all(axis=1)], *(hours[hours[f"{n}.left_h"] < h] for n, h in parts.items()), n=4)
    proof.iloc[::5, 0] = np.nan  # of this part nothing is said
    proof.iloc[1::10, 2:] = np.nan
    add = np.column_stack([np.maximum(0, np.log(h / np.maximum(0.5, proof[f"{n}.left_h"]))).fillna(0) for n, h in parts.items()])
    body += verification(inputs, proof, {"p_72h": 1 - np.exp(-np.exp(beta[0] + add @ beta[1:]))})
    write(folder, "hazard", document("hazard", "GeneralRegressionModel", inputs, (' modelType="generalizedLinear" distribution="binomial" linkFunction="cloglog"', body), every=SLOW,
                                     text="Probability that bearing, pump valve, gearbox or motor cooling fails within 72 hours"))
    seen = rows(test)
    p = 1 - np.exp(-np.exp(np.minimum(5, np.column_stack([np.ones(len(seen)), design(seen)]) @ beta)))
    y = label(seen)
    print(f"hazard: unseen rigs: Brier {np.mean((p - y) ** 2):.4f}, always the base rate {y.mean() * (1 - y.mean()):.4f}; said over 50 %: came true {100 * y[p > .5].mean():.0f} %")


def dysfunction(train, folder):
    """What the string is in, but for stick-slip: a RuleSetModel, which the toolpusher reads and may edit."""
    inputs = [SIDE, AXIAL, SPP10, ROP10, LONG[0], WOB10]
    fields = "".join(f'<DataField name="{i}" optype="continuous" dataType="double"/>' for i in inputs)
    kinds = ("normal", "whirl", "bounce", "stall")
    values = "".join(f'<Value value="{k}"/>' for k in kinds)

    def simple(field, op, v):
        return f'<SimplePredicate field="{field}" operator="{op}" value="{v}"/>'

    def rule(i, score, *tests, weight=1.0):
        test = tests[0] if len(tests) == 1 else f'<CompoundPredicate booleanOperator="and">{"".join(tests)}</CompoundPredicate>'
        return f'<SimpleRule id="{i}" score="{score}" confidence="{weight}" weight="{weight}">{test}</SimpleRule>'

    rules = (rule("stall", "stall", simple("over_spp", "greaterThan", 1.6), simple(ROP10, "lessThan", 0.5), simple(WOB10, "greaterThan", 20))
             + rule("whirl", "whirl", simple(SIDE, "greaterThan", 2.6)) + rule("bounce", "bounce", simple(AXIAL, "greaterThan", 1.6)))
    state = apply("if", apply("equal", ref("dysfunction"), const("normal", "string")), const(0.0), const(1.0))
    code = when(apply("notEqual", ref("dysfunction"), const("normal", "string")), ref("dysfunction"))
    output = ('<Output><OutputField name="dysfunction" optype="categorical" dataType="string" feature="predictedValue"/>' + out("is", state)
              + out("health_bit", apply("if", apply("equal", ref("dysfunction"), const("normal", "string")), const(97.0), const(52.0))) + out("reason_bit", code, "string") + "</Output>")
    local = "<LocalTransformations>" + derived("over_spp", apply("-", ref(SPP10), ref(LONG[0]))) + "</LocalTransformations>"
    mining = "".join(f'<MiningField name="{i}"/>' for i in inputs)

    def said(d):
        return np.select([(d[SPP10] - d[LONG[0]] > 1.6) & (d[ROP10] < 0.5) & (d[WOB10] > 20), d[SIDE] > 2.6, d[AXIAL] > 1.6], ["stall", "whirl", "bounce"], "normal")

    whole = train[train[inputs].notna().all(axis=1)]
    proof = some(*(whole[said(whole) == k] for k in kinds), n=4)
    sound = said(proof) == "normal"
    proven = verification(inputs, proof, {"dysfunction": said(proof), "is": np.where(sound, 0.0, 1.0), "health_bit": np.where(sound, 97.0, 52.0), "reason_bit": np.where(sound, None, said(proof))})
    write(folder, "dysfunction", f'<?xml version="1.0" encoding="UTF-8"?>\n<PMML xmlns="{NS}" version="4.4">\n<Header copyright="mudpulse" description="Whirl, bit bounce and motor stall"><Application name="simulators/train/defaults.py"/></Header>\n'
          f'<DataDictionary>{fields}<DataField name="y" optype="categorical" dataType="string">{values}</DataField></DataDictionary>\n'
          f'<RuleSetModel modelName="dysfunction" functionName="classification">\n<MiningSchema>{mining}<MiningField name="y" usageType="target"/></MiningSchema>\n{output}{local}\n'
          f'<RuleSet defaultScore="normal" defaultConfidence="1"><RuleSelectionMethod criterion="firstHit"/>{rules}</RuleSet>\n{proven}\n</RuleSetModel>\n</PMML>\n')


def chained(d, over, at):
    """The rows in which the cooling model speaks, with what it says."""
    d = d[d[[WIND, OIL, TEMP, SPEED, TURNED] + HEAT + OWN].notna().all(axis=1) & steady(d)].copy()
    d["cooling.excess_c"] = over(d) * at
    return d


def main(table, folder):
    data = pd.read_csv(table, low_memory=False)
    train, test = split(data)
    expected = expected_spp(train, test, folder)
    washout(train, test, folder, expected)
    stick_slip(train, test, folder)
    over, at = cooling(train, test, folder)
    gearbox(train, test, folder)
    rows = [chained(d, over, at) for d in (train, test)]

    def trees(n):
        return GradientBoostingRegressor(n_estimators=n, max_depth=3, learning_rate=0.12, min_samples_leaf=60, subsample=0.5, random_state=7)

    left = {
        "bearing": wear(train, test, folder, "bearing", "bearing", [ENV, ENVS, VEL, TEMP, SPEED], trees(60),
                        [(0, 10), (24, 24), (72, 45), (120, 58), (200, 78), (300, 94), (500, 97)], "topdrive", "bearing", 500, 160, "Hours that the top-drive bearing has left"),
        "pump_valve": wear(train, test, folder, "pump_valve", "pump_valve", [PULS, PULSS], DecisionTreeRegressor(max_leaf_nodes=72, min_samples_leaf=40, random_state=7),
                           [(0, 12), (12, 24), (48, 45), (96, 62), (150, 84), (240, 96)], "pumps", "pump-valve", 240, 110, "Hours that a leaking fluid-end valve has left", least=0.3),
        "gearbox_left": wear(train, test, folder, "gearbox_left", "gearbox", [PART, PARTZ, VELZ, PARTS], trees(40), None, "topdrive", "gearbox", 700, 240, "Hours that the gearbox has left"),
        "cooling_left": wear(*rows, folder, "cooling_left", "cooling", ["cooling.excess_c", HEAT[2]], DecisionTreeRegressor(max_leaf_nodes=24, min_samples_leaf=80, random_state=7),
                             None, "topdrive", "cooling", 700, 240, "Hours until the motor's cooling air is shut off", least=at),
    }
    hazard(*rows, folder, left)
    dysfunction(train, folder)


if __name__ == "__main__":
    main(*sys.argv[1:3])
