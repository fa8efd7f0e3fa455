//go:build e2e

package gateway_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// authority writes certificates for one test into a directory.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.issue("ca")
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes NAME.pem and NAME.key; the first is the authority itself.
func (a *authority) issue(name string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: a.cert == nil, BasicConstraintsValid: true,
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		tmpl.KeyUsage = x509.KeyUsageCertSign
		parent, signer = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.cert == nil {
		a.key = key
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			a.t.Fatal(err)
		}
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{a.file(name + ".pem"): {Type: "CERTIFICATE", Bytes: der}, a.file(name + ".key"): {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
}

// A real client, mosquitto_pub, meets everything that a technician meets.
func TestMosquittoPub(t *testing.T) {
	t.Parallel()
	l := embedded(t)
	ca, foreign := newAuthority(t), newAuthority(t)
	ca.issue("gateway")
	ca.issue("RIG-03")
	foreign.issue("RIG-03")
	tls := harness.FreePort(t, 1)
	r := listener(t, l, "--mqtt-tls", fmt.Sprintf("127.0.0.1:%d", tls), "--mqtt-cert", ca.file("gateway.pem"), "--mqtt-key", ca.file("gateway.key"), "--mqtt-client-ca", ca.file("ca.pem"))
	r.begin(t)
	read := l.read()
	seq := uint64(0)
	plain := func(user, password string) []string {
		return []string{"-p", fmt.Sprint(r.gw.port), "-u", user, "-P", password}
	}
	over := func(more ...string) []string {
		return append([]string{"-p", fmt.Sprint(tls), "--cafile", ca.file("ca.pem")}, more...)
	}
	frame := func(drill string) (string, key) {
		seq++
		ts := time.Now().UnixMilli()
		return fmt.Sprintf(`{"boot":"b1","seq":%d,"ts":%d,"channels":{"WOB":101}}`, seq, ts), key{drill, seq, ts * 1e6}
	}
	run := func(args ...string) (string, error) {
		cmd := exec.Command("mosquitto_pub", append([]string{"-h", "127.0.0.1", "-d"}, args...)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	arrives := func(what string, k key) {
		t.Helper()
		read.until(map[key]bool{k: true}, 15*time.Second)
		if read.seen[k] == 0 {
			t.Errorf("%s: the frame is not in the log", what)
		}
	}
	accepted := func(what string, args ...string) {
		t.Helper()
		body, k := frame("RIG-03")
		out, err := run(append(args, "-t", "mudpulse/v1/RIG-03/frames", "-m", body)...)
		if err != nil {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
		arrives(what, k)
	}
	refused := func(what, want string, args ...string) {
		t.Helper()
		body, k := frame("RIG-03")
		out, err := run(append(args, "-m", body)...)
		if err == nil && want != "" && !strings.Contains(out, want) {
			t.Errorf("%s: taken\n%s", what, out)
		}
		if !strings.Contains(out, want) {
			t.Errorf("%s: %q is not said:\n%s", what, want, out)
		}
		if read.seen[k] != 0 {
			t.Errorf("%s: it is in the log", what)
		}
	}
	own := []string{"-t", "mudpulse/v1/RIG-03/frames"}
	for _, version := range []string{"mqttv311", "mqttv5"} {
		v := []string{"-V", version}
		for qos := range 3 {
			accepted(version+" QoS "+fmt.Sprint(qos), append(v, append(plain("RIG-03", secret), "-q", fmt.Sprint(qos))...)...)
		}
		accepted(version+" retained", append(v, append(plain("RIG-03", secret), "-q", "1", "-r")...)...)
		accepted(version+" TLS", append(v, over("-u", "RIG-03", "-P", secret, "-q", "1")...)...)
		accepted(version+" certificate", append(v, over("--cert", ca.file("RIG-03.pem"), "--key", ca.file("RIG-03.key"), "-q", "1")...)...)
		refused(version+" TLS, gateway not known", "certificate verify failed", append(v, append(own, "-p", fmt.Sprint(tls), "--cafile", foreign.file("ca.pem"), "-u", "RIG-03", "-P", secret)...)...)
		refused(version+" foreign certificate", "", append(v, append(own, over("--cert", foreign.file("RIG-03.pem"), "--key", foreign.file("RIG-03.key"), "-q", "1")...)...)...)
		word := map[string]string{"mqttv311": "onnection error: Connection Refused", "mqttv5": "onnection error"}[version]
		refused(version+" wrong password", word, append(v, append(own, append(plain("RIG-03", "wrong"), "-q", "1")...)...)...)
		refused(version+" nobody", word, append(v, append(own, append(plain("nobody", secret), "-q", "1")...)...)...)
		refused(version+" foreign client id", word, append(v, append(own, append(plain("RIG-03", secret), "-q", "1", "-i", "RIG-04")...)...)...)
	}
	// MQTT 5 says in the acknowledgement why; 3.1.1 has no word for it, and
	// acknowledges what lies in the quarantine.
	refused("mqttv5 foreign topic", "Not authorized", append(plain("RIG-03", secret), "-V", "mqttv5", "-q", "1", "-t", "mudpulse/v1/RIG-04/frames")...)
	refused("mqttv311 foreign topic", "PUBACK", append(plain("RIG-03", secret), "-V", "mqttv311", "-q", "1", "-t", "mudpulse/v1/RIG-04/frames")...)
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, bytes.Repeat([]byte("x"), 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	// CONNACK tells MQTT 5 clients the limit; this one keeps to it and sends nothing.
	if out, _ := run(append(plain("RIG-03", secret), "-V", "mqttv5", "-q", "1", "-t", "mudpulse/v1/RIG-03/frames", "-f", big)...); strings.Contains(out, "sending PUBLISH") {
		t.Errorf("mqttv5 oversize: %s", out)
	}
	if out, err := run(append(plain("RIG-03", secret), "-V", "mqttv311", "-q", "1", "-t", "mudpulse/v1/RIG-03/frames", "-f", big)...); err != nil {
		t.Errorf("mqttv311 oversize: %v\n%s", err, out)
	}
	harness.Wait(t, 20*time.Second, "three refusals and the oversize in the counters", func() bool {
		return r.gw.metric("refused_total") >= 2 && r.gw.metric("quarantined_total") >= 3
	})
	// The will of a client that is killed is a message like any other.
	body, k := frame("RIG-03")
	cmd := exec.Command("mosquitto_pub", append(plain("RIG-03", secret), "-h", "127.0.0.1", "-q", "1", "-t", "mudpulse/v1/RIG-03/frames", "-l", "--will-topic", "mudpulse/v1/RIG-03/frames", "--will-payload", body)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	alive, k2 := frame("RIG-03")
	if _, err := fmt.Fprintln(in, alive); err != nil {
		t.Fatal(err)
	}
	arrives("a line", k2)
	if read.seen[k] != 0 {
		t.Error("the will came while the client was connected")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	arrives("will", k)
	r.gw.Stop()
}

// A Sparkplug node whose data cannot be read, because its birth went by, is
// asked for it, through the site's broker.
func TestASparkplugNodeIsAskedForItsBirth(t *testing.T) {
	t.Parallel()
	l := embedded(t)
	b := mosquitto(t)
	site := filepath.Join(t.TempDir(), "site.yaml")
	text := fmt.Sprintf("brokers: [{url: 'tcp://%s', filters: ['spBv1.0/rio/#']}]\nrules: [{topic: 'spBv1.0/rio/#', kind: sparkplug, drill: RIG-01}]\n", b.addr())
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	gw := newGateway(t, l, 2, "--site", site)
	r := &road{name: "Sparkplug", addr: b.addr, broker: b, gw: gw}
	r.begin(t)
	sub := exec.Command("mosquitto_sub", "-h", "127.0.0.1", "-p", fmt.Sprint(b.port), "-t", "spBv1.0/rio/NCMD/N44", "-C", "1", "-W", "30", "-F", "%x")
	var out bytes.Buffer
	sub.Stdout = &out
	if err := sub.Start(); err != nil {
		t.Fatal(err)
	}
	session, err := os.ReadFile(harness.Repo(t, "gateway", "payload", "testdata", "sparkplug", "session.txt"))
	if err != nil {
		t.Fatal(err)
	}
	topic, data, _ := strings.Cut(strings.Split(string(session), "\n")[2], " ") // data by alias
	done := make(chan error, 1)
	go func() { done <- sub.Wait() }()
	asked := false
	harness.Wait(t, 40*time.Second, "the request for a birth", func() bool {
		select {
		case err := <-done:
			asked = err == nil
			return true
		default:
		}
		send := exec.Command("bash", "-c", fmt.Sprintf("base64 -d <<<%q | mosquitto_pub -h 127.0.0.1 -p %d -t %q -s", data, b.port, topic))
		if o, err := send.CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, o)
		}
		return false
	})
	if want := hex.EncodeToString([]byte("Node Control/Rebirth")); !asked || !strings.Contains(out.String(), want) {
		t.Errorf("%s", &out)
	}
	gw.Stop()
}
