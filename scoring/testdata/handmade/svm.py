"""Cases of SupportVectorMachineModel."""
import random

from pmml import *

random.seed(13)
KIND = "SupportVectorMachine"
XYZ = ["x", "y", "z"]
FIELDS = [data(f) for f in XYZ] + [data("t"), data("c", "categorical", "string", "abk"), data("s", "categorical", "string", "pq")]


def rows(n=8, low=-2, high=2, names=XYZ):
    out = [{f: round(random.uniform(low, high), 3) for f in names} for _ in range(n)]
    out += [{g: 1 for g in names if g != f} for f in names]
    return out + [{}, {f: 0 for f in names}, {f: 100 for f in names}, {**{f: 1 for f in names}, "x": "bad"}, {**{f: 1 for f in names}, "x": "0.25"}]


VECTORS = {"v1": [0.5, -1, 2], "v2": [1, 1, 0], "v3": [-2, 0.25, 0], "v4": [0, 0, 1.5]}


def dictionary(vectors=VECTORS, fields=None, sparse=()):
    def instance(id, v):
        if id in sparse:
            at = [i for i, x in enumerate(v) if x]
            a = element("REAL-SparseArray", *([element("Indices", " ".join(str(i + 1) for i in at)), element("REAL-Entries", " ".join(str(v[i]) for i in at))] if at else []), n=len(v))
        else:
            a = array(v)
        return element("VectorInstance", a, id=id)
    fields = fields or [element("FieldRef", field=f) for f in XYZ]
    return element("VectorDictionary", element("VectorFields", *fields, numberOfFields=len(fields)), *[instance(i, v) for i, v in vectors.items()], numberOfVectors=len(vectors))


def machine(ids, coefficients, b, **more):
    return element("SupportVectorMachine", element("SupportVectors", *[element("SupportVector", vectorId=i) for i in ids]),
                   element("Coefficients", *[element("Coefficient", value=c) for c in coefficients], absoluteValue=b), **more)


def model(function, kernel, machines, target="t", vectors=None, out="", targets="", mining=XYZ, **more):
    return element("SupportVectorMachineModel", schema(dict(name=target, usageType="target"), *mining), out, targets, kernel, vectors or dictionary(), *machines, functionName=function, **more)


KERNELS = {"linear": "<LinearKernelType/>", "poly": element("PolynomialKernelType", gamma=0.5, coef0=0.75, degree=3), "poly-default": "<PolynomialKernelType/>",
           "poly-even": element("PolynomialKernelType", gamma=-0.5, coef0=0.1, degree=2), "radial": element("RadialBasisKernelType", gamma=0.3), "radial-default": "<RadialBasisKernelType/>",
           "sigmoid": element("SigmoidKernelType", gamma=0.2, coef0=-0.3), "sigmoid-default": "<SigmoidKernelType/>"}
ALL = list(VECTORS)
ONE = machine(ALL, [0.7, -1.2, 0.4, 0.9], -0.25)
for name, k in KERNELS.items():
    case(KIND, name, document(FIELDS, model("regression", k, [ONE])), rows())
R = KERNELS["radial"]
case(KIND, "sparse", document(FIELDS, model("regression", R, [ONE], vectors=dictionary(sparse=ALL))), rows())
case(KIND, "sparse-linear", document(FIELDS, model("regression", KERNELS["linear"], [ONE], vectors=dictionary(sparse=("v2", "v4")))), rows())
case(KIND, "some-vectors", document(FIELDS, model("regression", R, [machine(["v3", "v1"], [1, 2], 0)])), rows())
case(KIND, "targets", document(FIELDS, model("regression", R, [ONE], targets=element("Targets", element("Target", field="t", rescaleFactor=2, rescaleConstant=-1, min=-0.2)), out=output(number("p", "predictedValue"), number("r", "residual")))), [dict(r, t=1) for r in rows()])
CATFIELDS = [element("FieldRef", field="x"), element("CategoricalPredictor", name="s", value="p", coefficient=1), element("CategoricalPredictor", name="s", value="q", coefficient=1)]
case(KIND, "categorical", document(FIELDS, model("regression", KERNELS["linear"], [ONE], vectors=dictionary(fields=CATFIELDS), mining=["x", "s"])),
     [{"x": 1, "s": "p"}, {"x": 1, "s": "q"}, {"x": -2, "s": "q"}, {"s": "p"}, {"x": 1}, {"x": 1, "s": "zz"}, {}])
