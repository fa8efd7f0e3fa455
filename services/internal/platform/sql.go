package platform

import (
	"context"
	"slices"

	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/storage/pgwire"
)

// kept from viewers and operators: raw messages, and who decided what.
var engineersOnly = []string{"quarantine", "commands", "activations", "decided", "gateways"}

// sqlLogin lets the administrator in with their token, and programs under the
// token's name with the token as password. Engineers read every view.
func (p *platform) sqlLogin() func(ctx context.Context, user, password string) ([]string, bool) {
	admin := pgwire.Token("admin", p.token)
	return func(ctx context.Context, user, password string) ([]string, bool) {
		if grant, ok := admin(ctx, user, password); ok {
			return grant, true
		}
		if p.api == nil {
			return nil, false
		}
		role, ok := p.api.TokenRole(ctx, user, password)
		return grantOf(role), ok
	}
}

// grantOf are the views that a role may read; nil: all.
func grantOf(role people.Role) []string {
	if role.May(people.Engineer) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(duckdb.Views), func(v string) bool { return slices.Contains(engineersOnly, v) })
}
