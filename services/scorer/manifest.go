package scorer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A Manifest says where a partition's newest checkpoint is and up to where it
// reaches; value of a record of the topic state, keyed frames/PARTITION.
type Manifest struct {
	Cluster  string `json:"cluster"`         // of the log whose offsets these are
	Frames   int64  `json:"frames,string"`   // first offset not covered
	Backfill int64  `json:"backfill,string"` // the same of backfill
	SHA256   string `json:"sha256"`          // of the blob: the snapshot, zstd
	Bytes    int64  `json:"bytes,string"`    // of the blob
	At       int64  `json:"at,string"`       // wall clock, Unix ns

	Pieces []*piece `json:"pieces,omitempty"` // blobs with the drills that the snapshot only names, zstd
}

// blobs are all that the checkpoint needs.
func (m *Manifest) blobs() []string {
	out := []string{m.SHA256}
	for _, x := range m.Pieces {
		out = append(out, x.SHA256)
	}
	return out
}

// mostIntervals is how many times Config.Checkpoint may pass before a
// checkpoint is kept whatever its share.
const mostIntervals = 60

// due says whether a checkpoint, which would take packed bytes, is to be kept: since
// the one before input bytes were read, the last of them idle ago.
func (c *Config) due(since, idle time.Duration, input, packed int64) bool {
	switch {
	case since < c.Checkpoint:
		return false
	case idle >= c.Checkpoint, since >= mostIntervals*c.Checkpoint, input >= c.Replay:
		return true
	}
	return float64(packed) <= c.Share*float64(input) || c.Share == 0
}

func manifestKey(p int32) string { return "frames/" + strconv.Itoa(int(p)) }

// maxBefore bounds the manifests whose blobs are looked for at a start.
const maxBefore = 16

// newestManifest reads the state topic to its end; nil if p has none. Also the
// blobs of manifests before it that the topic still holds: nobody needs them, but
// a scorer that was killed may not have removed them.
func newestManifest(ctx context.Context, opts []kgo.Opt, topic string, p int32) (newest *Manifest, left []string, err error) {
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, nil, fmt.Errorf("list offsets: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, nil, fmt.Errorf("list offsets: %w", err)
	}
	if err := errors.Join(starts.Error(), ends.Error()); err != nil {
		return nil, nil, fmt.Errorf("list offsets: %w", err)
	}
	var before []*Manifest
	todo := map[int32]int64{} // partition → end
	from := map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		if s, ok := starts.Lookup(o.Topic, o.Partition); ok && s.Offset < o.Offset {
			todo[o.Partition] = o.Offset
			from[o.Partition] = kgo.NewOffset().At(s.Offset)
		}
	})
	if len(todo) == 0 {
		return nil, nil, nil
	}
	in, err := kgo.NewClient(append(slices.Clone(opts), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))...)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	key := manifestKey(p)
	for len(todo) > 0 {
		fs := in.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if errs := fs.Errors(); len(errs) > 0 {
			return nil, nil, errs[0].Err
		}
		fs.EachPartition(func(ftp kgo.FetchTopicPartition) {
			next := int64(-1)
			for _, r := range ftp.Records {
				next = r.Offset + 1
				if string(r.Key) != key {
					continue
				}
				var m Manifest
				if len(r.Value) == 0 || json.Unmarshal(r.Value, &m) != nil {
					newest = nil
					continue
				}
				if newest != nil {
					before = append(before[max(0, len(before)-maxBefore):], newest)
				}
				newest = &m
			}
			if end, ok := todo[ftp.Partition]; ok && next >= end {
				delete(todo, ftp.Partition)
			}
		})
	}
	for _, m := range before {
		left = append(left, unnamed(m, newest)...)
	}
	return newest, left, nil
}

// unnamed are the blobs of was that now does not need; nil: it needs none.
func unnamed(was, now *Manifest) []string {
	if was == nil {
		return nil
	}
	blobs := was.blobs()
	if now != nil {
		needs := now.blobs()
		blobs = slices.DeleteFunc(blobs, func(sha string) bool { return slices.Contains(needs, sha) })
	}
	return blobs
}
