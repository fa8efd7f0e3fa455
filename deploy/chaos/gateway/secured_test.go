//go:build e2e

package gateway_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Who a client of the secured Kafka is.
const (
	kafkaUser     = "admin"
	kafkaPassword = "admin-secret"
)

// secured is an Apache Kafka of its own, over TLS, that wants a certificate and
// a password from each client. args are what a gateway needs to reach it, but
// for the mechanism and the password.
func secured(t *testing.T) (l *log, args []string) {
	t.Helper()
	lib := os.Getenv("KAFKA_DIR")
	if lib == "" {
		t.Fatal("KAFKA_DIR names no Kafka: run this through make chaos-gateway or make e2e")
	}
	dir := t.TempDir()
	libs, err := filepath.Glob(filepath.Join(lib, "lib-*"))
	if err != nil || len(libs) == 0 {
		t.Fatalf("%s holds no Kafka: bash deploy/tools/kafka.sh fetch (%v)", lib, err)
	}
	port := fmt.Sprint(harness.FreePort(t, 3))
	env := []string{"KAFKA_DIR=" + dir, "KAFKA_LIB=" + libs[len(libs)-1], "KAFKA_PORT=" + port, "KAFKA_HEAP=-Xms128m -Xmx512m", "KAFKA_USER=" + kafkaUser, "KAFKA_PASS=" + kafkaPassword}
	t.Cleanup(func() { harness.Kafka(t, env, "wipe") })
	harness.Kafka(t, env, "up", "--brokers", "1", "--sasl", "--mtls")
	file := func(name string) string { return filepath.Join(dir, name) }
	pem, err := os.ReadFile(file("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(file("client.crt"), file("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	l = &log{
		t: t, kind: "Kafka, mTLS", brokers: []string{"127.0.0.1:" + port}, prefix: newPrefix(),
		opts: []kgo.Opt{
			kgo.DialTLSConfig(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}),
			kgo.SASL(plain.Auth{User: kafkaUser, Pass: kafkaPassword}.AsMechanism()),
		},
	}
	l.topics = telemetry.NewTopics(l.prefix)
	l.await()
	l.createTopics(1)
	return l, []string{"--kafka-ca", file("ca.pem"), "--kafka-cert", file("client.crt"), "--kafka-key", file("client.key"), "--sasl-user", kafkaUser}
}

// By every mechanism, with what is refused before it lost no less than what
// comes after: a wrong password, and no certificate.
func TestKafkaWantsToKnowWhoWeAre(t *testing.T) {
	t.Parallel()
	l, args := secured(t)
	without := func(args []string, keys ...string) (out []string) {
		for i := 0; i < len(args); i += 2 {
			if !strings.Contains(strings.Join(keys, " "), args[i]) {
				out = append(out, args[i], args[i+1])
			}
		}
		return out
	}
	r := listener(t, l)
	base := r.gw.args
	as := func(mechanism, password string, args []string) {
		t.Helper()
		r.gw.args = append(append(append([]string{}, base...), args...), "--sasl-mechanism", mechanism, "--sasl-password", password)
		r.gw.start("")
		r.subscribed(t)
	}
	says := func(words ...string) {
		t.Helper()
		harness.Wait(t, time.Minute, "the gateway to say why it does not reach Kafka", func() bool {
			b, err := os.ReadFile(r.gw.Log)
			if err != nil {
				return false
			}
			for _, w := range words {
				if strings.Contains(strings.ToLower(string(b)), w) {
					return true
				}
			}
			return false
		})
	}
	as("SCRAM-SHA-256", "wrong", args)
	f := launch(t, r.addr)
	says("sasl_authentication_failed", "authentication failed")
	if n := r.gw.metric("published_total"); n > 0 {
		t.Errorf("%d records were published with a wrong password", n)
	}
	r.gw.Stop()
	as("SCRAM-SHA-256", kafkaPassword, without(args, "--kafka-cert", "--kafka-key"))
	says("certificate", "tls")
	if n := r.gw.metric("published_total"); n > 0 {
		t.Errorf("%d records were published without a certificate", n)
	}
	r.gw.Stop()
	for _, m := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"} {
		as(m, kafkaPassword, args)
		harness.Wait(t, time.Minute, m+" to be let in", func() bool { return r.gw.metric("published_total") > 0 })
		sleep(time.Second)
		if m != "PLAIN" {
			r.gw.Stop()
		}
	}
	res, _ := judge(t, "wrong password, no certificate, then SCRAM and PLAIN", r.name, l, f, true)
	res.closed(t)
}
