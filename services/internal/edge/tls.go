package edge

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"time"
)

// serverTLS is what devices meet; nil without a certificate. With an authority
// of clients a device may prove itself by a certificate instead of a password.
func serverTLS(certFile, keyFile, clientCA string) (*tls.Config, error) {
	if certFile == "" {
		return nil, nil
	}
	c := &reloading{cert: certFile, key: keyFile}
	if _, err := c.get(nil); err != nil {
		return nil, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
	if clientCA != "" {
		pem, err := os.ReadFile(clientCA)
		if err != nil {
			return nil, fmt.Errorf("mqtt-client-ca: %w", err)
		}
		cfg.ClientCAs, cfg.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("mqtt-client-ca: %s holds no certificate in PEM", clientCA)
		}
	}
	return cfg, nil
}

// reloading serves a certificate and takes a new one when its file changes; one
// that cannot be read leaves the old one in use.
type reloading struct {
	cert, key string

	mu      sync.Mutex
	loaded  *tls.Certificate
	changed time.Time
}

func (r *reloading) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	info, err := os.Stat(r.cert)
	if err == nil && (r.loaded == nil || !info.ModTime().Equal(r.changed)) {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(r.cert, r.key); err == nil {
			r.loaded, r.changed = &pair, info.ModTime()
		}
	}
	if r.loaded == nil {
		return nil, fmt.Errorf("mqtt-cert: %w", err)
	}
	return r.loaded, nil
}

// loopback reports whether addr is reachable from this machine only.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// withoutUser takes user and password out of a broker's URL.
func withoutUser(broker string) (bare, user, password string) {
	u, err := url.Parse(broker)
	if err != nil || u.User == nil {
		return broker, "", ""
	}
	user = u.User.Username()
	password, _ = u.User.Password()
	u.User = nil
	return u.String(), user, password
}
