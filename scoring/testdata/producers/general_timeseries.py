"""General regression, rule set and time series models of the corpus, by real producers:
statsmodels through sklearn2pmml (jpmml-statsmodels), scikit-learn's GLMs, nyoka.

pip install statsmodels==0.14.5 scikit-learn==1.7.2 sklearn2pmml==0.133.1 nyoka==5.5.0 "numpy<2" "pandas<3" "scipy<1.14"; needs Java 11.
python testdata/producers/general_timeseries.py testdata/corpus; then make pmml-golden.
"""
import json, os, re, sys, warnings
import numpy as np, pandas as pd
import statsmodels.api as sm
from nyoka import ExponentialSmoothingToPMML, StatsmodelsToPmml
from statsmodels.tsa.api import ExponentialSmoothing
from statsmodels.tsa.arima.model import ARIMA
from statsmodels.tsa.statespace.sarimax import SARIMAX
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder
from sklearn2pmml import sklearn2pmml
from sklearn2pmml.pipeline import PMMLPipeline
from sklearn2pmml.ruleset import RuleSetClassifier
from sklearn2pmml.decoration import ContinuousDomain
from sklearn2pmml.statsmodels import StatsModelsClassifier, StatsModelsRegressor

warnings.simplefilter("ignore")
root = sys.argv[1]
rng = np.random.default_rng(20261126)

def save(kind, name, rows, convert):
    d = os.path.join(root, kind)
    os.makedirs(d, exist_ok=True)
    path = os.path.join(d, name)
    convert(path + ".pmml")
    with open(path + ".rows.jsonl", "w") as f:
        for r in rows:
            f.write(json.dumps(r, separators=(",", ":")) + "\n")
    print(kind, name)

def rows(frame, n=100):
    """Rows of the frame, some of them with missing, invalid, outlying and textual values."""
    out = []
    for i, r in enumerate(frame.sample(n, replace=True, random_state=7).to_dict("records")):
        r = {k: (v.item() if hasattr(v, "item") else v) for k, v in r.items()}
        key = list(r)[i % len(r)]
        if i % 11 == 3:
            r[key] = None
        elif i % 13 == 4:
            del r[key]
        elif i % 17 == 5:
            r[key] = "unheard of"
        elif i % 19 == 6 and not isinstance(r[key], str):
            r[key] = r[key] * 1000
        elif i % 23 == 7 and not isinstance(r[key], str):
            r[key] = str(r[key])
        out.append(r)
    return out

n = 800
X = pd.DataFrame({
    "rpm": rng.normal(120, 15, n).round(2), "wob": rng.gamma(4, 3, n).round(3), "flow": rng.normal(0, 1, n).round(4),
    "bit": rng.choice(["pdc", "tricone", "hybrid"], n, p=[.6, .3, .1]),
})
eta = 0.02 * (X.rpm - 120) + 0.05 * X.wob - 0.4 * X.flow + X.bit.map({"pdc": 0.2, "tricone": -0.3, "hybrid": 0.5})
Y = {
    "normal": eta + rng.normal(0, .3, n), "poisson": rng.poisson(np.exp(eta)), "gamma": rng.gamma(2, np.exp(eta) / 2) + 1e-3,
    "binary": (rng.uniform(size=n) < 1 / (1 + np.exp(-eta))).astype(int),
    "three": np.digitize(eta + rng.logistic(0, 1, n), [0.2, 1.5]),
}

def pipeline(estimator, y, path, kwargs={}):
    """A pipeline that takes an invalid number for a missing one and knows its categories."""
    numbers = ["rpm", "wob", "flow"]
    prep = ColumnTransformer([("num", ContinuousDomain(invalid_value_treatment="as_missing", with_statistics=False), numbers), ("cat", OneHotEncoder(drop="first"), ["bit"])])
    p = PMMLPipeline([("prep", prep), ("est", estimator)])
    p.fit(X, pd.Series(y, name="y"), **kwargs)
    p.verify(X.sample(20, random_state=1))
    sklearn2pmml(p, path)


