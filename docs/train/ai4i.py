"""AI4I 2020 on mudpulse: the steps that are Python's, for docs/train-a-model.md.

    python ai4i.py split ai4i2020.tsv train.tsv test.tsv    seven products of ten, the other three
    python ai4i.py train train.parquet ai4i.pmml            from mudpulse export
    python ai4i.py score predicted.parquet                  from mudpulse export: what was said beside what was

One product is one minute here (deploy/import/ai4i.json). One model names the class
of failure: none, TWF, HDF, PWF, OSF, RNF (of several the first of this list). Seeded.
"""
import sys

import numpy as np
import pandas as pd

CLASSES = ["TWF", "HDF", "PWF", "OSF", "RNF"]
INPUTS = ["Air_temp", "Process_temp", "Spindle_rpm", "Spindle_torque", "Tool_wear", "Quality_type"]


def split(source, train, test):
    lines = open(source).readlines()
    held = [line for line in lines[1:] if int(line.split("\t")[0]) % 10 in (3, 6, 9)]
    seen = set(held)
    open(train, "w").writelines(lines[:1] + [line for line in lines[1:] if line not in seen])
    open(test, "w").writelines(lines[:1] + held)


def truth(table):
    said = pd.Series("none", index=table.index, name="failure")
    for c in reversed(CLASSES):
        said[table[c] == 1] = c
    return said


def train(source, target):
    """Boosted trees; products of inputs that the failures are known to depend on are derived in the model."""
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.compose import ColumnTransformer
    from sklearn2pmml import sklearn2pmml
    from sklearn2pmml.decoration import Alias
    from sklearn2pmml.pipeline import PMMLPipeline
    from sklearn2pmml.preprocessing import ExpressionTransformer

    table = pd.read_parquet(source).dropna(subset=INPUTS)
    mapper = ColumnTransformer([("as_they_are", "passthrough", INPUTS),
                                ("warming", Alias(ExpressionTransformer("X[0] - X[1]"), "warming"), ["Process_temp", "Air_temp"]),
                                ("power", Alias(ExpressionTransformer("X[0] * X[1]"), "power"), ["Spindle_rpm", "Spindle_torque"]),
                                ("strain", Alias(ExpressionTransformer("X[0] * X[1]"), "strain"), ["Tool_wear", "Spindle_torque"])])
    model = GradientBoostingClassifier(n_estimators=60, max_depth=4, learning_rate=0.1, min_samples_leaf=5, subsample=0.8, random_state=7)
    pipeline = PMMLPipeline([("mapper", mapper), ("classifier", model)])
    pipeline.fit(table[INPUTS], truth(table))
    pipeline.verify(table[INPUTS].sample(40, random_state=7))
    sklearn2pmml(pipeline, target)


def score(source):
    table = pd.read_parquet(source)
    names = ["none"] + CLASSES
    said = np.array(names)[table[[f"ai4i.probability({c})" for c in names]].to_numpy().argmax(axis=1)]
    was = truth(table).to_numpy()
    print(f"{len(table)} products that it has not seen\nclass  of  found  said  F1")
    for c in CLASSES:
        hit, told, real = ((said == c) & (was == c)).sum(), (said == c).sum(), (was == c).sum()
        print(f"{c:5} {real:4} {hit:5} {told:6}  {2 * hit / max(1, told + real):.2f}")
    hit, told, real = ((said != "none") & (was != "none")).sum(), (said != "none").sum(), (was != "none").sum()
    print(f"any   {real:4} {hit:5} {told:6}  {2 * hit / max(1, told + real):.2f}")


if __name__ == "__main__":
    {"split": split, "train": train, "score": score}[sys.argv[1]](*sys.argv[2:])
