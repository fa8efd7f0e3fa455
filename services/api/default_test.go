package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
)

func TestAnOperationThatNamesNoRoleIsRefusedToEverybody(t *testing.T) {
	a := &API{log: slog.New(slog.DiscardHandler)}
	r := chi.NewRouter()
	a.openapi = humachi.New(r, huma.DefaultConfig("t", "1"))
	a.openapi.UseMiddleware(a.enforce)
	huma.Register(a.openapi, huma.Operation{Method: http.MethodGet, Path: "/forgotten", OperationID: "forgotten"}, func(context.Context, *struct{}) (*struct{}, error) {
		t.Error("it was done")
		return nil, nil
	})
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/forgotten", nil))
	b, _ := io.ReadAll(rec.Body)
	if rec.Code != http.StatusForbidden || !strings.Contains(string(b), "names no role") {
		t.Errorf("%d %s", rec.Code, b)
	}
}
