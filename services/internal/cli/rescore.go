package cli

import (
	"fmt"
	"net/http"
	"time"

	"github.com/mudpulse/mudpulse/services/rescore"
)

type rescoring struct {
	server
	Drill  string    `required:"" help:"Of this drill."`
	From   time.Time `required:"" help:"RFC 3339." placeholder:"TIME"`
	To     time.Time `required:"" help:"RFC 3339, not included." placeholder:"TIME"`
	Models string    `help:"By those that were on at each second (then), or by those that are on now." enum:"then,now" default:"then"`
	Leave  bool      `help:"Do not wait: it goes on in the running process, also over its restart."`
}

// rescore asks for a span and draws how far it is. Ending the command does not
// end the job.
func (c *Commands) rescore(env Env) error {
	a := &c.Rescore
	cl, err := a.client()
	if err != nil {
		return err
	}
	var job rescore.Rescoring
	if err := cl.Send(env.Ctx, http.MethodPost, "/rescore", map[string]any{"drill": a.Drill, "from": a.From, "to": a.To, "models": a.Models}, &job); err != nil {
		return err
	}
	if a.Leave {
		fmt.Fprintf(env.Out, "%s is queued: %s from %s to %s\n", job.ID, job.Drill, job.From.Format(time.RFC3339), job.To.Format(time.RFC3339))
		return nil
	}
	s := sender{out: env.Out, unit: "seconds"}
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		if err := getJSON(env.Ctx, cl, "/rescore/"+job.ID, &job); err != nil {
			return err
		}
		s.n = job.Ticks
		switch job.State {
		case rescore.Done:
			s.said = time.Time{}
			s.report(1, true)
			fmt.Fprintf(env.Out, "%s: %d seconds scored again; what came out otherwise is the last version now\n", job.Drill, job.Ticks)
			return nil
		case rescore.Failed, rescore.Cancelled:
			return fmt.Errorf("scoring again %s: %s", job.State, job.Error)
		}
		s.report(job.Progress, false)
		select {
		case <-env.Ctx.Done():
			return fmt.Errorf("job %s goes on in the running process: %w", job.ID, env.Ctx.Err())
		case <-time.After(pause):
		}
	}
}
