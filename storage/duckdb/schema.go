package duckdb

import (
	"fmt"
	"strings"

	"github.com/mudpulse/mudpulse/telemetry"
)

// schemaVersion is stored; a store of another version is refused with its cure.
const schemaVersion = "2"

// tables is the physical layout, all append-only: what is told again is a new
// row, and the last counts. Pruning happens beside, off the commit path.
//
// Sources number the (drill, device, boot) of frames, so that a reading's row
// carries four bytes instead of three names. Boots that are made of a hash
// ("~…" of unnumbered frames, "b!…" of conflicts) share one source; the hash
// stands in frames.uid.
type tables struct {
	sources  *table
	channels *table // tags of the narrow table
	layouts  *table // names of a score's numbers

	rows dataTables // never written: they give views and queries their types

	alarms     *table
	commands   *table
	quarantine *table
	markers    *table
	gateways   *table
	accepted   *table
	registered *table
	commits    *table
	dedup      *table
	waveforms  *table // snapshots, whole
	lost       *table // what the log no longer had when it was to be stored
	retired    *table // numbers of frames that retention dropped, in stores of version 1
	amended    *table // versions of scores that are not the first of their tick
}

// dataTables are what grows with time. Each partition has its own.
type dataTables struct {
	class  [4]*table // by telemetry.Class; [Narrow] is nil
	narrow *table
	frames *table
	scores *table
}

// Datasets are the tables of a partition and the folders of sealed files.
const (
	dsFast   = "readings_fast"
	dsMedium = "readings_medium"
	dsSlow   = "readings_slow"
	dsNarrow = "readings_narrow"
	dsFrames = "frames"
	dsScores = "scores"
)

func (d *dataTables) all() []*table {
	return []*table{d.class[telemetry.Fast], d.class[telemetry.Medium], d.class[telemetry.Slow], d.narrow, d.frames, d.scores}
}

// readings are the tables of readings.
func (d *dataTables) readings() []*table { return d.all()[:4] }

// ofClass returns the table of a class.
func (d *dataTables) ofClass(c telemetry.Class) *table {
	if c == telemetry.Narrow {
		return d.narrow
	}
	return d.class[c]
}

// newDataTables lays out the tables of a partition; prefix comes before their names.
func newDataTables(cat *telemetry.Catalogue, prefix string) dataTables {
	var t dataTables
	t.narrow = newTable(prefix+dsNarrow, i32("src"), i32("ch"), stamp("ts"), f64("value"), u8("quality"),
		u64("seq"), u32("part"), stamp("arrived"), i32("hour"))
	t.frames = newTable(prefix+dsFrames, i32("src"), u64("seq"), u32("part"), u64("uid"), stamp("ts"), stamp("ts_end"), stamp("received"), stamp("arrived"),
		u8("origin"), boolean("simulated"), u32("flags"), u64("hash"), text("gateway"), text("topic"), i32("readings"), i32("rows"), i64("commit"), i32("hour"), u32("place"))
	for _, class := range classesWithColumns {
		cols := []*column{i32("src"), stamp("ts"), u64("seq"), u32("part"), stamp("arrived"), text("quality"), i32("hour")}
		for _, ch := range cat.OfClass(class) {
			if !ch.User {
				cols = append(cols, f64(ch.Tag))
			}
		}
		t.class[class] = newTable(prefix+"readings_"+class.String(), cols...)
	}
	scores := []*column{text("drill"), stamp("tick"), u64("cause_hash"), u64("content"), u8("origin"), boolean("simulated"), text("state"), stamp("state_since"),
		f64("health"), f64("confidence")}
	for _, s := range telemetry.Subsystems {
		scores = append(scores, f64("health_"+s), f64("confidence_"+s))
	}
	scores = append(scores, f64("time_left"), f64("time_left_low"), f64("time_left_high"),
		i32("layout"), listF64("outputs"), text("texts"), i32("reasons_layout"), listF64("reasons"),
		listI32("cause_src"), listU64("cause_seq"), listU64("cause_part"), listU64("cause_uid"), stamp("produced"), stamp("arrived"), i64("ord"), i32("hour"))
	t.scores = newTable(prefix+dsScores, scores...)
	return t
}

