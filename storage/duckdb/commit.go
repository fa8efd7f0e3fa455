package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
	"github.com/mudpulse/mudpulse/storage/internal/present"
	"github.com/mudpulse/mudpulse/telemetry"
)

// errClosed is returned by a store that was closed.
var errClosed = errors.New("the store is closed")

// Commit stores a batch in one transaction: all of it, offsets and
// de-duplication state with it, or nothing. What lies in the batch twice, or is
// stored already under the same identity and content, is stored once; frames
// are the caller's to de-duplicate. On an error the batch may be committed again.
func (s *Store) Commit(ctx context.Context, b *storage.Batch) error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.closed {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.begin()
	commit := s.commit + 1
	offsets, cluster := s.mergeOffsets(b)
	if err := s.fill(ctx, b, commit, cluster, offsets); err != nil {
		s.takeBack()
		return fmt.Errorf("commit: %w", invalidated(err))
	}
	s.guard.room(ctx)
	if err := s.reserve.commit(s.write); err != nil {
		s.takeBack()
		s.mem.Doubt(b)
		return fmt.Errorf("commit: %w", err)
	}
	s.commit, s.offsets, s.cluster = commit, offsets, cluster
	if b.Dedup != nil {
		s.dedupAt = commit
	}
	s.readings.Add(s.pendingReadings)
	s.keepParts()
	s.book.committed(s, b, commit)
	s.register(b.Channels)
	s.mem.Committed(b, s.kept, s.content, func(tag string) bool { return s.where(tag).class == telemetry.Waveform })
	return nil
}

func (s *Store) mergeOffsets(b *storage.Batch) (map[topicPartition]int64, string) {
	cluster := s.cluster
	out := make(map[topicPartition]int64, len(s.offsets)+len(b.Offsets))
	if b.Cluster == "" || b.Cluster == s.cluster {
		for k, v := range s.offsets {
			out[k] = v
		}
	} else {
		cluster = b.Cluster // positions of another log are void
	}
	for _, o := range b.Offsets {
		out[topicPartition{o.Topic, o.Partition}] = o.Next
	}
	return out, cluster
}

// fill lays the batch out as rows.
func (s *Store) fill(ctx context.Context, b *storage.Batch, commit int64, cluster string, offsets map[topicPartition]int64) error {
	frames := b.Frames()
	for i := range frames {
		s.addFrame(&frames[i], b.Arrived, commit)
	}
	if err := s.fillScores(ctx, b); err != nil {
		return err
	}
	at := us(b.Arrived)
	for i := range b.Gateways {
		g := b.Gateways[i]
		for _, a := range g.Accepted {
			base, _ := ledger.SplitBoot(a.Boot)
			src := s.source(a.Drill, a.Device, base)
			for _, r := range a.Ranges {
				s.tab.accepted.add(g.Gateway, src, commit, r[0], r[1])
			}
		}
		g.Accepted = nil
		text, err := json.Marshal(g)
		if err != nil {
			return fmt.Errorf("gateway status of %s: %w", g.Gateway, err)
		}
		s.tab.gateways.add(g.Gateway, us(g.At), commit, string(text))
	}
	if err := s.fillSmall(ctx, b, commit, at); err != nil {
		return err
	}
	for _, ch := range b.Channels {
		text, err := json.Marshal(ch)
		if err != nil {
			return fmt.Errorf("channel %s: %w", ch.Tag, err)
		}
		s.tab.registered.add(ch.Tag, commit, string(text))
	}
	for _, l := range b.Lost {
		s.tab.lost.add(l.Topic, l.Partition, l.From, l.To, at, commit)
	}
	if b.Dedup != nil {
		s.tab.dedup.add(commit, b.Dedup)
	}
	list := make([]storage.Offset, 0, len(offsets))
	for k, v := range offsets {
		list = append(list, storage.Offset{Topic: k.topic, Partition: k.partition, Next: v})
	}
	slices.SortFunc(list, func(a, b storage.Offset) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition) - int(b.Partition)
	})
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("offsets: %w", err)
	}
	s.tab.commits.add(commit, at, cluster, string(text))
	return nil
}

