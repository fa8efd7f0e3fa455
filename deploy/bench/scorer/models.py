"""Trains and writes DIR/forest.pmml (100 trees of depth 10) and DIR/logistic.pmml on
twelve numeric fields f0 … f11, seeded. models.py DIR"""

import sys

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn2pmml import sklearn2pmml
from sklearn2pmml.pipeline import PMMLPipeline

rng = np.random.default_rng(1)
X = pd.DataFrame(rng.normal(size=(50_000, 12)), columns=[f"f{i}" for i in range(12)])
z = X.f0 + 0.7 * X.f1 * X.f2 - 0.5 * X.f3**2 + 0.4 * np.sin(3 * X.f4) + 0.3 * X.f5 * X.f6 + rng.normal(scale=0.7, size=len(X))
y = pd.Series((z > 0.5).astype(int), name="fail")
for name, model in (("forest", RandomForestClassifier(100, max_depth=10, random_state=1)), ("logistic", LogisticRegression())):
    pipe = PMMLPipeline([("model", model)])
    pipe.fit(X, y)
    sklearn2pmml(pipe, f"{sys.argv[1]}/{name}.pmml")
