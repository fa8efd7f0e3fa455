"""Documents that carry all that PMML lets a producer tell beside the model:
header, statistics, quality, descriptions, counts. None of it changes a score.

python told.py CORPUS takes the first case of each kind and writes
CORPUS/Told/<kind>.pmml.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
SCHEMA = [line.rstrip("\n").split("\t") for line in open(pathlib.Path(__file__).parent.parent / "schema.tsv", encoding="utf-8") if not line.startswith("#")]


def every(tag, content="", skip=(), **fixed):
    """The element as often as its largest enumeration is long, so that each value stands once."""
    attrs = [(a[1:], v) for e, a, v in SCHEMA if e == tag and a and a[1:] not in skip]
    most = max([1] + [len(v.split()) for _, v in attrs if not v.startswith(":")])
    out = ""
    for i in range(most):
        text = ""
        for a, v in attrs:
            key = a.replace("-", "_")
            x = fixed[key] if key in fixed else v.split()[i % len(v.split())] if not v.startswith(":") else {":number": "1", ":boolean": "true", ":text": "x"}[v]
            text += f' {a}="{x}"'
        out += f"<{tag}{text}>{content}</{tag}>"
    return out


def array(kind, *v):
    return f'<Array n="{len(v)}" type="{kind}">{" ".join(str(x) for x in v)}</Array>'


MATRIX = '<Matrix kind="symmetric" nbRows="2" nbCols="2"><Array n="1" type="real">1</Array><Array n="2" type="real">0.5 1</Array></Matrix>'
CELLS = '<Matrix kind="any" nbRows="2" nbCols="2" diagDefault="1" offDiagDefault="0"><MatCell row="1" col="2">0.25</MatCell></Matrix>'
GRAPH = "<XCoordinates>" + array("real", 0, 1) + "</XCoordinates><YCoordinates>" + array("real", 0, 1) + "</YCoordinates><BoundaryValues>" + array("real", 0, 1) + "</BoundaryValues>"
LIFT = f"<LiftGraph>{GRAPH}<BoundaryValueMeans>{array('real', 0, 1)}</BoundaryValueMeans></LiftGraph>"


def statistics(field):
    counts = every("Counts")
    info = every("NumericInfo", every("Quantile"))
    return ("<ModelStats>" + every("UnivariateStats", counts + info + every("DiscrStats", array("string", "a", "b") + array("int", 1, 2)) + every("ContStats", '<Interval closure="openOpen" leftMargin="0" rightMargin="1"/>' + array("int", 3)) + f'<Anova target="{field}">' + every("AnovaRow") + "</Anova>", field=field)
            + every("MultivariateStats", every("MultivariateStat")) + "</ModelStats>")


def quality(field, clusters):
    if clusters:
        one = every("ClusteringModelQuality")
    else:
        one = every("PredictiveModelQuality", f"<ConfusionMatrix><ClassLabels>{array('string', 'a', 'b')}</ClassLabels>{MATRIX}</ConfusionMatrix>" + every("LiftData", f"<ModelLiftGraph>{LIFT}</ModelLiftGraph><OptimumLiftGraph>{LIFT}</OptimumLiftGraph><RandomLiftGraph>{LIFT}</RandomLiftGraph>") + every("ROC", f"<ROCGraph>{GRAPH}</ROCGraph>"), targetField=field)
    return f"<ModelExplanation>{one}<Correlations><CorrelationFields>{array('string', 'a', 'b')}</CorrelationFields><CorrelationValues>{MATRIX}</CorrelationValues><CorrelationMethods>{CELLS}</CorrelationMethods></Correlations></ModelExplanation>"


COUNTS = {"numberOfVectors", "numberOfFields", "numberOfSupportVectors", "numberOfAttributes", "numberOfCoefficients", "numberOfNeurons", "numberOfInputs", "numberOfOutputs", "numberOfLayers", "recordCount", "fieldCount"}


def tell(text):
    kind = re.search(r"<(\w*(?:Model|Scorecard|NeuralNetwork))[\s>]", text.split("</DataDictionary>")[1]).group(1)
    field = re.search(r'<DataField name="([^"]+)"', text).group(1)
    text = re.sub(r"<Header\s*/>|<Header[\s>].*?</Header>", lambda m: every("Header", every("Application") + "<Annotation>x</Annotation><Timestamp>2026-11-26T10:00:00Z</Timestamp>"), text, count=1, flags=re.S)
    text = text.replace("<DataDictionary", '<MiningBuildTask/><DataDictionary', 1)
    text = re.sub(r"<DataDictionary[^>]*>", f'<DataDictionary numberOfFields="{text.count("<DataField")}"><Extension extender="x" name="x" value="x"/>', text, count=1)
    text = text.replace("</DataDictionary>", '<Taxonomy name="x"><ChildParent childField="c" parentField="p" parentLevelField="l" isRecursive="no"><InlineTable><row><c>1</c><p>2</p><l>3</l></row></InlineTable></ChildParent><ChildParent childField="c" parentField="p" isRecursive="yes"><InlineTable><row><c>1</c><p>2</p></row></InlineTable></ChildParent></Taxonomy></DataDictionary>')
    cyclic = iter([' displayName="x" taxonomy="x" isCyclic="0"', ' displayName="x" isCyclic="1"'])
    text = re.sub(r"<DataField\b", lambda m: m.group(0) + next(cyclic, ' displayName="x"'), text)
    text = re.sub(r"<(DerivedField|OutputField|ParameterField)\b(?![^>]*displayName)", r'<\1 displayName="x"', text)
    text = re.sub(r"<(LinearKernelType|PolynomialKernelType|RadialBasisKernelType|SigmoidKernelType)\b(?![^>]*description)", r'<\1 description="x"', text)
    text = re.sub(r"<MiningField\b(?![^>]*(importance|usageType))", r'<MiningField importance="0.5" usageType="active"', text)
    extra = "".join(f' {a}="x"' for a in ("modelName", "algorithmName") if not re.search(rf"<{kind}\b[^>]*\b{a}=", text)) + ("" if re.search(rf"<{kind}\b[^>]*isScorable", text) else ' isScorable="true"')
    text = re.sub(rf"<{kind}\b", f"<{kind}{extra}", text, count=1)
    after = "</Output>" if "</Output>" in text.split("<Segmentation")[0] else "</MiningSchema>"
    i = text.index(after) + len(after)
    told = statistics(field) + ("" if kind in ("AssociationModel",) else quality(field, kind == "ClusteringModel"))
    return text[:i] + told + text[i:]


# What a base document may say besides: its folder and the elements' attributes.
MORE = [
    ("Association", {"AssociationModel": 'maxNumberOfItemsPerTA="9" avgNumberOfItemsPerTA="2.5" lengthLimit="4"', "Item": 'mappedValue="x" weight="1"'}),
    ("SupportVectorMachine", {"SupportVectorMachineModel": 'svmRepresentation="SupportVectors"', "Coefficients": 'numberOfCoefficients="#Coefficient"', "SupportVectors": 'numberOfSupportVectors="#SupportVector" numberOfAttributes="2"', **{k: 'description="x"' for k in ("RadialBasisKernelType", "PolynomialKernelType", "SigmoidKernelType", "LinearKernelType")}}),
    ("NeuralNetwork", {"NeuralNetwork": 'numberOfLayers="#NeuralLayer"', "NeuralInputs": 'numberOfInputs="#NeuralInput"', "NeuralLayer": 'numberOfNeurons="#Neuron"', "NeuralOutputs": 'numberOfOutputs="#NeuralOutput"'}),
    *[("NeuralNetwork", {"NeuralLayer": f'activationFunction="{a}"'}) for a in ("reciprocal", "square", "sine", "cosine", "Elliott", "rectifier", "arctan", "exponential", "Gauss", "identity", "tanh", "logistic")],
    *[("NeuralNetwork", {"NeuralNetwork": f'normalizationMethod="{n}"'}) for n in ("none", "simplemax", "softmax")],
    *[("Regression", {"RegressionModel": f'modelType="{m}" targetFieldName="y"'}) for m in ("linearRegression", "stepwisePolynomialRegression", "logisticRegression")],
    *[("GeneralRegression", {"GeneralRegressionModel": f'distribution="{d}" targetVariableName="y" modelDF="3"'}) for d in ("binomial", "gamma", "igauss", "negbin", "normal", "poisson", "tweedie")],
    ("Tree", {"TreeModel": 'splitCharacteristic="binarySplit"'}),
    *[("Regression", {"MiningField": f'optype="{o}"'}) for o in ("continuous",)],
    ("Fields/values-closed-string", {"Value": 'property="valid"', "MiningField": 'optype="ordinal"'}),
    ("Fields/usage-types", {"MiningField": 'optype="continuous"'}),
    ("Output/regression-features", {"Decisions": 'description="x"', "Decision": 'displayValue="x" description="x"', "Target": 'optype="ordinal"'}),
    ("Expressions/define", {"Apply": 'invalidValueTreatment="returnInvalid"'}),
    ("Expressions/define", {"DefineFunction": 'optype="ordinal"', "ParameterField": 'displayName="x"'}),
    ("Expressions/define", {"ParameterField": 'optype="ordinal"'}),
    ("Expressions/define", {"DerivedField": 'optype="ordinal"'}),
    *[("NearestNeighbor", {"NearestNeighborModel": f'continuousScoringMethod="average" categoricalScoringMethod="majorityVote"', "KNNInput": f'compareFunction="{c}"'}) for c in ("absDiff", "equal")],
    ("Clustering", {"ClusteringField": 'isCenterField="true"', "ComparisonMeasure": 'minimum="0" maximum="100"', "KohonenMap": 'coord3="1"'}),
    ("Targets/target-01", {"Target": 'optype="ordinal"'}),
    *[(f"SupportVectorMachine/{n}", {k: 'description="x"' for k in ("RadialBasisKernelType", "PolynomialKernelType", "SigmoidKernelType", "LinearKernelType")}) for n in ("float-poly", "float-sigmoid", "against-all")],
    ("Clustering/kohonen", {"KohonenMap": 'coord1="1" coord2="2" coord3="3"'}),
    ("GeneralRegression/cox-strata", {"GeneralRegressionModel": 'startTimeVariable="x" subjectIDVariable="x"'}),
]


def more(text, elements):
    for tag, attrs in elements.items():
        def put(m):
            have = m.group(2)
            for a in re.findall(r'([\w-]+)="([^"]*)"', attrs):
                v = str(text.count(f"<{a[1][1:]} ") + text.count(f"<{a[1][1:]}>")) if a[1].startswith("#") else a[1]
                have = re.sub(rf'\s{a[0]}="[^"]*"', "", have) + f' {a[0]}="{v}"'
            return f"<{tag}{have}{m.group(3)}"
        once = 1 if tag in ("MiningField",) else 0
        text = re.sub(rf"<({tag})((?:\s+[\w:-]+=\"[^\"]*\")*)\s*(/?>)", put, text, count=once)
    return text


def base(folder):
    for path in sorted((ROOT / folder).glob("*.pmml")) if "/" not in folder else [ROOT / f"{folder}.pmml"]:
        answers = path.parent / (path.stem + ".jpmml.jsonl")
        if "/" in folder or not (path.parent / (path.stem + ".notes.json")).exists() and '"error"' not in answers.read_text().split("\n")[1]:
            return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    (ROOT / "Told").mkdir(exist_ok=True)
    for folder in sorted(p for p in ROOT.iterdir() if p.is_dir() and p.name not in ("Told", "Producers", "TimeSeries")):
        for path in sorted(folder.glob("*.pmml")):
            answers = path.with_suffix("").with_suffix(".jpmml.jsonl")
            answers = path.parent / (path.stem + ".jpmml.jsonl")
            if (path.parent / (path.stem + ".notes.json")).exists() or '"error"' in answers.read_text().split("\n")[1]:
                continue
            (ROOT / "Told" / f"{folder.name.lower()}.pmml").write_text(tell(path.read_text(encoding="utf-8")), encoding="utf-8")
            break
    for i, (folder, elements) in enumerate(MORE):
        text = base(folder)
        if text:
            (ROOT / "Told" / f"more-{i + 1:02d}-{folder.split('/')[0].lower()}.pmml").write_text(more(text, elements), encoding="utf-8")
    text = base("GeneralRegression")
    name = re.search(r'<Parameter name="([^"]*)"', text).group(1)
    cov = "".join(f'<PCovMatrix type="{t}"><PCovCell pRow="{name}" pCol="{name}" tRow="x" tCol="x" value="1" targetCategory="x"/></PCovMatrix>' for t in ("model",))
    for t in ("model", "robust"):
        (ROOT / "Told" / f"covariance-{t}.pmml").write_text(text.replace("</PPMatrix>", "</PPMatrix>" + cov.replace("model", t), 1), encoding="utf-8")
    text = base("Clustering")
    parts = '<Partition name="x" size="3"><PartitionFieldStats field="x" weighted="0"><Counts totalFreq="3"/></PartitionFieldStats><PartitionFieldStats field="x" weighted="1"><Counts totalFreq="3"/></PartitionFieldStats></Partition><Covariances>' + MATRIX + "</Covariances>"
    (ROOT / "Told" / "partitions.pmml").write_text(re.sub(r"(<Cluster\b[^>]*>(?:<KohonenMap[^>]*>)?\s*<Array[^>]*>[^<]*</Array>)", r"\1" + parts, text), encoding="utf-8")
    (ROOT / "Told" / "verification.pmml").write_text(base("Regression/exponent-1").replace("</RegressionModel>", '<ModelVerification recordCount="1" fieldCount="3"><VerificationFields><VerificationField field="x1" column="x1"/><VerificationField field="x2" column="x2"/><VerificationField field="y" column="y"/></VerificationFields><InlineTable><row><x1>3</x1><x2>2</x2><y>3</y></row></InlineTable></ModelVerification></RegressionModel>'), encoding="utf-8")