// fillSmall lays out what is stored once per id.
func (s *Store) fillSmall(ctx context.Context, b *storage.Batch, commit, at int64) error {
	var ids []string
	for i := range b.Alarms {
		ids = append(ids, alarmKey(&b.Alarms[i]))
	}
	seen, err := s.known(ctx, "SELECT concat(id, ' ', event, ' ', epoch_us(ts)) FROM store.alarms WHERE concat(id, ' ', event, ' ', epoch_us(ts))", ids)
	if err != nil {
		return err
	}
	for i := range b.Alarms {
		a := &b.Alarms[i]
		if seen[alarmKey(a)] {
			continue
		}
		seen[alarmKey(a)] = true
		text, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("alarm %s: %w", a.ID, err)
		}
		s.tab.alarms.add(a.ID, a.Event, a.Drill, a.Rule, us(a.At), us(a.Raised), byte(a.Priority), a.Subsystem, at, commit, string(text))
	}

	ids = ids[:0]
	for i := range b.Commands {
		ids = append(ids, b.Commands[i].ID)
	}
	if seen, err = s.known(ctx, "SELECT id FROM store.commands WHERE id", ids); err != nil {
		return err
	}
	for i := range b.Commands {
		c := &b.Commands[i]
		if seen[c.ID] {
			continue
		}
		seen[c.ID] = true
		text, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("command %s: %w", c.ID, err)
		}
		s.tab.commands.add(c.ID, c.Kind, c.Drill, c.Alarm, c.By, us(c.At), c.Text, c.Value, at, commit, string(text))
	}

	ids = ids[:0]
	for i := range b.Markers {
		ids = append(ids, b.Markers[i].ID)
	}
	if seen, err = s.known(ctx, "SELECT id FROM store.markers WHERE id", ids); err != nil {
		return err
	}
	for i := range b.Markers {
		m := &b.Markers[i]
		if seen[m.ID] {
			continue
		}
		seen[m.ID] = true
		text, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("marker %s: %w", m.ID, err)
		}
		s.tab.markers.add(m.ID, m.Kind, m.Name, m.Version, m.Action, m.SHA256, m.Shadow, m.By, us(m.At), at, commit, string(text))
	}

	ids = ids[:0]
	for i := range b.Quarantined {
		ids = append(ids, b.Quarantined[i].ID)
	}
	if seen, err = s.known(ctx, "SELECT id FROM store.quarantine WHERE id", ids); err != nil {
		return err
	}
	for i := range b.Quarantined {
		q := b.Quarantined[i]
		if seen[q.ID] {
			continue
		}
		seen[q.ID] = true
		raw := q.Raw
		q.Raw = nil
		text, err := json.Marshal(q)
		if err != nil {
			return fmt.Errorf("quarantined %s: %w", q.ID, err)
		}
		s.tab.quarantine.add(q.ID, q.Gateway, q.Drill, q.Device, q.Topic, us(q.Received), q.Code, q.Field, q.Message, q.Cure, string(text), raw, q.RawSize, at, commit)
	}
	return nil
}

func alarmKey(a *telemetry.AlarmEvent) string {
	return fmt.Sprintf("%s %s %d", a.ID, a.Event, us(a.At))
}

// known returns which of ids the query, which ends in the compared expression, finds.
func (s *Store) known(ctx context.Context, query string, ids []string) (map[string]bool, error) {
	out := map[string]bool{}
	for from := 0; from < len(ids); from += 1000 {
		part := ids[from:min(from+1000, len(ids))]
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = id
		}
		rows, err := s.db.QueryContext(ctx, query+" IN (?"+strings.Repeat(",?", len(part)-1)+")", args...)
		if err != nil {
			return nil, fmt.Errorf("look up ids: %w", err)
		}
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				rows.Close()
				return nil, fmt.Errorf("look up ids: %w", err)
			}
			out[id] = true
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, fmt.Errorf("look up ids: %w", err)
		}
	}
	return out, nil
}

