"""Documents by nyoka, scikit-learn's other exporter: python nyoka_models.py CORPUS
writes the CORPUS/Nyoka/<name>.pmml that are not there. Seeded. Its time series: general_timeseries.py.

pip install nyoka==5.5.0 scikit-learn==1.7.2 "numpy<2" "pandas<3" "scipy<1.14" setuptools
"""
import pathlib
import sys
import traceback
import warnings

import numpy as np
import pandas as pd
from nyoka import skl_to_pmml
from sklearn import cluster, ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Binarizer, MaxAbsScaler, MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler

warnings.filterwarnings("ignore")
NUMBERS = ["WOB", "RPM", "TORQUE", "SPP", "VIBAX"]
root = pathlib.Path(sys.argv[1]) / "Nyoka"
root.mkdir(parents=True, exist_ok=True)
r = np.random.default_rng(20261126)
n = 300
x = pd.DataFrame({"WOB": r.gamma(4, 25, n), "RPM": r.normal(120, 25, n), "TORQUE": r.lognormal(2, 0.5, n), "SPP": r.normal(200, 30, n), "VIBAX": r.exponential(1.5, n)})
margin = 0.02 * (x.WOB - 100) + 0.8 * (x.VIBAX - 1.5) - 0.01 * (x.RPM - 120) + r.normal(0, 0.5, n)
fails = np.where(margin > np.quantile(margin, 0.9), "yes", "no")
grade = np.select([margin < -0.7, margin < 0.8], ["good", "worn"], "dull")
life = 100 - 20 * margin

MODELS = {
    "linear": ([("s", StandardScaler())], linear_model.LinearRegression(), life, "life"),
    "linear-polynomial": ([("s", MinMaxScaler()), ("p", PolynomialFeatures(2))], linear_model.LinearRegression(), life, "life"),
    "logistic": ([("s", StandardScaler())], linear_model.LogisticRegression(), fails, "fails"),
    "logistic-multinomial": ([("s", RobustScaler())], linear_model.LogisticRegression(), grade, "grade"),
    "tree": ([], tree.DecisionTreeClassifier(max_depth=4, random_state=1), grade, "grade"),
    "tree-regression": ([("m", MaxAbsScaler())], tree.DecisionTreeRegressor(max_depth=4, random_state=1), life, "life"),
    "forest": ([], ensemble.RandomForestClassifier(7, max_depth=4, random_state=1), grade, "grade"),
    "forest-regression": ([], ensemble.RandomForestRegressor(7, max_depth=4, random_state=1), life, "life"),
    "gradient-boosting": ([], ensemble.GradientBoostingClassifier(n_estimators=7, max_depth=3, random_state=1), fails, "fails"),
    "gradient-boosting-regression": ([], ensemble.GradientBoostingRegressor(n_estimators=7, max_depth=3, random_state=1), life, "life"),
    "isolation-forest": ([], ensemble.IsolationForest(n_estimators=7, max_samples=64, random_state=1), None, "outlier"),
    "svc": ([("s", StandardScaler())], svm.SVC(), grade, "grade"),
    "svr": ([("s", StandardScaler())], svm.SVR(), life, "life"),
    "linear-svc": ([("s", StandardScaler())], svm.LinearSVC(), grade, "grade"),
    "one-class-svm": ([("s", StandardScaler())], svm.OneClassSVM(nu=0.1), None, "outlier"),
    "mlp": ([("s", StandardScaler())], neural_network.MLPClassifier((6,), max_iter=200, random_state=1), grade, "grade"),
    "mlp-regression": ([("s", StandardScaler())], neural_network.MLPRegressor(hidden_layer_sizes=(6,), max_iter=200, random_state=1), life, "life"),
    "gaussian-nb": ([], naive_bayes.GaussianNB(), grade, "grade"),
    "knn": ([("s", StandardScaler())], neighbors.KNeighborsClassifier(5), grade, "grade"),
    "knn-regression": ([("s", StandardScaler())], neighbors.KNeighborsRegressor(4), life, "life"),
    "k-means": ([("s", StandardScaler())], cluster.KMeans(4, random_state=1, n_init=2), None, "cluster"),
}
for name, (steps, model, y, target) in MODELS.items():
    path = root / f"{name}.pmml"
    if path.exists():
        continue
    few = slice(0, 60) if name.startswith("knn") else slice(None)
    try:
        p = Pipeline(steps + [("model", model)])
        p.fit(x[few], y[few]) if y is not None else p.fit(x[few])
        skl_to_pmml(p, NUMBERS, target, str(path))
        print(f"{path.stat().st_size:8d} {name}")
    except Exception:
        path.unlink(missing_ok=True)
        print(f"{name}: {traceback.format_exc().splitlines()[-1][:200]}", file=sys.stderr)
