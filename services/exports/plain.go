package exports

import (
	"context"
	"fmt"
	"strings"
)

// plain writes readings or scores as the views have them, sorted by drill and time.
func plain(ctx context.Context, p *plan, src source, file string) (int64, error) {
	var drills []string
	for _, d := range p.drills {
		drills = append(drills, lit(d))
	}
	at, order := "ts", "drill, ts, channel, device, boot, seq, part"
	if p.Table == Scores {
		at, order = "tick", "drill, tick"
	}
	where := fmt.Sprintf("drill IN (%s) AND %[2]s >= make_timestamp(%[3]d) AND %[2]s < make_timestamp(%[4]d)", strings.Join(drills, ", "), at, floorDiv(p.from, 1000), floorDiv(p.to, 1000))
	if len(p.Columns) > 0 {
		var channels []string
		for _, c := range p.Columns {
			channels = append(channels, lit(c))
		}
		where += " AND channel IN (" + strings.Join(channels, ", ") + ")"
	}
	q := "SELECT * FROM main." + p.Table + " WHERE " + where + " ORDER BY " + order
	if p.Limit > 0 {
		q += fmt.Sprintf(" LIMIT %d", p.Limit)
	}
	r, err := src.SQL().ExecContext(ctx, copyTo(q, file, p.Format))
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", p.Table, err)
	}
	return r.RowsAffected()
}
