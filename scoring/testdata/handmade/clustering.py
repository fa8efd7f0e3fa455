"""Cases of ClusteringModel."""
import random

from pmml import *

random.seed(7)
KIND = "Clustering"
XYZ = ["x", "y", "z"]
FIELDS = [data(f) for f in XYZ]


def rows(names, n=6, low=-3, high=6):
    draw = lambda fields: {f: round(random.uniform(low, high), 3) for f in fields}
    out = [draw(names) for _ in range(n)]
    out += [draw([g for g in names if g != f]) for f in names]
    out += [draw([f]) for f in names]
    out += [{}, {f: 0 for f in names}, {f: 1e300 for f in names}, {f: -1e9 for f in names}, {f: 1.0 for f in names}]
    out += [{**{f: 1 for f in names}, names[0]: v} for v in ("abc", "1.5")]
    return out


OUTPUT = output(
    text("cluster", "predictedValue"), text("first", "entityId"), text("second", "entityId", rank=2), text("ninth", "entityId", rank=9),
    text("id", "clusterId"), text("shown", "predictedDisplayValue"), number("near", "affinity"), number("next", "affinity", rank=2),
    number("clusterNear", "clusterAffinity"), number("entityNear", "entityAffinity"), number("toTwo", "affinity", value="2"), number("toNone", "affinity", value="?"))


def cluster(id, center, name=None):
    return element("Cluster", array(center), id=id, name=name)


FOUR = [cluster("1", [0, 0, 0], "idle"), cluster("2", [1, 2, 3], "drilling"), cluster("3", [-1, 4, 0.5]), cluster("4", [5, -2, 1], "tripping")]


def measure(inner, kind="distance", **more):
    return element("ComparisonMeasure", inner, kind=kind, **more)


def field(name, *kids, **more):
    return element("ClusteringField", *kids, field=name, **more)


PLAIN = [field(f) for f in XYZ]
WEIGHED = [field("x", fieldWeight=0.5), field("y", fieldWeight=2), field("z", fieldWeight=3.25, compareFunction="absDiff")]


def weights(w):
    return element("MissingValueWeights", array(w))


def model(measure, clusters, fields, out=OUTPUT, missing="", mclass="centerBased", mining=XYZ, local="", **more):
    return element("ClusteringModel", schema(*mining), out, local, measure, *fields, missing, *clusters,
                   functionName="clustering", modelClass=mclass, numberOfClusters=len(clusters), **more)


for name, inner in {"euclidean": "<euclidean/>", "squared": "<squaredEuclidean/>", "chebychev": "<chebychev/>", "cityblock": "<cityBlock/>",
                    "minkowski": element("minkowski", p__parameter=3), "minkowski-fraction": element("minkowski", p__parameter=1.5)}.items():
    case(KIND, name, document(FIELDS, model(measure(inner), FOUR, PLAIN)), rows(XYZ))
    case(KIND, name + "-weighted", document(FIELDS, model(measure(inner), FOUR, WEIGHED, missing=weights([1, 0.5, 2]))), rows(XYZ))

ANONYMOUS = [element("Cluster", array(c)) for c in ([0, 0, 0], [1, 2, 3], [-1, 4, 0.5])]
case(KIND, "by-index", document(FIELDS, model(measure("<euclidean/>"), ANONYMOUS, PLAIN)), rows(XYZ))
case(KIND, "no-output", document(FIELDS, model(measure("<euclidean/>"), FOUR, PLAIN, out="")), rows(XYZ))
case(KIND, "kohonen", document(FIELDS, model(measure("<euclidean/>"), [
    element("Cluster", element("KohonenMap", coord1=0, coord2=i), array(c), id=f"k{i}", size=i) for i, c in enumerate(([0, 0, 0], [1, 2, 3]))], PLAIN)), rows(XYZ))
case(KIND, "with-target", document(FIELDS + [data("t", "categorical", "string", "1234")],
     model(measure("<euclidean/>"), FOUR, PLAIN, mining=[dict(name="t", usageType="target")] + XYZ)), rows(XYZ))
case(KIND, "zero-weights", document(FIELDS, model(measure("<euclidean/>"), FOUR, PLAIN, missing=weights([0, 0, 2]))), rows(XYZ))

TIES = [{"x": 0, "y": 2, "z": 0.5}, {"x": 1, "y": 2, "z": 3}]
for fn in ("absDiff", "delta", "equal"):
    case(KIND, "measure-" + fn.lower(), document(FIELDS, model(measure("<euclidean/>", compareFunction=fn), FOUR,
         [field(f, fieldWeight=w) for f, w in zip(XYZ, [1, 2, .5])])), rows(XYZ) + TIES)
