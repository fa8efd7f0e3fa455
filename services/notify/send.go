package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"syscall"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// An attempt is what became of one try: taken is whether the server said so;
// unsure, that it may have taken it without saying so.
type attempt struct {
	taken, unsure bool
	err           error
}

// dialer connects to allowed addresses only. A name that resolves to an address
// of the machine itself or of its neighbours' metadata services is refused,
// unless the list of hosts names that very address.
func (s *NotifySettings) dialer() *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		ip := at.Addr().Unmap()
		if s.allows(ip.String(), int(at.Port())) {
			return nil
		}
		if ip.IsLoopback() && s.allows("localhost", int(at.Port())) {
			return nil
		}
		if ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsInterfaceLocalMulticast() {
			return fmt.Errorf("%s is refused: a name must not lead there; list the address itself among hosts if it is meant", ip)
		}
		return nil
	}}
}

// webhook posts a message: JSON, an Idempotency-Key, a signature. Redirects are
// not followed and no proxy is asked, so nothing but the listed hosts is reached.
func (s *NotifySettings) webhook(ctx context.Context, t *NotifyTarget, m *Message, timeout time.Duration) attempt {
	u, err := s.endpoint(t.URL)
	if err != nil {
		return attempt{err: err}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return attempt{err: err}
	}
	wrote := false
	ctx, cancel := context.WithTimeout(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote = true }}), timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return attempt{err: err}
	}
	req.GetBody = nil // it is not sent again behind our back
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "mudpulse")
	req.Header.Set("Idempotency-Key", m.ID)
	if t.Secret != "" {
		mac := hmac.New(sha256.New, []byte(t.Secret))
		mac.Write(body)
		req.Header.Set("X-Mudpulse-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	client := &http.Client{
		Transport:     &http.Transport{DialContext: s.dialer().DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: 10 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return attempt{unsure: wrote, err: err}
	}
	defer res.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(res.Body, 300)) // for people; the status says enough
	if res.StatusCode/100 != 2 {
		return attempt{err: fmt.Errorf("%s answered %s: %q", u.Hostname(), res.Status, said)}
	}
	return attempt{taken: true}
}

// mail hands a message to the SMTP server.
func (s *NotifySettings) mail(ctx context.Context, t *NotifyTarget, m *Message, timeout time.Duration) attempt {
	c := &s.SMTP
	if !s.allows(c.Host, c.port()) {
		return attempt{err: fmt.Errorf("%s:%d is not among the hosts that may be spoken to: add it to hosts", c.Host, c.port())}
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(msg.From(c.From), msg.To(t.To...)); err != nil {
		return attempt{err: err}
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(m.ID + "@mudpulse")
	if m.Thread != "" { // mail programs lay it under the first
		first := "<" + m.Thread + "@mudpulse>"
		msg.SetGenHeader(gomail.HeaderInReplyTo, first)
		msg.SetGenHeader(gomail.HeaderReferences, first)
	}
	msg.SetDateWithValue(m.Created)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, m.text())
	opts := []gomail.Option{gomail.WithPort(c.port()), gomail.WithTimeout(timeout), gomail.WithDialContextFunc(s.dialer().DialContext), gomail.WithHELO("mudpulse")}
	switch c.TLS {
	case "tls":
		opts = append(opts, gomail.WithSSL())
	case "none":
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if c.User != "" {
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(c.User), gomail.WithPassword(c.Password))
	}
	client, err := gomail.NewClient(c.Host, opts...)
	if err != nil {
		return attempt{err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := client.DialWithContext(ctx); err != nil {
		return attempt{err: err}
	}
	defer client.Close() // QUIT: what was taken is taken, whatever it answers
	if err := client.Send(msg); err != nil {
		var at *gomail.SendError
		// The body is out and the answer is not a refusal: nobody can say.
		unsure := errors.As(err, &at) && at.Reason == gomail.ErrSMTPDataClose && at.ErrorCode() < 400
		return attempt{unsure: unsure, err: err}
	}
	return attempt{taken: true}
}