F = sm.families
REGRESSIONS = {
    "gaussian": (Y["normal"], F.Gaussian()), "poisson": (Y["poisson"], F.Poisson()), "gaussian-log": (Y["gamma"] + 3, F.Gaussian(F.links.Log())),
}  # the exporter refuses gamma, inverse Gaussian, negative binomial and Tweedie, and links of a binomial but the logit
for name, (y, family) in REGRESSIONS.items():
    save("GeneralRegression", "statsmodels-" + name, rows(X), lambda p: pipeline(StatsModelsRegressor(sm.GLM, family=family), y, p))
save("GeneralRegression", "statsmodels-binomial-logit", rows(X), lambda p: pipeline(StatsModelsClassifier(sm.GLM, family=F.Binomial()), Y["binary"], p))

rules = RuleSetClassifier([("X['rpm'] > 130 and X['wob'] > 12", "alarm"), ("X['rpm'] > 125 or X['flow'] < -1", "watch"), ("X['wob'] > 18", "watch")], default_score="fine")
save("RuleSet", "sklearn2pmml", rows(X[["rpm", "wob", "flow"]]), lambda p: sklearn2pmml(PMMLPipeline([("rules", rules)]).fit(X[["rpm", "wob", "flow"]], pd.Series(["fine"] * n, name="y")), p))


# State space models and exponential smoothing, by nyoka; what statsmodels itself forecasts stands beside them.
series = pd.Series(100 + np.cumsum(rng.normal(size=60)) + 4 * np.sin(np.arange(60) * np.pi / 2), name="y", index=pd.date_range("2026-01-01", periods=60, freq="D", name="t"))
STATES = {
    "arima": lambda: ARIMA(series, order=(1, 1, 1)).fit(), "arima-mean": lambda: ARIMA(series, order=(2, 0, 1), trend="c").fit(),
    "sarimax": lambda: SARIMAX(series, order=(1, 0, 1), seasonal_order=(1, 0, 0, 4), trend="c").fit(disp=0),
    "sarima-differenced": lambda: SARIMAX(series, order=(1, 1, 1), seasonal_order=(1, 1, 1, 4), trend="n").fit(disp=0),
}
own = os.path.join(os.path.dirname(root), "forecasts")
os.makedirs(own, exist_ok=True)

def forecasts(name, fit, convert, intervals):
    path = os.path.join(own, name)
    convert(fit, path + ".pmml")
    text = open(path + ".pmml").read()
    text = re.sub(r"\s*<Timestamp>[^<]*</Timestamp>", "", text)  # the same bytes each time
    # nyoka 5.5.0 calls the order field a dateTime, and counts it from 0 as the series is indexed
    text = text.replace('dataType="dateTime"', 'dataType="integer"')
    open(path + ".pmml", "w").write(text)
    want = {"forecast": list(map(float, fit.forecast(8)))}
    if intervals:
        for level in (80, 95):
            ends = np.asarray(fit.get_forecast(8).conf_int(alpha=1 - level / 100))
            want[f"lower{level}"], want[f"upper{level}"] = ends[:, 0].tolist(), ends[:, 1].tolist()
    json.dump(want, open(path + ".json", "w"))
    print("forecasts", name)

for name, make in STATES.items():
    forecasts("nyoka-" + name, make(), lambda fit, p: StatsmodelsToPmml(fit, p, conf_int=[80, 95]), True)
for name, k in {"level": {}, "trend": {"trend": "add"}, "damped": {"trend": "add", "damped_trend": True}, "seasons": {"trend": "add", "seasonal": "add", "seasonal_periods": 4},
                "seasons-mul": {"trend": "add", "seasonal": "mul", "seasonal_periods": 4}, "trend-mul": {"trend": "mul"}}.items():
    # Seasons that do not change: nyoka writes those that the fit began with.
    fit = ExponentialSmoothing(series, **k).fit(smoothing_seasonal=0) if "seasonal" in k else ExponentialSmoothing(series, **k).fit()
    forecasts("nyoka-ets-" + name, fit, lambda fit, p: ExponentialSmoothingToPMML(fit, p), False)
