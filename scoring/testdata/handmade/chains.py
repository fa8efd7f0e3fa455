"""Cases of MiningModels around clusters, neighbours, networks, support vectors and naive Bayes."""
import random

from pmml import *

random.seed(23)
KIND = "Mining"
XY = ["x", "y"]
FIELDS = [data("x"), data("y"), data("t"), data("c", "categorical", "string", ["a", "b"])]
ROWS = [{f: round(random.uniform(-2, 4), 2) for f in XY} for _ in range(12)] + [{"x": 1}, {"y": 2}, {}, {"x": 0, "y": 0}, {"x": "bad", "y": 0}]
MEASURE = element("ComparisonMeasure", "<euclidean/>", kind="distance")


def clusters(centres, out=""):
    return element("ClusteringModel", schema(*XY), out, MEASURE, *[element("ClusteringField", field=f) for f in XY],
                   *[element("Cluster", array(c), id=i) for i, c in centres.items()], functionName="clustering", modelClass="centerBased", numberOfClusters=len(centres))


def regression(table, fields, target="t", local=""):
    return element("RegressionModel", schema(dict(name=target, usageType="target"), *fields), local, table, functionName="regression")


def chain(function, segments, method="modelChain", target="t", out=""):
    mining = ([dict(name=target, usageType="target")] if target else []) + XY
    return element("MiningModel", schema(*mining), out, element("Segmentation", *[element("Segment", p, m, id=f"s{i}") for i, (p, m) in enumerate(segments)], multipleModelMethod=method), functionName=function)


TRUE = "<True/>"
A, B, C = {"1": [0, 0], "2": [3, 3]}, {"1": [1, 0], "2": [2, 4]}, {"2": [0, 1], "1": [4, 0]}
NEAR = output(text("cluster", "predictedValue"), number("far", "affinity"), text("next", "entityId", rank=2))
TABLE = element("RegressionTable", element("NumericPredictor", name="x", coefficient=2), element("NumericPredictor", name="far", coefficient=-0.5), element("CategoricalPredictor", name="cluster", value="2", coefficient=10), intercept=1)
case(KIND, "chain-of-clusters", document(FIELDS, chain("regression", [(TRUE, clusters(A, NEAR)), (TRUE, regression(TABLE, ["x", "far", "cluster"]))])), ROWS)
BY = lambda v: element("SimplePredicate", field="cluster", operator="equal", value=v)
PLAIN = lambda k: regression(element("RegressionTable", element("NumericPredictor", name="y", coefficient=k), intercept=k), ["y"])
case(KIND, "chain-by-cluster", document(FIELDS, chain("regression", [(TRUE, clusters(A, NEAR)), (BY("1"), PLAIN(2)), (BY("2"), PLAIN(-3))])), ROWS)
case(KIND, "vote-of-clusters", document(FIELDS, chain("clustering", [(TRUE, clusters(A)), (TRUE, clusters(B)), (TRUE, clusters(C))], "majorityVote", None)), ROWS)
case(KIND, "first-of-clusters", document(FIELDS, chain("clustering", [(element("SimplePredicate", field="x", operator="greaterThan", value=1), clusters(A)), (TRUE, clusters(B))], "selectFirst", None, out=output(text("cluster", "predictedValue")))), ROWS)
BAYES = element("NaiveBayesModel", schema(dict(name="c", usageType="target"), *XY), output(number("pa", "probability", value="a")),
    element("BayesInputs", *[element("BayesInput", element("TargetValueStats", element("TargetValueStat", element("GaussianDistribution", mean=m, variance=1), value="a"), element("TargetValueStat", element("GaussianDistribution", mean=-m, variance=2), value="b")), fieldName=f) for f, m in zip(XY, (1, 0.5))]),
    element("BayesOutput", element("TargetValueCounts", element("TargetValueCount", value="a", count=3), element("TargetValueCount", value="b", count=5)), fieldName="c"), functionName="classification", threshold=0.001)
NET = lambda w: element("NeuralNetwork", schema(dict(name="c", usageType="target"), *XY), element("NeuralInputs", *[element("NeuralInput", derived("n" + f, element("FieldRef", field=f)), id=f) for f in XY]),
    element("NeuralLayer", *[element("Neuron", *[element("Con", from_=f, weight=k * w) for f in XY], id=i) for i, k in (("a", 1), ("b", -0.5))], normalizationMethod="softmax"),
    element("NeuralOutputs", *[element("NeuralOutput", derived("o" + i, element("NormDiscrete", field="c", value=i)), outputNeuron=i) for i in "ab"]), functionName="classification", activationFunction="tanh")
case(KIND, "average-of-networks", document(FIELDS, chain("classification", [(TRUE, NET(1)), (TRUE, NET(-0.3)), (TRUE, BAYES)], "average", "c", out=output(number("p", "probability", value="b")))), ROWS)
case(KIND, "vote-of-networks", document(FIELDS, chain("classification", [(TRUE, NET(1)), (TRUE, NET(-0.3)), (TRUE, BAYES)], "majorityVote", "c")), ROWS)
case(KIND, "chain-of-bayes", document(FIELDS, chain("regression", [(TRUE, BAYES), (TRUE, regression(element("RegressionTable", element("NumericPredictor", name="pa", coefficient=4), intercept=0), ["pa"]))])), ROWS)
KNN = element("NearestNeighborModel", schema(dict(name="t", usageType="target"), *XY), output(text("nearest", "entityId")),
    element("TrainingInstances", element("InstanceFields", *[element("InstanceField", field=f, column=f) for f in XY + ["t"]]), element("InlineTable", *[element("row", *[element(f, str(v)) for f, v in zip("xyt", r)]) for r in ((0, 0, 1), (1, 1, 3), (2, 0, -1), (3, 3, 8))])),
    MEASURE, element("KNNInputs", *[element("KNNInput", field=f) for f in XY]), functionName="regression", numberOfNeighbors=2)
SVM = element("SupportVectorMachineModel", schema(dict(name="t", usageType="target"), *XY), element("RadialBasisKernelType", gamma=0.3),
    element("VectorDictionary", element("VectorFields", *[element("FieldRef", field=f) for f in XY]), *[element("VectorInstance", array(v), id=i) for i, v in (("p", [0, 1]), ("q", [2, 2]))]),
    element("SupportVectorMachine", element("SupportVectors", element("SupportVector", vectorId="p"), element("SupportVector", vectorId="q")), element("Coefficients", element("Coefficient", value=2), element("Coefficient", value=-1), absoluteValue=0.5)), functionName="regression")
case(KIND, "median-of-neighbours", document(FIELDS, chain("regression", [(TRUE, KNN), (TRUE, SVM), (TRUE, PLAIN(2))], "median")), ROWS)
case(KIND, "sum-of-machines", document(FIELDS, chain("regression", [(TRUE, KNN), (TRUE, SVM)], "sum")), ROWS)
