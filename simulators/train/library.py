"""Train the models of the library: jobs of which no alarm waits, so that they are
pushed where they are wanted, and cost nothing where they are not.

    python simulators/train/library.py train.csv simulators/models/library

The table is that of defaults.py, and so are the rigs held back. Seeded.
"""
import os
import sys

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn2pmml import sklearn2pmml
from sklearn2pmml.pipeline import PMMLPipeline

from defaults import (AXIAL, ENV, ENVZ, FLOW, NS, OIL, PART, PARTS, PARTZ, PULS, PULSZ, ROP10, RPM10, SIDE, SLOW, SPEED, SPP, SPP10, SSI, TEMP, TORQUE, TWIST, VEL, VELZ, WIND, WOB10,
                      add_outputs, apply, const, derived, document, out, ref, split, when, write)

DRILLING = ["WOB__ewma__10m__in_rotary", SPEED, TORQUE, SPP, FLOW, "ROP__ewma__10m__in_rotary"]
MACHINE = [ENVZ, VELZ, PARTZ, PULSZ, TEMP, OIL, WIND, TORQUE]
FAILURES = ("washout", "bearing", "pump_valve", "gearbox", "cooling")


def whole(d, inputs):
    return d[d[inputs].notna().all(axis=1)]


def sound(d):
    return d[d[[f"age_{k}" for k in FAILURES]].isna().all(axis=1) & (d["doing"].isna() | (d["doing"] == ""))]


def past(d, kind, age):
    return d[d[f"age_{kind}"] > age]


def rig_state(train, test, folder):
    """What the crew does: TreeModel of one second, without the memory that the scorer's own recogniser has."""
    inputs = ["HKLD__mean__10s", "FLIN__mean__10s", "BPOS__range__10s", RPM10, WOB10, SPP10, ROP10]
    fit, seen = whole(train, inputs), whole(test, inputs)
    fit = fit.groupby("state").sample(4000, replace=True, random_state=7)
    pipeline = PMMLPipeline([("classifier", DecisionTreeClassifier(max_depth=7, min_samples_leaf=40, random_state=7))])
    pipeline.fit(fit[inputs], fit["state"].rename("rig_state"))
    pipeline.verify(fit[inputs].sample(15, random_state=5))
    path = os.path.join(folder, "rig_state.pmml")
    sklearn2pmml(pipeline, path)
    add_outputs(path, "", None, "What the crew does, from one second's readings")
    right = pipeline.predict(seen[inputs]) == seen["state"]
    print(f"rig_state: unseen rigs: right in {100 * right.mean():.1f} % of rows; least in {right.groupby(seen['state']).mean().idxmin()}, {100 * right.groupby(seen['state']).mean().min():.1f} %")


def envelope(train, test, folder):
    """How the rig is being run: ClusteringModel, k-means on standardised settings, and how far it is from any."""
    fit, seen = whole(sound(train), DRILLING), whole(sound(test), DRILLING)
    pipeline = PMMLPipeline([("scale", StandardScaler()), ("cluster", KMeans(n_clusters=6, n_init=4, random_state=7))])
    pipeline.fit(fit[DRILLING])
    path = os.path.join(folder, "envelope.pmml")
    sklearn2pmml(pipeline, path)
    add_outputs(path, '<OutputField name="distance" optype="continuous" dataType="double" feature="affinity"/>', SLOW, "Operating envelope: which way of running, and how far from it")
    far = pipeline.steps[-1][1].transform(pipeline.steps[0][1].transform(seen[DRILLING])).min(axis=1)
    print(f"envelope: unseen rigs: distance to the nearest of 6 clusters {np.median(far):.2f} standard deviations, 99th {np.quantile(far, .99):.2f}")


