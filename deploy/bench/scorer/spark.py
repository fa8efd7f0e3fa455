"""Spark Structured Streaming with JPMML over the records that the scorer reads, in
JSON: Kafka -> PMML -> Kafka. Prints one line of JSON: records, seconds
and processor seconds of the JVM, from the end of the first batch on, and those up to there.

spark.py MODEL.pmml BROKER IN OUT JARS SECONDS CORES BATCH
"""

import json
import shutil
import sys
import tempfile
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

model, broker, source, sink, jars, seconds, cores, size = sys.argv[1:9]
spark = (
    SparkSession.builder.master(f"local[{cores}]")
    .config("spark.jars", jars)
    .config("spark.driver.memory", "3g")
    .config("spark.driver.extraJavaOptions", f"-Dpmml.model={model}")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.shuffle.partitions", cores)
    .config("spark.sql.streaming.numRecentProgressUpdates", "10000")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
spark.udf.registerJavaFunction("pmml", "PmmlUdf", T.DoubleType())
jvm = spark._jvm.java.lang.ProcessHandle.current().pid()


def cpu():  # of the JVM, in seconds; Python only waits
    with open(f"/proc/{jvm}/stat", encoding="utf-8") as f:
        field = f.read().rpartition(")")[2].split()
    return (int(field[11]) + int(field[12])) / 100


names = [f"f{i}" for i in range(12)]
schema = T.StructType([T.StructField("drill", T.StringType()), T.StructField("ts", T.LongType())] + [T.StructField(n, T.DoubleType()) for n in names])
scored = (
    spark.readStream.format("kafka")
    .option("kafka.bootstrap.servers", broker)
    .option("subscribe", source)
    .option("startingOffsets", "earliest")
    .option("maxOffsetsPerTrigger", size)
    .load()
    .select(F.from_json(F.col("value").cast("string"), schema).alias("r"))
    .select("r.*")
    .selectExpr("drill", "ts", f"pmml(struct({','.join(names)})) as p")
    .select(F.col("drill").alias("key"), F.to_json(F.struct("drill", "ts", "p")).alias("value"))
)
checkpoint = tempfile.mkdtemp(prefix="spark-checkpoint-")
query = (
    scored.writeStream.format("kafka").option("kafka.bootstrap.servers", broker).option("topic", sink).option("checkpointLocation", checkpoint).start()
)


def done():
    if not query.isActive:
        raise SystemExit(f"spark: {query.exception()}")
    batches = {}
    for p in query.recentProgress:
        p = p if isinstance(p, dict) else json.loads(p.json)
        if p["numInputRows"] > 0:
            batches[p["batchId"]] = p["numInputRows"]
    return batches


warm = None
limit = time.time() + 900
while warm is None and time.time() < limit:  # the first batch loads classes and compiles
    if done():
        warm = (sum(done().values()), time.time(), cpu())
    time.sleep(0.05)
if warm is None:
    raise SystemExit("spark: not warm within 900 s")
end = warm
while time.time() - warm[1] < float(seconds):
    n = sum(done().values())
    if n > end[0]:
        end = (n, time.time(), cpu())
    elif time.time() - end[1] > 20:
        break  # all is read
    time.sleep(0.05)
query.stop()
shutil.rmtree(checkpoint, ignore_errors=True)
print(json.dumps({"records": end[0] - warm[0], "seconds": end[1] - warm[1], "cpu": end[2] - warm[2], "start": warm[2], "version": spark.version}))