// fillScores lays out the scores that are not stored yet. A scorer that starts
// again repeats records: a tick that is not newer than its drill's last is
// looked up, by tick, cause and content: in memory, and in the tables where it is older than that.
// A version that is not its tick's first is noted in amended.
func (s *Store) fillScores(ctx context.Context, b *storage.Batch) error {
	s.kept = s.kept[:0]
	if len(b.Scores) == 0 {
		return nil
	}
	s.content = s.content[:0]
	newest := map[string]int64{}
	var doubtful []int
	for i := range b.Scores {
		sc := &b.Scores[i]
		s.content = append(s.content, present.ContentHash(&s.scratch, sc))
		last, ok := newest[sc.Drill]
		if !ok {
			last = s.mem.LastTick(sc.Drill)
		}
		if us(sc.Tick) <= us(last) && last != present.NoTick {
			doubtful = append(doubtful, i)
		}
		newest[sc.Drill] = max(last, sc.Tick)
	}
	content := s.content
	skip, again := make(map[int]bool, len(doubtful)), make(map[int]bool, len(doubtful)) // stored; another version of its tick is
	ask := s.mem.Settle(b, content, doubtful, skip, again)
	for from := 0; from < len(ask); from += 500 {
		part := ask[from:min(from+500, len(ask))]
		var q strings.Builder
		args := make([]any, 0, len(part))
		lo, hi := us(b.Scores[part[0]].Tick), us(b.Scores[part[0]].Tick)
		for n, i := range part {
			sc := &b.Scores[i]
			if n > 0 {
				q.WriteByte(',')
			}
			fmt.Fprintf(&q, "(%d, ?, make_timestamp(%d), %d::UBIGINT, %d::UBIGINT)", i, us(sc.Tick), sc.CauseHash, content[i])
			args = append(args, sc.Drill)
			lo, hi = min(lo, us(sc.Tick)), max(hi, us(sc.Tick))
		}
		err := s.ask(ctx, func(l layout) string {
			rows := l.within(lo, hi+1).from(dsScores, "drill, tick, cause_hash, content", fmt.Sprintf("tick BETWEEN make_timestamp(%d) AND make_timestamp(%d)", lo, hi))
			return "SELECT v.i, bool_or(s.cause_hash = v.cause AND s.content = v.content) FROM (VALUES " + q.String() + ") v(i, drill, tick, cause, content) JOIN (" + rows +
				") s ON s.drill = v.drill AND s.tick = v.tick GROUP BY v.i"
		}, func(r *sql.Rows) error {
			var i int
			var same bool
			if err := r.Scan(&i, &same); err != nil {
				return err
			}
			skip[i], again[i] = same, true
			return nil
		}, args...)
		if err != nil {
			return fmt.Errorf("look up scores: %w", err)
		}
	}
	type identity struct {
		drill          string
		tick           int64
		cause, content uint64
	}
	type tickOf struct {
		drill string
		tick  int64
	}
	batch, ticks := make(map[identity]bool, len(doubtful)), make(map[tickOf]bool, len(doubtful))
	isDoubtful := make(map[int]bool, len(doubtful))
	for _, i := range doubtful {
		isDoubtful[i] = true
	}
	for i := range b.Scores {
		sc := &b.Scores[i]
		if len(doubtful) > 0 {
			id := identity{sc.Drill, us(sc.Tick), sc.CauseHash, content[i]}
			if skip[i] || isDoubtful[i] && batch[id] {
				continue
			}
			batch[id] = true
			at := tickOf{sc.Drill, id.tick}
			again[i] = again[i] || ticks[at]
			ticks[at] = true
		}
		s.ord++
		if again[i] {
			s.tab.amended.add(sc.Drill, us(sc.Tick), s.ord)
		}
		s.kept = append(s.kept, i)
		if err := s.addScore(sc, content[i], b.Arrived, s.ord); err != nil {
			return err
		}
	}
	return nil
}