def anomaly(train, test, folder, name, inputs, kinds):
    """Isolation forest of one subsystem: the exporter writes a MiningModel of trees."""
    fit = whole(sound(train), inputs)
    own = [i for i in inputs if "__z__" in i]
    fit = fit[(fit[own].abs() < 12).all(axis=1)]  # sensors that are loose or stuck are no part of what is usual
    forest = IsolationForest(n_estimators=30, max_samples=96, random_state=7)
    pipeline = PMMLPipeline([("forest", forest)])
    pipeline.fit(fit[inputs])
    path = os.path.join(folder, f"anomaly_{name}.pmml")
    sklearn2pmml(pipeline, path)
    add_outputs(path, "", SLOW, f"How unusual the readings of {name} are together; below 0: more than any in training")
    line = np.quantile(forest.decision_function(whole(sound(test), inputs)[inputs]), 0.01)
    cases = [(f"{k} past 0.7 of life", past(test, k, 0.7)) if k in FAILURES else (k, test[test["doing"] == k]) for k in kinds]
    found = [f"{what} {100 * (forest.decision_function(x[inputs]) < line).mean():.0f} %" for what, rows in cases if len(x := whole(rows, inputs))]
    print(f"anomaly_{name}: unseen rigs: below what 1 % of sound rows are below: {', '.join(found)}")


def novelty(train, test, folder):
    """What three numbers cannot say of eight: NeuralNetwork, an autoencoder; the error is what is new."""
    def z(d):
        return ((d[MACHINE] - mean) / spread).clip(-40, 40)

    fit, seen = whole(sound(train), MACHINE), whole(test, MACHINE)
    mean, spread = fit[MACHINE].mean(), fit[MACHINE].std()
    fit = fit[((fit[MACHINE] - mean).abs() < 4 * spread).all(axis=1)]
    mean, spread = fit[MACHINE].mean(), fit[MACHINE].std()
    net = MLPRegressor(hidden_layer_sizes=(3,), activation="tanh", alpha=1e-3, max_iter=25, random_state=7).fit(z(fit).to_numpy(), z(fit).to_numpy())
    (w1, w2), (b1, b2) = net.coefs_, net.intercepts_
    fields = "".join(f'<DataField name="{i}" optype="continuous" dataType="double"/>' for i in MACHINE + [f"r{k}" for k in range(len(MACHINE))])
    mining = "".join(f'<MiningField name="{i}"/>' for i in MACHINE) + "".join(f'<MiningField name="r{k}" usageType="target"/>' for k in range(len(MACHINE)))
    local = "<LocalTransformations>" + "".join(derived(f"z{k}", apply("/", apply("-", apply("max", const(float(mean[i] - 40 * spread[i])), apply("min", const(float(mean[i] + 40 * spread[i])), ref(i))), const(float(mean[i]))), const(float(spread[i]))))
                                               for k, i in enumerate(MACHINE)) + "</LocalTransformations>"
    said = "".join(f'<OutputField name="p{k}" targetField="r{k}" optype="continuous" dataType="double" feature="predictedValue" isFinalResult="false"/>' for k in range(len(MACHINE)))
    squares = [apply("pow", apply("-", ref(f"p{k}"), ref(f"z{k}")), const(2.0)) for k in range(len(MACHINE))]
    error = apply("sqrt", apply("/", apply("sum", *squares), const(float(len(MACHINE)))))
    nodes = "".join(f'<NeuralInput id="i{k}"><DerivedField optype="continuous" dataType="double">{ref(f"z{k}")}</DerivedField></NeuralInput>' for k in range(len(MACHINE)))
    hidden = "".join(f'<Neuron id="h{j}" bias="{float(b1[j])!r}">' + "".join(f'<Con from="i{k}" weight="{float(w1[k, j])!r}"/>' for k in range(len(MACHINE))) + "</Neuron>" for j in range(3))
    back = "".join(f'<Neuron id="o{k}" bias="{float(b2[k])!r}">' + "".join(f'<Con from="h{j}" weight="{float(w2[j, k])!r}"/>' for j in range(3)) + "</Neuron>" for k in range(len(MACHINE)))
    ends = "".join(f'<NeuralOutput outputNeuron="o{k}"><DerivedField optype="continuous" dataType="double">{ref(f"r{k}")}</DerivedField></NeuralOutput>' for k in range(len(MACHINE)))
    write(folder, "novelty", f'<?xml version="1.0" encoding="UTF-8"?>\n<PMML xmlns="{NS}" version="4.4">\n<Header copyright="mudpulse" description="How new the machine\'s readings are together">'
          f'<Extension extender="mudpulse" name="every" value="{SLOW}"/><Application name="simulators/train/library.py"/></Header>\n<DataDictionary>{fields}</DataDictionary>\n'
          f'<NeuralNetwork modelName="novelty" functionName="regression" activationFunction="tanh">\n<MiningSchema>{mining}</MiningSchema>\n<Output>{said}{out("error", error)}</Output>{local}\n'
          f'<NeuralInputs>{nodes}</NeuralInputs><NeuralLayer>{hidden}</NeuralLayer><NeuralLayer activationFunction="identity">{back}</NeuralLayer><NeuralOutputs>{ends}</NeuralOutputs>\n</NeuralNetwork>\n</PMML>\n')
    e = pd.Series(np.sqrt(((net.predict(z(seen).to_numpy()) - z(seen).to_numpy()) ** 2).mean(axis=1)), index=seen.index)
    line = e[sound(seen).index].quantile(0.99)
    print(f"novelty: unseen rigs: error of sound rows {e[sound(seen).index].median():.2f}, 99th {line:.2f}; above that past 0.7 of life: " + ", ".join(f"{k} {100 * (e[past(seen, k, .7).index] > line).mean():.0f} %" for k in FAILURES if len(past(seen, k, .7))))


