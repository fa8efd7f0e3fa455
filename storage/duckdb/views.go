package duckdb

import (
	"fmt"
	"strings"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Views are what SQL may read, by name. They hide numbered names, versions and
// where rows lie.
var Views = []string{"readings", "readings_fast", "readings_medium", "readings_slow", "readings_narrow", "frames", "scores", "outputs", "reasons", "health",
	"features_1m", "score_versions", "alarms", "commands", "labels", "drills", "quarantine", "activations", "decided", "channels", "gateways", "waveforms"}

// makeViews makes the views anew: they follow the catalogue.
func (s *Store) makeViews() error {
	const src = "s.drill, s.device, s.boot"
	var long []string
	var out []string
	view := func(name, comment, query string) {
		out = append(out, "CREATE OR REPLACE VIEW main."+name+" AS "+query, "COMMENT ON VIEW main."+name+" IS "+lit(comment))
	}
	for class := telemetry.Fast; class <= telemetry.Slow; class++ {
		t := s.tab.rows.class[class]
		var cols, back []string
		for i, c := range t.cols[readingMeta:] {
			cols = append(cols, "r."+ident(c.name))
			long = append(long, fmt.Sprintf("SELECT r.src, r.ts, %s AS channel, r.%s AS value, coalesce(substr(r.quality, %d, 1), '0')::UTINYINT AS quality, r.seq, r.part, r.arrived FROM store.all_%s r WHERE r.%s IS NOT NULL",
				lit(c.name), ident(c.name), i+1, t.name, ident(c.name)))
			back = append(back, c.name)
		}
		if len(cols) == 0 {
			cols = []string{"NULL AS nothing"}
		}
		view(t.name, fmt.Sprintf("Readings of the %s channels (%g Hz), a row per drill, device and sample time; SI units. quality: a digit per channel in the order %s (0 good, 1 stale, 2 out of range, 3 estimated); NULL: all good.",
			class, class.Hz(), strings.Join(back, " ")),
			fmt.Sprintf("SELECT %s, r.ts, %s, r.quality, r.seq, r.part, r.arrived FROM store.all_%s r JOIN store.sources s ON s.src = r.src", src, strings.Join(cols, ", "), t.name))
	}
	const narrow = "SELECT r.src, r.ts, c.tag AS channel, r.value, r.quality, r.seq, r.part, r.arrived FROM store.all_readings_narrow r JOIN store.channels c ON c.ch = r.ch"
	named := func(rows string) string { // the join is outside: one for all channels
		return "SELECT " + src + ", r.* EXCLUDE (src) FROM (" + rows + ") r JOIN store.sources s ON s.src = r.src"
	}
	long = append(long, narrow)
	view("readings_narrow", "Readings of all other channels, and of those not registered, a row per sample.", named(narrow))
	view("readings", "All readings, a row per sample and channel; SI units. quality: 0 good, 1 stale, 2 out of range, 3 estimated. The tables readings_fast, _medium and _slow have a column per channel.",
		named(strings.Join(long, " UNION ALL ")))
	view("frames", "Messages as they were stored, a row per frame. origin: 0 live, 1 backfill.",
		"SELECT s.drill, s.device, s.boot, r.seq, r.part, r.uid, r.ts, r.ts_end, r.received, r.arrived, r.origin, r.simulated, r.flags, r.gateway, r.topic, r.readings FROM store.all_frames r JOIN store.sources s ON s.src = r.src")

	var subs strings.Builder
	for _, name := range telemetry.Subsystems {
		fmt.Fprintf(&subs, ", health_%[1]s, confidence_%[1]s", name)
	}
	view("scores", "What the models said, a row per drill and second in its last version; outputs and reasons are views of their own. Health 0 to 100; time_left in hours; runs names the bit and other parts in place, a JSON list.",
		"SELECT drill, tick, state, state_since, health, confidence"+subs.String()+", time_left, time_left_low, time_left_high, origin, simulated, len(cause_seq) AS frames, arrived, l.names->>'$.r' AS runs FROM "+lastScores+" LEFT JOIN store.layouts l ON l.layout = r.layout")
	view("health", "Health of drills, a row per drill and second.", "SELECT drill, tick, health, confidence, state"+subs.String()+" FROM "+lastScores)
	view("outputs", "Models' outputs, a row per drill, second, model and output; text where the output is no number.",
		`SELECT drill, tick, n.model, n.shadow, n.output, v AS value, CASE WHEN texts IS NULL THEN NULL ELSE json_extract_string(texts, '$.t."' || (i - 1) || '"') END AS text
FROM (SELECT drill, tick, texts, unnest(names) AS n, unnest(outputs[:len(names)]) AS v, unnest(range(1, len(names) + 1)) AS i FROM `+lastScores+` JOIN `+layoutNames+` l ON l.layout = r.layout)`)
	view("reasons", "Where points of health went, a row per drill, second and reason.",
		`SELECT drill, tick, n->>'$.s' AS subsystem, n->>'$.m' AS model, n->>'$.c' AS code, n->>'$.f' AS feature, v[1] AS points, v[2] AS value, v[3] AS normal
FROM (SELECT drill, tick, unnest(from_json(l.names, '["JSON"]')) AS n, unnest(list_transform(range(0, len(reasons) // 3), k -> reasons[k * 3 + 1 : k * 3 + 3])) AS v
FROM `+lastScores+` JOIN store.layouts l ON l.layout = r.reasons_layout WHERE len(reasons) > 0)`)
	view("alarms", "Steps of alarms as they were detected: raised, cleared, amended. record is the whole event, its evidence with it, as JSON.",
		"SELECT id, event, drill, rule, ts, raised, priority, subsystem, record->>'$.title' AS title, record->>'$.reason' AS reason, record->>'$.signal' AS signal, (record->>'$.value')::DOUBLE AS value, (record->>'$.limit')::DOUBLE AS threshold, record->>'$.unit' AS unit, record->>'$.model' AS model, arrived, record FROM store.alarms")
	view("commands", "What people did to alarms.", `SELECT id, kind, drill, alarm, person, ts, text, value, arrived FROM store.commands`)
	view("labels", "Verdicts of people on alarms: right, wrong, unsure; the last of each alarm.",
		`SELECT c.drill, c.alarm, c.value AS verdict, c.person, c.ts, a.rule, a.raised FROM (SELECT * FROM store.commands WHERE kind = 'disposition' QUALIFY row_number() OVER (PARTITION BY alarm ORDER BY ts DESC, commit DESC) = 1) c
LEFT JOIN (SELECT id, any_value(rule) AS rule, min(raised) AS raised FROM store.alarms GROUP BY id) a ON a.id = c.alarm`)
	view("drills", "Drills, from the frames that were stored.",
		"SELECT s.drill, min(r.first) AS first, max(r.last) AS last, sum(r.frames)::BIGINT AS frames, sum(r.readings)::BIGINT AS readings FROM (SELECT src, min(ts) AS first, max(ts_end) AS last, count(*) AS frames, sum(readings) AS readings FROM store.hot_frames GROUP BY src"+
			" UNION ALL SELECT src, make_timestamp(first_ts), make_timestamp(last_ts), frames, readings FROM store.sealed_sources WHERE "+notHot+") r JOIN store.sources s ON s.src = r.src GROUP BY s.drill")
	view("features_1m", "Features by the minute, a row per drill, minute and channel; at most half a minute behind the readings. Put together when it is asked: name a day or a channel.", s.featuresView())
	view("score_versions", "Every version of every score: arrived says since when it was known, ord which is later. What was known at T: arrived <= T, the greatest ord of each drill and tick.",
		"SELECT drill, tick, arrived, ord, produced, state, health, confidence"+subs.String()+", time_left, cause_hash, origin, simulated FROM store.all_scores")
	view("waveforms", "Snapshots of waveforms, a row each: when it began, rate in samples a second, count of samples, shaft's speed in rpm, bytes that its samples take. The samples: GET /api/v1/drills/DRILL/waveforms.",
		"SELECT s.drill, w.channel, w.ts, 1e9 / nullif(w.every_ns, 0) AS rate, len(w.samples) AS count, w.shaft, (8 * len(w.samples) + coalesce(octet_length(w.quality), 0))::BIGINT AS bytes, w.arrived FROM store.waveforms w JOIN store.sources s ON s.src = w.src")
	view("quarantine", "Messages and runs that were set aside: why, and what cures it.", "SELECT id, gateway, drill, device, topic, received, code, field, message, cure, raw, raw_size, arrived FROM store.quarantine")
	view("activations", "Switches of models, rules and channels.", `SELECT id, kind, name, version, action, sha256, shadow, person, ts, arrived FROM store.markers`)
	view("decided", "Which version of a model judged, from since to until (NULL: still): role on, canary (in its place, on these drills) or shadow; drills are globs, NULL all. To the second: the model of each row of outputs.", `
WITH m AS (SELECT name AS model, version, action, sha256, person, ts, from_json(record->'$.drills', '["VARCHAR"]') AS drills, row_number() OVER (ORDER BY ts, commit, rowid) AS n,
CASE WHEN shadow THEN 'shadow' WHEN coalesce((record->>'$.canary')::BOOLEAN, false) THEN 'canary' ELSE 'on' END AS role FROM store.markers WHERE kind = 'model')
SELECT a.model, a.version, a.role, a.drills, a.ts AS since, min(b.ts) AS until, a.person, a.sha256
FROM m a LEFT JOIN m b ON b.model = a.model AND b.n > a.n AND (b.role = a.role OR a.role = 'canary' AND b.role = 'on' AND b.action = 'deactivate')
WHERE a.action = 'activate' GROUP BY a.model, a.version, a.role, a.drills, a.ts, a.person, a.sha256, a.n`)
	view("channels", "Channels: those with columns, and all others that frames brought.", s.channelsView())
	view("gateways", "The last status of each gateway, as JSON.", "SELECT gateway, max(ts) AS ts, arg_max(record, (ts, commit)) AS record FROM store.gateways GROUP BY gateway")
	for _, q := range out {
		if err := s.exec(q); err != nil {
			return fmt.Errorf("make views: %w", err)
		}
	}
	return nil
}

// lastScores are the scores in their last versions. Hardly any tick has a second
// one, and which do is noted: so nothing is sorted or gathered, and a LIMIT ends the scan.
const lastScores = "store.all_scores r ANTI JOIN store.amended later ON later.drill = r.drill AND later.tick = r.tick AND later.ord > r.ord"

// layoutNames are the layouts of outputs, each unfolded once into one name per number.
const layoutNames = `(SELECT layout, flatten(list_transform(from_json(names->'$.m', '[{"m":"VARCHAR","s":"BOOLEAN","o":["VARCHAR"]}]'),
m -> list_transform(m.o, o -> {'model': m.m, 'shadow': coalesce(m.s, false), 'output': o}))) AS names FROM store.layouts)`

func (s *Store) channelsView() string {
	var rows []string
	for class := telemetry.Fast; class <= telemetry.Slow; class++ {
		for _, c := range s.tab.rows.class[class].cols[readingMeta:] {
			rows = append(rows, fmt.Sprintf("(%s, %s)", lit(c.name), lit(class.String())))
		}
	}
	q := `SELECT c.tag, 'narrow' AS class, r.record->>'$.unit' AS unit, r.record IS NOT NULL AS registered FROM store.channels c LEFT JOIN (SELECT lower(tag) AS tag, arg_max(record, commit) AS record FROM store.registered GROUP BY 1) r ON r.tag = lower(c.tag)`
	if len(rows) > 0 {
		q = "SELECT tag, class, NULL::VARCHAR AS unit, true AS registered FROM (VALUES " + strings.Join(rows, ", ") + ") v(tag, class) UNION ALL " + q
	}
	return q
}

// featuresView is long: a row per channel, merged over partitions.
func (s *Store) featuresView() string {
	var rows []string
	for _, class := range rollupClasses {
		for _, ch := range rollupChannels(&s.tab.rows, class) {
			col := func(v string) string { return ident(rollupColumn(ch, v)) }
			tag, join := lit(ch), ""
			if class == telemetry.Narrow {
				tag, join = "c.tag", " JOIN store.channels c ON c.ch = r.ch"
			}
			rows = append(rows, fmt.Sprintf("SELECT r.src, r.bucket, %s AS channel, r.%s AS n, r.%s AS total, r.%s AS lo, r.%s AS hi, r.%s AS first, r.%s AS last, r.first_ts, r.last_ts FROM store.all_%s r%s WHERE r.step = 60 AND r.%s > 0",
				tag, col("n"), col("sum"), col("min"), col("max"), col("first"), col("last"), rollupName(class), join, col("n")))
		}
	}
	return "SELECT s.drill, r.bucket AS minute, r.channel, sum(r.n)::BIGINT AS n, sum(r.total) / sum(r.n) AS mean, min(r.lo) AS min, max(r.hi) AS max, arg_min(r.first, r.first_ts) AS first, arg_max(r.last, r.last_ts) AS last FROM (" +
		strings.Join(rows, " UNION ALL ") + ") r JOIN store.sources s ON s.src = r.src GROUP BY s.drill, r.bucket, r.channel"
}

// makeDataViews makes the inner views that join the partitions: all of them, and
// the hot frames. It runs in the transaction that changes which there are.
func (s *Store) makeDataViews(hot []*part, files []*file) error {
	l := layout{s: s, hot: hot, files: files}
	for _, ds := range datasets() {
		var cols []string
		for _, c := range s.columnsOf[ds] {
			if c[0] != "hour" {
				cols = append(cols, ident(c[0]))
			}
		}
		if err := s.exec("CREATE OR REPLACE VIEW store.all_" + ds + " AS " + l.from(ds, strings.Join(cols, ", "), "")); err != nil {
			return fmt.Errorf("view of %s: %w", ds, err)
		}
	}
	l.files = nil
	return s.exec("CREATE OR REPLACE VIEW store.hot_frames AS " + l.from(dsFrames, "src, ts, ts_end, readings", ""))
}
