"""ClickHouse's engine (chdb) over the rows that the columnstore sealed: insert
in batches, sizes, and the same questions, alone on the machine's cores."""
import glob
import os
import sys
import time

from chdb import session

sealed, where = sys.argv[1], sys.argv[2]
s = session.Session(where)


def q(sql, fmt="TabSeparated"):
    return str(s.query(sql, fmt))


q("SET use_hive_partitioning = 0")  # hour=07 is a folder's name, not a column of another type
total, rows, spent = 0, 0, 0.0
classes = {}
for cls in ("fast", "medium", "slow"):
    files = sorted(glob.glob(f"{sealed}/readings_{cls}/day=*/hour=*/*.parquet"))
    names = [r.split("\t")[0] for r in q(f"DESCRIBE file('{files[0]}')").strip().split("\n")]
    channels = [n for n in names if n not in ("src", "ts", "seq", "part", "arrived", "quality", "drill", "device", "boot")]
    classes[cls] = channels
    cols = ", ".join(f"`{c}` Nullable(Float64) CODEC(ZSTD(1))" for c in channels)
    q(f"CREATE TABLE {cls} (drill LowCardinality(String), ts DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)), {cols}) ENGINE = MergeTree PARTITION BY toDate(ts) ORDER BY (drill, ts)")
    take = ", ".join(f"`{c}`" for c in channels)
    for f in files:
        at = time.time()
        q(f"INSERT INTO {cls} SELECT drill, ts, {take} FROM file('{f}')")
        spent += time.time() - at
    rows += int(q(f"SELECT count() FROM {cls}"))
    total += int(q(f"SELECT {' + '.join(f'count(`{c}`)' for c in channels)} FROM {cls}"))
size = int(q("SELECT sum(data_compressed_bytes) FROM system.parts WHERE active AND database = currentDatabase()"))
print(f"ClickHouse   {q('SELECT version()').strip()} in process: {total} readings in {rows} rows, inserted from sealed Parquet at {total / spent:.0f} readings/s, {size / total:.3f} B a reading")

last = q("SELECT toUnixTimestamp(max(ts)) FROM fast").strip()
drills = q("SELECT DISTINCT drill FROM fast ORDER BY drill").strip().split("\n")
agg = ", ".join(f"min({c}), max({c}), argMin({c}, ts), argMax({c}, ts)" for c in ("WOB", "SPP", "RPM", "TQ"))
asks = {
    "latest of all drills": lambda n: "SELECT drill, max(ts), " + ", ".join(f"argMax(`{c}`, ts)" for c in classes["fast"]) + f" FROM fast WHERE ts > toDateTime({last}) - 60 GROUP BY drill",
    "15 min of one drill, 4 channels, 500 points": lambda n: f"SELECT intDiv(toUnixTimestamp64Milli(ts), 1800) AS b, {agg} FROM fast WHERE drill = '{drills[n * 7919 % len(drills)]}' AND ts > toDateTime({last}) - 900 GROUP BY b ORDER BY b",
    "24 h of the fleet, one channel (raw rows)": lambda n: f"SELECT drill, count(SPP), avg(SPP), min(SPP), max(SPP) FROM fast WHERE ts > toDateTime({last}) - 86400 GROUP BY drill ORDER BY drill",
    "one drill-hour raw, 4 channels": lambda n: f"SELECT ts, WOB, SPP, RPM, TQ FROM fast WHERE drill = '{drills[n * 7919 % len(drills)]}' AND ts > toDateTime({last}) - 3600 ORDER BY ts",
}
for name, ask in asks.items():
    times = []
    for n in range(30):
        at = time.time()
        s.query(ask(n), "Native")
        times.append((time.time() - at) * 1000)
    times.sort()
    print(f"  {name:43s} p50 {times[15]:8.1f} ms  p99 {times[-1]:8.1f} ms  of 30, idle")
s.close()