def failure_class(train, test, folder):
    """Which part is failing: MiningModel, gradient boosting, one probability a class."""
    inputs = [ENV, ENVZ, VELZ, PARTZ, PULS, WIND, TEMP, OIL, TORQUE]

    def rows(d):
        d = whole(d, inputs).copy()
        ages = d[[f"age_{k}" for k in FAILURES[1:]]].fillna(-1)
        d["kind"] = np.where(ages.max(axis=1) < 0, "none", np.array(FAILURES[1:])[ages.to_numpy().argmax(axis=1)])
        return d[(d["kind"] == "none") | (ages.max(axis=1) > 0.5)]

    fit, seen = rows(train), rows(test)
    fit = fit.groupby("kind").sample(2500, replace=True, random_state=7)
    model = GradientBoostingClassifier(n_estimators=20, max_depth=3, learning_rate=0.2, min_samples_leaf=40, subsample=0.5, random_state=7)
    pipeline = PMMLPipeline([("classifier", model)])
    pipeline.fit(fit[inputs], fit["kind"].rename("failure_class"))
    pipeline.verify(fit[inputs].sample(15, random_state=5))
    path = os.path.join(folder, "failure_class.pmml")
    sklearn2pmml(pipeline, path)
    add_outputs(path, "", SLOW, "Which part of the machine is failing")
    right = pipeline.predict(seen[inputs]) == seen["kind"]
    print("failure_class: unseen rigs, past half of life: right in " + ", ".join(f"{k} {100 * v:.0f} %" for k, v in right.groupby(seen["kind"]).mean().items()))


def oil_trend(folder):
    """Days until the particles are at the limit, as they go now: RegressionModel. (A TimeSeriesModel keeps the series in the document; each drill has its own.)"""
    inputs = [PART, PARTS]
    left = when(apply("greaterThan", ref(PARTS), const(1e-6)), apply("min", const(90.0), apply("max", const(0.0), apply("/", apply("-", const(640.0), ref(PART)), apply("*", ref(PARTS), const(86400.0))))))
    body = '<Output><OutputField name="days" optype="continuous" dataType="double" feature="predictedValue"/></Output><LocalTransformations>' + derived("left", left) + '</LocalTransformations><RegressionTable intercept="0"><NumericPredictor name="left" coefficient="1"/></RegressionTable>'
    write(folder, "oil_trend", document("oil_trend", "RegressionModel", inputs, ("", body), every=SLOW, text="Days until the gearbox oil holds 640 particles a millilitre, at most 90, as it goes now"))


