"""Documents as engineers make them: scikit-learn, XGBoost, LightGBM and
statsmodels through sklearn2pmml (needs Java).

python sklearn_models.py CORPUS [NAME…] writes the CORPUS/Producers/<name>.pmml that are
not there, those whose name contains a NAME. Seeded. --big OUT writes large ones instead, for make
pmml-oracle; they are not committed.
"""
import pathlib
import sys
import warnings

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn import cluster, discriminant_analysis, ensemble, feature_selection, linear_model, naive_bayes, neighbors, neural_network, svm, tree
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, FunctionTransformer, KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, OneHotEncoder, OrdinalEncoder, PolynomialFeatures, PowerTransformer, QuantileTransformer, RobustScaler, StandardScaler
from sklearn2pmml import sklearn2pmml
from sklearn2pmml.decoration import CategoricalDomain, ContinuousDomain
from sklearn2pmml.feature_extraction.text import Splitter
from sklearn2pmml.pipeline import PMMLPipeline
from sklearn2pmml.preprocessing import ExpressionTransformer, LookupTransformer
from sklearn2pmml.ruleset import RuleSetClassifier
from sklearn2pmml.statsmodels import StatsModelsClassifier, StatsModelsOrdinalClassifier, StatsModelsRegressor

warnings.filterwarnings("ignore")
NUMBERS = ["WOB", "RPM", "TORQUE", "SPP", "FLOW", "VIBAX"]
TEXTS = ["state", "bit"]


def data(n=600, gaps=False, seed=4):
    r = np.random.default_rng(seed)
    x = pd.DataFrame({
        "WOB": r.gamma(4, 25, n), "RPM": r.normal(120, 25, n), "TORQUE": r.lognormal(2, 0.5, n), "SPP": r.normal(200, 30, n),
        "FLOW": r.uniform(500, 3000, n), "VIBAX": r.exponential(1.5, n), "state": r.choice(["rotary", "slide", "trip", "idle"], n, p=[0.6, 0.2, 0.15, 0.05]),
        "bit": r.choice(["PDC", "TCI", "hybrid"], n)})
    margin = 0.02 * (x.WOB - 100) + 0.8 * (x.VIBAX - 1.5) + 0.3 * (x.bit == "TCI") - 0.01 * (x.RPM - 120) + r.normal(0, 0.5, n)
    y = pd.DataFrame({"fails": np.where(margin > np.quantile(margin, 0.93), "yes", "no"), "grade": np.select([margin < -0.7, margin < 0.8], ["good", "worn"], "dull"), "life": 100 - 20 * margin})
    if gaps:
        for c in NUMBERS:
            x.loc[r.random(n) < 0.15, c] = np.nan
        x.loc[r.random(n) < 0.1, "bit"] = None
    return x, y


def columns(scaler=None, text=None, numbers=NUMBERS):
    steps = [("numbers", scaler or "passthrough", numbers)]
    if text is not None:
        steps.append(("texts", text, TEXTS))
    return ColumnTransformer(steps, verbose_feature_names_out=False)


def onehot():
    return OneHotEncoder(sparse_output=False, handle_unknown="ignore")


class Corpus:
    def __init__(self, root, names):
        self.root, self.names = pathlib.Path(root), names
        self.failed = []
        self.root.mkdir(parents=True, exist_ok=True)

    def make(self, name, steps, target, *, gaps=False, rows=600, verify=6, numbers_only=False, x=None, y=None, **fit):
        path = self.root / f"{name}.pmml"
        if path.exists() or self.names and not any(n in name for n in self.names):
            return
        if x is None:
            x, ys = data(rows, gaps)
            y = ys[target] if target else None
            if numbers_only:
                x = x[NUMBERS]
        p = PMMLPipeline(steps)
        try:
            p.fit(x, y, **fit) if y is not None else p.fit(x)
            if verify and target:
                p.verify(x.sample(verify, random_state=1))
            sklearn2pmml(p, str(path))
        except Exception as e:
            print(f"{name}: {str(e)[:300]}", file=sys.stderr, flush=True)
            self.failed.append(name)
            return
        print(f"{path.stat().st_size:9d} {name}", flush=True)


