package process

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
)

// Cure says beside an error of the system what its reader can do about it. Errors
// that say it themselves come back as they are.
func (s *Settings) Cure(err error) error {
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "listen" && op.Addr != nil:
		flag := s.listens(op.Addr.String())
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("%w: another process listens there; stop it, or choose another address with %s (port 0: any that is free)", err, flag)
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			return fmt.Errorf("%w: no interface of this machine has this address; choose one that it has with %s, or 0.0.0.0 for all", err, flag)
		case errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("%w: ports below 1024 are the system's; choose another with %s", err, flag)
		}
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the user that runs this must be able to write to %s; give it that directory, or another with --data", err, s.Data)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EEXIST):
		return fmt.Errorf("%w: there is a file where a directory should be; name another with --data", err)
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("%w: let this process have more open files: ulimit -n 65536, or LimitNOFILE= of its unit", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), err != nil && strings.Contains(err.Error(), "database or disk is full"): // SQLite's words
		return fmt.Errorf("%w: free space on the disk of %s, or move it and say where with --data; nothing that was acknowledged is lost", err, s.Data)
	}
	return err
}

// listens names the setting that asks for an address: the same, or the same port of a host's name.
func (s *Settings) listens(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	best := "the setting of this address"
	for _, x := range []struct{ flag, addr string }{{"--http", s.HTTP}, {"--mqtt", s.MQTT}, {"--sql", s.SQL}, {"--kafka", s.Kafka}, {"--mqtt-tls", s.MQTTTLS}, {"--mqtt-ws", s.MQTTWS}} {
		if x.addr == addr {
			return x.flag
		}
		if _, p, err := net.SplitHostPort(x.addr); err == nil && p == port {
			best = x.flag
		}
	}
	return best
}
