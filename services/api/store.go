package api

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// What the command line asks of the running process about its store: imports,
// damage, backups. For the administrator; not part of the described API.

// Keeper looks after the columnstore.
type Keeper struct {
	// Import gives frames of one drill to the gateway, as history; nil: the gateway runs elsewhere.
	Import func(ctx context.Context, drill string, frames [][]byte) error
	// Check reads every sealed file.
	Check func(ctx context.Context) ([]storage.Damage, error)
	// Backup writes to a folder or a bucket's URL and says what it did.
	Backup func(ctx context.Context, to string) (any, error)
}

// maxImport bounds one request's frames, in bytes.
const maxImport = 8 << 20

func (a *API) keeperRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		root + "/store/import": a.importFrames,
		root + "/store/check": func(w http.ResponseWriter, r *http.Request) {
			a.keep(w, r, a.d.Keeper.Check != nil, func() (any, error) {
				damage, err := a.d.Keeper.Check(r.Context())
				return map[string]any{"damage": damage}, err
			})
		},
		root + "/store/backup": func(w http.ResponseWriter, r *http.Request) {
			a.keep(w, r, a.d.Keeper.Backup != nil, func() (any, error) { return a.d.Keeper.Backup(r.Context(), r.URL.Query().Get("to")) })
		},
	}
}

// keep answers an administrator with JSON, and writes the audit's row.
func (a *API) keep(w http.ResponseWriter, r *http.Request, able bool, do func() (any, error)) {
	id, err := a.identify(r)
	switch {
	case err != nil:
		writeProblem(w, http.StatusUnauthorized, signInFirst)
		return
	case !id.Role.May(people.Administrator):
		writeProblem(w, http.StatusForbidden, "this takes the role administrator, and "+id.Name+" is "+string(id.Role))
		return
	case !able:
		writeProblem(w, http.StatusServiceUnavailable, "this process cannot do it: the part that can runs elsewhere (imports need the gateway, the others the embedded columnstore)")
		return
	}
	row, err := a.people.Begin(r.Context(), people.Entry{By: id.Name, Role: id.Role, Action: strings.TrimPrefix(r.URL.Path, root+"/"), Subject: r.URL.RawQuery, Remote: r.RemoteAddr})
	if err != nil {
		a.log.Error("audit not written", "err", err)
		writeProblem(w, http.StatusInternalServerError, "the audit cannot be written, so nothing is done; the log says why")
		return
	}
	out, err := do()
	status, detail := http.StatusOK, ""
	if err != nil {
		status, detail = http.StatusUnprocessableEntity, err.Error()
	}
	if err := a.people.End(context.WithoutCancel(r.Context()), row, r.URL.RawQuery, detail, status); err != nil {
		a.log.Error("audit not completed", "err", err)
	}
	if err != nil {
		writeProblem(w, status, detail)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the client went away; nobody to tell
}

// importFrames takes frames of one drill, each behind its length (uvarint).
func (a *API) importFrames(w http.ResponseWriter, r *http.Request) {
	a.keep(w, r, a.d.Keeper.Import != nil, func() (any, error) {
		drill := r.URL.Query().Get("drill")
		if err := telemetry.ValidID(drill); err != nil {
			return nil, fmt.Errorf("drill: %w", err)
		}
		in := bufio.NewReader(http.MaxBytesReader(w, r.Body, maxImport))
		var frames [][]byte
		for {
			n, err := binary.ReadUvarint(in)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("frame %d: length: %w", len(frames), err)
			}
			if n > maxImport {
				return nil, fmt.Errorf("frame %d: %d bytes are more than %d", len(frames), n, maxImport)
			}
			b := make([]byte, n)
			if _, err := io.ReadFull(in, b); err != nil {
				return nil, fmt.Errorf("frame %d: cut off: %w", len(frames), err)
			}
			frames = append(frames, b)
		}
		if err := a.d.Keeper.Import(r.Context(), drill, frames); err != nil {
			return nil, err
		}
		return map[string]any{"accepted": len(frames)}, nil
	})
}
