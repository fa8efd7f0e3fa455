"""Train the remaining-useful-life model of the C-MAPSS end-to-end test.

    python cmapss_rul.py train_FD001.txt cmapss-rul.pmml

Gradient boosting on the raw sensor channels s1 to s21; RUL in cycles, capped
at 125 as in the literature (Heimes 2008). Seeded; needs scikit-learn 1.9.0,
sklearn2pmml and Java.
"""
import sys

import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn2pmml import sklearn2pmml
from sklearn2pmml.pipeline import PMMLPipeline

SENSORS = [f"s{i}" for i in range(1, 22)]


def read(path):
    """Rows of a C-MAPSS file: unit, cycle, three settings, 21 sensors; a header may precede them."""
    rows = []
    with open(path) as lines:
        for line in lines:
            cells = line.split()
            if cells and cells[0].replace(".", "").isdigit():
                rows.append([float(c) for c in cells[:26]])
    return pd.DataFrame(rows, columns=["unit", "cycle", "set1", "set2", "set3"] + SENSORS)


def main(source, target):
    data = read(source)
    rul = data.groupby("unit")["cycle"].transform("max") - data["cycle"]
    features = data[SENSORS]
    model = GradientBoostingRegressor(n_estimators=120, max_depth=4, learning_rate=0.1, min_samples_leaf=50, subsample=0.8, random_state=7)
    pipeline = PMMLPipeline([("regressor", model)])
    pipeline.fit(features, pd.Series(np.minimum(rul, 125.0), name="rul"))
    pipeline.verify(features.sample(20, random_state=7))
    sklearn2pmml(pipeline, target)


if __name__ == "__main__":
    main(*sys.argv[1:3])
