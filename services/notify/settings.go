// Package notify tells people of alarms by mail and webhook: who, when and how
// is data. What is decided lies in the relational store before anything is sent,
// under an id that never changes; one process of a cluster sends.
package notify

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// NotifySettings are all that an administrator may set. This and its parts are
// schemas of the API's description, where a name is only once: hence the prefix.
type NotifySettings struct {
	Hosts   []string       `json:"hosts" doc:"that may be spoken to: a name, *.name, an address, each with :PORT where it is not the usual one; nothing else is"`
	SMTP    SMTP           `json:"smtp"`
	Targets []NotifyTarget `json:"targets"`
	Rules   []NotifyRule   `json:"rules"`
}

// SMTP is the server that takes mail.
type SMTP struct {
	Host     string `json:"host" maxLength:"255" doc:"empty: no mail"`
	Port     int    `json:"port" doc:"0: 587, or 465 with tls"`
	TLS      string `json:"tls" enum:",starttls,tls,none" doc:"default: starttls"`
	User     string `json:"user" maxLength:"255"`
	Password string `json:"password" maxLength:"1000" doc:"never told again; empty: as it was"`
	From     string `json:"from" maxLength:"255" example:"mudpulse@example.com"`
	Set      bool   `json:"password_set" doc:"told only: a password is kept"`
}

// A NotifyTarget is somebody to be told.
type NotifyTarget struct {
	ID     string   `json:"id" maxLength:"64"`
	Kind   string   `json:"kind" enum:"mail,webhook"`
	To     []string `json:"to,omitempty" doc:"of mail: addresses"`
	URL    string   `json:"url,omitempty" maxLength:"2000" doc:"of a webhook"`
	Secret string   `json:"secret,omitempty" maxLength:"1000" doc:"of a webhook: its body is signed with it; never told again; empty: as it was"`
	Set    bool     `json:"secret_set,omitempty" doc:"told only"`
}

// A NotifyRule says which alarms are told to whom.
type NotifyRule struct {
	ID          string   `json:"id" maxLength:"64"`
	Off         bool     `json:"off,omitempty"`
	Priorities  []int    `json:"priorities,omitempty" doc:"1 to 3; empty: all"`
	Drills      []string `json:"drills,omitempty" doc:"as RIG-*; empty: all"`
	Tour        string   `json:"tour,omitempty" enum:",day,night" doc:"only alarms raised in that tour, rig-local time"`
	Cleared     bool     `json:"cleared,omitempty" doc:"tell also when it returned to normal"`
	Targets     []string `json:"targets"`
	QuietFrom   string   `json:"quiet_from,omitempty" example:"22:00" doc:"rig-local; what is not priority 1 waits until quiet_to"`
	QuietTo     string   `json:"quiet_to,omitempty" example:"06:00"`
	EscalateMin int      `json:"escalate_min,omitempty" minimum:"0" maximum:"1440" doc:"minutes without acknowledgement, after which escalate_to is told; 0: never"`
	EscalateTo  []string `json:"escalate_to,omitempty"`
	DigestMin   int      `json:"digest_min,omitempty" minimum:"0" maximum:"1440" doc:"what is not priority 1 is told together, every so many minutes; 0: at once"`
}

// Invalid lists what is wrong with settings, each as "key: why".
type Invalid struct{ Problems []error }

func (e *Invalid) Error() string { return errors.Join(e.Problems...).Error() }

