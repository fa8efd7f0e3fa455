package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/gateway/spool"
	"github.com/mudpulse/mudpulse/telemetry"
)

// authority issues certificates for one test.
type authority struct {
	tb   testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	a := &authority{tb, cert, key, x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

func (a *authority) issue(name string) tls.Certificate {
	a.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.tb.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestDevicesConnectOverTLSAndWebSocketByPasswordOrCertificate(t *testing.T) {
	ca := newAuthority(t)
	k := kafka(t)
	cfg := config(t, k.ListenAddrs())
	cfg.Listen.TLS, cfg.Listen.WebSocket, cfg.Listen.WebSocketTLS = "127.0.0.1:0", "127.0.0.1:0", true
	cfg.Listen.TLSConfig = &tls.Config{Certificates: []tls.Certificate{ca.issue("gateway")}, ClientCAs: ca.pool, ClientAuth: tls.VerifyClientCertIfGiven}
	g := start(t, cfg, gateway.Deps{})
	read := consume(t, k.ListenAddrs(), topics.Frames)
	f := func(url, user, pass string, cert *tls.Certificate, ok bool) {
		t.Helper()
		conf := &tls.Config{RootCAs: ca.pool}
		if cert != nil {
			conf.Certificates = []tls.Certificate{*cert}
		}
		o := paho.NewClientOptions().AddBroker(url).SetClientID("RIG-07").SetUsername(user).SetPassword(pass).SetTLSConfig(conf)
		o.SetAutoReconnect(false).SetConnectTimeout(5 * time.Second)
		c := paho.NewClient(o)
		tk := c.Connect()
		if !tk.WaitTimeout(10 * time.Second) {
			t.Fatalf("%s %q: no answer", url, user)
		}
		if (tk.Error() == nil) != ok {
			t.Errorf("%s %q: %v", url, user, tk.Error())
		}
		if tk.Error() == nil {
			publish(t, c, telemetry.MQTTProtoTopic("RIG-07"), 1, frame("RIG-07", "b", 1, time.Now(), 10))
			read.frames(1)
			c.Disconnect(0)
		}
	}
	over := "ssl://" + g.Addr().TLS.String()
	web := "wss://" + g.Addr().WebSocket.String() + "/mqtt"
	own, foreign := ca.issue("RIG-07"), newAuthority(t).issue("RIG-07")
	nobody := ca.issue("nobody")
	for _, url := range []string{over, web} {
		f(url, "RIG-07", password, nil, true)
		f(url, "RIG-07", "wrong", nil, false)
		f(url, "", "", &own, true)
		f(url, "RIG-07", "", &own, true)
		f(url, "RIG-08", "", &own, false) // another device's name, by one's own certificate
		f(url, "", "", &nobody, false)
		f(url, "", "", &foreign, false)
		f(url, "", "", nil, false)
	}
}

func TestARevokedDeviceIsCutOffThoughItIsSilent(t *testing.T) {
	k := kafka(t)
	reg := devices(10)
	g := start(t, config(t, k.ListenAddrs()), gateway.Deps{Registry: reg})
	a, b, c := g.client(t, "RIG-01"), g.client(t, "RIG-02"), g.client(t, "RIG-03")
	reg.set(telemetry.Device{ID: "RIG-01", Drill: "RIG-01", Password: phc(), Disabled: true})
	reg.set(telemetry.Device{ID: "RIG-02", Drill: "RIG-02", Password: "another"})
	await(t, "both cut off", func() bool { return !a.IsConnected() && !b.IsConnected() })
	if !c.IsConnected() {
		t.Error("a device that was not changed is cut off")
	}
	await(t, "the reason in the status", func() bool {
		for _, s := range g.Status().Sessions {
			if s.Device == "RIG-01" && !s.Connected && strings.Contains(s.Reason, "revoked") {
				return true
			}
		}
		return false
	})
}

func TestAClientIDIsTheDevicesOwn(t *testing.T) {
	k := kafka(t)
	g := start(t, config(t, k.ListenAddrs()), gateway.Deps{})
	f := func(id string, ok bool) {
		t.Helper()
		c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + g.Addr().TCP.String()).SetClientID(id).SetUsername("RIG-01").SetPassword(password).SetAutoReconnect(false))
		tk := c.Connect()
		if !tk.WaitTimeout(10*time.Second) || (tk.Error() == nil) != ok {
			t.Errorf("%q: %v", id, tk.Error())
		}
		c.Disconnect(0)
	}
	f("RIG-01", true)
	f("RIG-01-b", true)
	f("", true)
	// The status tells what happened last: let the three be gone first.
	await(t, "no connection is left", func() bool { return !g.Status().Sessions[0].Connected })
	f("RIG-02", false)
	f("RIG-011", false)
	f("logger", false)
	if s := g.Status().Sessions[0]; !strings.Contains(s.Reason, "client id") {
		t.Errorf("the status does not say why: %q", s.Reason)
	}
}

func TestAuthorisationWithdrawnAndGivenBackLosesNothing(t *testing.T) {
	k := kafka(t)
	g := start(t, config(t, k.ListenAddrs()), gateway.Deps{})
	c := g.client(t, "RIG-07")
	send := func(from, to uint64) {
		for seq := from; seq < to; seq++ {
			publish(t, c, telemetry.MQTTProtoTopic("RIG-07"), 1, frame("RIG-07", "b", seq, time.Now(), 10))
		}
	}
	send(0, 50)
	var withdrawn atomic.Bool
	withdrawn.Store(true)
	k.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		if !withdrawn.Load() {
			return nil, nil, false
		}
		r := req.(*kmsg.ProduceRequest)
		resp := r.ResponseKind().(*kmsg.ProduceResponse)
		for _, rt := range r.Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic, topic.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				p := kmsg.NewProduceResponseTopicPartition()
				p.Partition, p.ErrorCode = rp.Partition, kerr.TopicAuthorizationFailed.Code
				topic.Partitions = append(topic.Partitions, p)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	send(50, 200)
	await(t, "the status to say why", func() bool {
		return strings.Contains(g.Status().Spool.Error, "TOPIC_AUTHORIZATION_FAILED")
	})
	send(200, 250)
	withdrawn.Store(false)
	seen := map[uint64]bool{}
	last := uint64(0)
	read := consume(t, k.ListenAddrs(), topics.Frames)
	for len(seen) < 250 {
		for _, f := range read.frames(1) {
			if !seen[f.Seq] && f.Seq < last {
				t.Fatalf("%d came first after %d", f.Seq, last)
			}
			seen[f.Seq], last = true, max(last, f.Seq)
		}
	}
	await(t, "the status to be well again", func() bool { return g.Status().Spool.Error == "" })
}

func TestAWithheldSpoolRefusesNewClientsAndSaysWhy(t *testing.T) {
	k := kafka(t)
	cfg := config(t, k.ListenAddrs())
	cfg.Spool = spool.Config{Dir: cfg.Spool.Dir, SegmentBytes: 64 << 10, MaxBytes: 128 << 10, BatchBytes: 4 << 10}
	cover := &covered{until: map[string]int64{}}
	g := start(t, cfg, gateway.Deps{Coverage: cover})
	c := g.client(t, "RIG-07", func(o *paho.ClientOptions) { o.SetKeepAlive(2 * time.Second) })
	var tokens []paho.Token
	for seq := range uint64(300) { // more than twice what fits
		tokens = append(tokens, c.Publish(telemetry.MQTTProtoTopic("RIG-07"), 1, false, frame("RIG-07", "b", seq, time.Now(), 100)))
	}
	await(t, "the spool full", func() bool { return g.Counters()["spool_full"] == 1 })
	if err := g.Healthy(); err == nil || !strings.Contains(err.Error(), "withheld") {
		t.Errorf("healthy: %v", err)
	}
	late := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + g.Addr().TCP.String()).SetClientID("RIG-08").SetUsername("RIG-08").SetPassword(password).SetAutoReconnect(false))
	if tk := late.Connect(); !tk.WaitTimeout(10*time.Second) || tk.Error() == nil {
		t.Error("a client is let in that could not be served")
	}
	before := g.Counters()["mqtt_pings_total"]
	await(t, "pings answered meanwhile", func() bool { return g.Counters()["mqtt_pings_total"] >= before+2 })
	if !c.IsConnected() {
		t.Error("the client went away though its pings were answered")
	}
	cover.mu.Lock()
	cover.until[topics.Frames] = 1 << 40
	cover.mu.Unlock()
	for i, tk := range tokens {
		if !tk.WaitTimeout(30*time.Second) || tk.Error() != nil {
			t.Fatalf("message %d is not acknowledged: %v", i, tk.Error())
		}
	}
	consume(t, k.ListenAddrs(), topics.Frames).frames(300)
}
