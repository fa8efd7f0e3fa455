"""Reads sealed hours as they lie, and an exported table, with Spark as it comes: its
vectorized reader refuses encodings that others know. Every column of every table is
read. Prints a line for each thing that held and fails on the first that does not."""
import sys
from pathlib import Path

from pyspark.sql import SparkSession

sealed, table, rows, total = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])


def held(what, ok, saw=""):
    if not ok:
        sys.exit(f"FAILED: {what}: {saw}")
    print("held:", what)


spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC")
         .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").config("spark.driver.memory", "512m").config("spark.ui.showConsoleProgress", "false").getOrCreate())
spark.sparkContext.setLogLevel("OFF")
held("its vectorized reader is on", spark.conf.get("spark.sql.parquet.enableVectorizedReader") == "true")
for folder in sorted(p for p in sealed.iterdir() if p.is_dir()):
    df = spark.read.parquet(str(folder))
    got = df.selectExpr("count(*)", *(f"count(`{c}`)" for c in df.columns)).first()
    held(f"Spark reads every column of {folder.name}", got[0] > 0, got)
fast = spark.read.parquet(str(sealed / "readings_fast"))
n, s = fast.selectExpr("count(*)", "sum(SPP)").first()
held("Spark sees the same numbers", n == rows and abs(s - total) < 1e-6 * total, (n, s))
hours = {tuple(r) for r in fast.selectExpr("day = date(ts) AND hour = hour(ts)").distinct().collect()}
held("folders are hours of event time", hours == {(True,)}, hours)
names = {r[0] for r in spark.read.parquet(str(sealed / "scores")).select("output_names").distinct().collect()}
held("scores carry their names", all("wear" in x for x in names), names)
t = spark.read.parquet(table)
held("Spark reads an exported table", t.selectExpr("count(*)", *(f"count(`{c}`)" for c in t.columns)).first()[0] == 2 * 180, t.columns)
spark.stop()
