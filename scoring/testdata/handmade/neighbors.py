"""Cases of NearestNeighborModel."""
import random

from pmml import *

random.seed(17)
KIND = "NearestNeighbor"
XY = ["x", "y"]
FIELDS = [data(f) for f in XY] + [data("t"), data("u"), data("c", "categorical", "string", ["a", "b", "k"]), data("id", "categorical", "string"), data("s", "categorical", "string"),
          data("i", "categorical", "integer", [0, 1])]


def rows(n=8, low=-3, high=3, names=XY):
    out = [{f: round(random.uniform(low, high), 2) for f in names} for _ in range(n)]
    return out + [{"x": 1}, {"y": 1}, {}, {"x": 0, "y": 0}, {"x": 1e6, "y": -1e6}, {"x": "bad", "y": 1}, {"x": "1.5", "y": 1}, {"x": 1, "y": 1}, {"x": 2, "y": 0}]


POINTS = [(0, 0), (1, 1), (2, 0), (-1, 2), (1.5, -2), (-2, -1), (0.5, 0.5), (3, 3), (-0.5, 1), (2, 2)]
CLASSES = ["a", "b", "a", "k", "b", "k", "b", "a", "k", "b"]


def training(columns, data, transformed=None):
    return element("TrainingInstances", element("InstanceFields", *[element("InstanceField", field=f, column=f) for f in columns]),
                   element("InlineTable", *[element("row", *[element(f, str(v)) for f, v in zip(columns, r) if v is not None]) for r in data]), isTransformed=transformed, recordCount=len(data), fieldCount=len(columns))


TABLE = [(x, y, round(2 * x - y + 0.25 * i, 3), round(x * y, 3), c, f"r{i}", "p" if i % 3 else "q", i % 2) for i, ((x, y), c) in enumerate(zip(POINTS, CLASSES))]
COLUMNS = ["x", "y", "t", "u", "c", "id", "s", "i"]


def table(*names, data=TABLE, transformed=None):
    at = [COLUMNS.index(n) for n in names]
    return training(names, [[r[i] for i in at] for r in data], transformed)


EUCLID = element("ComparisonMeasure", "<euclidean/>", kind="distance")


def inputs(*names, **more):
    return element("KNNInputs", *[n if n.startswith("<") else element("KNNInput", field=n, **more) for n in names])


def model(function, train, target=("t",), k=3, measure=EUCLID, ins=inputs(*XY), out="", mining=XY, local="", targets="", **more):
    return element("NearestNeighborModel", schema(*[dict(name=t, usageType="target") for t in target], *mining), out, targets, local, train, measure, ins, functionName=function, numberOfNeighbors=k, **more)


IDS = output(*[text(f"id{r}", "entityId", rank=r) for r in (1, 2, 3, 4)], number("near2", "affinity", rank=2), number("near4", "affinity", rank=4))
XYT = table("x", "y", "t")
XYC = table("x", "y", "c")
for k in (1, 3, 4, 10):
    case(KIND, f"average-{k}", document(FIELDS, model("regression", XYT, k=k)), rows())
for how in ("median", "weightedAverage"):
    for k in (3, 4):
        case(KIND, f"{how.lower()}-{k}", document(FIELDS, model("regression", XYT, k=k, continuousScoringMethod=how)), rows())
case(KIND, "weighted-threshold", document(FIELDS, model("regression", XYT, continuousScoringMethod="weightedAverage", threshold=0.5)), rows())
for k in (1, 2, 3, 4, 6, 10):
    case(KIND, f"majority-{k}", document(FIELDS, model("classification", XYC, ("c",), k=k)), rows())
for k in (2, 3, 4):
    case(KIND, f"weightedmajority-{k}", document(FIELDS, model("classification", XYC, ("c",), k=k, categoricalScoringMethod="weightedMajorityVote", threshold=0.01)), rows())
case(KIND, "ids", document(FIELDS, model("regression", table("x", "y", "t", "id"), instanceIdVariable="id", out=IDS)), rows())
case(KIND, "ids-class", document(FIELDS, model("classification", table("x", "y", "c", "id"), ("c",), instanceIdVariable="id", out=IDS)), rows())
case(KIND, "ids-implicit", document(FIELDS, model("regression", XYT, out=output(text("id1", "entityId"), text("id2", "entityId", rank=2), number("near2", "affinity", rank=2), number("near5", "affinity", rank=5)))), rows())
for name, m in {"cityblock": "<cityBlock/>", "squared": "<squaredEuclidean/>", "chebychev": "<chebychev/>", "minkowski": element("minkowski", p__parameter=3)}.items():
    case(KIND, name, document(FIELDS, model("regression", table("x", "y", "t", "id"), measure=element("ComparisonMeasure", m, kind="distance"), instanceIdVariable="id", out=IDS)), rows())
