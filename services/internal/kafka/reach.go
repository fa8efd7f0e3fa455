package kafka

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// between two tries to reach a log that is away, and for one.
const (
	reachAgain = 2 * time.Second
	reachOnce  = 10 * time.Second
)

// Reach waits until the log answers and has its topics (EnsureTopics): brokers may
// start after us. It says at once, and then whenever the reason changes, what it
// waits for; what waiting does not cure comes back at once. Errors name the setting
// that does.
func Reach(ctx context.Context, cl *kgo.Client, cfg Config, log *slog.Logger) error {
	begin, told := time.Now(), ""
	soon := time.AfterFunc(reachAgain, func() { // a broker that takes connections and says nothing
		log.Warn("waiting for the log", "brokers", strings.Join(cfg.Brokers, ","))
	})
	defer soon.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, reachOnce)
		err := EnsureTopics(once, cl, cfg)
		cancel()
		if err == nil {
			return nil
		}
		if err = cfg.Cure(err); !away(err) {
			return err
		}
		if why := err.Error(); why != told && ctx.Err() == nil {
			soon.Stop()
			told = why
			log.Warn("waiting for the log", "brokers", strings.Join(cfg.Brokers, ","), "err", err)
		}
		t := time.NewTimer(reachAgain)
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("after %v: %w", time.Since(begin).Round(time.Second), err)
		case <-t.C:
		}
	}
}

// away says that a broker may be there a while later.
func away(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return !mismatch(err) && (errors.Is(err, context.DeadlineExceeded) || errors.As(err, &op) || errors.As(err, &dns) || errors.Is(err, kerr.CoordinatorLoadInProgress))
}

// mismatch says that both ends speak of TLS or passwords differently.
func mismatch(err error) bool {
	var eof *kgo.ErrFirstReadEOF
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var expired x509.CertificateInvalidError
	return errors.As(err, &eof) || errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &expired) || strings.Contains(err.Error(), "tls")
}

// Cure says beside an error of the log which setting mends it; others come back as they are.
func (c Config) Cure(err error) error {
	if err == nil {
		return nil
	}
	add := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{err}, args...)...)
	}
	secure := c.TLS || c.CAFile != "" || c.CertFile != ""
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var expired x509.CertificateInvalidError
	var eof *kgo.ErrFirstReadEOF
	var op *net.OpError
	var dns *net.DNSError
	text := err.Error()
	switch {
	case errors.As(err, &unknown):
		return add("name the authority that signed the broker's certificate with --kafka-ca")
	case errors.As(err, &name):
		return add("name the broker with --brokers as its certificate does")
	case errors.As(err, &expired):
		return add("renew the broker's certificate, or set this machine's clock")
	case strings.Contains(text, "first record does not look like a TLS handshake"), secure && errors.As(err, &eof) && !strings.Contains(text, "SASL"):
		return add("this port of the broker speaks no TLS: leave out --kafka-tls, --kafka-ca and --kafka-cert, or name its TLS port with --brokers")
	case strings.Contains(text, "tls alert"), !secure && errors.As(err, &eof) && !strings.Contains(text, "SASL"):
		return add("this port of the broker may want TLS: say --kafka-tls, and its authority with --kafka-ca")
	case strings.Contains(text, "certificate required"), strings.Contains(text, "bad certificate"), strings.Contains(text, "unknown certificate authority"):
		return add("the broker wants a certificate that it knows: --kafka-cert and --kafka-key")
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return add("the broker does not take this user or password: --sasl-user, --sasl-password")
	case errors.Is(err, kerr.UnsupportedSaslMechanism), strings.Contains(text, "SASL mechanism"):
		return add("choose what the broker takes with --sasl-mechanism (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512)")
	case errors.Is(err, kerr.IllegalSaslState):
		return add("this port of the broker asks for no password: leave out --sasl-user, or name another port with --brokers")
	case errors.As(err, &eof):
		return add("the broker may want a user and password: --sasl-user, --sasl-password, --sasl-mechanism")
	case strings.Contains(text, "invalid large response size"):
		return add("something else than Kafka answers there: name its brokers with --brokers")
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed):
		return add("permit the user %q to read, write and create topics with the prefix %s", c.User, c.Prefix)
	case errors.Is(err, kerr.InvalidReplicationFactor):
		return add("there are fewer brokers than that: --replication")
	case errors.As(err, &dns):
		return add("no such name: give brokers that this machine can resolve with --brokers")
	case errors.Is(err, io.EOF) && c.User != "":
		return add("the broker ends the connection: look at --sasl-user, --sasl-password and --sasl-mechanism, and whether this port wants them")
	case secure && (errors.As(err, &op) || errors.Is(err, context.DeadlineExceeded)):
		return add("look whether Kafka runs there, whether this port speaks TLS and no firewall lies between, or name other brokers with --brokers")
	case errors.As(err, &op), errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.EOF):
		return add("look whether Kafka runs there and no firewall lies between, or name other brokers with --brokers")
	}
	return err
}
