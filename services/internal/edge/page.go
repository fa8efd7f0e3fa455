package edge

import (
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/telemetry"
)

// page shows a gateway on its own, with no network but to who looks: no script,
// no font, nothing fetched. It loads itself again every five seconds.
var page = template.Must(template.New("status").Funcs(template.FuncMap{
	"ago": func(ns int64) string {
		if ns == 0 {
			return "never"
		}
		return time.Since(time.Unix(0, ns)).Round(time.Second).String() + " ago"
	},
	"mb":   func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) },
	"sign": func(s float64) string { return fmt.Sprintf("%+.1f s", s) },
}).Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><meta name="viewport" content="width=device-width">
<title>{{.S.Gateway}} · mudpulse gateway</title>
<style>body{font:15px/1.4 system-ui,sans-serif;margin:1.5em;color:#1b1b1b;background:#fbfaf7}h1{font-size:1.3em;margin:0}table{border-collapse:collapse;margin:.6em 0 1.4em}
th{font-weight:400;color:#555;text-align:left}td,th{padding:.25em 1.2em .25em 0;border-bottom:1px solid #ddd;vertical-align:top}.bad{border-left:4px solid #b00;padding-left:.8em}td.n{text-align:right}</style></head><body>
<h1>{{.S.Gateway}}</h1>
{{if .Bad}}<p class="bad"><b>{{.Bad}}</b></p>{{else}}<p>Takes messages and forwards them.</p>{{end}}
<table>
<tr><th>spool</th><td>{{mb .S.Spool.Bytes}} of {{mb .S.Spool.Limit}}{{if .S.Spool.Full}}, <b>full: acknowledgements are withheld, devices keep their messages</b>{{end}}</td></tr>
<tr><th>waiting for Kafka</th><td>{{.S.Spool.Frames}}{{if .S.Spool.Frames}}, the oldest accepted {{ago .S.Spool.OldestTS}}{{end}}{{if .S.Spool.Error}}; {{.S.Spool.Error}}{{end}}</td></tr>
<tr><th>messages, frames</th><td>{{index .S.Counters "messages_total"}}, {{index .S.Counters "frames_total"}}</td></tr>
<tr><th>set aside, refused</th><td>{{index .S.Counters "quarantined_total"}}, {{index .S.Counters "refused_total"}}</td></tr>
<tr><th>damaged in the spool</th><td>{{len .S.Damage}} places{{range .S.Damage}}<br>{{.Segment}}: {{.Bytes}} bytes at {{.Offset}}{{end}}</td></tr>
<tr><th>since</th><td>{{ago .S.Started}}, version {{.S.Version}}</td></tr>
</table>
<table><tr><th>device</th><th>drill</th><th></th><th>last heard</th><th>messages</th><th>its clock</th><th>why</th></tr>
{{range .S.Sessions}}<tr><td>{{.Device}}</td><td>{{.Drill}}</td><td>{{if .Connected}}connected, {{.Remote}}{{else}}away{{end}}</td><td>{{ago .LastSeen}}</td><td class="n">{{.Messages}}</td><td>{{sign .SkewS}}</td><td>{{.Reason}}</td></tr>
{{else}}<tr><td colspan="7">No device has connected since the start.</td></tr>{{end}}</table>
<p><a href="/metrics">metrics</a> · <a href="/status">status as JSON</a> · <a href="/readyz">ready?</a></p></body></html>
`))

func statusPage(g *gateway.Gateway) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		v := struct {
			S   telemetry.GatewayStatus
			Bad string
		}{S: g.Status()}
		if err := g.Healthy(); err != nil {
			v.Bad = err.Error()
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = page.Execute(w, v) // the reader went away: nobody to tell
	}
}