case(KIND, "field-weights", document(FIELDS, model("regression", table("x", "y", "t", "id"), ins=inputs(element("KNNInput", field="x", fieldWeight=4), element("KNNInput", field="y", fieldWeight=0.5, compareFunction="absDiff")), instanceIdVariable="id", out=IDS)), rows())
case(KIND, "delta", document(FIELDS, model("regression", table("x", "s", "t", "id"), ins=inputs("x", element("KNNInput", field="s", compareFunction="delta", fieldWeight=2)), mining=["x", "s"], instanceIdVariable="id", out=IDS)),
     [{"x": 1, "s": "p"}, {"x": 1, "s": "q"}, {"x": 0.2, "s": "never"}, {"x": 1}, {"s": "q"}, {}])
case(KIND, "equal", document(FIELDS, model("regression", table("x", "s", "t"), measure=element("ComparisonMeasure", "<cityBlock/>", kind="distance", compareFunction="delta"), ins=inputs(element("KNNInput", field="x", compareFunction="absDiff"), "s"), mining=["x", "s"])), [{"x": 1, "s": "p"}, {"x": 1, "s": "q"}])
BITS = [(i & 1, i >> 1 & 1, i, 0, "a", f"r{i}", "", 0) for i in range(4)]
for name, m in {"jaccard": "<jaccard/>", "simple": "<simpleMatching/>", "tanimoto": "<tanimoto/>"}.items():
    case(KIND, "similarity-" + name, document(FIELDS, model("regression", table("x", "y", "t", "id", data=BITS), k=2, measure=element("ComparisonMeasure", m, kind="similarity"), instanceIdVariable="id", out=IDS)), [{"x": 0, "y": 1}, {"x": 1, "y": 1}, {"x": 1, "y": 0}, {"x": 0.5, "y": 0}])
SCALE = element("LocalTransformations", derived("sx", element("NormContinuous", element("LinearNorm", orig=0, norm=0), element("LinearNorm", orig=2, norm=5), field="x")))
case(KIND, "derived-raw", document(FIELDS, model("regression", XYT, ins=inputs("sx", "y"), local=SCALE)), rows())
case(KIND, "derived-transformed", document(FIELDS, model("regression", training(["sx", "y", "t"], [(r[0] * 2.5, r[1], r[2]) for r in TABLE], "true"), ins=inputs("sx", "y"), local=SCALE)), rows())
case(KIND, "two-targets", document(FIELDS, model("regression", table("x", "y", "t", "u"), ("t", "u"), out=output(number("pt", "predictedValue", targetField="t"), number("pu", "predictedValue", targetField="u")))), rows())
case(KIND, "mixed", document(FIELDS, model("mixed", table("x", "y", "t", "c", "id"), ("t", "c"), instanceIdVariable="id", out=output(number("pt", "predictedValue", targetField="t"), text("pc", "predictedValue", targetField="c")))), rows())
case(KIND, "integer-class", document(FIELDS, model("classification", table("x", "y", "i"), ("i",), out=output(dict(name="said", optype="categorical", dataType="integer", feature="predictedValue")))), rows())
case(KIND, "float", document(FIELDS, model("regression", XYT, continuousScoringMethod="weightedAverage", x__mathContext="float")), rows())
case(KIND, "float-average", document(FIELDS, model("regression", XYT, x__mathContext="float")), rows())
case(KIND, "float-class", document(FIELDS, model("classification", XYC, ("c",), k=4, categoricalScoringMethod="weightedMajorityVote", x__mathContext="float")), rows())
TREATED = [dict(name="x", outliers="asExtremeValues", lowValue=-2, highValue=2), dict(name="y", missingValueReplacement=0.5)]
case(KIND, "treatments", document(FIELDS, model("regression", table("x", "y", "t", "id"), mining=TREATED, instanceIdVariable="id", out=IDS)), rows())
case(KIND, "treatments-transformed", document(FIELDS, model("regression", table("x", "y", "t", "id", transformed="true"), mining=TREATED, instanceIdVariable="id", out=IDS)), rows())
case(KIND, "treatments-derived", document(FIELDS, model("regression", table("x", "y", "t", "id"), mining=TREATED, ins=inputs("sx", "y"), local=SCALE, instanceIdVariable="id", out=IDS)), rows())
