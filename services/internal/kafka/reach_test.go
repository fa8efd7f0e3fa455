package kafka

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// selfSigned is a certificate of 127.0.0.1, and the file that holds it.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// fake is a broker; it returns its address.
func fake(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// reach tries cfg, for so long.
func reach(t *testing.T, cfg Config, within time.Duration) (err error, said string) {
	t.Helper()
	opts, err := cfg.Options()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(append(opts, kgo.DialTimeout(time.Second))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	var out words
	err = Reach(ctx, cl, cfg, slog.New(slog.NewTextHandler(&out, nil)))
	return err, out.String()
}

// words are what was logged.
type words struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

func TestALogThatCannotBeReachedNamesTheSettingThatCures(t *testing.T) {
	cert, ca := selfSigned(t)
	secured := fake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}))
	guarded := fake(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "admin", "right"))
	f := func(broker string, set func(*Config), want string) {
		t.Helper()
		cfg := DefaultConfig()
		cfg.Brokers = []string{broker}
		set(&cfg)
		if err, _ := reach(t, cfg, 30*time.Second); err == nil || !strings.Contains(err.Error(), want) || strings.HasPrefix(err.Error(), "after") {
			t.Errorf("%v; want %q in it, at once", err, want)
		}
	}
	f(secured, func(c *Config) {}, "say --kafka-tls")
	f(secured, func(c *Config) { c.TLS = true }, "with --kafka-ca")
	f(guarded, func(c *Config) {}, "--sasl-user")
	f(guarded, func(c *Config) { c.User, c.Password, c.Mechanism = "admin", "wrong", "PLAIN" }, "--sasl-password")

	// What Apache Kafka answers where this broker hangs up.
	say := func(err error, set func(*Config), want string) {
		t.Helper()
		cfg := DefaultConfig()
		set(&cfg)
		if got := cfg.Cure(fmt.Errorf("list topics: %w", err)); !errors.Is(got, err) || !strings.Contains(got.Error(), want) || away(got) {
			t.Errorf("%v; want %q in it, at once", got, want)
		}
	}
	say(kerr.SaslAuthenticationFailed, func(*Config) {}, "--sasl-password")
	say(kerr.UnsupportedSaslMechanism, func(*Config) {}, "--sasl-mechanism")
	say(kerr.IllegalSaslState, func(*Config) {}, "leave out --sasl-user")
	say(kerr.TopicAuthorizationFailed, func(c *Config) { c.User = "rig" }, `permit the user "rig"`)
	say(kerr.InvalidReplicationFactor, func(*Config) {}, "--replication")
	say(&kgo.ErrFirstReadEOF{}, func(c *Config) { c.TLS = true }, "leave out --kafka-tls")
	say(errors.New("invalid large response size 1213486160 > limit 104857600; the four size bytes are 'HTTP' in ascii"), func(*Config) {}, "something else than Kafka")
	say(x509.HostnameError{Certificate: &x509.Certificate{}, Host: "k"}, func(*Config) {}, "name the broker with --brokers")

	cfg := DefaultConfig()
	cfg.Brokers, cfg.CAFile = []string{secured}, ca
	if err, _ := reach(t, cfg, 30*time.Second); err != nil {
		t.Errorf("with the authority's certificate: %v", err)
	}
	cfg = DefaultConfig()
	cfg.Brokers, cfg.User, cfg.Password, cfg.Mechanism = []string{guarded}, "admin", "right", "PLAIN"
	if err, _ := reach(t, cfg, 30*time.Second); err != nil {
		t.Errorf("with the right password: %v", err)
	}
}

func TestALogThatIsAwayIsWaitedForAndNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it takes connections and never answers
	cfg := DefaultConfig()
	cfg.Brokers = []string{l.Addr().String()}
	err, said := reach(t, cfg, 3*time.Second)
	if err == nil || !strings.Contains(err.Error(), "other brokers with --brokers") || !strings.HasPrefix(err.Error(), "after ") {
		t.Errorf("a broker that never answers: %v", err)
	}
	if !strings.Contains(said, "waiting for the log") {
		t.Errorf("nothing was said of it: %q", said)
	}

	// Now one that starts after us, at the address that nobody listened on.
	addr := l.Addr().String()
	l.Close()
	cfg.Brokers = []string{addr}
	done := make(chan error, 1)
	var out words
	opts, err := cfg.Options()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() { done <- Reach(ctx, cl, cfg, slog.New(slog.NewTextHandler(&out, nil))) }()
	for !strings.Contains(out.String(), "waiting for the log") {
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, addr) }))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := <-done; err != nil {
		t.Errorf("the log came, and: %v", err)
	}
}
