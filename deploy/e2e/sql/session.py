"""An analyst's session: psycopg with SQLAlchemy's reflection, prepared
statements, types, pandas, cancel. Takes the URL without its scheme; prints a
line for each thing that held and fails on the first that does not."""
import sys
import threading

import pandas
import psycopg
import sqlalchemy
from sqlalchemy import MetaData, Table, create_engine, func, inspect, select, text

where = sys.argv[1]
engine = create_engine("postgresql+psycopg://" + where)
views = {"readings", "scores", "health", "alarms", "drills", "features_1m", "labels"}


def held(what, ok, saw=""):
    if not ok:
        sys.exit(f"FAILED: {what}: {saw}")
    print("held:", what)


with engine.connect() as c:
    insp = inspect(c)
    found = set(insp.get_view_names()) | set(insp.get_table_names())
    held("reflection lists the views", views <= found, found)
    columns = {x["name"]: str(x["type"]) for x in insp.get_columns("health")}
    held("reflection knows columns and types", columns.get("health") == "DOUBLE PRECISION" and columns.get("tick") == "TIMESTAMP", columns)
    held("reflection reads the comment", len(insp.get_table_comment("health")["text"] or "") > 10)
    held("a view has no keys", not insp.get_pk_constraint("health")["constrained_columns"] and not insp.get_foreign_keys("health") and not insp.get_indexes("health"))
    health = Table("health", MetaData(), autoload_with=c)
    q = select(health.c.drill, func.count(), func.min(health.c.health)).where(health.c.health <= 100).group_by(health.c.drill)
    rows = c.execute(q).all()
    held("an expression of SQLAlchemy", len(rows) > 0 and rows[0][1] > 0, rows)
    frame = pandas.read_sql(text("SELECT ts, channel, value FROM readings WHERE drill = :d ORDER BY ts LIMIT 50"), c, params={"d": rows[0][0]})
    held("pandas reads times and numbers", len(frame) == 50 and frame["value"].dtype == "float64" and str(frame["ts"].dtype).startswith("datetime64"), frame.dtypes)

with psycopg.connect("postgresql://" + where) as c:
    for _ in range(8):  # psycopg prepares from the fifth time on
        n = c.execute("SELECT count(*) FROM health WHERE health > %s AND drill <> %s", (-1.0, "nobody")).fetchone()[0]
    held("a prepared statement, eight times", n > 0, n)
    n = c.execute("SELECT count(*) FROM readings WHERE value > %s", (0.5,), prepare=True, binary=True).fetchone()[0]
    held("binary format", n > 0, n)
    held("NULL, dates, booleans, text", c.execute("SELECT NULL, DATE '2026-11-22', true, 'ä', 12345678901::BIGINT, 1.5::DECIMAL(4,1)").fetchone()[1].year == 2026)
    try:
        c.execute("COPY health TO '/tmp/x'")
        held("COPY is refused", False)
    except psycopg.Error as e:
        held("COPY is refused", "SELECT" in str(e), e)
    c.rollback()
    timer = threading.Timer(0.5, c.cancel)
    timer.start()
    try:
        c.execute("SELECT count(*) FROM range(1000000000000) a WHERE a.range % 7 = 8")  # long, and takes no memory
        held("cancel", False)
    except psycopg.errors.QueryCanceled as e:
        held("cancel", "cancelled" in str(e), e)
    timer.join()
    c.rollback()
    try:
        c.execute("SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range * b.range = 7")
        held("a query that takes all memory is stopped", False)
    except psycopg.errors.OutOfMemory as e:
        held("a query that takes all memory is stopped", "narrow" in str(e), e)
    c.rollback()
    held("the connection goes on", c.execute("SELECT 1").fetchone() == (1,))
print("sqlalchemy", sqlalchemy.__version__, "psycopg", psycopg.__version__)
