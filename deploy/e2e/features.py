"""Features by name, from their definitions in docs/features.md, with numpy and
scipy and nothing of the Go code: what features_test.go holds that code to.

stdin: {"names": [...], "events": [{"op": "add", "ch": …, "t": ns, "v": …} |
{"op": "rig", "tick": ns, "state": …} |
{"op": "wave", "ch": …, "t": ns, "every": ns, "values": […], "shaft": Hz, "numbers": {…}} | {"op": "event", "t": ns, "kind": …} |
{"op": "read", "tick": ns}]}; stdout: a JSON list of values, null for missing, for
each read. With --names FILE it checks the parser against the golden table.
"""
import json
import math
import re
import struct
import sys
import zlib

import numpy as np
from scipy import signal, stats

FUNCTIONS = "last lag count sum mean std min max range median q slope ewma delta rate rms kurtosis skew crest peak p2p distinct band centroid env order".split()
STATES = "rotary sliding reaming connection tripping circulating idle".split()
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
NS = 10**9
LATE = 120  # s: later samples are left out
CHANNEL = re.compile(r"(?=.{1,24}$)[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def parse(name):
    """The grammar of scoring/feature/grammar.ebnf; ValueError where the name is none."""
    def need(ok, why):
        if not ok:
            raise ValueError(f"{name}: {why}")

    need(len(name) <= 200, "too long")
    if "__" not in name:
        if "." in name:
            model, _, word = name.partition(".")
            need(MODEL.fullmatch(model) and WORD.fullmatch(word), "want model.output")
            return {"kind": "output"}
        need(CHANNEL.fullmatch(name), "no channel")
        return {"kind": "field", "channel": name}
    part = name.split("__")
    if part[0] in UNITS and part[1] == "since":
        need(len(part) == 3 and part[2].startswith("event_") and WORD.fullmatch(part[2][6:]), "want UNIT__since__event_NAME")
        return {"kind": "since", "unit": UNITS[part[0]], "word": part[2][6:]}
    need(CHANNEL.fullmatch(part[0]), "no channel")
    need(part[1] in FUNCTIONS, "no function")
    f = {"kind": "feature", "channel": part[0], "fn": part[1], "z": False, "gate": "", "p": None}
    rest = part[2:]
    if f["fn"] == "q":
        need(rest and re.fullmatch(r"p_\d+(_\d+)?", rest[0]), "q needs p_…")
        f["p"] = float(rest.pop(0)[2:].replace("_", "."))
        need(f["p"] <= 100, "percentile over 100")
    if f["fn"] in ("order", "env"):
        need(rest and rest[0].startswith("o_"), "needs its order")
        order = rest.pop(0)[2:]
        f["part"] = order if WORD.fullmatch(order) else ""
        need(f["part"] or re.fullmatch(r"\d+(_\d+)?", order), "no order")
        f["order"] = math.nan if f["part"] else float(order.replace("_", "."))
        need(f["part"] or 0 < f["order"] <= 1000, "no such order")
    if f["fn"] in ("band", "env"):
        need(rest and re.fullmatch(r"f_(0|[1-9]\d*)_[1-9]\d*", rest[0]), "needs its band")
        f["low"], f["high"] = map(float, rest.pop(0)[2:].split("_"))
        need(f["low"] < f["high"] <= 1e6, "no such band")
    need(rest and re.fullmatch(r"[1-9]\d*[smhd]", rest[0]), "no window")
    n, u = int(rest[0][:-1]), rest.pop(0)[-1]
    w = f["window"] = n * {"s": 1, "m": 60, "h": 3600, "d": 86400}[u]
    need(w <= 30 * 86400 and (w <= 600 or w % 60 == 0) and (w <= 86400 or w % 3600 == 0), "no such window")
    if rest and rest[0] == "z":
        f["z"] = bool(rest.pop(0))
    if rest and rest[0].startswith("in_"):
        f["gate"] = rest.pop(0)[3:]
        need(f["gate"] in STATES, "no rig state")
    need(not rest, "something after the window")
    need(f["fn"] not in ("median", "q", "distinct") or w <= 600, "exact order statistics reach 10 minutes")
    need(f["fn"] != "ewma" or 8 * w <= 30 * 86400, "ewma reaches 30 days")
    return f


class Stream:
    """Everything that came, kept whole: the reference need not be quick."""

    def __init__(self):
        self.samples, self.state, self.happened, self.head, self.base = {}, {}, {}, 0, {}
        self.waves = {}  # by channel, by time
        self.sorted = {}  # by channel: times in ns, seconds, values, states

    def add(self, ch, t, v):
        at = t // NS
        if at < self.head - LATE:
            return
        self.head = max(self.head, at)
        old = self.samples.setdefault(ch, {}).get(t)
        self.samples[ch][t] = v if old is None else min(old, v)
        self.sorted = {}

    def rig(self, tick, state):
        at = tick // NS
        if at < self.head - LATE:
            return
        self.head = max(self.head, at)
        self.state[at] = state
        self.sorted = {}

    def wave(self, e):
        at = e["t"] // NS
        if at < self.head - LATE or any(v is None for v in e["values"]):
            return
        self.head = max(self.head, at)
        e["sum"] = zlib.crc32(struct.pack(f"<{len(e['values'])}d", *e["values"]))
        old = self.waves.setdefault(e["ch"], {}).get(e["t"])
        if old is None or e["sum"] < old["sum"]:
            self.waves[e["ch"]][e["t"]] = e
        for t in sorted(self.waves[e["ch"]])[:-64]:
            del self.waves[e["ch"]][t]

    def snapshot(self, f, at):
        """The newest snapshot in the window, through the gate; None: there is none."""
        for t in sorted(self.waves[f["channel"]], reverse=True):
            if at - f["window"] < t // NS <= at and (not f["gate"] or self.state.get(t // NS, "") == f["gate"]):
                return self.waves[f["channel"]][t]
        return None

    def of_wave(self, f, at):
        e = self.snapshot(f, at)
        if e is None or f["fn"] in ("lag", "ewma"):
            return math.nan
        x, rate = np.array(e["values"]), 1e9 / e["every"]
        n = len(x)
        if f["fn"] not in ("band", "centroid", "env", "order"):
            return self.over(f, np.arange(n) * e["every"] / 1e9, x)
        size = 1 << (n - 1).bit_length()
        x = x - x.mean()
        hz = np.arange(size) * rate / size
        k = np.arange(size)
        inner = (k > 0) & (k < size // 2)
        line = (e["numbers"].get(f.get("part"), math.nan) if f.get("part") else f.get("order", math.nan)) * e["shaft"] / (rate / size)
        if f["fn"] == "env":
            y = np.fft.fft(x, size)
            y[~inner | (hz < f["low"]) | (hz > f["high"])] = 0
            env = np.abs(np.fft.ifft(y))[:n]
            lines = np.abs(np.fft.fft(env - env.mean(), size))
            reach = max(3, 0.02 * line)
            near = inner & (np.abs(k - line) <= reach)
            around = inner & (k >= 0.6 * line) & (k <= 1.4 * line) & (np.abs(k - line) > reach + 1)
            if not 0 < line < size / 2 or not around.any() or np.median(lines[around]) == 0:
                return math.nan
            return float(lines[near].max() / np.median(lines[around]))
        w = signal.windows.hann(n, sym=False)
        p = np.abs(np.fft.fft(x * w, size)) ** 2
        if f["fn"] == "order":
            near = inner & (np.abs(k - line) <= max(2, 0.01 * line))
            return float(2 * math.sqrt(p[near].max()) / w.sum()) if 0 < line < size / 2 else math.nan
        if f["fn"] == "band":
            return math.sqrt(2 * p[inner & (hz >= f["low"]) & (hz <= f["high"])].sum() / size / (w * w).sum())
        return float((hz * p)[inner].sum() / p[inner].sum()) if p[inner].any() else math.nan

    def between(self, f, first, last):
        """Times in s and values of whole seconds first … last, through the gate."""
        ch = f["channel"]
        if ch not in self.sorted:
            t = np.array(sorted(self.samples.get(ch, {})), dtype=np.int64)
            self.sorted[ch] = (t, t // NS, np.array([self.samples[ch][x] for x in t.tolist()]), np.array([self.state.get(x, "") for x in (t // NS).tolist()]))
        t, sec, x, state = self.sorted[ch]
        i, j = np.searchsorted(sec, first), np.searchsorted(sec, last, side="right")
        keep = state[i:j] == f["gate"] if f["gate"] else slice(None)
        return (t[i:j][keep] - first * NS) / NS, x[i:j][keep]

    def read(self, name, f, tick):
        at = tick // NS
        if f["kind"] == "since":
            past = [t for t in self.happened.get(f["word"], []) if t <= tick]
            return (tick - max(past)) / NS / f["unit"] if past else math.nan
        v = self.value(f, at)
        if not f["z"]:
            return v
        seen = self.base.setdefault(name, {})
        if not math.isnan(v) and len(seen) < 1440 and at // 60 > max(seen, default=-1):
            seen[at // 60] = v
        values = np.array(list(seen.values()))
        if len(values) < 60 or np.ptp(values) == 0:
            return math.nan
        return (v - values.mean()) / values.std(ddof=1)

    def value(self, f, at):
        w, fn = f["window"], f["fn"]
        if f["channel"] in self.waves:
            return self.of_wave(f, at)
        if fn in ("band", "centroid", "env", "order"):
            return math.nan
        if fn == "lag":
            if w <= 600:
                first, last = at - 2 * w + 1, at - w
            else:  # whole minutes, or hours
                u = 60 if w <= 86400 else 3600
                first, last = ((at - 2 * w) // u + 1) * u, (at - w + 1) // u * u - 1
            _, x = self.between(f, first, last)
            return x[-1] if len(x) else math.nan
        if fn == "ewma":
            unit = 1 if 8 * w <= 600 else 60 if 8 * w <= 86400 else 3600
            top = bottom = 0.0
            for i in range(8 * w // unit):
                tile = at // unit - i
                _, x = self.between(f, tile * unit, min(at, tile * unit + unit - 1))
                if len(x):
                    k = math.exp(-i * unit / w)
                    top, bottom = top + k * x.mean(), bottom + k
            return top / bottom if bottom else math.nan
        unit = 1 if w <= 600 else 60 if w <= 86400 else 3600
        t, x = self.between(f, (at // unit - w // unit + 1) * unit, at)
        return self.over(f, t, x)

    @staticmethod
    def over(f, t, x):
        fn, n = f["fn"], len(x)
        if n == 0:
            return 0.0 if fn == "count" else math.nan
        one = {
            "last": lambda: x[-1], "count": lambda: n, "sum": x.sum, "mean": x.mean, "min": x.min, "max": x.max,
            "range": lambda: np.ptp(x), "p2p": lambda: np.ptp(x), "median": lambda: np.median(x), "delta": lambda: x[-1] - x[0],
            "q": lambda: np.percentile(x, f["p"]), "distinct": lambda: len(np.unique(x)), "peak": lambda: np.abs(x).max(),
            "rms": lambda: math.sqrt(np.mean(x * x)), "crest": lambda: np.abs(x).max() / math.sqrt(np.mean(x * x)) if np.any(x) else math.nan,
            "rate": lambda: (x[-1] - x[0]) / (t[-1] - t[0]) if t[-1] > t[0] else math.nan,
            "std": lambda: x.std(ddof=1) if n > 1 else math.nan,
            "slope": lambda: stats.linregress(t, x).slope if n > 1 and np.ptp(t) > 0 else math.nan,
            "skew": lambda: stats.skew(x) if n > 2 and np.ptp(x) > 0 else math.nan,
            "kurtosis": lambda: stats.kurtosis(x, fisher=False) if n > 3 and np.ptp(x) > 0 else math.nan,
        }
        return float(one[fn]())


def golden(path):
    wrong = 0
    for line in open(path, encoding="utf-8"):
        if line.startswith("#"):
            continue
        cell = line.rstrip("\n").split("\t") + [""] * 8
        try:
            f, ok = parse(cell[1]), True
        except ValueError:
            f, ok = {}, False
        want = cell[0] == "good"
        same = ok == want and (not ok or f["kind"] == cell[2] and (f["kind"] != "feature" or [f["channel"], f["fn"], str(f["window"]), str(f["z"]).lower(), f["gate"]] == cell[3:8]))
        if not same:
            wrong += 1
            print(f"{cell[1]!r}: {f or 'refused'}, want {cell[0]}", file=sys.stderr)
    return wrong


def main():
    if sys.argv[1:2] == ["--names"]:
        sys.exit(golden(sys.argv[2]) > 0)
    job = json.load(sys.stdin)
    fs = [(n, parse(n)) for n in job["names"]]
    s, out = Stream(), []
    for e in job["events"]:
        if e["op"] == "add":
            s.add(e["ch"], e["t"], e["v"])
        elif e["op"] == "rig":
            s.rig(e["tick"], e["state"])
        elif e["op"] == "wave":
            s.wave(e)
        elif e["op"] == "event":
            s.happened.setdefault(e["kind"], []).append(e["t"])
        else:
            values = [s.read(n, f, e["tick"]) for n, f in fs]
            out.append([None if math.isnan(v) else float(v) for v in values])
    json.dump(out, sys.stdout)


main()
