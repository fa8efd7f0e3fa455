package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/alecthomas/kong"
)

type grammar struct {
	Config string `help:"File of settings." placeholder:"FILE"`
	Run    struct {
		Settings `embed:""`
	} `cmd:""`
}

func parse(t *testing.T, env []string, args ...string) (*grammar, *kong.Context, error) {
	t.Helper()
	var g grammar
	var out bytes.Buffer
	ctx, err := Parse(&g, append([]string{"run"}, args...), env, kong.Writers(&out, &out), kong.Exit(func(int) {}))
	return &g, ctx, err
}

func TestAFlagBeatsTheEnvironmentBeatsTheFileBeatsTheDefault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mudpulse.yaml")
	if err := os.WriteFile(path, []byte("http: 127.0.0.1:1\nmqtt: 127.0.0.1:1\nsql: 127.0.0.1:1\nbrokers: [a:1, b:2]\nlive_horizon: 5m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g, ctx, err := parse(t, []string{"MUDPULSE_HTTP=127.0.0.1:2", "MUDPULSE_MQTT=127.0.0.1:2", "OTHER=1"}, "--config", path, "--http", "127.0.0.1:3")
	if err != nil {
		t.Fatal(err)
	}
	s := g.Run.Settings
	got := []string{s.HTTP, s.MQTT, s.SQL, s.Kafka, strings.Join(s.Brokers, "+"), s.LiveHorizon.String()}
	want := []string{"127.0.0.1:3", "127.0.0.1:2", "127.0.0.1:1", "127.0.0.1:9092", "a:1+b:2", "5m0s"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	var out bytes.Buffer
	if err := PrintSettings(&out, ctx, []string{"--config", path}, []string{"MUDPULSE_HTTP=x", "MUDPULSE_MQTT=127.0.0.1:2"}); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`"127.0.0.1:3"`, "# flag", "# environment", "# " + path, "# default"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("%q is not printed in\n%s", line, &out)
		}
	}
}

