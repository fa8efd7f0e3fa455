package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// A Match is what a writer saw of a document that is written whole. Without it
// what stands is replaced, whatever it is: scripts may.
type Match struct {
	IfMatch string `header:"If-Match" maxLength:"2000" doc:"the ETag that GET gave: 412, with who and when, where something else stands by now; left out: what stands is replaced"`
}

// A document is answered with the tag that If-Match wants.
type document[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// tagOf is the tag of a document by its content.
func tagOf(v any) string {
	sum := sha256.Sum256(asJSON(v))
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// A change is the last one of a document.
type change struct {
	By   string
	At   time.Time
	What string // "version 7", or empty
}

// unchanged refuses with 412 where the document is not the one that was read;
// tag is that of what stands. The caller holds a.writing until it has written.
// A proxy that compresses makes a tag weak: W/ is overlooked.
func (m Match) unchanged(what, tag string, last func() (change, error)) error {
	if strings.TrimSpace(m.IfMatch) == "" {
		return nil
	}
	for want := range strings.SplitSeq(m.IfMatch, ",") {
		if want = strings.TrimPrefix(strings.TrimSpace(want), "W/"); want == tag || want == "*" {
			return nil
		}
	}
	c, err := last()
	if err != nil {
		return err
	}
	said := "what stands is not what was read"
	detail := []error{&huma.ErrorDetail{Location: "header.If-Match", Message: "what stands now has another tag", Value: tag}}
	if c.By != "" {
		detail = append(detail, &huma.ErrorDetail{Location: "by", Message: "who changed it", Value: c.By}, &huma.ErrorDetail{Location: "at", Message: "when", Value: c.At.UTC().Format(time.RFC3339)})
		said = strings.TrimSpace(fmt.Sprintf("%s changed it at %s %s", c.By, c.At.UTC().Format(time.RFC3339), c.What))
	}
	return huma.Error412PreconditionFailed(fmt.Sprintf("%s: %s; read it again and change that, or send it without If-Match to replace it", what, said), detail...)
}

// lastChange asks the audit who last changed something; nobody where it was never changed.
func (a *API) lastChange(ctx context.Context, action, subject string) func() (change, error) {
	return func() (change, error) {
		e, ok, err := a.people.LastDone(ctx, action, subject)
		if err != nil || !ok {
			return change{}, err
		}
		return change{By: e.By, At: e.At}, nil
	}
}

// unless describes an operation that If-Match may stop.
func unless(op *huma.Operation) { op.Errors = append(op.Errors, http.StatusPreconditionFailed) }