for fn in ("absDiff", "gaussSim", "delta", "equal"):
    case(KIND, "field-" + fn.lower(), document(FIELDS, model(measure("<cityBlock/>"), FOUR,
         [field(f, similarityScale=2.5, compareFunction=fn) for f in XYZ])), rows(XYZ) + TIES)
case(KIND, "field-mixed", document(FIELDS, model(measure("<squaredEuclidean/>"), FOUR,
     [field("x", compareFunction="gaussSim", similarityScale=3, fieldWeight=4), field("y", compareFunction="delta"), field("z")])), rows(XYZ) + TIES)

CATEGORIES = [data("c", "categorical", "string", "abc"), data("x")]
LOCAL = element("LocalTransformations", derived("isA", element("NormDiscrete", field="c", value="a")),
                derived("unit", element("NormContinuous", element("LinearNorm", orig=0, norm=0), element("LinearNorm", orig=10, norm=1), field="x")))
case(KIND, "derived", document(CATEGORIES, model(measure("<squaredEuclidean/>"), [cluster("1", [1, .2]), cluster("2", [0, .9])], [field("isA"), field("unit")],
     mining=["c", "x"], local=LOCAL)), [{"c": "a", "x": 1}, {"c": "b", "x": 9}, {"c": "zz", "x": 9}, {"x": 3}, {"c": "a"}, {}])
case(KIND, "treatments", document(FIELDS, model(measure("<euclidean/>"), FOUR, PLAIN, mining=[
    dict(name="x", outliers="asExtremeValues", lowValue=-1, highValue=2), dict(name="y", missingValueReplacement=2, missingValueTreatment="asMean"),
    dict(name="z", invalidValueTreatment="asMissing", outliers="asMissingValues", lowValue=0, highValue=4)])), rows(XYZ) + [{"x": 1, "y": 1, "z": "bad"}])
case(KIND, "output-chain", document(FIELDS, model(measure("<euclidean/>"), FOUR, PLAIN, out=output(
    text("seg", "predictedValue"), number("far", "affinity"),
    element("OutputField", element("Apply", element("FieldRef", field="seg"), element("Constant", "2", dataType="string"), function="equal"),
            name="two", optype="categorical", dataType="boolean", feature="transformedValue"),
    element("OutputField", element("Apply", element("FieldRef", field="far"), element("Constant", "2"), function="greaterThan"),
            name="isFar", optype="categorical", dataType="boolean", feature="decision"),
    dict(name="order", optype="categorical", dataType="integer", feature="predictedValue")))), rows(XYZ))
case(KIND, "float", document([data(f, "continuous", "float") for f in XYZ], model(measure("<euclidean/>"), FOUR, WEIGHED, x__mathContext="float")), rows(XYZ))
case(KIND, "float-fields", document([data(f, "continuous", "float") for f in XYZ], model(measure("<euclidean/>"), FOUR, PLAIN)), rows(XYZ))
case(KIND, "float-minkowski", document([data(f, "continuous", "float") for f in XYZ], model(measure(element("minkowski", p__parameter=3)), FOUR, PLAIN, x__mathContext="float")), rows(XYZ))

PQRS = ["p", "q", "r", "s"]
BITS = [{f: random.randint(0, 1) for f in PQRS} for _ in range(8)] + [
    {}, {f: 0 for f in PQRS}, {"p": 1.0, "q": 0.0, "r": 1, "s": 1}, {"p": 2, "q": 0, "r": 1, "s": 0}, {"p": 0.5, "q": 0, "r": 1, "s": 0}]
PATTERNS = [cluster("1", [1, 1, 0, 0]), cluster("2", [0, 1, 1, 1]), cluster("3", [0, 0, 0, 0])]
BINARY = element("binarySimilarity", **{f"{k}{at}__parameter": v for k, at, v in (
    ("c", "00", .5), ("c", "01", .25), ("c", "10", .1), ("c", "11", 2), ("d", "00", 1), ("d", "01", .75), ("d", "10", 1.5), ("d", "11", 1))})
for name, inner in {"simple": "<simpleMatching/>", "jaccard": "<jaccard/>", "tanimoto": "<tanimoto/>", "binary": BINARY}.items():
    case(KIND, "similarity-" + name, document([data(f) for f in PQRS], model(measure(inner, "similarity"), PATTERNS, [field(f) for f in PQRS], mining=PQRS)), BITS)
case(KIND, "similarity-called-distance", document([data(f) for f in PQRS], model(measure("<jaccard/>", "distance"), PATTERNS,
     [field(f, fieldWeight=2) for f in PQRS], missing=weights([1, .5, 2, 1]), mining=PQRS)), BITS)
