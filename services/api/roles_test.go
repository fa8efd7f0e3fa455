package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/services/api/people"
)

// An operation as the description has it.
type operation struct {
	method, path, id, role string
	body                   bool
}

func (w *world) operations() []operation {
	w.t.Helper()
	var spec struct {
		Paths map[string]map[string]struct {
			OperationID string          `json:"operationId"`
			Role        string          `json:"x-role"`
			RequestBody json.RawMessage `json:"requestBody"`
		}
	}
	if err := json.Unmarshal(w.want(w.do("GET", "/api/v1/openapi.json", nil, nil), 200).body, &spec); err != nil {
		w.t.Fatal(err)
	}
	var all []operation
	for path, methods := range spec.Paths {
		for method, op := range methods {
			all = append(all, operation{strings.ToUpper(method), path, op.OperationID, op.Role, op.RequestBody != nil})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// bearer makes a program's token for a role.
func (w *world) bearer(role people.Role) header {
	w.t.Helper()
	made := w.post("/api/v1/tokens", map[string]any{"name": "test " + string(role), "role": role}, 201)
	return header{"Authorization": "Bearer " + made.at(w.t, "token").(string)}
}

// allowed asks for op as somebody and reports whether the door was open: what is
// asked for does not exist, so that nothing changes.
func (w *world) allowed(op operation, h header) bool {
	w.t.Helper()
	path := strings.NewReplacer("{id}", "NONE0", "{name}", "NONE0", "{version}", "1").Replace(op.path)
	var body any
	if op.body {
		body = "{"
	}
	a := w.do(op.method, path, body, h)
	if a.StatusCode >= 500 {
		w.t.Errorf("%s %s: %d %s", op.method, path, a.StatusCode, a.body)
	}
	return a.StatusCode != 401 && a.StatusCode != 403
}

func TestEveryEndpointAsksForItsRoleAndNothingIsOpenByDefault(t *testing.T) {
	w := newWorld(t)
	roles := []people.Role{people.Nobody, people.Viewer, people.Operator, people.Engineer, people.Administrator}
	doors := []header{{}}
	for _, r := range roles[1:] {
		doors = append(doors, w.bearer(r))
	}
	var matrix bytes.Buffer
	fmt.Fprintln(&matrix, "# Who may do what: + may, . may not. Written by this test from the description; look at it when it changes.")
	fmt.Fprintf(&matrix, "%-7s%-52s%-24s%8s%8s%9s%9s%14s\n", "", "", "", "nobody", "viewer", "operator", "engineer", "administrator")
	ops := w.operations()
	if len(ops) < 40 {
		t.Fatalf("%d operations", len(ops))
	}
	for _, op := range ops {
		need := people.Role(op.role)
		open := op.role == "anyone"
		if !open && !slices.Contains(people.Roles, need) {
			t.Errorf("%s %s names no role: %q", op.method, op.path, op.role)
		}
		fmt.Fprintf(&matrix, "%-7s%-52s%-24s", op.method, op.path, op.id)
		for i, r := range roles {
			may, want := w.allowed(op, doors[i]), open || r.May(need)
			if may != want {
				t.Errorf("%s %s as %q: open %v, want %v", op.method, op.path, r, may, want)
			}
			fmt.Fprintf(&matrix, "%*s", []int{8, 8, 9, 9, 14}[i], map[bool]string{true: "+", false: "."}[may])
		}
		matrix.WriteByte('\n')
	}
	golden := filepath.Join("testdata", "roles.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, matrix.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, matrix.Bytes()) {
		t.Errorf("who may do what has changed: go test ./api -run Role -update, and look at the difference\n%s", matrix.Bytes())
	}
}

func TestATokenOpensOnlyWhatItsRoleMay(t *testing.T) {
	w := newWorld(t)
	made := w.post("/api/v1/tokens", map[string]any{"name": "Grafana", "role": "viewer", "days": 30}, 201)
	word, id := made.at(t, "token").(string), made.at(t, "id").(string)
	h := header{"Authorization": "Bearer " + word}
	w.want(w.do("GET", "/api/v1/drills", nil, h), 200)
	w.want(w.do("GET", "/api/v1/tokens", nil, h), 403)
	w.want(w.do("GET", "/api/v1/session", nil, h), 200).is(t, "name", "Grafana")
	w.post("/api/v1/tokens", map[string]any{"name": "Grafana", "role": "viewer"}, 409)
	list := w.get("/api/v1/tokens", 200)
	list.is(t, "0.by", "admin")
	if strings.Contains(string(list.body), word) || list.at(t, "0.seen") == nil {
		t.Errorf("the list tells the secret, or not that it was used: %s", list.body)
	}
	w.want(w.do("DELETE", "/api/v1/tokens/"+id, nil, admin), 204)
	w.want(w.do("GET", "/api/v1/drills", nil, h), 401)
	w.want(w.do("DELETE", "/api/v1/tokens/"+id, nil, admin), 404)
}

// signIn takes a link made for somebody and returns their cookie.
func (w *world) signIn(name string, role people.Role) header {
	w.t.Helper()
	link := w.post("/api/v1/people", map[string]any{"name": name, "role": role}, 201).at(w.t, "link").(string)
	_, secret, _ := strings.Cut(link, "#signin=")
	in := w.want(w.do("POST", "/api/v1/session", map[string]string{"token": secret}, nil), 200)
	w.want(w.do("POST", "/api/v1/session", map[string]string{"token": secret}, nil), 401)
	cookie, _, _ := strings.Cut(in.Header.Get("Set-Cookie"), ";")
	return header{"Cookie": cookie}
}

func TestAPersonIsLetInChangedAndShutOut(t *testing.T) {
	w := newWorld(t)
	mara := w.signIn("Mara", people.Viewer)
	w.want(w.do("POST", "/api/v1/alarms/ack", map[string]string{"id": "RIG-07/x/1"}, mara), 403)
	w.want(w.do("PUT", "/api/v1/people/Mara", map[string]any{"role": "operator"}, admin), 204)
	w.want(w.do("POST", "/api/v1/alarms/ack", map[string]string{"id": "RIG-07/x/1"}, mara), 404)
	id := w.get("/api/v1/sessions", 200).at(t, "0.id").(string)
	w.want(w.do("DELETE", "/api/v1/sessions/"+id, nil, admin), 204)
	w.want(w.do("GET", "/api/v1/drills", nil, mara), 401)
	again := w.signIn("Mara", people.Operator)
	w.want(w.do("PUT", "/api/v1/people/Mara", map[string]any{"role": "operator", "disabled": true}, admin), 204)
	w.want(w.do("GET", "/api/v1/drills", nil, again), 401)
	w.get("/api/v1/people", 200).is(t, "0.disabled", true)
	w.want(w.do("PUT", "/api/v1/people/Nobody", map[string]any{"role": "viewer"}, admin), 404)
}

func TestTheAdministratorsTokenSignsInOnThePageToo(t *testing.T) {
	w := newWorld(t)
	in := w.want(w.do("POST", "/api/v1/session", map[string]string{"token": token}, nil), 200)
	in.is(t, "role", "administrator")
	if in.Header.Get("Set-Cookie") == "" {
		t.Error("no session")
	}
}

func TestAnotherSitesPageMayChangeNothing(t *testing.T) {
	w := newWorld(t)
	mara := w.signIn("Mara", people.Administrator)
	w.want(w.do("POST", "/api/v1/devices", map[string]string{"drill": "RIG-07"}, mara.with(header{"Sec-Fetch-Site": "cross-site"})), 403)
	w.want(w.do("POST", "/api/v1/devices", map[string]string{"drill": "RIG-07"}, mara.with(header{"Origin": "http://evil.example"})), 403)
	w.want(w.do("POST", "/api/v1/devices", map[string]string{"drill": "RIG-07"}, mara), 201)
}
