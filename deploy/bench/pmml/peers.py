"""Times the native libraries on the models and rows of DIR, one thread each: peers.py DIR, a line each: NAME LIBRARY rows/s, of CPU time."""

import sys
import time
from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime
import pandas as pd
import xgboost

where = Path(sys.argv[1])
X = pd.read_csv(where / "rows.csv").to_numpy()
X32 = np.ascontiguousarray(X, dtype=np.float32)
batches = [slice(i, i + 4096) for i in range(0, len(X) - 4095, 4096)][:8]


def rate(score):
    """Rows a second of this thread's CPU time, the best of five rounds."""
    best = 0.0
    score(batches[0])
    for _ in range(5):
        n, begin = 0, time.thread_time()
        while time.thread_time() - begin < 0.6:
            for b in batches:
                score(b)
                n += 4096
                if time.thread_time() - begin > 1.2:
                    break
        best = max(best, n / (time.thread_time() - begin))
    return best


def say(name, library, score):
    print(name, library, f"{rate(score):.0f}", flush=True)


for path in sorted(where.glob("*.onnx")):
    one = onnxruntime.SessionOptions()
    one.intra_op_num_threads = one.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path.read_bytes(), one, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    say(path.stem, "onnxruntime", lambda b: session.run(None, {name: X32[b]}))

trees = xgboost.Booster({"nthread": 1})
trees.load_model(where / "xgboost.json")
trees.set_param({"nthread": 1})
say("xgboost", "xgboost", lambda b: trees.inplace_predict(X32[b]))

booster = lightgbm.Booster(model_file=where / "lightgbm.txt")
say("lightgbm", "lightgbm", lambda b: booster.predict(X[b], num_threads=1))

try:
    import lleaves
except ImportError:
    print("lleaves is not here", file=sys.stderr)
else:
    compiled = lleaves.Model(model_file=str(where / "lightgbm.txt"))
    compiled.compile()
    say("lightgbm", "lleaves", lambda b: compiled.predict(X[b], n_jobs=1))
