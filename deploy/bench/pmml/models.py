"""Trains the eight benchmark models, seeded, and writes for each what its runners need:
DIR/NAME.pmml (sklearn2pmml), DIR/NAME.onnx, native files for XGBoost and LightGBM, and DIR/rows.csv: 20 numeric inputs a row.

models.py DIR [ROWS]
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from onnxmltools.convert import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as MLFloat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.svm import SVC
from sklearn2pmml import sklearn2pmml
from sklearn2pmml.pipeline import PMMLPipeline
from xgboost import XGBRegressor

out = Path(sys.argv[1])
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
out.mkdir(parents=True, exist_ok=True)

names = [f"x{i}" for i in range(20)]
X, c = make_classification(30_000, 20, n_informative=12, n_classes=2, class_sep=0.7, flip_y=0.05, random_state=7)
X = X.astype(np.float32).astype(np.float64)  # what all of the peers read
X = pd.DataFrame(X, columns=names)
y = make_regression(30_000, 20, n_informative=12, noise=20, random_state=7)[1]
y = y + 40 * np.sin(3 * X["x0"]) * X["x1"] + 20 * X["x2"] * X["x3"]

few = slice(0, 1500)
models = {
    "logistic": (LogisticRegression(max_iter=500), c, slice(None)),
    "forest": (RandomForestClassifier(100, max_depth=10, random_state=7, n_jobs=1), c, slice(None)),
    "lightgbm": (LGBMRegressor(n_estimators=300, max_depth=6, num_leaves=64, random_state=7, n_jobs=1, verbose=-1), y, slice(None)),
    "xgboost": (XGBRegressor(n_estimators=300, max_depth=6, random_state=7, n_jobs=1), y, slice(None)),
    "mlp": (MLPRegressor(hidden_layer_sizes=(64, 32), max_iter=30, random_state=7), y, slice(0, 10_000)),
    "svm": (SVC(kernel="rbf", C=1.0, random_state=7), c, few),
    "iforest": (IsolationForest(n_estimators=100, random_state=7), None, slice(None)),
    "kmeans": (KMeans(8, n_init=1, random_state=7), None, slice(None)),
}
for name, (model, target, part) in models.items():
    pipe = PMMLPipeline([("model", model)])
    pipe.fit(X[part], None if target is None else pd.Series(target[part], name="y"))
    sklearn2pmml(pipe, str(out / f"{name}.pmml"))
    if name == "xgboost":
        model.get_booster().feature_names = None
        model.save_model(out / "xgboost.json")
        onnx = convert_xgboost(model, initial_types=[("x", MLFloat([None, 20]))])
    elif name == "lightgbm":
        model.booster_.save_model(out / "lightgbm.txt")
        onnx = convert_lightgbm(model, initial_types=[("x", MLFloat([None, 20]))])
    else:
        options = {"zipmap": False} if hasattr(model, "predict_proba") and name in ("logistic", "forest") else None
        onnx = to_onnx(model, initial_types=[("x", FloatTensorType([None, 20]))], options={id(model): options} if options else None,
                       target_opset={"": 18, "ai.onnx.ml": 3})
    (out / f"{name}.onnx").write_bytes(onnx.SerializeToString())
    print(name, (out / f"{name}.pmml").stat().st_size, "bytes of PMML", flush=True)

draw = np.random.RandomState(11)
take = X.iloc[draw.randint(0, len(X), rows)].to_numpy() + draw.normal(0, 0.05, (rows, 20))
pd.DataFrame(take.astype(np.float32).astype(np.float64), columns=names).to_csv(out / "rows.csv", index=False, float_format="%.17g")
