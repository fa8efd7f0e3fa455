package scorer

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/mudpulse/mudpulse/telemetry"
)

// One model that panics, one that loops as long as it may, one that loops longer
// than it may, one that says nonsense: the others say what they say without them,
// and the status, which the models page shows, names each with its reason.
func TestOffendersAreNamedAndNobodyElseIsHurt(t *testing.T) {
	loop := func(n int) func([]float64, []string) ([]float64, error) {
		return func(in []float64, _ []string) ([]float64, error) {
			x := in[0]
			for range n {
				x = x*0.999 + 0.1
			}
			return []float64{x}, nil
		}
	}
	wob := []Field{{Name: "WOB"}}
	offenders := map[string]*fake{
		"panics": {in: wob, out: []string{"y"}, f: func(in []float64, _ []string) ([]float64, error) { panic("index out of range [7]") }},
		"loops":  {in: wob, out: []string{"y"}, f: loop(3_000)},
		"hangs": {in: wob, out: []string{"y"}, f: func(in []float64, _ []string) ([]float64, error) {
			for began := time.Now(); int(in[0])%7 == 103%7 && time.Since(began) < 500*time.Millisecond; {
			}
			return in, nil
		}},
		"raves": {in: wob, out: []string{"health_bit"}, f: func([]float64, []string) ([]float64, error) { return []float64{-1e12}, nil }},
	}
	play := func(with bool) (map[string]string, Status) {
		p := newPlant(t)
		p.shelf = &shelf{models: map[string]*fake{"a": sum("y")}}
		steps := []step{{m: activate("good", 1, "a")}}
		if with {
			for name, m := range offenders {
				p.shelf.models[name] = m
				steps = append(steps, step{m: activate(name, 1, name)})
			}
		}
		for i := range uint64(60) {
			for _, drill := range []string{"R1", "R2"} {
				steps = append(steps, step{f: frame(drill, i, 100+float64(i%7), 120)})
			}
		}
		p.publish(steps)
		cfg := p.config()
		cfg.Engine.RowBudget = 20 * time.Millisecond // thousands of times what loops takes, a third of what hangs does
		s := p.scorer(cfg)
		if err := p.run(s, p.allCovered(s)); err != nil {
			t.Fatal(err)
		}
		said := map[string]string{}
		cl := p.client()
		cl.AddConsumeTopics(p.topics.Scores)
		for len(said) < 120 {
			cl.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) {
				var sc telemetry.Score
				if err := telemetry.DecodeScore(r.Value, &sc); err != nil {
					t.Fatal(err)
				}
				sc.Produced = 0
				kept := sc.Results[:0]
				for _, x := range sc.Results {
					if x.Model == "good@1" {
						kept = append(kept, x)
					}
				}
				sc.Results = kept
				said[sc.Drill+time.Unix(0, sc.Tick).String()] = string(telemetry.AppendScore(nil, &sc))
			})
		}
		return said, s.Status()
	}
	calm, _ := play(false)
	disturbed, st := play(true)
	for k, want := range calm {
		if disturbed[k] != want {
			t.Errorf("%s differs beside models that misbehave", k)
		}
	}
	by := map[string]ModelStatus{}
	for _, m := range st.Models {
		by[m.Name] = m
	}
	f := func(name, why string, rows int64) {
		t.Helper()
		x := by[name].Trouble
		if x.Rows != rows || rows > 0 && (!strings.Contains(x.Why, why) || x.Since == 0 || x.Drill == "") {
			t.Errorf("%s: %+v, want %d rows of %q", name, x, rows, why)
		}
	}
	f("good", "", 0)
	f("loops", "", 0)
	f("panics", "failed inside: index out of range [7]", 120)
	f("raves", "output health_bit is -1e+12, and health is 0 to 100", 120)
	if h := by["hangs"]; !strings.Contains(h.Broken, "are allowed") || h.Trouble.Rows == 0 || !strings.Contains(h.Trouble.Why, "stopped: took") {
		t.Errorf("hangs: %q, %+v", h.Broken, h.Trouble)
	}
}

// The embedded log answers so while its disk is full.
func TestALogThatRefusesScoresIsWaitedForAndThenHasThemAll(t *testing.T) {
	p := newPlant(t)
	p.publish(stream(6, 5_000))
	refused := 0
	p.log.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.log.KeepControl()
		pr := req.(*kmsg.ProduceRequest)
		if refused == 12 {
			return nil, nil, false
		}
		refused++
		res := pr.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range pr.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, x := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = x.Partition, kerr.UnknownServerError.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			res.Topics = append(res.Topics, rt)
		}
		return res, nil, true
	})
	cfg := p.config()
	cfg.Again = 5 * time.Millisecond
	s := p.scorer(cfg)
	if err := p.run(s, p.allCovered(s)); err != nil {
		t.Fatal(err)
	}
	if refused != 12 {
		t.Fatalf("%d requests were refused", refused)
	}
	diff(t, p.published(), p.undisturbed())
}
