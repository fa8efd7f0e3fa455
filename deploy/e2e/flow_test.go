//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// A device as a technician connects it.
type device struct {
	Username, Password, Topic string
	client                    mqtt.Client
}

func (p *platform) device(drill string) *device {
	p.t.Helper()
	var d device
	if err := json.Unmarshal([]byte(p.cli("device", "add", drill, "--json")), &d); err != nil {
		p.t.Fatal(err)
	}
	return &d
}

func (d *device) connect(t *testing.T, addr string) {
	t.Helper()
	harness.Wait(t, 30*time.Second, "the gateway to know "+d.Username, func() bool {
		d.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(d.Username).
			SetUsername(d.Username).SetPassword(d.Password).SetAutoReconnect(false).SetConnectTimeout(5 * time.Second))
		tok := d.client.Connect()
		return tok.WaitTimeout(10*time.Second) && tok.Error() == nil
	})
	t.Cleanup(func() { d.client.Disconnect(0) })
}

func (d *device) publish(t *testing.T, payload string) {
	t.Helper()
	tok := d.client.Publish(d.Topic, 1, false, payload)
	if !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
		t.Fatalf("no PUBACK: %v", tok.Error())
	}
}

// second is a frame of a drill that turns and pumps.
func second(seq int, ts time.Time) string {
	return fmt.Sprintf(`{"device":"edr","boot":"b1","seq":%d,"ts":%q,"channels":{"RPM":{"every_ms":100,"values":[120,120,120,120,120,120,120,120,120,120]},`+
		`"WOB":{"every_ms":100,"values":[100,100,101,100,100,100,100,100,100,100]},"SPP":{"every_ms":100,"values":[22,22,22,22,22,22,22,22,22,22]},`+
		`"FLIN":{"every_ms":500,"values":[2100,2100]},"TQ":15,"HKLD":1200,"ROP":20,"DBTM":3000,"MTO":52.3}}`, seq, ts.UTC().Format("2006-01-02T15:04:05.000Z"))
}

// throughTheFlow sends frames and bad ones, and expects each good one once at every stage.
func throughTheFlow(t *testing.T, p *platform, mqttAddr string) {
	const n = 120
	dev := p.device("RIG-07")
	dev.connect(t, mqttAddr)
	base := time.Now().Add(-n * time.Second).Truncate(time.Second)
	for i := range n {
		dev.publish(t, second(i, base.Add(time.Duration(i)*time.Second)))
		if i%10 == 0 { // again: a duplicate
			dev.publish(t, second(i, base.Add(time.Duration(i)*time.Second)))
		}
	}
	dev.publish(t, `{"device":"edr","boot":"b1","seq":`) // cut off
	harness.Wait(t, 60*time.Second, fmt.Sprintf("%d frames at every stage; the ledger says %+v", n, p.totals()), func() bool { return p.totals().all(n) })
	var q struct {
		Items []struct{ Code, Message, Cure string }
		Total int
	}
	harness.Wait(t, 20*time.Second, "the cut-off message in quarantine", func() bool {
		return p.get("/api/v1/quarantine", &q) == nil && q.Total == 1 && q.Items[0].Cure != ""
	})
	var drill struct {
		ID     string
		State  string
		LastTS string `json:"last_ts"`
	}
	if err := p.get("/api/v1/drills/RIG-07", &drill); err != nil || drill.LastTS == "" {
		t.Errorf("drill: %+v %v", drill, err)
	}
	var series struct {
		Series []struct {
			Channel string
			T       []float64
		}
	}
	if err := p.get("/api/v1/drills/RIG-07/series?channels=SPP,WOB&from=-1h&points=100", &series); err != nil || len(series.Series) != 2 || len(series.Series[0].T) == 0 {
		t.Errorf("series: %+v %v", series, err)
	}
	var alarms struct{ Alarms []any }
	if err := p.get("/api/v1/alarms", &alarms); err != nil {
		t.Error(err)
	}
}

func TestOneProcessCarriesTheWholeFlow(t *testing.T) {
	p := run(t, t.TempDir(), nil)
	throughTheFlow(t, p, p.addresses["mqtt"])
	before := p.totals()
	p.Stop()
	q := run(t, p.dir, nil)
	harness.Wait(t, 30*time.Second, "the same ledger after a restart", func() bool { return q.totals() == before })
	q.Stop()
}

// The processes apart, as operators run them: over the embedded log of a third
// process, and over Apache Kafka.
func TestProcessesApartOverTheEmbeddedLog(t *testing.T) {
	dir := t.TempDir()
	log := &platform{Proc: harness.Start(t, nil, harness.Bin(t, "mudpulse"), "run", "--parts", "log", "--demo=false", "--data", dir, "--kafka", "127.0.0.1:0"), t: t, dir: dir}
	log.await()
	apart(t, log.addresses["kafka"])
}

func TestProcessesApartOverApacheKafka(t *testing.T) {
	brokers := os.Getenv("E2E_KAFKA")
	if brokers == "" {
		t.Fatal("E2E_KAFKA names no broker: run this through make e2e")
	}
	apart(t, brokers)
}

func apart(t *testing.T, brokers string) {
	prefix := fmt.Sprintf("e2e%d.", time.Now().UnixNano())
	blobs := t.TempDir()
	shared := []string{"--brokers", brokers, "--prefix", prefix, "--blobs", blobs}
	p := run(t, t.TempDir(), nil, append(shared, "--parts", "writer,api")...)
	gwDir := t.TempDir()
	gw := &platform{Proc: harness.Start(t, nil, harness.Bin(t, "gateway"), "--brokers", brokers, "--prefix", prefix, "--data", gwDir, "--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0"), t: t, dir: gwDir}
	gw.await()
	scorer := harness.Start(t, nil, harness.Bin(t, "scorer"), append(shared, "--data", t.TempDir())...)
	throughTheFlow(t, p, gw.addresses["mqtt"])
	gw.Stop()
	scorer.Stop()
	p.Stop()
}

func TestWriterAndAPIApartOnDuckDBAreRefused(t *testing.T) {
	f := func(name string, args ...string) {
		t.Helper()
		out, err := exec.Command(harness.Bin(t, name), args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "DuckDB") || !strings.Contains(string(out), "--parts writer,api") {
			t.Errorf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	f("mudpulse", "run", "--parts", "writer", "--data", t.TempDir())
	f("mudpulse", "run", "--parts", "api,gateway", "--data", t.TempDir())
	f("writer", "--data", t.TempDir())
	f("api", "--data", t.TempDir())
}

func TestAnonymousDevicesAreRefused(t *testing.T) {
	p := run(t, t.TempDir(), nil)
	for _, user := range []string{"", "nobody"} {
		c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + p.addresses["mqtt"]).SetClientID("x").SetUsername(user).SetPassword("x").SetConnectRetry(false))
		if tok := c.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() == nil {
			t.Errorf("user %q was let in", user)
		}
	}
}
