package edge

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/gateway/payload"
	"github.com/mudpulse/mudpulse/gateway/subscriber"
)

// site is the file that --site names: a site's brokers, how its messages are
// written, and what it calls its readings (docs/payloads.md).
type site struct {
	Brokers []struct {
		URL          string   `yaml:"url"`
		User         string   `yaml:"user"`
		PasswordFile string   `yaml:"password_file"`
		CA           string   `yaml:"ca"`
		Cert         string   `yaml:"cert"`
		Key          string   `yaml:"key"`
		Filters      []string `yaml:"filters"`
		Silent       string   `yaml:"silent"`
	} `yaml:"brokers"`
	Rules []struct {
		Topic   string   `yaml:"topic"`
		Kind    string   `yaml:"kind"`
		Drill   string   `yaml:"drill"`
		Names   string   `yaml:"names"`
		Columns []string `yaml:"columns"`
		Units   string   `yaml:"units"`
	} `yaml:"rules"`
	Names map[string]struct {
		Others   string `yaml:"others"`
		Channels map[string]struct {
			Channel string  `yaml:"channel"`
			Unit    string  `yaml:"unit"`
			Factor  float64 `yaml:"factor"`
			Shift   float64 `yaml:"shift"`
			Drop    bool    `yaml:"drop"`
		} `yaml:"channels"`
	} `yaml:"names"`
}

// readSite adds what the file at path says to cfg.
func readSite(path string, cfg *gateway.Config) error {
	if path == "" {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("site: %w", err)
	}
	var s site
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("site: %s: %w", path, err)
	}
	for i, x := range s.Brokers {
		sub := broker(cfg.Name, len(cfg.Subscribe), x.URL)
		if x.User != "" {
			sub.Username = x.User
		}
		if x.PasswordFile != "" {
			p, err := os.ReadFile(x.PasswordFile)
			if err != nil {
				return fmt.Errorf("site: %s: brokers.%d.password_file: %w", path, i, err)
			}
			sub.Password = string(bytes.TrimSpace(p))
		}
		if len(x.Filters) > 0 {
			sub.Filters = x.Filters
		}
		if x.Silent != "" {
			if sub.Silent, err = time.ParseDuration(x.Silent); err != nil {
				return fmt.Errorf("site: %s: brokers.%d.silent: %w", path, i, err)
			}
		}
		if sub.TLS, err = clientTLS(x.CA, x.Cert, x.Key); err != nil {
			return fmt.Errorf("site: %s: brokers.%d: %w", path, i, err)
		}
		cfg.Subscribe = append(cfg.Subscribe, sub)
	}
	for i, x := range s.Rules {
		if x.Units != "" && x.Units != "metric" && x.Units != "field" {
			return fmt.Errorf("site: %s: rules.%d.units: want metric or field, not %q", path, i, x.Units)
		}
		cfg.Rules = append(cfg.Rules, gateway.Rule{Topic: x.Topic, Kind: payload.Kind(x.Kind), Drill: x.Drill, Names: x.Names, Columns: x.Columns, Field: x.Units == "field"})
	}
	cfg.Names = map[string]gateway.Names{}
	for name, x := range s.Names {
		if x.Others != "" && x.Others != "keep" && x.Others != "drop" {
			return fmt.Errorf("site: %s: names.%s.others: want keep or drop, not %q", path, name, x.Others)
		}
		list := gateway.Names{Drop: x.Others == "drop", Channels: map[string]gateway.Mapping{}}
		for from, m := range x.Channels {
			list.Channels[from] = gateway.Mapping{Channel: m.Channel, Unit: m.Unit, Factor: m.Factor, Shift: m.Shift, Drop: m.Drop}
		}
		cfg.Names[name] = list
	}
	return nil
}

// broker is the n-th subscription; user and password may stand in the URL.
func broker(gateway string, n int, url string) subscriber.Config {
	sub := subscriber.DefaultConfig()
	sub.ClientID = fmt.Sprintf("mudpulse-%s-%d", gateway, n)
	sub.URL, sub.Username, sub.Password = withoutUser(url)
	return sub
}

// clientTLS is what a broker meets; nil where nothing is given.
func clientTLS(ca, cert, key string) (*tls.Config, error) {
	if ca == "" && cert == "" {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s holds no certificate in PEM", ca)
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("cert: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
