package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/services/internal/kafka"
	"github.com/mudpulse/mudpulse/services/internal/process"
)

// Doctor looks at a gateway from outside: its disk, its process, its Kafka, its
// clock. Each line is ok, or what is wrong and what to do.
type Doctor struct {
	Data    string   `help:"Data directory of the gateway." default:".data" placeholder:"DIR"`
	Brokers []string `help:"Its Kafka." placeholder:"HOST:PORT"`
	Prefix  string   `help:"Prefix of its topics." default:"mudpulse."`

	SASLUser      string `name:"sasl-user" help:"Its user at the brokers."`
	SASLPassword  string `name:"sasl-password" help:"Its password; better in the environment." env:"MUDPULSE_SASL_PASSWORD"`
	SASLMechanism string `name:"sasl-mechanism" help:"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512." default:"SCRAM-SHA-256"`
	KafkaTLS      bool   `name:"kafka-tls" help:"It speaks TLS to the brokers."`
	KafkaCA       string `name:"kafka-ca" help:"Certificate authority of the brokers, PEM." placeholder:"FILE"`
	KafkaCert     string `name:"kafka-cert" help:"Its certificate for the brokers, PEM." placeholder:"FILE"`
	KafkaKey      string `name:"kafka-key" help:"Its key, PEM." placeholder:"FILE"`

	Site string `help:"Its site file." placeholder:"FILE"`
}

// Run prints the findings; it is an error if one is bad.
func (d *Doctor) Run(ctx context.Context, out io.Writer) error {
	bad := 0
	say := func(what string, err error, cure string) {
		if err == nil {
			fmt.Fprintf(out, "ok    %s\n", what)
			return
		}
		bad++
		fmt.Fprintf(out, "BAD   %s: %v\n      do: %s\n", what, err, cure)
	}
	dir := filepath.Join(d.Data, "gateway")
	free, err := writable(dir)
	say(fmt.Sprintf("spool directory %s takes writes and syncs, %d MB free", dir, free>>20), err, "give the directory to the user that runs the gateway, and its disk room")
	if err == nil && free < 64<<20 {
		say("room for the spool", fmt.Errorf("%d MB are free", free>>20), "free some, or lower --spool-bytes: a full disk withholds acknowledgements")
	}
	if d.Site != "" {
		cfg := gateway.DefaultConfig()
		cfg.Spool.Dir, cfg.Kafka.Brokers = dir, []string{"127.0.0.1:9092"}
		err := readSite(d.Site, &cfg)
		if err == nil {
			err = cfg.Validate()
		}
		say("site file "+d.Site, err, "mend the key that is named")
	}
	a, err := process.ReadAddresses(d.Data)
	say("a process runs on "+d.Data, err, "start it: gateway --data "+d.Data+" --brokers HOST:PORT")
	if err == nil {
		say("it is ready", ready(ctx, a.HTTP), "the reason says what it waits for")
		for _, addr := range []string{a.MQTT, a.MQTTS, a.WS} {
			if addr == "" {
				continue
			}
			c, err := net.DialTimeout("tcp", addr, 3*time.Second)
			if err == nil {
				c.Close()
			}
			say("devices reach "+addr, err, "look whether the process runs, and at firewalls")
		}
	}
	if len(d.Brokers) > 0 {
		say("Kafka at "+strings.Join(d.Brokers, ","), d.kafka(ctx), "mend what is named; frames wait in the spool meanwhile")
	}
	if bad > 0 {
		return fmt.Errorf("%d of these want attention", bad)
	}
	return nil
}

// writable tries to write and sync a file in dir, and says how much is free.
func writable(dir string) (free int64, err error) {
	if _, err := os.Stat(dir); err != nil {
		return 0, err
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err == nil {
		free = int64(st.Bavail) * int64(st.Bsize)
	}
	f, err := os.CreateTemp(dir, "doctor-*.tmp")
	if err != nil {
		return free, err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString("doctor")
	return free, errors.Join(err, f.Sync(), f.Close())
}

func ready(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(b)))
	}
	return err
}

func (d *Doctor) kafka(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cfg := kafka.DefaultConfig()
	cfg.Brokers, cfg.Prefix = d.Brokers, d.Prefix
	cfg.User, cfg.Password, cfg.Mechanism = d.SASLUser, d.SASLPassword, d.SASLMechanism
	cfg.TLS, cfg.CAFile, cfg.CertFile, cfg.KeyFile = d.KafkaTLS, d.KafkaCA, d.KafkaCert, d.KafkaKey
	opts, err := cfg.Options()
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(append(opts, kgo.RetryTimeout(5*time.Second))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	t := cfg.Topics()
	there, err := kadm.NewClient(cl).ListTopics(ctx, t.Frames, t.Backfill, t.Quarantine, t.Gateways)
	if err != nil {
		return cfg.Cure(err)
	}
	if err := there.Error(); err != nil {
		return fmt.Errorf("%w: start the centre (mudpulse, scorer), which makes the topics, or name their prefix with --prefix", err)
	}
	return nil
}
