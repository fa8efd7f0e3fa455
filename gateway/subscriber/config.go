package subscriber

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Config names one broker of a site.
type Config struct {
	URL      string // tcp://HOST:PORT, ssl://…, ws://…, wss://…
	ClientID string // of the persistent session: it must not change
	Username string
	Password string
	TLS      *tls.Config
	Filters  []string      // topic filters; shared subscriptions are refused, they break order
	Silent   time.Duration // connected and without a message for so long is unhealthy; 0: never
	Buffer   int           // messages taken and not yet spooled; keep it above the broker's max_inflight
}

// DefaultConfig subscribes to every drill; URL and ClientID are to be set.
func DefaultConfig() Config {
	return Config{Filters: []string{"mudpulse/v1/+/frames", "mudpulse/v1/+/frames.pb"}, Silent: time.Minute, Buffer: 4096}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" {
		return fmt.Errorf("url: want tcp://HOST:PORT, not %q", c.URL)
	}
	switch u.Scheme {
	case "tcp", "ssl", "ws", "wss", "mqtt", "mqtts":
	default:
		return fmt.Errorf("url: want tcp, ssl, ws or wss, not %q", u.Scheme)
	}
	if err := telemetry.ValidID(c.ClientID); err != nil {
		return fmt.Errorf("client_id: %w", err)
	}
	if len(c.Filters) == 0 {
		return fmt.Errorf("filters: must name at least one topic filter")
	}
	for _, f := range c.Filters {
		if strings.HasPrefix(f, "$share/") {
			return fmt.Errorf("filters: %q is a shared subscription, which would break the order of a drill's frames: subscribe without it", f)
		}
	}
	if c.Silent < 0 {
		return fmt.Errorf("silent: must not be negative, not %v", c.Silent)
	}
	if c.Buffer < 1 || c.Buffer > 65535 {
		return fmt.Errorf("buffer: must lie in 1…65535, not %d", c.Buffer)
	}
	return nil
}