def small(c):
    std = lambda: columns(StandardScaler(), onehot())
    c.make("logistic", [("columns", std()), ("model", linear_model.LogisticRegression(max_iter=500))], "fails")
    c.make("logistic-multinomial", [("columns", std()), ("model", linear_model.LogisticRegression(max_iter=500))], "grade")
    c.make("logistic-balanced", [("columns", std()), ("model", linear_model.LogisticRegression(max_iter=500, class_weight="balanced"))], "fails")
    c.make("linear", [("columns", columns(RobustScaler(), onehot())), ("model", linear_model.LinearRegression())], "life")
    c.make("ridge-polynomial", [("columns", columns(make_pipeline(MinMaxScaler(), PolynomialFeatures(2)))), ("model", linear_model.Ridge())], "life")
    c.make("lasso-missing", [("columns", columns(make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), make_pipeline(SimpleImputer(strategy="constant", fill_value="PDC"), onehot()))), ("model", linear_model.Lasso(alpha=0.1))], "life", gaps=True)
    c.make("domains", [("columns", ColumnTransformer([("n", ContinuousDomain(missing_value_replacement=0, outlier_treatment="as_extreme_values", low_value=-50, high_value=1000), NUMBERS), ("t", make_pipeline(CategoricalDomain(missing_value_replacement="PDC", invalid_value_treatment="as_missing"), onehot()), TEXTS)])), ("model", linear_model.Ridge())], "life", gaps=True)
    c.make("max-abs-binned", [("columns", ColumnTransformer([("a", MaxAbsScaler(), NUMBERS[:3]), ("b", KBinsDiscretizer(4, encode="onehot-dense"), NUMBERS[3:5]), ("c", Binarizer(threshold=1.2), ["VIBAX"])])), ("model", linear_model.Ridge())], "life")
    c.make("power-transformed", [("columns", columns(PowerTransformer())), ("model", linear_model.Ridge())], "life")
    c.make("pca", [("columns", columns(StandardScaler())), ("pca", PCA(3)), ("model", linear_model.LinearRegression())], "life", numbers_only=True)
    c.make("selected", [("columns", std()), ("select", feature_selection.SelectKBest(feature_selection.f_regression, k=5)), ("model", linear_model.LinearRegression())], "life")
    c.make("expressions", [("columns", ColumnTransformer([("ratio", ExpressionTransformer("X['TORQUE'] / X['WOB'] if X['WOB'] > 1 else 0.0"), ["TORQUE", "WOB"]), ("log", FunctionTransformer(np.log10), ["FLOW"]), ("exp", ExpressionTransformer("numpy.exp(-X[0])"), ["VIBAX"]), ("up", make_pipeline(ExpressionTransformer("X[0].upper()"), OneHotEncoder(sparse_output=False)), ["bit"]), ("look", OrdinalEncoder(), ["state"])])), ("model", linear_model.Ridge())], "life")
    c.make("sgd-huber", [("columns", std()), ("model", linear_model.SGDClassifier(loss="modified_huber", random_state=1))], "fails")
    c.make("perceptron", [("columns", std()), ("model", linear_model.Perceptron(random_state=1))], "fails")
    c.make("poisson", [("columns", std()), ("model", linear_model.PoissonRegressor())], None, x=data()[0], y=pd.Series(np.random.default_rng(2).poisson(3, 600), name="count"))
    c.make("lda", [("columns", std()), ("model", discriminant_analysis.LinearDiscriminantAnalysis())], "grade")
    trees = lambda: columns(None, OrdinalEncoder())
    c.make("decision-tree", [("columns", trees()), ("model", tree.DecisionTreeClassifier(max_depth=6, random_state=1))], "grade")
    c.make("decision-tree-regression", [("columns", columns(None, onehot())), ("model", tree.DecisionTreeRegressor(max_depth=7, min_samples_leaf=3, random_state=1))], "life")
    c.make("decision-tree-missing", [("model", tree.DecisionTreeClassifier(max_depth=5, random_state=1))], "fails", gaps=True, numbers_only=True)
    c.make("forest", [("columns", columns(None, onehot())), ("model", ensemble.RandomForestClassifier(12, max_depth=5, random_state=1))], "grade")
    c.make("forest-imbalanced", [("columns", columns(None, onehot())), ("model", ensemble.RandomForestClassifier(12, max_depth=5, class_weight="balanced_subsample", random_state=1))], "fails")
    c.make("forest-regression", [("columns", columns(None, onehot())), ("model", ensemble.RandomForestRegressor(10, max_depth=5, random_state=1))], "life")
    c.make("forest-missing", [("model", ensemble.RandomForestRegressor(8, max_depth=5, random_state=1))], "life", gaps=True, numbers_only=True)
    c.make("extra-trees", [("columns", columns(None, onehot())), ("model", ensemble.ExtraTreesClassifier(10, max_depth=5, random_state=1))], "fails")
    c.make("gradient-boosting", [("columns", columns(None, onehot())), ("model", ensemble.GradientBoostingClassifier(n_estimators=15, max_depth=3, random_state=1))], "fails")
    c.make("gradient-boosting-multiclass", [("columns", columns(None, onehot())), ("model", ensemble.GradientBoostingClassifier(n_estimators=6, max_depth=3, random_state=1))], "grade")
    c.make("gradient-boosting-regression", [("columns", columns(None, onehot())), ("model", ensemble.GradientBoostingRegressor(n_estimators=15, max_depth=3, random_state=1))], "life")
    c.make("hist-gradient-boosting", [("model", ensemble.HistGradientBoostingClassifier(max_iter=12, max_leaf_nodes=9, random_state=1))], "fails", gaps=True, numbers_only=True)
    c.make("ada-boost", [("columns", columns(None, onehot())), ("model", ensemble.AdaBoostRegressor(n_estimators=7, random_state=1))], "life")
    c.make("bagging", [("columns", columns(None, onehot())), ("model", ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=4), n_estimators=7, random_state=1))], "grade")
    c.make("isolation-forest", [("model", ensemble.IsolationForest(n_estimators=12, max_samples=64, random_state=1))], None, numbers_only=True)
    c.make("voting", [("columns", std()), ("model", ensemble.VotingClassifier([("a", linear_model.LogisticRegression(max_iter=500)), ("b", tree.DecisionTreeClassifier(max_depth=3)), ("c", naive_bayes.GaussianNB())], voting="soft"))], "grade")
    c.make("voting-hard", [("columns", std()), ("model", ensemble.VotingClassifier([("a", linear_model.LogisticRegression(max_iter=500)), ("b", tree.DecisionTreeClassifier(max_depth=3)), ("c", tree.DecisionTreeClassifier(max_depth=5))], voting="hard"))], "grade")
    c.make("stacking", [("columns", std()), ("model", ensemble.StackingClassifier([("a", linear_model.LogisticRegression(max_iter=500)), ("b", tree.DecisionTreeClassifier(max_depth=3))], final_estimator=linear_model.LogisticRegression()))], "fails")
    c.make("svc", [("columns", std()), ("model", svm.SVC(C=0.5))], "grade", rows=150)
    c.make("svc-poly", [("columns", std()), ("model", svm.SVC(kernel="poly", degree=2))], "fails", rows=150)
    c.make("svr", [("columns", std()), ("model", svm.SVR())], "life", rows=120)
    c.make("linear-svc", [("columns", std()), ("model", svm.LinearSVC())], "fails")
    c.make("one-class-svm", [("columns", columns(StandardScaler())), ("model", svm.OneClassSVM(nu=0.1))], None, numbers_only=True, rows=200)
    c.make("mlp", [("columns", std()), ("model", neural_network.MLPClassifier((7, 5), activation="tanh", max_iter=200, random_state=1))], "grade")
    c.make("mlp-regression", [("columns", std()), ("model", neural_network.MLPRegressor(hidden_layer_sizes=(8,), max_iter=200, random_state=1))], "life")
    c.make("gaussian-nb", [("model", naive_bayes.GaussianNB())], "grade", numbers_only=True)
    c.make("knn", [("columns", std()), ("model", neighbors.KNeighborsClassifier(5))], "grade", rows=100)
    c.make("knn-regression", [("columns", std()), ("model", neighbors.KNeighborsRegressor(4))], "life", rows=100)
    c.make("k-means", [("columns", columns(StandardScaler())), ("model", cluster.KMeans(4, random_state=1, n_init=2))], None, numbers_only=True)
    c.make("rules", [("model", RuleSetClassifier([("X['WOB'] > 150 and X['VIBAX'] > 2", "yes"), ("X['RPM'] < 60", "yes")], default_score="no"))], "fails", verify=0)
    for name, args, target in (("xgboost", {}, "fails"), ("xgboost-multiclass", {}, "grade")):
        x, ys = data(gaps=True)
        y = (ys.fails == "yes").astype(int) if target == "fails" else ys.grade.map({"good": 0, "worn": 1, "dull": 2}).astype(int)
        y.name = target
        c.make(name, [("columns", columns(None, onehot())), ("model", xgboost.XGBClassifier(n_estimators=12, max_depth=3, random_state=1))], target, x=x, y=y)
    c.make("xgboost-regression", [("columns", columns(None, onehot())), ("model", xgboost.XGBRegressor(n_estimators=15, max_depth=3, random_state=1))], "life", gaps=True)
    c.make("xgboost-dart", [("columns", columns()), ("model", xgboost.XGBRegressor(n_estimators=8, max_depth=3, booster="dart", rate_drop=0.2, random_state=1))], "life", gaps=True)
    c.make("xgboost-poisson", [("columns", columns()), ("model", xgboost.XGBRegressor(n_estimators=8, max_depth=3, objective="count:poisson", random_state=1))], None, x=data()[0], y=pd.Series(np.random.default_rng(2).poisson(3, 600), name="count"))
    c.make("xgboost-forest", [("columns", columns()), ("model", xgboost.XGBRFRegressor(n_estimators=8, max_depth=4, random_state=1))], "life")
    c.make("lightgbm", [("columns", columns(None, onehot())), ("model", lightgbm.LGBMClassifier(n_estimators=12, num_leaves=7, random_state=1, verbose=-1))], "fails", gaps=True)
    c.make("lightgbm-multiclass", [("columns", columns(None, onehot())), ("model", lightgbm.LGBMClassifier(n_estimators=6, num_leaves=7, random_state=1, verbose=-1))], "grade", gaps=True)
    c.make("lightgbm-regression", [("columns", columns(None, onehot())), ("model", lightgbm.LGBMRegressor(n_estimators=15, num_leaves=7, random_state=1, verbose=-1))], "life", gaps=True)
    c.make("lightgbm-categorical", [("columns", ColumnTransformer([("n", ContinuousDomain(with_statistics=False), NUMBERS), ("t", OrdinalEncoder(), TEXTS)])), ("model", lightgbm.LGBMRegressor(n_estimators=10, num_leaves=7, random_state=1, verbose=-1))], "life", model__categorical_feature=[6, 7])
    c.make("lightgbm-forest", [("columns", columns()), ("model", lightgbm.LGBMRegressor(boosting_type="rf", bagging_freq=1, bagging_fraction=0.6, n_estimators=8, num_leaves=9, random_state=1, verbose=-1))], "life")
    import statsmodels.api as sm
    c.make("statsmodels-ols", [("columns", columns(StandardScaler())), ("model", StatsModelsRegressor(sm.OLS, fit_intercept=True))], "life", numbers_only=True, verify=0)
    c.make("statsmodels-glm-poisson", [("columns", columns(StandardScaler())), ("model", StatsModelsRegressor(sm.Poisson, fit_intercept=True))], None, verify=0, x=data()[0][NUMBERS], y=pd.Series(np.random.default_rng(2).poisson(3, 600), name="count"))
    c.make("statsmodels-logit", [("columns", columns(StandardScaler())), ("model", StatsModelsClassifier(sm.Logit, fit_intercept=True))], None, verify=0, x=data()[0][NUMBERS], y=pd.Series((data()[1].fails == "yes").astype(int), name="fails"))
    r = np.random.default_rng(3)
    vocabulary = np.array("bit pump mud drill string stuck stall vibration torque pressure lost circulation trip connection slide rotary washout twist off motor".split())
    notes = pd.Series([" ".join(r.choice(vocabulary, r.integers(3, 12))) for _ in range(300)], name="note")
    stuck = pd.Series(np.where(notes.str.contains("stuck"), "yes", "no"), name="stuck")
    for name, v in (("text-counts", CountVectorizer(tokenizer=Splitter(), token_pattern=None)), ("text-tfidf", TfidfVectorizer(tokenizer=Splitter(), token_pattern=None, norm=None, max_features=15)), ("text-bigrams", TfidfVectorizer(tokenizer=Splitter(), token_pattern=None, norm=None, ngram_range=(1, 2), max_features=20, sublinear_tf=True))):
        c.make(name, [("text", ColumnTransformer([("t", v, "note")])), ("model", linear_model.LogisticRegression())], "stuck", x=notes.to_frame(), y=stuck)