// write appends all waiting rows in one transaction.
func (s *Store) write() error {
	if err := s.exec("BEGIN TRANSACTION"); err != nil {
		return err
	}
	err := func() error {
		if err := s.makeParts(); err != nil {
			return err
		}
		tables := s.tab.global()
		for _, p := range s.open {
			tables = append(tables, p.t.all()...)
		}
		for _, t := range tables {
			if err := t.flush(s.conn); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		return errors.Join(err, s.exec("ROLLBACK"))
	}
	s.cfg.CrashPoint(CrashAppended)
	if err := s.exec("COMMIT"); err != nil {
		_ = s.exec("ROLLBACK") // where COMMIT failed there is mostly nothing to roll back
		return shortOfMemory(err)
	}
	s.cfg.CrashPoint(CrashCommitted)
	return nil
}

// register remembers channels that a commit made known.
func (s *Store) register(channels []telemetry.Channel) {
	s.names.Lock()
	defer s.names.Unlock()
	for _, ch := range channels {
		s.registered[strings.ToLower(ch.Tag)] = ch
	}
}

// Position returns where a writer goes on, as the last commit left it.
func (s *Store) Position(ctx context.Context) (storage.Position, error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	p := storage.Position{Cluster: s.cluster, DedupCommit: s.dedupAt}
	for k, v := range s.offsets {
		p.Offsets = append(p.Offsets, storage.Offset{Topic: k.topic, Partition: k.partition, Next: v})
	}
	if s.dedupAt > 0 {
		if err := s.db.QueryRowContext(ctx, "SELECT state FROM store.dedup WHERE commit = ?", s.dedupAt).Scan(&p.Dedup); err != nil {
			return p, fmt.Errorf("read position: %w", err)
		}
	}
	return p, nil
}

// FramesSince calls f for each frame stored by commits after the one given; frames of one commit come in any order.
func (s *Store) FramesSince(ctx context.Context, commit int64, f func(storage.StoredFrame) error) error {
	err := s.ask(ctx, func(l layout) string {
		l.files = slices.DeleteFunc(l.files, func(f *file) bool { return f.maxCommit <= commit })
		return "SELECT src, seq, part, uid, epoch_us(ts), hash FROM (" + l.from(dsFrames, "src, seq, part, uid, ts, hash, commit", fmt.Sprintf("commit > %d", commit)) + ") ORDER BY commit"
	}, func(r *sql.Rows) error {
		var src int32
		var seq, uid, hash uint64
		var part uint32
		var ts int64
		if err := r.Scan(&src, &seq, &part, &uid, &ts, &hash); err != nil {
			return err
		}
		k := s.sourceName(src)
		return f(storage.StoredFrame{Drill: k.drill, Hash: hash, TS: ts * 1000,
			ID: telemetry.FrameID{Device: k.device, Boot: ledger.JoinBoot(k.boot, uid), Seq: seq, Part: part}})
	})
	if err != nil {
		return fmt.Errorf("read frames: %w", err)
	}
	return nil
}

// FrameTime returns the ts under which a frame is stored, and whether it is;
// storage.Retired where it was, and retention dropped it or its hour is damaged.
func (s *Store) FrameTime(ctx context.Context, drill string, id telemetry.FrameID) (ts int64, found bool, err error) {
	base, uid := ledger.SplitBoot(id.Boot)
	s.names.RLock()
	src, ok := s.sources[sourceKey{drill, id.Device, base}]
	s.names.RUnlock()
	if !ok {
		return 0, false, nil
	}
	if uid == 0 && id.Part == 0 {
		if ts, found, err := s.storedTime(ctx, src, id.Seq); err != nil || found {
			return ts * 1000, found && err == nil, err
		}
	}
	// Which sealed hours have that number. A partition that is sealed meanwhile is still hot in the layout, or asked again.
	hours := map[int32]bool{}
	retired := false
	spans := fmt.Sprintf("SELECT hour FROM store.ledger_spans WHERE src = %d AND lo <= %d AND hi >= %d AND stage = 'stored'", src, id.Seq, id.Seq)
	spans += fmt.Sprintf(" UNION ALL SELECT NULL FROM store.retired WHERE src = %d AND lo <= %d AND hi >= %d", src, id.Seq, id.Seq)
	build := func(l layout) string {
		l.files = slices.DeleteFunc(l.files, func(f *file) bool { return f.dataset != dsFrames || !hours[f.hour] })
		// As literals: database/sql refuses a uint64 with its high bit set.
		return l.from(dsFrames, "epoch_us(ts)", fmt.Sprintf("src = %d AND seq = %d AND part = %d AND uid = %d", src, id.Seq, id.Part, uid)) + " LIMIT 1"
	}
	for range 2 {
		err = s.ask(ctx, build, func(r *sql.Rows) error { found = true; return r.Scan(&ts) })
		if err != nil || found {
			return ts * 1000, found && err == nil, err
		}
		before := len(hours)
		err = s.each(ctx, spans, func(r *sql.Rows) error {
			var h *int32
			if err := r.Scan(&h); err != nil {
				return err
			}
			if h == nil {
				retired = true
			} else {
				hours[*h] = true
			}
			return nil
		})
		if err != nil || len(hours) == before {
			break
		}
	}
	if err != nil {
		return 0, false, fmt.Errorf("look up frame: %w", err)
	}
	if ledger.Counted(base) || !retired && !s.hourGone(hours) {
		return 0, false, nil
	}
	return storage.Retired, true, nil
}

// hourGone reports whether frames of one of those hours can no longer be read.
func (s *Store) hourGone(hours map[int32]bool) bool {
	have := map[int32]bool{}
	for _, f := range s.sealedFiles() {
		if f.dataset == dsFrames {
			have[f.hour] = have[f.hour] || f.damage == ""
		}
	}
	for h := range hours {
		if !have[h] {
			return true
		}
	}
	return false
}
