"""Cases of NaiveBayesModel."""
from pmml import *

KIND = "NaiveBayes"
FIELDS = [data("g", "categorical", "string", ["m", "f"]), data("h", "categorical", "string"), data("v"), data("w"), data("n", "categorical", "integer", [1, 2, 3]),
          data("c", "categorical", "string", ["a", "b", "k"])]
MINING = ["g", "h", "v", "w", "n"]


def counts(tag="TargetValueCounts", **by):
    return element(tag, *[element("TargetValueCount", value=v.lstrip("_"), count=n) for v, n in by.items()])


def pairs(field, derived="", **by):
    return element("BayesInput", derived, *[element("PairCounts", counts(**c), value=v.lstrip("_")) for v, c in by.items()], fieldName=field)


def gauss(mean, variance):
    return element("GaussianDistribution", mean=mean, variance=variance)


def poisson(mean):
    return element("PoissonDistribution", mean=mean)


def stats(field, **by):
    return element("BayesInput", element("TargetValueStats", *[element("TargetValueStat", d, value=v) for v, d in by.items()]), fieldName=field)


def model(inputs, prior=counts(a=50, b=30, k=20), threshold=0.001, out=None, mining=MINING, target="c", local="", **more):
    out = out if out is not None else output(text("said", "predictedValue"), number("p", "probability"), number("pa", "probability", value="a"), number("pz", "probability", value="z"))
    return element("NaiveBayesModel", schema(dict(name=target, usageType="target"), *mining), out, local, element("BayesInputs", *inputs),
                   element("BayesOutput", prior, fieldName=target), functionName="classification", threshold=threshold, **more)


G = pairs("g", m=dict(a=10, b=20, k=5), f=dict(a=40, b=10, k=0))
H = pairs("h", x=dict(a=3, b=1, k=0), y=dict(a=1, b=7, k=2), z=dict(a=0, b=4, k=0))
V = stats("v", a=gauss(1.5, 0.25), b=gauss(3, 2), k=gauss(-1, 0.01))
W = stats("w", a=poisson(2), b=poisson(5.5), k=poisson(0.3))
N = pairs("n", _1=dict(a=5, b=1, k=1), _2=dict(a=2, b=2, k=2), _3=dict(a=0, b=9, k=4))
ROWS = [{"g": "m", "h": "x", "v": 1.2, "w": 3, "n": 1}, {"g": "f", "h": "z", "v": 4, "w": 0, "n": 2}, {"g": "f", "h": "y", "v": -1, "w": 7, "n": 3}, {"g": "m"}, {"h": "x"}, {"h": "unseen"},
        {"v": 2}, {"w": 2}, {"n": 2}, {"n": "3"}, {"n": 2.0}, {}, {"g": "bad", "v": 1}, {"v": 1e6}, {"v": -50, "w": 2}, {"w": 400}, {"w": 2.5}, {"w": -1}, {"g": "f", "v": "text"}, {"g": "f", "h": "unseen", "v": 0.5}]

for name, i in {"counts": [G], "counts-open": [H], "gaussian": [V], "poisson": [W], "integer-input": [N], "all": [G, H, V, W, N]}.items():
    case(KIND, name, document(FIELDS, model(i)), ROWS)
case(KIND, "threshold-zero", document(FIELDS, model([G, V], threshold=0)), ROWS, [("bayes-zero", {14: {"error": "every class has the probability 0"}})])
case(KIND, "threshold-large", document(FIELDS, model([G, H, V, W], threshold=0.2)), ROWS)
case(KIND, "prior-zero", document(FIELDS, model([G, V], prior=counts(a=50, b=30, k=0))), ROWS)
case(KIND, "prior-order", document(FIELDS, model([G, V], prior=counts(k=20, b=30, a=30))), ROWS)
case(KIND, "ties", document(FIELDS, model([pairs("g", m=dict(a=5, b=5, k=5), f=dict(a=1, b=1, k=1))], prior=counts(k=1, b=1, a=1))), [{"g": "m"}, {"g": "f"}, {}])
BINS = derived("vbin", element("Discretize", *[element("DiscretizeBin", element("Interval", **i), binValue=b) for b, i in
    (("low", dict(closure="openOpen", rightMargin=0)), ("mid", dict(closure="closedOpen", leftMargin=0, rightMargin=2)), ("high", dict(closure="closedOpen", leftMargin=2, rightMargin=100)))], field="v"), "categorical", "string")
D = pairs("v", BINS, low=dict(a=1, b=2, k=7), mid=dict(a=8, b=3, k=1), high=dict(a=2, b=6, k=0))
case(KIND, "discretized", document(FIELDS, model([D, G])), ROWS)
case(KIND, "stats-of-two", document(FIELDS, model([stats("v", a=gauss(1.5, 0.25), b=gauss(3, 2)), G])), ROWS)
case(KIND, "integer-target", document(FIELDS + [data("i", "categorical", "integer", [0, 1])], model([pairs("g", m=dict(_0=3, _1=9), f=dict(_0=8, _1=2))], prior=counts(_0=11, _1=11), target="i",
     out=output(dict(name="said", optype="categorical", dataType="integer", feature="predictedValue"), number("p1", "probability", value="1")))), ROWS)
case(KIND, "boolean-input", document(FIELDS + [data("o", "categorical", "boolean")], model([pairs("o", true=dict(a=3, b=9, k=0), false=dict(a=8, b=2, k=1))], mining=["o"])), [{"o": True}, {"o": False}, {"o": "true"}, {"o": 1}, {}])
case(KIND, "derived-input", document(FIELDS, model([pairs("vb", low=dict(a=1, b=2, k=7), mid=dict(a=8, b=3, k=1), high=dict(a=2, b=6, k=0))], local=element("LocalTransformations", BINS.replace('"vbin"', '"vb"')))), ROWS)
case(KIND, "float", document(FIELDS, model([G, H, V, W], x__mathContext="float")), ROWS)
case(KIND, "many", document(FIELDS, model([G, V, V, V, V, V, V, V, V, V, V, V, V, V, V])), ROWS)