func TestNoPasswordIsPrinted(t *testing.T) {
	_, ctx, err := parse(t, []string{"MUDPULSE_COLUMNSTORE=clickhouse://writer:hush@db:9000/rigs", "MUDPULSE_SASL_PASSWORD=hush"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := PrintSettings(&out, ctx, nil, nil); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.Contains(s, "hush") || !strings.Contains(s, "clickhouse://writer:xxxxx@db:9000/rigs") {
		t.Errorf("printed:\n%s", s)
	}
}

func TestAWrongKeyOrValueIsRefusedByName(t *testing.T) {
	f := func(file string, env []string, args []string, want string) {
		t.Helper()
		if file != "" {
			path := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--config="+path)
		}
		g, _, err := parse(t, env, args...)
		if err == nil {
			err = g.Run.Validate()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q in it", err, want)
		}
	}
	f("htpp: 1\n", nil, nil, "htpp: is no setting")
	f("http:\n  port: 1\n", nil, nil, "http: is a section")
	f("", []string{"MUDPULSE_LIVEHORIZON=5m"}, nil, "MUDPULSE_LIVEHORIZON: is no setting; nearest: live-horizon")
	f("partitions: many\n", nil, nil, "partitions")
	f("", nil, []string{"--http", "8080"}, `http: "8080" is no address`)
	f("", nil, []string{"--parts", "writer"}, "writer and api apart")
	f("", nil, []string{"--parts", "log,api"}, "writer and api apart")
	f("", nil, []string{"--parts", "log,api", "--columnstore", "http://127.0.0.1:8123"}, "need a Kafka that both reach")
	f("", nil, []string{"--parts", "wrtier,api"}, `"wrtier" is no part`)
	f("", nil, []string{"--brokers", "x"}, "brokers")
	f("", nil, []string{"--nonsense"}, "--nonsense")
}

func TestPartsStopInOrderEachWhileTheNextStillRuns(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	started := make(chan string, 3)
	var order []string
	part := func(name string) Part {
		return Part{name, func(ctx context.Context) error {
			started <- name
			<-ctx.Done()
			order = append(order, name) // parts stop one at a time
			return nil
		}}
	}
	done := make(chan error)
	go func() {
		done <- RunParts(ctx, slog.New(slog.DiscardHandler), part("gateway"), part("scorer"), part("log"))
	}()
	for range 3 {
		<-started
	}
	stop()
	if err := <-done; err != nil || strings.Join(order, " ") != "gateway scorer log" {
		t.Errorf("%v %v", order, err)
	}
}

func TestOnePartsErrorStopsTheOthersAndIsTold(t *testing.T) {
	err := RunParts(t.Context(), slog.New(slog.DiscardHandler),
		Part{"a", func(ctx context.Context) error { <-ctx.Done(); return nil }},
		Part{"b", func(context.Context) error { return errors.New("disk is gone") }})
	if err == nil || err.Error() != "b: disk is gone" {
		t.Error(err)
	}
}

func TestTheAdminTokenIsMadeOnceAndReadableByItsOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	a, err := AdminToken(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := AdminToken(dir)
	if err != nil || a != b || len(a) != 48 {
		t.Errorf("%q, then %q (%v)", a, b, err)
	}
	info, err := os.Stat(filepath.Join(dir, "admin-token"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestAddressesAreFoundAgainAndTheirAbsenceExplained(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadAddresses(dir); err == nil || !strings.Contains(err.Error(), "mudpulse run") {
		t.Error(err)
	}
	want := Addresses{HTTP: "127.0.0.1:1", SQL: "127.0.0.1:2"}
	if err := WriteAddresses(dir, want); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadAddresses(dir); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
}

func TestHelpIsAVerbAndAWrongWordPointsToIt(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		var g grammar
		var out bytes.Buffer
		_, err := Parse(&g, args, nil, kong.Name("mudpulse"), kong.Writers(&out, &out), kong.Exit(func(int) { panic("exit") }))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", args, err, want)
		}
	}
	f("mudpulse --help says", "bogus")
	f("mudpulse run --help says", "run", "--nonsense")
	f("mudpulse --help says")
	help := func(want string, args ...string) {
		t.Helper()
		var g grammar
		var out bytes.Buffer
		defer func() {
			if recover() != "exit" || !strings.Contains(out.String(), want) {
				t.Errorf("%q printed\n%s\nwant %q", args, &out, want)
			}
		}()
		_, err := Parse(&g, args, nil, kong.Name("mudpulse"), kong.Writers(&out, &out), kong.Exit(func(int) { panic("exit") }))
		t.Errorf("%q went on: %v", args, err)
	}
	help("Usage: mudpulse <command>", "help")
	help("Usage: mudpulse run", "help", "run")
}

func TestErrorsOfTheSystemNameTheSettingThatCures(t *testing.T) {
	s := &Settings{Data: "/var/lib/mudpulse", HTTP: "localhost:8080", MQTT: "127.0.0.1:1883", SQL: "127.0.0.1:5433"}
	listen := func(addr string, no syscall.Errno) error {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Errorf("api: %w", &net.OpError{Op: "listen", Net: "tcp", Addr: a, Err: os.NewSyscallError("bind", no)})
	}
	f := func(err error, want string) {
		t.Helper()
		if got := s.Cure(err); !errors.Is(got, err) || !strings.Contains(got.Error(), want) {
			t.Errorf("%v; want %q in it", got, want)
		}
	}
	f(listen("127.0.0.1:8080", syscall.EADDRINUSE), "another address with --http")
	f(listen("127.0.0.1:1883", syscall.EADDRINUSE), "another address with --mqtt")
	f(listen("127.0.0.1:5433", syscall.EADDRNOTAVAIL), "no interface of this machine has this address; choose one that it has with --sql")
	f(listen("127.0.0.1:80", syscall.EACCES), "ports below 1024")
	f(&fs.PathError{Op: "mkdir", Path: "/var/lib/mudpulse/log", Err: syscall.EROFS}, "must be able to write to /var/lib/mudpulse")
	f(&fs.PathError{Op: "open", Path: "/var/lib/mudpulse/log", Err: syscall.EACCES}, "must be able to write to /var/lib/mudpulse")
	f(&fs.PathError{Op: "write", Path: "/var/lib/mudpulse/log", Err: syscall.ENOSPC}, "free space on the disk of /var/lib/mudpulse")
	f(&fs.PathError{Op: "mkdir", Path: "/etc/hostname", Err: syscall.ENOTDIR}, "name another with --data")
	f(&net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}, "ulimit -n")
	f(errors.New("api: migrations: database or disk is full (13)"), "free space on the disk of /var/lib/mudpulse")
	if err := errors.New("something else"); s.Cure(err) != err || s.Cure(nil) != nil {
		t.Error("an error that needs no cure was changed")
	}
}
