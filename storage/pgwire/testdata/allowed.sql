SELECT 1
;
SELECT * FROM readings LIMIT 5;
;
SELECT date_trunc('minute', ts) AS minute, avg(WOB), max(WOB), count(*) FROM readings_fast WHERE drill = 'RIG-07' AND ts BETWEEN '2026-11-22' AND '2026-11-23' GROUP BY 1 ORDER BY 1
;
SELECT time_bucket(INTERVAL '10 seconds', ts) AS t, channel, quantile_cont(value, 0.95) FROM readings GROUP BY ALL ORDER BY t
;
WITH h AS (SELECT drill, tick, health, lag(health) OVER (PARTITION BY drill ORDER BY tick) AS before FROM health) SELECT * FROM h WHERE health < before - 5
;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT * FROM n
;
SELECT drill, CASE WHEN health < 50 THEN 'bad' ELSE 'good' END AS what, count(*) FILTER (WHERE health IS NOT NULL) FROM scores GROUP BY 1, 2 HAVING count(*) > 1
;
SELECT * FROM drills d LEFT JOIN alarms a ON a.drill = d.drill WHERE d.drill LIKE 'RIG%' AND d.drill ~ '^RIG' AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.drill = d.drill)
;
SELECT * FROM main.frames ORDER BY ts DESC NULLS LAST LIMIT 3 OFFSET 1
;
SELECT g.t, f.seq FROM generate_series(TIMESTAMP '2026-11-22 10:00:00', TIMESTAMP '2026-11-22 10:00:10', INTERVAL '1 second') g(t) ASOF LEFT JOIN frames f ON f.ts <= g.t
;
PIVOT (SELECT drill, channel, value FROM readings) ON channel IN ('WOB', 'GR') USING avg(value)
;
SELECT DISTINCT ON (drill) drill, tick, health FROM scores ORDER BY drill, tick DESC
;
SELECT extract(epoch FROM now() - max(ts)) > 0 FROM frames
;
SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'main' ORDER BY 1, ordinal_position
;
SET extra_float_digits = 3
;
SHOW server_version
;
SELECT current_schema(), version(), current_database()
;
VALUES (1, 'a'), (2, 'b')
;
SELECT unnest([1, 2, 3]), {'a': 1}, [x * 2 for x in [1, 2]]
;
SELECT current_setting('server_version_num')::int/100 as version
;
SELECT extname FROM pg_extension WHERE extname = 'timescaledb'
;
SELECT CASE WHEN quote_ident(table_schema) IN (
  SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
  FROM generate_series(array_lower(string_to_array(current_setting('search_path'),','),1), array_upper(string_to_array(current_setting('search_path'),','),1)) as i,
  string_to_array(current_setting('search_path'),',') s)
 THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table"
FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache') ORDER BY 1
;
SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns WHERE quote_ident(table_name) = 'health'
