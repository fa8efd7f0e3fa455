// Package crash names the places at which a test kills the process. A main
// reads MUDPULSE_CRASH=name:n and gives At's result to the parts; without it
// every part holds None, which does nothing.
package crash

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

// Points are all the names, each at a write, fsync, rename or acknowledgement.
var Points = []string{
	"spool-write", "spool-torn", "spool-sync", "spool-synced", "spool-rotate", "spool-release",
	"state-write", "state-rename", "ledger-write", "ledger-rename",
	"mqtt-ack", "mqtt-pubrec", "produce-send", "produce-ack", "subscribe-ack",
}

// A Func is called as the process passes the place called name.
type Func func(name string)

// None does nothing.
func None(string) {}

// At parses "name:n" and returns a Func that calls die as the place is passed
// for the n-th time, counted from 1. An empty spec gives None.
func At(spec string, die func()) (Func, error) {
	if spec == "" {
		return None, nil
	}
	name, count, ok := strings.Cut(spec, ":")
	if !ok {
		count = "1"
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("MUDPULSE_CRASH: %q: want name:n with n from 1", spec)
	}
	known := false
	for _, p := range Points {
		known = known || p == name
	}
	if !known {
		return nil, fmt.Errorf("MUDPULSE_CRASH: no place %q; there are %s", name, strings.Join(Points, ", "))
	}
	var passed atomic.Int64
	return func(at string) {
		if at == name && passed.Add(1) == n {
			die()
		}
	}, nil
}