def similar_cases(train, folder):
    """The three past failures that are most alike: NearestNeighborModel, whose instances are the cases."""
    inputs = [ENVZ, VELZ, PARTZ, PULSZ, TEMP, WIND]
    d = whole(train, inputs)
    cases = []
    for kind in FAILURES[1:]:
        for rig, rows in past(d, kind, 0.5).groupby("rig"):
            for age in (0.6, 0.8, 0.95):
                r = rows.iloc[(rows[f"age_{kind}"] - age).abs().argmin()]
                if abs(r[f"age_{kind}"] - age) < 0.05:
                    cases.append((f"{rig} {pd.Timestamp(r['ts'], unit='s'):%d %b}: {kind}, {r[f'left_{kind}']:.0f} h before it failed", kind, r))
    low, high = d[inputs].quantile(0.005), d[inputs].quantile(0.98)
    fields = "".join(f'<DataField name="{i}" optype="continuous" dataType="double"/>' for i in inputs) + '<DataField name="kind" optype="categorical" dataType="string">' + "".join(f'<Value value="{k}"/>' for k in FAILURES[1:]) + "</DataField>"
    mining = "".join(f'<MiningField name="{i}"/>' for i in inputs) + '<MiningField name="kind" usageType="target"/>'
    local = "<LocalTransformations>" + "".join(f'<DerivedField name="n{k}" optype="continuous" dataType="double"><NormContinuous field="{i}" outliers="asExtremeValues"><LinearNorm orig="{float(low[i])!r}" norm="0"/><LinearNorm orig="{float(high[i])!r}" norm="1"/></NormContinuous></DerivedField>' for k, i in enumerate(inputs)) + "</LocalTransformations>"
    columns = '<InstanceField field="case" column="case"/><InstanceField field="kind" column="kind"/>' + "".join(f'<InstanceField field="n{k}" column="n{k}"/>' for k in range(len(inputs)))
    table = "".join(f"<row><case>{c}</case><kind>{kind}</kind>" + "".join(f"<n{k}>{float(np.clip((r[i] - low[i]) / (high[i] - low[i]), 0, 1))!r}</n{k}>" for k, i in enumerate(inputs)) + "</row>" for c, kind, r in cases)
    outputs = "<Output>" + '<OutputField name="kind_of_most" optype="categorical" dataType="string" feature="predictedValue"/>' + "".join(f'<OutputField name="case_{n}" optype="categorical" dataType="string" feature="entityId" rank="{n}"/>' for n in (1, 2, 3)) + "</Output>"
    write(folder, "similar_cases", f'<?xml version="1.0" encoding="UTF-8"?>\n<PMML xmlns="{NS}" version="4.4">\n<Header copyright="mudpulse" description="The three past failures that are most alike"><Extension extender="mudpulse" name="every" value="{SLOW}"/>'
          f'<Application name="simulators/train/library.py"/></Header>\n<DataDictionary>{fields}</DataDictionary>\n<NearestNeighborModel modelName="similar_cases" functionName="classification" numberOfNeighbors="3" instanceIdVariable="case" categoricalScoringMethod="majorityVote">\n'
          f'<MiningSchema>{mining}</MiningSchema>\n{outputs}{local}\n<TrainingInstances isTransformed="true"><InstanceFields>{columns}</InstanceFields><InlineTable>{table}</InlineTable></TrainingInstances>\n'
          '<ComparisonMeasure kind="distance"><euclidean/></ComparisonMeasure><KNNInputs>' + "".join(f'<KNNInput field="n{k}"/>' for k in range(len(inputs))) + "</KNNInputs>\n</NearestNeighborModel>\n</PMML>\n")
    print(f"similar_cases: {len(cases)} cases of the rigs that were learnt from")


def main(table, folder):
    os.makedirs(folder, exist_ok=True)
    data = pd.read_csv(table, low_memory=False)
    train, test = split(data)
    rig_state(train, test, folder)
    envelope(train, test, folder)
    anomaly(train, test, folder, "topdrive", [ENVZ, VELZ, PARTZ, TEMP, WIND], ("bearing", "gearbox", "cooling"))
    anomaly(train, test, folder, "pumps", [PULS, PULSZ, FLOW], ("pump_valve",))
    anomaly(train, test, folder, "bit", [SSI, TWIST, SIDE, AXIAL, ROP10], ("stick_slip", "whirl", "bounce"))
    novelty(train, test, folder)
    failure_class(train, test, folder)
    oil_trend(folder)
    similar_cases(train, folder)


if __name__ == "__main__":
    main(*sys.argv[1:3])
