-- One statement a line; each is refused.
INSERT INTO frames VALUES (1)
UPDATE scores SET health = 1
DELETE FROM frames
DROP TABLE store.frames
DROP VIEW frames
CREATE TABLE x(a INT)
CREATE VIEW x AS SELECT 1
CREATE TEMP TABLE x AS SELECT 1
ALTER TABLE store.frames ADD COLUMN x INT
TRUNCATE store.frames
COPY frames TO '/tmp/x.csv'
COPY (SELECT 1) TO '/tmp/x.parquet'
COPY store.frames FROM '/tmp/x.csv'
ATTACH '/tmp/x.duckdb' AS x
DETACH mudpulse
PRAGMA database_list
PRAGMA memory_limit='1GB'
CALL pragma_version()
INSTALL httpfs
LOAD httpfs
CHECKPOINT
VACUUM
EXPORT DATABASE '/tmp/x'
IMPORT DATABASE '/tmp/x'
EXPLAIN SELECT 1
EXECUTE x
PREPARE x AS SELECT 1
SELECT 1; SELECT 2
SELECT 1; DROP VIEW frames
BEGIN; DELETE FROM frames; COMMIT
SET memory_limit='1GB'; SELECT 1
SELECT * FROM store.frames
SELECT * FROM mudpulse.store.frames
SELECT * FROM mudpulse.main.frames
SELECT * FROM read_parquet('/tmp/x.parquet')
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_csv_auto('/etc/passwd')
SELECT * FROM read_text('/etc/passwd')
SELECT * FROM read_blob('/etc/passwd')
SELECT * FROM read_json('/etc/passwd')
SELECT * FROM parquet_metadata('/tmp/x.parquet')
SELECT * FROM glob('/*')
SELECT * FROM '/etc/passwd.csv'
SELECT * FROM "/etc/passwd.csv"
WITH "/etc/passwd.csv" AS (SELECT 1) SELECT * FROM "/etc/passwd.csv"
SELECT * FROM (WITH "x.csv" AS (SELECT 1) SELECT * FROM "x.csv"), "x.csv"
WITH duckdb_settings AS (SELECT 1) SELECT * FROM duckdb_settings
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_settings
SELECT * FROM duckdb_secrets()
SELECT * FROM pragma_database_list
SELECT * FROM sqlite_master
SELECT * FROM pg_catalog.pg_settings
SELECT * FROM query('SELECT 1')
SELECT * FROM query_table('store.frames')
SELECT * FROM sql_auto_complete('SEL')
SELECT * FROM (SELECT * FROM store.sources)
SELECT (SELECT count(*) FROM store.sources)
SELECT count(*) FROM frames WHERE drill IN (SELECT drill FROM store.sources)
SELECT * FROM frames JOIN store.sources ON true
SELECT 1 UNION ALL SELECT count(*) FROM store.sources
WITH x AS (SELECT * FROM store.sources) SELECT * FROM x
SELECT current_setting('memory_limit')
SELECT getenv('HOME')
SELECT getvariable('x')
SELECT nextval('x')
SELECT * FROM frames ORDER BY getenv('HOME')
SELECT count(*) FILTER (WHERE getenv('HOME') = 'x') FROM frames
SELECT x.getenv('HOME')
SELECT list_transform([1], x -> getenv('HOME'))
SELECT write_log('x')
SHOW TABLES
SHOW ALL TABLES
DESCRIBE frames
SUMMARIZE frames
FROM store.frames
TABLE store.frames
SELECT * FROM no_such_view
SELECT no_such_column FROM frames
SELEC 1