case(KIND, "map-missing", document(FIELDS, model("regression", KERNELS["linear"], [ONE], vectors=dictionary(fields=[element("FieldRef", field=f, mapMissingTo=v) for f, v in zip(XYZ, (0.5, -1, 2))]))), rows())
case(KIND, "float", document(FIELDS, model("regression", R, [ONE], x__mathContext="float")), rows())
case(KIND, "float-linear", document(FIELDS, model("regression", KERNELS["linear"], [ONE], x__mathContext="float")), rows())
case(KIND, "float-poly", document(FIELDS, model("regression", KERNELS["poly"], [ONE], x__mathContext="float")), rows())
case(KIND, "float-sigmoid", document(FIELDS, model("regression", KERNELS["sigmoid"], [ONE], x__mathContext="float")), rows())

VOTES = output(text("said", "predictedValue"), number("p", "probability"), number("a", "probability", value="a"), number("k", "probability", value="k"))
A = machine(ALL, [0.7, -1.2, 0.4, 0.9], -0.25, targetCategory="a")
B = machine(["v1", "v3"], [1.1, -0.4], 0.1, targetCategory="b")
C = machine(["v2", "v4"], [-0.8, 0.6], 0.05, targetCategory="k")
case(KIND, "against-all", document(FIELDS, model("classification", R, [A, B, C], "c", classificationMethod="OneAgainstAll", out=output(text("said", "predictedValue")))), rows())
case(KIND, "against-all-default", document(FIELDS, model("classification", KERNELS["linear"], [A, B, C], "c")), rows())
AB = machine(ALL, [0.7, -1.2, 0.4, 0.9], -0.25, targetCategory="a", alternateTargetCategory="b")
AK = machine(["v1", "v3"], [1.1, -0.4], 0.1, targetCategory="a", alternateTargetCategory="k", threshold=0.3)
BK = machine(["v2", "v4"], [-0.8, 0.6], 0.05, targetCategory="b", alternateTargetCategory="k")
case(KIND, "against-one", document(FIELDS, model("classification", R, [AB, AK, BK], "c", classificationMethod="OneAgainstOne", out=VOTES)), rows())
case(KIND, "against-one-threshold", document(FIELDS, model("classification", R, [AB, AK, BK], "c", classificationMethod="OneAgainstOne", threshold=0.2, out=output(text("said", "predictedValue")))), rows())
case(KIND, "against-one-plain", document(FIELDS, model("classification", KERNELS["linear"], [AB, AK, BK], "c", classificationMethod="OneAgainstOne")), rows())
case(KIND, "against-one-order", document(FIELDS, model("classification", KERNELS["linear"], [BK, AK, AB], "c", classificationMethod="OneAgainstOne")), rows())
case(KIND, "two-classes-one", document(FIELDS, model("classification", R, [AB], "c", classificationMethod="OneAgainstOne", threshold=0.1, out=VOTES)), rows())
case(KIND, "on-threshold", document(FIELDS, model("classification", KERNELS["linear"], [machine(["v2"], [1], 0, targetCategory="a", alternateTargetCategory="b", threshold=2)], "c", classificationMethod="OneAgainstOne")), [{"x": 1, "y": 1, "z": 0}, {"x": 1, "y": 1.01, "z": 0}, {"x": 1, "y": 0.99, "z": 0}])
case(KIND, "sparse-default", document(FIELDS, model("regression", R, [ONE], vectors=dictionary(sparse=ALL).replace('<REAL-SparseArray n="3"', '<REAL-SparseArray n="3" defaultValue="0.5"'))), rows())
