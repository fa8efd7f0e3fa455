"""Cases of NeuralNetwork."""
import random

from pmml import *

random.seed(11)
KIND = "NeuralNetwork"
XY = ["x", "y"]
FIELDS = [data("x"), data("y"), data("t"), data("u"), data("c", "categorical", "string", ["a", "b", "k"]), data("i", "categorical", "integer", [0, 1])]


def rows(n=8, low=-2, high=2):
    out = [{f: round(random.uniform(low, high), 3) for f in XY} for _ in range(n)]
    return out + [{"x": 0, "y": 0}, {"x": 1, "y": 1}, {"x": 0.5}, {"y": 0.5}, {}, {"x": 40, "y": -60}, {"x": 1e6, "y": 1e6}, {"x": "bad", "y": 0}, {"x": "0.25", "y": 1}]


def inputs(*expressions):
    return element("NeuralInputs", *[element("NeuralInput", derived(f"n{i}", e), id=f"0,{i}") for i, e in enumerate(expressions)])


REF = [element("FieldRef", field=f) for f in XY]


def neuron(id, weights, froms, **more):
    return element("Neuron", *[element("Con", from_=f, weight=w) for f, w in zip(froms, weights)], id=id, **more)


def dense(layer, rows, fan, bias=None, **more):
    froms = [f"{layer - 1},{j}" for j in range(fan)]
    return element("NeuralLayer", *[neuron(f"{layer},{i}", w, froms, bias=None if bias is None else bias[i]) for i, w in enumerate(rows)], **more)


def out(neuron, expression, **more):
    return element("NeuralOutput", derived("o" + neuron, expression, **more), outputNeuron=neuron)


def model(function, layers, outputs, target, ins=inputs(*REF), output="", targets="", local="", **more):
    mining = [dict(name=t, usageType="target") for t in target] + XY
    return element("NeuralNetwork", schema(*mining), output, targets, local, ins, *layers, element("NeuralOutputs", *outputs), functionName=function, **more)


W1, B1 = [[0.5, -0.3], [1.25, 0.75], [-0.8, 0.1]], [0.1, -0.2, 0.05]
W2, B2 = [[0.7, -1.1, 0.4]], [0.3]
W3, B3 = [[0.7, -1.1, 0.4], [0.2, 0.3, -0.5], [-0.6, 0.9, 0.1]], [0.3, 0, -0.1]
T = element("FieldRef", field="t")
NORM = element("NormContinuous", element("LinearNorm", orig=-10, norm=-1), element("LinearNorm", orig=0, norm=0.1), element("LinearNorm", orig=30, norm=1), field="t")


def discrete(v, field="c"):
    return element("NormDiscrete", field=field, value=v)


def probabilities(*classes):
    return output(text("said", "predictedValue"), number("p", "probability"), *[number(f"p({c})", "probability", value=c) for c in classes],
                  text("neuron", "entityId"))


for f in "threshold logistic tanh identity exponential reciprocal square Gauss sine cosine Elliott arctan rectifier".split():
    case(KIND, f.lower(), document(FIELDS, model("regression", [dense(1, W1, 2, B1), dense(2, W2, 3, B2, activationFunction="identity")],
         [out("2,0", T)], "t", activationFunction=f, threshold=0.25)), rows())
case(KIND, "layer-functions", document(FIELDS, model("regression", [dense(1, W1, 2, B1, activationFunction="threshold", threshold=0.5), dense(2, W3, 3, B3, activationFunction="tanh"),
     dense(3, W2, 3, B2)], [out("3,0", T)], "t", activationFunction="logistic", threshold=-1)), rows())
case(KIND, "no-bias", document(FIELDS, model("regression", [dense(1, W1, 2), dense(2, W2, 3, activationFunction="identity")], [out("2,0", T)], "t", activationFunction="tanh")), rows())
case(KIND, "big-sums", document(FIELDS, model("regression", [dense(1, [[1e16, -1e16]], 2, [1])], [out("1,0", T)], "t", activationFunction="identity")), rows())

RADIAL = [element("NeuralLayer", *[neuron(f"1,{i}", w, ["0,0", "0,1"], **m) for i, (w, m) in enumerate(
    [([0.5, 1.5], dict(width=0.8)), ([-0.5, 0.2], {}), ([1, 1], dict(bias=9, width=2))])], activationFunction="radialBasis", width=1.5)]
case(KIND, "radial", document(FIELDS, model("regression", RADIAL + [dense(2, W2, 3, B2)], [out("2,0", T)], "t", activationFunction="identity", width=3)), rows())
case(KIND, "radial-altitude", document(FIELDS, model("regression", [RADIAL[0].replace('width="1.5"', 'width="1.5" altitude="1.2"')] + [dense(2, W2, 3, B2)], [out("2,0", T)], "t", activationFunction="identity", altitude=2)), rows())
case(KIND, "radial-network", document(FIELDS, model("regression", [RADIAL[0].replace(' width="1.5"', '')] + [dense(2, W2, 3, B2)], [out("2,0", T)], "t", activationFunction="identity", altitude=0.5, width=3)), rows())

case(KIND, "denormalised", document(FIELDS, model("regression", [dense(1, W1, 2, B1), dense(2, W2, 3, B2)], [out("2,0", NORM)], "t", activationFunction="tanh")), rows())
case(KIND, "targets", document(FIELDS, model("regression", [dense(1, W1, 2, B1), dense(2, W2, 3, B2, activationFunction="identity")], [out("2,0", T)], "t", activationFunction="tanh",
     targets=element("Targets", element("Target", element("TargetValue", defaultValue=-7), field="t", rescaleFactor=10, rescaleConstant=1, min=-0.5, max=0.9, castInteger="round")),
     output=output(number("res", "residual"), number("p", "predictedValue")))), [dict(r, t=1) for r in rows()])