var classesWithColumns = []telemetry.Class{telemetry.Fast, telemetry.Medium, telemetry.Slow}

func newTables(cat *telemetry.Catalogue) *tables {
	t := &tables{
		sources:  newTable("sources", i32("src"), text("drill"), text("device"), text("boot")),
		channels: newTable("channels", i32("ch"), text("tag")),
		layouts:  newTable("layouts", i32("layout"), text("names")),
		alarms: newTable("alarms", text("id"), text("event"), text("drill"), text("rule"), stamp("ts"), stamp("raised"), u8("priority"),
			text("subsystem"), stamp("arrived"), i64("commit"), text("record")),
		commands: newTable("commands", text("id"), text("kind"), text("drill"), text("alarm"), text("person"), stamp("ts"), text("text"), text("value"), stamp("arrived"), i64("commit"), text("record")),
		quarantine: newTable("quarantine", text("id"), text("gateway"), text("drill"), text("device"), text("topic"), stamp("received"), text("code"), text("field"),
			text("message"), text("cure"), text("record"), blob("raw"), i32("raw_size"), stamp("arrived"), i64("commit")),
		markers: newTable("markers", text("id"), text("kind"), text("name"), i32("version"), text("action"), text("sha256"), boolean("shadow"), text("person"), stamp("ts"),
			stamp("arrived"), i64("commit"), text("record")),
		gateways:   newTable("gateways", text("gateway"), stamp("ts"), i64("commit"), text("record")),
		accepted:   newTable("accepted", text("gateway"), i32("src"), i64("commit"), u64("lo"), u64("hi")),
		registered: newTable("registered", text("tag"), i64("commit"), text("record")),
		commits:    newTable("commits", i64("commit"), stamp("arrived"), text("cluster"), text("offsets")),
		dedup:      newTable("dedup", i64("commit"), blob("state")),
		waveforms: newTable("waveforms", i32("src"), u64("seq"), u32("part"), u64("uid"), text("channel"), stamp("ts"), i64("offset_ns"), i64("every_ns"), f64("shaft"),
			listF64("samples"), blob("quality"), stamp("arrived"), i64("commit")),
		lost:    newTable("lost", text("topic"), i32("place"), i64("lo"), i64("hi"), stamp("arrived"), i64("commit")),
		amended: newTable("amended", text("drill"), stamp("tick"), i64("ord")),
		retired: newTable("retired", i32("src"), u64("lo"), u64("hi"), u64("n")),
	}
	t.rows = newDataTables(cat, "")
	return t
}

// readingMeta is how many columns of a class table stand before its channels.
const readingMeta = 7

// global are the tables that do not grow by the hour.
func (t *tables) global() []*table {
	return []*table{t.sources, t.channels, t.layouts, t.alarms, t.commands, t.quarantine, t.markers, t.gateways, t.accepted, t.registered, t.commits, t.dedup, t.waveforms, t.lost, t.retired, t.amended}
}

// ddl returns the statements that make what is missing.
func (t *tables) ddl() []string {
	out := []string{"CREATE SCHEMA IF NOT EXISTS store", "CREATE TABLE IF NOT EXISTS store.meta(key VARCHAR, value VARCHAR)"}
	for _, tab := range append(t.global(), t.rows.all()...) {
		out = append(out, tab.create("CREATE TABLE IF NOT EXISTS"))
	}
	return append(out, partsDDL...)
}

func (t *table) create(how string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s store.%s(", how, t.name)
	for i, c := range t.cols {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(ident(c.name) + " " + c.sql)
	}
	b.WriteString(")")
	return b.String()
}

// ident quotes a name for SQL.
func ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// lit quotes a text for SQL.
func lit(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