def big(c):
    c.make("big-forest", [("columns", columns(None, onehot())), ("model", ensemble.RandomForestClassifier(100, max_depth=10, random_state=1))], "grade", rows=5000)
    c.make("big-xgboost", [("columns", columns(None, onehot())), ("model", xgboost.XGBRegressor(n_estimators=300, max_depth=6, random_state=1))], "life", rows=5000, gaps=True)
    c.make("big-lightgbm", [("columns", columns(None, onehot())), ("model", lightgbm.LGBMRegressor(n_estimators=300, num_leaves=31, random_state=1, verbose=-1))], "life", rows=5000, gaps=True)
    c.make("big-svc", [("columns", columns(StandardScaler(), onehot())), ("model", svm.SVC())], "grade", rows=2000)
    c.make("big-mlp", [("columns", columns(StandardScaler(), onehot())), ("model", neural_network.MLPRegressor(hidden_layer_sizes=(64, 32), max_iter=60, random_state=1))], "life", rows=3000)


if __name__ == "__main__":
    args = [a for a in sys.argv[1:] if a != "--big"]
    corpus = Corpus(pathlib.Path(args[0]) / "Producers", args[1:])
    (big if "--big" in sys.argv else small)(corpus)
    sys.exit(f"not exported: {', '.join(corpus.failed)}" if corpus.failed else 0)
