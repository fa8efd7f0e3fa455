"""Writes here two forests, with the record counts that sklearn2pmml leaves out, and what the shap package says of them.

goldens.py, with shap and scikit-learn installed
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import shap
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

here = Path(__file__).parent
draw = np.random.RandomState(3)
names = ["rpm", "torque", "wob", "spp", "vib"]
X = pd.DataFrame(draw.normal(0, 1, (400, 5)).astype(np.float32).astype(np.float64), columns=names)
y = 3 * X["rpm"] * (X["wob"] > 0) - X["torque"] ** 2 + draw.normal(0, 0.1, 400)


def pmml(forest, classes):
    function = "classification" if classes is not None else "regression"
    schema = "<MiningSchema>" + "".join(f'<MiningField name="{n}"/>' for n in names) + "</MiningSchema>"

    def node(t, i, when):
        v, n = t.value[i][0], int(t.weighted_n_node_samples[i])
        head = f'<Node recordCount="{n}"' + (f' score="{classes[int(v.argmax())]}"' if classes is not None else f' score="{float(v[0])!r}"') + f">{when}\n"
        if t.children_left[i] < 0:
            return head + "".join(f'<ScoreDistribution value="{c}" recordCount="{p * n!r}"/>' for c, p in zip(classes if classes is not None else [], map(float, v))) + "</Node>\n"
        ask = f'field="{names[t.feature[i]]}" value="{float(t.threshold[i])!r}"'
        return (head + node(t, t.children_left[i], f'<SimplePredicate {ask} operator="lessOrEqual"/>')
                + node(t, t.children_right[i], f'<SimplePredicate {ask} operator="greaterThan"/>') + "</Node>\n")

    trees = "".join(f'<Segment><True/><TreeModel functionName="{function}">{schema}\n{node(e.tree_, 0, "<True/>")}</TreeModel></Segment>\n' for e in forest.estimators_)
    fields = "".join(f'<DataField name="{n}" optype="continuous" dataType="double"/>\n' for n in names)
    return f"""<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/><DataDictionary>
{fields}</DataDictionary><MiningModel functionName="{function}">{schema}
<Segmentation multipleModelMethod="average">
{trees}</Segmentation></MiningModel></PMML>
"""


forests = {
    "regressor": (RandomForestRegressor(4, max_depth=4, max_features=3, random_state=3), y),
    "classifier": (RandomForestClassifier(4, max_depth=4, max_features=3, random_state=3), np.where(y > 0, "worn", "sound")),
}
for name, (forest, target) in forests.items():
    forest.fit(X, target)
    classes = getattr(forest, "classes_", None)
    (here / f"{name}.pmml").write_text(pmml(forest, classes))
    rows = X.iloc[:20]
    explainer = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent")
    phi, base, out = explainer.shap_values(rows, check_additivity=False), np.ravel(explainer.expected_value), []
    for i in range(len(rows)):
        k = int(np.argmax(forest.predict_proba(rows.iloc[i : i + 1])[0])) if classes is not None else 0
        mine = phi[i, :, k] if classes is not None else phi[i]
        out.append({"Row": rows.iloc[i].to_dict(), "Class": str(classes[k]) if classes is not None else "", "Base": float(base[k]), "Phi": dict(zip(names, map(float, mine)))})
    (here / f"{name}.json").write_text("[\n" + ",\n".join(json.dumps(r) for r in out) + "\n]\n")
