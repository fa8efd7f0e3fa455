package clickhouse

import "fmt"

// views are what analysts ask: rows of completed commits, under the names that
// DuckDB's door has them by. Their user needs SELECT on these alone, which are defined by the platform's.
func (s *Store) views() []string {
	done := fmt.Sprintf("tx <= (SELECT max(tx) FROM %s) AND NOT arrayExists(r -> tx BETWEEN r.1 AND r.2, (SELECT groupArray((lo, hi)) FROM %s))", s.table("commits"), s.table("void"))
	var out []string
	for _, v := range [][2]string{
		{"readings", "SELECT fromUnixTimestamp64Nano(start + toInt64(i - 1) * every, 'UTC') AS ts, drill, channel, value, arrived FROM (SELECT drill, channel, toUnixTimestamp64Nano(ts) AS start, every, values, arrived FROM " + s.table("readings") + " WHERE " + done + ") ARRAY JOIN values AS value, arrayEnumerate(values) AS i WHERE NOT isNaN(value)"},
		{"frames", "SELECT * EXCEPT (source, runs, frame, tx) FROM " + s.table("frames") + " WHERE " + done},
		{"scores", "SELECT * EXCEPT (cause_source, content, record, n, tx) FROM " + s.table("scores") + " WHERE " + done + " ORDER BY drill, tick, tx DESC, n DESC LIMIT 1 BY drill, tick"},
		{"health", "SELECT drill, tick, health, confidence, state FROM " + s.table("scores") + " WHERE " + done + " ORDER BY drill, tick, tx DESC, n DESC LIMIT 1 BY drill, tick"},
		{"alarms", "SELECT * EXCEPT (n, tx) FROM " + s.table("alarms") + " WHERE " + done},
		{"commands", "SELECT * EXCEPT (n, tx) FROM " + s.table("commands") + " WHERE " + done},
		{"activations", "SELECT * EXCEPT (n, tx) FROM " + s.table("markers") + " WHERE " + done},
		{"quarantine", "SELECT * EXCEPT (n, tx) FROM " + s.table("quarantine") + " WHERE " + done},
		{"waveforms", "SELECT * EXCEPT (run, frame, tx) FROM " + s.table("waveforms") + " WHERE " + done},
	} {
		out = append(out, "CREATE OR REPLACE VIEW "+s.database+"."+v[0]+s.onCluster()+" AS "+v[1])
	}
	return out
}
