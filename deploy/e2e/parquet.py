"""Reads sealed hours as they lie and an exported table, with what engineers have:
pandas, pyarrow, DuckDB. Takes the folder of sealed files and the table; prints a
line for each thing that held and fails on the first that does not."""
import sys
from pathlib import Path

import duckdb
import pandas
import pyarrow.dataset
import pyarrow.parquet

sealed, table, rows, total = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])


def held(what, ok, saw=""):
    if not ok:
        sys.exit(f"FAILED: {what}: {saw}")
    print("held:", what)


fast = sealed / "readings_fast"
by_arrow = pyarrow.dataset.dataset(fast, format="parquet", partitioning="hive").to_table(columns=["drill", "ts", "SPP", "day", "hour"])
held("pyarrow reads sealed hours", by_arrow.num_rows == rows, by_arrow.num_rows)
by_pandas = pandas.read_parquet(fast)
held("pandas reads sealed hours", len(by_pandas) == rows and set(by_pandas.drill) == {"RIG-01", "RIG-02"}, len(by_pandas))
n, s = duckdb.sql(f"SELECT count(*), sum(SPP) FROM read_parquet('{fast}/*/*/*.parquet', hive_partitioning=true)").fetchone()
held("DuckDB reads sealed hours", n == rows, n)
sums = [s, by_pandas.SPP.sum(), sum(by_arrow.column("SPP").to_pylist())]
held("all three see the same numbers", all(abs(x - total) < 1e-6 * total for x in sums), sums)
hours = {(str(d), int(h)) for d, h in zip(by_arrow.column("day").to_pylist(), by_arrow.column("hour").to_pylist())}
held("folders are hours of event time", len(hours) == 3 and all(str(t)[:10] == d and t.hour == h for t, d, h in by_arrow.select(["ts", "day", "hour"]).to_pandas().drop_duplicates(["day", "hour"]).itertuples(index=False) for d, h in [(str(d)[:10], int(h))]), hours)
scores = pandas.read_parquet(sealed / "scores")
held("scores carry their names", scores.output_names.str.contains("wear").all() and (scores.health > 0).all(), scores.head(2))

t = pandas.read_parquet(table)
held("pandas reads an exported table", list(t.columns) == ["drill", "ts", "state", "SPP", "SPP__mean__60s", "health", "label_washout", "label_washout_age", "label_washout_hours_left"], list(t.columns))
held("a row a minute and drill", len(t) == 2 * 180 and t.groupby("drill").ts.is_monotonic_increasing.all(), len(t))
a = t[t.drill == "RIG-01"]
held("labels hold in their span", a.label_washout.sum() == 60 and a[a.label_washout == 1].label_washout_hours_left.max() <= 1.0, a.label_washout.sum())
last = by_pandas[(by_pandas.drill == "RIG-01")].sort_values("ts").iloc[-1]
held("a channel's value is the reading's", a.iloc[-1].SPP == last.SPP, (a.iloc[-1].SPP, last.SPP))
meta = pyarrow.parquet.ParquetFile(table).metadata
held("the table is zstd", meta.row_group(0).column(3).compression == "ZSTD", meta.row_group(0).column(3).compression)
