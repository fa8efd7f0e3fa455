"""QuestDB over the rows that the columnstore sealed: loaded with SQL from the
Parquet files, sizes, and the same questions, alone on the machine's cores."""
import glob
import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pyarrow.parquet as pq

jar, sealed, where = sys.argv[1], os.path.realpath(sys.argv[2]), os.path.realpath(sys.argv[3])
os.makedirs(where)
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
env = dict(os.environ, QDB_HTTP_BIND_TO=f"127.0.0.1:{port}", QDB_HTTP_MIN_ENABLED="false", QDB_PG_ENABLED="false", QDB_LINE_TCP_ENABLED="false",
           QDB_TELEMETRY_ENABLED="false", QDB_CAIRO_SQL_COPY_ROOT=sealed,
           QDB_CAIRO_WRITER_DATA_APPEND_PAGE_SIZE="128K", QDB_CAIRO_O3_COLUMN_MEMORY_SIZE="128K")  # or each column of a short table is counted as 16 MB
log = open(os.path.join(where, "log"), "w")
server = subprocess.Popen(["java", "-XX:+UseParallelGC", "-p", jar, "-m", "io.questdb/io.questdb.ServerMain", "-d", where], env=env, stdout=log, stderr=log)


def q(sql):
    url = f"http://127.0.0.1:{port}/exec?" + urllib.parse.urlencode({"query": sql, "timings": "true"})
    try:
        with urllib.request.urlopen(url, timeout=600) as r:
            return json.load(r)
    except urllib.error.HTTPError as e:
        raise SystemExit(f"QuestDB: {sql[:200]}: {e.read().decode()}")


try:
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit("QuestDB ended: see " + log.name)
        try:
            q("SELECT 1")
            break
        except OSError:
            time.sleep(0.2)
    version = q("SELECT build()")["dataset"][0][0].split(",")[0].split()[-1]
    classes, total, rows, spent = {}, 0, 0, 0.0
    meta = {"src", "ts", "seq", "part", "arrived", "quality", "drill", "device", "boot"}
    for cls in ("fast", "medium", "slow"):
        files = sorted(glob.glob(f"{sealed}/readings_{cls}/day=*/hour=*/*.parquet"))
        names = pq.read_schema(files[0]).names
        channels = classes[cls] = [n for n in names if n not in meta]
        cols = ", ".join(f'"{c}" DOUBLE' for c in channels)
        q(f"CREATE TABLE {cls} (drill SYMBOL, ts TIMESTAMP, {cols}) TIMESTAMP(ts) PARTITION BY DAY WAL")
        take = ", ".join(f'"{c}"' for c in channels)
        for f in files:
            at = time.time()
            q(f"INSERT INTO {cls} SELECT drill::SYMBOL, ts, {take} FROM read_parquet('{os.path.relpath(f, sealed)}') ORDER BY ts")
            while True:  # a table with a WAL shows rows once they are applied
                w = q(f"SELECT writerTxn, sequencerTxn, suspended FROM wal_tables() WHERE name = '{cls}'")["dataset"][0]
                if w[2]:
                    raise SystemExit(f"QuestDB: table {cls} is suspended: see {log.name}")
                if w[0] == w[1]:
                    break
                time.sleep(0.02)
            spent += time.time() - at
        rows += q(f"SELECT count() FROM {cls}")["dataset"][0][0]
        total += sum(q("SELECT " + ", ".join(f'count("{c}")' for c in channels) + f" FROM {cls}")["dataset"][0])
    size = sum(q(f"SELECT sum(diskSize) FROM table_partitions('{cls}')")["dataset"][0][0] for cls in classes)
    print(f"QuestDB      {version}: {total} readings in {rows} rows, inserted from sealed Parquet at {total / spent:.0f} readings/s, {size / total:.3f} B a reading")

    last = q("SELECT max(ts) FROM fast")["dataset"][0][0]
    drills = [d[0] for d in q("SELECT DISTINCT drill FROM fast ORDER BY drill")["dataset"]]
    agg = ", ".join(f"min({c}), max({c}), first({c}), last({c})" for c in ("WOB", "SPP", "RPM", "TQ"))
    back = lambda s: f"ts > dateadd('s', -{s}, '{last}'::TIMESTAMP)"
    one = lambda n: f"drill = '{drills[n * 7919 % len(drills)]}'"
    asks = {
        "latest of all drills": lambda n: f"SELECT * FROM fast WHERE {back(60)} LATEST ON ts PARTITION BY drill",
        "15 min of one drill, 4 channels, 500 points": lambda n: f"SELECT ts, {agg} FROM fast WHERE {one(n)} AND {back(900)} SAMPLE BY 1800T",
        "24 h of the fleet, one channel (raw rows)": lambda n: f"SELECT drill, count(SPP), avg(SPP), min(SPP), max(SPP) FROM fast WHERE {back(86400)} GROUP BY drill ORDER BY drill",
        "one drill-hour raw, 4 channels": lambda n: f"SELECT ts, WOB, SPP, RPM, TQ FROM fast WHERE {one(n)} AND {back(3600)} ORDER BY ts",
    }
    for name, ask in asks.items():
        times = []
        for n in range(30):
            at = time.time()
            q(ask(n))
            times.append((time.time() - at) * 1000)
        times.sort()
        print(f"  {name:43s} p50 {times[15]:8.1f} ms  p99 {times[-1]:8.1f} ms  of 30, idle, JSON over HTTP")
finally:
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