// Validate names every key that is wrong.
func (s *NotifySettings) Validate() error {
	var bad []error
	say := func(format string, args ...any) { bad = append(bad, fmt.Errorf(format, args...)) }
	for i, h := range s.Hosts {
		if name, _ := splitHost(h); name == "" || strings.ContainsAny(h, "/@ ") || strings.Contains(strings.TrimPrefix(name, "*."), "*") {
			say("hosts.%d: %q: want a name, *.name or an address, perhaps with :PORT", i, h)
		}
	}
	m := &s.SMTP
	if m.Host != "" {
		if !s.allows(m.Host, m.port()) {
			say("smtp.host: %q is not among the hosts that may be spoken to: add it to hosts", net.JoinHostPort(m.Host, strconv.Itoa(m.port())))
		}
		if _, err := mail.ParseAddress(m.From); err != nil {
			say("smtp.from: %q is no mail address", m.From)
		}
	}
	if m.Port < 0 || m.Port > 65535 {
		say("smtp.port: must be 1 to 65535, not %d", m.Port)
	}
	if !slices.Contains([]string{"", "starttls", "tls", "none"}, m.TLS) {
		say("smtp.tls: %q: want starttls, tls or none", m.TLS)
	}
	if m.User != "" && m.TLS == "none" {
		say("smtp.tls: a password is not sent in the clear: want starttls or tls")
	}
	known := map[string]bool{}
	for i, t := range s.Targets {
		key := fmt.Sprintf("targets.%d", i)
		if err := telemetry.ValidID(t.ID); err != nil {
			say("%s.id: %v", key, err)
		} else if known[t.ID] {
			say("%s.id: %q is there twice", key, t.ID)
		}
		known[t.ID] = true
		switch t.Kind {
		case "mail":
			if m.Host == "" {
				say("%s.kind: mail needs smtp.host", key)
			}
			if len(t.To) == 0 || len(t.To) > 50 {
				say("%s.to: want 1 to 50 mail addresses", key)
			}
			for _, a := range t.To {
				if _, err := mail.ParseAddress(a); err != nil {
					say("%s.to: %q is no mail address", key, a)
				}
			}
		case "webhook":
			if _, err := s.endpoint(t.URL); err != nil {
				say("%s.url: %v", key, err)
			}
		default:
			say("%s.kind: %q: want mail or webhook", key, t.Kind)
		}
	}
	ids := map[string]bool{}
	for i, r := range s.Rules {
		key := fmt.Sprintf("rules.%d", i)
		if err := telemetry.ValidID(r.ID); err != nil {
			say("%s.id: %v", key, err)
		} else if ids[r.ID] {
			say("%s.id: %q is there twice", key, r.ID)
		}
		ids[r.ID] = true
		for _, p := range r.Priorities {
			if p < telemetry.P1 || p > telemetry.P3 {
				say("%s.priorities: %d: want 1, 2 or 3", key, p)
			}
		}
		for _, d := range r.Drills {
			if _, err := path.Match(d, ""); err != nil {
				say("%s.drills: %q is no pattern", key, d)
			}
		}
		if len(r.Targets) == 0 {
			say("%s.targets: names nobody", key)
		}
		for _, list := range [][]string{r.Targets, r.EscalateTo} {
			for _, t := range list {
				if !known[t] {
					say("%s.targets: there is no target %q", key, t)
				}
			}
		}
		if (r.EscalateMin > 0) != (len(r.EscalateTo) > 0) {
			say("%s.escalate_min: goes with escalate_to", key)
		}
		if !slices.Contains([]string{"", "day", "night"}, r.Tour) {
			say("%s.tour: %q: want day or night", key, r.Tour)
		}
		if (r.QuietFrom != "") != (r.QuietTo != "") {
			say("%s.quiet_from: goes with quiet_to", key)
		}
		for _, t := range []string{r.QuietFrom, r.QuietTo} {
			if t != "" {
				if _, err := minuteOf(t); err != nil {
					say("%s.quiet_from, quiet_to: %v", key, err)
				}
			}
		}
		if r.EscalateMin < 0 || r.EscalateMin > 1440 || r.DigestMin < 0 || r.DigestMin > 1440 {
			say("%s.escalate_min, digest_min: want 0 to 1440", key)
		}
	}
	if len(bad) > 0 {
		return &Invalid{bad}
	}
	return nil
}

// keep takes over the secrets that were left empty, and masked returns what may be told.
func (s *NotifySettings) keep(old *NotifySettings) {
	if s.SMTP.Password == "" && s.SMTP.User == old.SMTP.User && s.SMTP.Host == old.SMTP.Host {
		s.SMTP.Password = old.SMTP.Password
	}
	for i := range s.Targets {
		t := &s.Targets[i]
		t.Set = false
		for _, o := range old.Targets {
			if t.Secret == "" && o.ID == t.ID && o.URL == t.URL {
				t.Secret = o.Secret
			}
		}
	}
	s.SMTP.Set = false
}

func (s NotifySettings) masked() NotifySettings {
	s.SMTP.Set, s.SMTP.Password = s.SMTP.Password != "", ""
	s.Hosts, s.Rules, s.Targets = append([]string{}, s.Hosts...), append([]NotifyRule{}, s.Rules...), append([]NotifyTarget{}, s.Targets...)
	for i := range s.Targets {
		s.Targets[i].Set, s.Targets[i].Secret = s.Targets[i].Secret != "", ""
	}
	return s
}

func (m *SMTP) port() int {
	switch {
	case m.Port != 0:
		return m.Port
	case m.TLS == "tls":
		return 465
	}
	return 587
}

// endpoint reads a webhook's address and holds it against the hosts.
func (s *NotifySettings) endpoint(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q: want https://HOST/…", text)
	}
	if u.User != nil {
		return nil, errors.New("must not hold a password: use secret")
	}
	port := 443
	if u.Scheme == "http" {
		port = 80
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil {
			return nil, fmt.Errorf("%q: want https://HOST/…", text)
		}
	}
	if !s.allows(u.Hostname(), port) {
		return nil, fmt.Errorf("%s:%d is not among the hosts that may be spoken to: add it to hosts", u.Hostname(), port)
	}
	return u, nil
}

// splitHost takes apart HOST or HOST:PORT.
func splitHost(h string) (name string, port int) {
	if host, p, err := net.SplitHostPort(h); err == nil {
		if n, err := strconv.Atoi(p); err == nil {
			return strings.ToLower(host), n
		}
		return "", 0
	}
	return strings.ToLower(strings.Trim(h, "[]")), 0
}

// usual are the ports of a host that is listed without one.
var usual = []int{443, 25, 465, 587}

func (s *NotifySettings) allows(host string, port int) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(s.Hosts, func(h string) bool {
		name, p := splitHost(h)
		if p == 0 && !slices.Contains(usual, port) || p != 0 && p != port {
			return false
		}
		if below, ok := strings.CutPrefix(name, "*."); ok {
			return strings.HasSuffix(host, "."+below)
		}
		return host == name
	})
}

func minuteOf(clock string) (int, error) {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		return 0, fmt.Errorf("%q: want HH:MM", clock)
	}
	return t.Hour()*60 + t.Minute(), nil
}
