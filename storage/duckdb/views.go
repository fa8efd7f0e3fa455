package duckdb

import (
	"fmt"
	"strings"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Views are what SQL may read, by name. They hide numbered names, versions and
// where rows lie.
var Views = []string{"readings", "readings_fast", "readings_medium", "readings_slow", "readings_narrow", "frames", "scores", "outputs", "reasons", "health",
	"alarms", "commands", "labels", "drills", "quarantine", "activations", "channels", "gateways"}

// makeViews makes the views anew: they follow the catalogue.
func (s *Store) makeViews() error {
	const src = "s.drill, s.device, s.boot"
	var long []string
	var out []string
	view := func(name, comment, query string) {
		out = append(out, "CREATE OR REPLACE VIEW main."+name+" AS "+query, "COMMENT ON VIEW main."+name+" IS "+lit(comment))
	}
	for class := telemetry.Fast; class <= telemetry.Slow; class++ {
		t := s.tab.class[class]
		var cols, back []string
		for i, c := range t.cols[readingMeta:] {
			cols = append(cols, "r."+ident(c.name))
			long = append(long, fmt.Sprintf("SELECT %s, r.ts, %s AS channel, r.%s AS value, coalesce(substr(r.quality, %d, 1), '0')::UTINYINT AS quality, r.seq, r.part, r.arrived FROM store.%s r JOIN store.sources s ON s.src = r.src WHERE r.%s IS NOT NULL",
				src, lit(c.name), ident(c.name), i+1, t.name, ident(c.name)))
			back = append(back, c.name)
		}
		if len(cols) == 0 {
			cols = []string{"NULL AS nothing"}
		}
		view(t.name, fmt.Sprintf("Readings of the %s channels (%g Hz), a row per drill, device and sample time; SI units. quality: a digit per channel in the order %s (0 good, 1 stale, 2 out of range, 3 estimated); NULL: all good.",
			class, class.Hz(), strings.Join(back, " ")),
			fmt.Sprintf("SELECT %s, r.ts, %s, r.quality, r.seq, r.part, r.arrived FROM store.%s r JOIN store.sources s ON s.src = r.src", src, strings.Join(cols, ", "), t.name))
	}
	narrow := fmt.Sprintf("SELECT %s, r.ts, c.tag AS channel, r.value, r.quality, r.seq, r.part, r.arrived FROM store.readings_narrow r JOIN store.sources s ON s.src = r.src JOIN store.channels c ON c.ch = r.ch", src)
	long = append(long, narrow)
	view("readings_narrow", "Readings of all other channels, and of those not registered, a row per sample.", narrow)
	view("readings", "All readings, a row per sample and channel; SI units. quality: 0 good, 1 stale, 2 out of range, 3 estimated. The tables readings_fast, _medium and _slow have a column per channel.",
		strings.Join(long, " UNION ALL "))
	view("frames", "Messages as they were stored, a row per frame. origin: 0 live, 1 backfill.",
		"SELECT s.drill, s.device, s.boot, r.seq, r.part, r.uid, r.ts, r.ts_end, r.received, r.arrived, r.origin, r.simulated, r.flags, r.gateway, r.topic, r.readings FROM store.frames r JOIN store.sources s ON s.src = r.src")

	var subs strings.Builder
	for _, name := range telemetry.Subsystems {
		fmt.Fprintf(&subs, ", health_%[1]s, confidence_%[1]s", name)
	}
	const last = " QUALIFY row_number() OVER (PARTITION BY drill, tick ORDER BY ord DESC) = 1"
	view("scores", "What the models said, a row per drill and second in its last version; outputs and reasons are views of their own. Health 0 to 100; time_left in hours.",
		"SELECT drill, tick, state, state_since, health, confidence"+subs.String()+", time_left, time_left_low, time_left_high, origin, simulated, len(cause_seq) AS frames, arrived FROM store.scores"+last)
	view("health", "Health of drills, a row per drill and second.", "SELECT drill, tick, health, confidence, state"+subs.String()+" FROM store.scores"+last)
	view("outputs", "Models' outputs, a row per drill, second, model and output; text where the output is no number.",
		`WITH l AS (SELECT r.*, `+layoutNames+`)
SELECT drill, tick, n.model, n.shadow, n.output, v AS value, CASE WHEN texts IS NULL THEN NULL ELSE json_extract_string(texts, '$.t."' || (i - 1) || '"') END AS text
FROM (SELECT drill, tick, texts, unnest(names) AS n, unnest(outputs[:len(names)]) AS v, unnest(range(1, len(names) + 1)) AS i FROM l)`)
	view("reasons", "Where points of health went, a row per drill, second and reason.",
		`SELECT drill, tick, n->>'$.s' AS subsystem, n->>'$.m' AS model, n->>'$.c' AS code, n->>'$.f' AS feature, v[1] AS points, v[2] AS value, v[3] AS normal
FROM (SELECT drill, tick, unnest(from_json(l.names, '["JSON"]')) AS n, unnest(list_transform(range(0, len(reasons) // 3), k -> reasons[k * 3 + 1 : k * 3 + 3])) AS v
FROM (SELECT * FROM store.scores`+last+`) r JOIN store.layouts l ON l.layout = r.reasons_layout WHERE len(reasons) > 0)`)
	view("alarms", "Steps of alarms as they were detected: raised, cleared, amended. record is the whole event, its evidence with it, as JSON.",
		"SELECT id, event, drill, rule, ts, raised, priority, subsystem, record->>'$.title' AS title, record->>'$.reason' AS reason, record->>'$.signal' AS signal, (record->>'$.value')::DOUBLE AS value, (record->>'$.limit')::DOUBLE AS threshold, record->>'$.unit' AS unit, record->>'$.model' AS model, arrived, record FROM store.alarms")
	view("commands", "What people did to alarms.", `SELECT id, kind, drill, alarm, person, ts, text, value, arrived FROM store.commands`)
	view("labels", "Verdicts of people on alarms: right, wrong, unsure; the last of each alarm.",
		`SELECT c.drill, c.alarm, c.value AS verdict, c.person, c.ts, a.rule, a.raised FROM (SELECT * FROM store.commands WHERE kind = 'disposition' QUALIFY row_number() OVER (PARTITION BY alarm ORDER BY ts DESC, commit DESC) = 1) c
LEFT JOIN (SELECT id, any_value(rule) AS rule, min(raised) AS raised FROM store.alarms GROUP BY id) a ON a.id = c.alarm`)
	view("drills", "Drills, from the frames that are stored.",
		"SELECT s.drill, min(r.ts) AS first, max(r.ts_end) AS last, count(*) AS frames, sum(r.readings)::BIGINT AS readings FROM store.frames r JOIN store.sources s ON s.src = r.src GROUP BY s.drill")
	view("quarantine", "Messages and runs that were set aside: why, and what cures it.", "SELECT id, gateway, drill, device, topic, received, code, field, message, cure, raw, raw_size, arrived FROM store.quarantine")
	view("activations", "Switches of models, rules and channels.", `SELECT id, kind, name, version, action, sha256, shadow, person, ts, arrived FROM store.markers`)
	view("channels", "Channels: those with columns, and all others that frames brought.", s.channelsView())
	view("gateways", "The last status of each gateway, as JSON.", "SELECT gateway, max(ts) AS ts, arg_max(record, (ts, commit)) AS record FROM store.gateways GROUP BY gateway")
	for _, q := range out {
		if err := s.exec(q); err != nil {
			return fmt.Errorf("make views: %w", err)
		}
	}
	return nil
}

// layoutNames and its FROM unfold a layout of outputs into one name per number.
const layoutNames = `flatten(list_transform(from_json(l.names->'$.m', '[{"m":"VARCHAR","s":"BOOLEAN","o":["VARCHAR"]}]'),
m -> list_transform(m.o, o -> {'model': m.m, 'shadow': coalesce(m.s, false), 'output': o}))) AS names
FROM (SELECT * FROM store.scores QUALIFY row_number() OVER (PARTITION BY drill, tick ORDER BY ord DESC) = 1) r JOIN store.layouts l ON l.layout = r.layout`

func (s *Store) channelsView() string {
	var rows []string
	for class := telemetry.Fast; class <= telemetry.Slow; class++ {
		for _, c := range s.tab.class[class].cols[readingMeta:] {
			rows = append(rows, fmt.Sprintf("(%s, %s)", lit(c.name), lit(class.String())))
		}
	}
	q := `SELECT c.tag, 'narrow' AS class, r.record->>'$.unit' AS unit, r.record IS NOT NULL AS registered FROM store.channels c LEFT JOIN (SELECT lower(tag) AS tag, arg_max(record, commit) AS record FROM store.registered GROUP BY 1) r ON r.tag = lower(c.tag)`
	if len(rows) > 0 {
		q = "SELECT tag, class, NULL::VARCHAR AS unit, true AS registered FROM (VALUES " + strings.Join(rows, ", ") + ") v(tag, class) UNION ALL " + q
	}
	return q
}