NORMIN = [element("NormContinuous", element("LinearNorm", orig=-1, norm=0), element("LinearNorm", orig=1, norm=1), field="x"), element("NormContinuous", element("LinearNorm", orig=0, norm=-1), element("LinearNorm", orig=2, norm=3), field="y", mapMissingTo=0.5)]
case(KIND, "inputs-normalised", document(FIELDS, model("regression", [dense(1, W1, 2, B1), dense(2, W2, 3, B2)], [out("2,0", T)], "t", ins=inputs(*NORMIN), activationFunction="logistic")), rows())
CAT = [data("s", "categorical", "string", "pq")]
case(KIND, "inputs-discrete", document(FIELDS + CAT, model("regression", [dense(1, W1, 2, B1), dense(2, W2, 3, B2)], [out("2,0", T)], "t", ins=inputs(discrete("p", "s"), REF[0]), activationFunction="logistic")
     .replace('<MiningField name="y"/>', '<MiningField name="s"/>')), [{"s": "p", "x": 1}, {"s": "q", "x": 1}, {"s": "z", "x": 1}, {"x": 2}, {"s": "p"}])
SKIP = element("NeuralLayer", neuron("2,0", [0.5, 2, -1], ["1,0", "0,1", "1,2"], bias=0.1))
case(KIND, "skip-connection", document(FIELDS, model("regression", [dense(1, W1, 2, B1), SKIP], [out("2,0", T)], "t", activationFunction="tanh")), rows())
case(KIND, "float", document(FIELDS, model("regression", [dense(1, W1, 2, B1), dense(2, W3, 3, B3, activationFunction="logistic"), dense(3, W2, 3, B2, activationFunction="exponential")], [out("3,0", T)], "t", activationFunction="tanh", x__mathContext="float")), rows())
case(KIND, "float-rectifier", document(FIELDS, model("regression", [dense(1, W1, 2, B1), dense(2, W3, 3, B3, activationFunction="arctan"), dense(3, W2, 3, B2, activationFunction="Gauss")], [out("3,0", T)], "t", activationFunction="rectifier", x__mathContext="float")), rows())

ABK = [out("2,0", discrete("a")), out("2,1", discrete("b")), out("2,2", discrete("k"))]
HID = dense(1, W1, 2, B1)
for norm in ("none", "softmax", "simplemax"):
    case(KIND, "classes-" + norm, document(FIELDS, model("classification", [HID, dense(2, W3, 3, B3, activationFunction="identity" if norm == "softmax" else "exponential", normalizationMethod=norm)], ABK, "c",
         activationFunction="tanh", output=probabilities("a", "b", "k", "?"))), rows())
case(KIND, "classes-network-softmax", document(FIELDS, model("classification", [HID, dense(2, W3, 3, B3, activationFunction="identity")], ABK, "c", activationFunction="tanh", normalizationMethod="softmax")), rows())
case(KIND, "classes-unnormalised", document(FIELDS, model("classification", [HID, dense(2, W3, 3, B3, activationFunction="identity")], ABK, "c", activationFunction="tanh", output=probabilities("a", "b", "k"))), rows())
case(KIND, "classes-two", document(FIELDS, model("classification", [HID, dense(2, W3[:2], 3, B3, activationFunction="logistic")], ABK[:2], "c", activationFunction="tanh", output=probabilities("a", "b", "k"))), rows())
case(KIND, "classes-one", document(FIELDS, model("classification", [HID, dense(2, W3[:1], 3, B3, activationFunction="logistic")], ABK[:1], "c", activationFunction="tanh", output=probabilities("a", "b"))), rows())
case(KIND, "classes-integer", document(FIELDS, model("classification", [HID, dense(2, W3[:2], 3, B3, activationFunction="logistic", normalizationMethod="simplemax")], [out("2,0", discrete(0, "i")), out("2,1", discrete(1, "i"))], "i",
     activationFunction="tanh", output=output(dict(name="said", optype="categorical", dataType="integer", feature="predictedValue"), number("p1", "probability", value="1")))), rows())
case(KIND, "classes-order", document(FIELDS, model("classification", [HID, dense(2, W3, 3, B3, activationFunction="logistic")], ABK[::-1], "c", activationFunction="tanh", output=probabilities("a", "b", "k"))), rows())
case(KIND, "classes-float", document(FIELDS, model("classification", [HID, dense(2, W3, 3, B3, activationFunction="identity", normalizationMethod="softmax")], ABK, "c", activationFunction="tanh", x__mathContext="float", output=probabilities("a"))), rows())
PRIOR = element("Targets", element("Target", *[element("TargetValue", value=v, priorProbability=p) for v, p in zip("abk", (.2, .7, .1))], field="c"))
case(KIND, "classes-prior", document(FIELDS, model("classification", [HID, dense(2, W3, 3, B3, activationFunction="logistic")], ABK, "c", activationFunction="tanh", output=output(number("a", "probability", value="a"), text("said", "predictedValue")), targets=PRIOR)), rows())
case(KIND, "two-targets", document(FIELDS, model("regression", [HID, dense(2, W3[:2], 3, B3, activationFunction="identity")], [out("2,0", T), out("2,1", element("FieldRef", field="u"))], "tu", activationFunction="tanh",
     output=output(number("pt", "predictedValue", targetField="t"), number("pu", "predictedValue", targetField="u")))), rows())
LOCAL = element("LocalTransformations", derived("scaled", NORM))
case(KIND, "output-by-name", document(FIELDS, model("regression", [HID, dense(2, W2, 3, B2)], [out("2,0", element("FieldRef", field="scaled"))], "t", activationFunction="tanh", local=LOCAL)), rows())
