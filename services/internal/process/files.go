package process

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Addresses are where a running process listens; written to DIR/addresses.json.
type Addresses struct {
	HTTP  string `json:"http,omitempty"`
	MQTT  string `json:"mqtt,omitempty"`
	MQTTS string `json:"mqtts,omitempty"`  // over TLS
	WS    string `json:"mqttws,omitempty"` // over WebSocket
	Kafka string `json:"kafka,omitempty"`
	SQL   string `json:"sql,omitempty"`
}

// WriteAddresses puts a into the data directory, whole or not at all.
func WriteAddresses(dir string, a Addresses) error {
	b, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "addresses.json"), append(b, '\n'), 0o644)
}

// ReadAddresses returns where the process that owns dir listens.
func ReadAddresses(dir string) (Addresses, error) {
	var a Addresses
	path := filepath.Join(dir, "addresses.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return a, fmt.Errorf("no mudpulse runs on %s (no addresses.json there): start `mudpulse run --data %s`, or say where it runs with --data or --server", dir, dir)
	}
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return a, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// AdminToken returns the administrator's token, made once, kept in DIR/admin-token (0600).
func AdminToken(dir string) (string, error) {
	path := filepath.Join(dir, "admin-token")
	b, err := os.ReadFile(path)
	if err == nil {
		if t := strings.TrimSpace(string(b)); len(t) >= 32 {
			return t, nil
		}
		return "", fmt.Errorf("%s: holds no token of 32 characters or more; remove it to have a new one made", path)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var raw [24]byte
	rand.Read(raw[:])
	token := hex.EncodeToString(raw[:])
	return token, writeFile(path, []byte(token+"\n"), 0o600)
}

// writeFile writes beside, syncs, and renames.
func writeFile(path string, b []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
