package process

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

// EnvPrefix begins the name of every variable that is a setting.
const EnvPrefix = "MUDPULSE_"

// Parse reads the command line into grammar, a pointer to a struct of kong
// commands that embeds Settings somewhere. What the command line leaves out is
// taken from the environment, then from the file that --config (or
// MUDPULSE_CONFIG) names, then from the defaults. A key in the file or a
// variable with our prefix that is no setting is refused by name.
func Parse(grammar any, args, environ []string, opts ...kong.Option) (*kong.Context, error) {
	r, err := newResolver(args, environ)
	if err != nil {
		return nil, err
	}
	opts = append([]kong.Option{
		kong.Resolvers(r),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
	}, opts...)
	k, err := kong.New(grammar, opts...)
	if err != nil {
		return nil, err
	}
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	if len(args) == 1 && args[0] == "--version" { // commands have a flag of that name
		fmt.Fprintln(k.Stdout, k.Model.Name, Version())
		k.Exit(0)
	}
	ctx, err := k.Parse(args)
	var wrong *kong.ParseError
	if errors.As(err, &wrong) {
		at := k.Model.Name
		if n := wrong.Context.Selected(); n != nil {
			at = n.FullPath()
		}
		err = fmt.Errorf("%w; %s --help says what there is", err, at)
	}
	return ctx, err
}

// resolver serves settings from the environment and the file.
type resolver struct {
	env   map[string]string // setting → value
	path  string
	file  map[string]string
	lists map[string][]string
}

func newResolver(args, environ []string) (*resolver, error) {
	r := &resolver{env: map[string]string{}, file: map[string]string{}}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok && strings.HasPrefix(name, EnvPrefix) {
			r.env[strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, EnvPrefix)), "_", "-")] = value
		}
	}
	r.path = r.env["config"]
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, "--config="); ok {
			r.path = v
		} else if a == "--config" && i+1 < len(args) {
			r.path = args[i+1]
		}
	}
	delete(r.env, "config")
	if r.path == "" {
		return r, nil
	}
	k := koanf.New("\x00") // no delimiter: keys are flat
	if err := k.Load(file.Provider(r.path), yaml.Parser()); err != nil {
		return nil, fmt.Errorf("config file %s: %w", r.path, err)
	}
	for key, v := range k.Raw() {
		name := strings.ReplaceAll(key, "_", "-")
		switch v := v.(type) {
		case []any:
			parts := make([]string, len(v))
			for i, e := range v {
				parts[i] = fmt.Sprint(e)
			}
			r.file[name] = strings.Join(parts, ",")
		case map[string]any:
			return nil, fmt.Errorf("config file %s: %s: is a section; settings are flat, as in `http: 127.0.0.1:8080`", r.path, key)
		default:
			r.file[name] = fmt.Sprint(v)
		}
	}
	return r, nil
}

// Validate refuses what names no setting.
func (r *resolver) Validate(app *kong.Application) error {
	known := map[string]bool{"config": true}
	_ = kong.Visit(app, func(n kong.Visitable, next kong.Next) error {
		if f, ok := n.(*kong.Flag); ok {
			known[f.Name] = true
		}
		return next(nil)
	})
	var wrong []string
	for _, src := range []struct {
		from map[string]string
		name func(string) string
	}{
		{r.env, func(k string) string {
			return "environment: " + EnvPrefix + strings.ToUpper(strings.ReplaceAll(k, "-", "_"))
		}},
		{r.file, func(k string) string { return "config file " + r.path + ": " + k }},
	} {
		for key := range src.from {
			if !known[key] {
				wrong = append(wrong, src.name(key)+": is no setting"+nearest(key, known))
			}
		}
	}
	sort.Strings(wrong)
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "\n"))
	}
	return nil
}

// Resolve implements kong.Resolver.
func (r *resolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if v, ok := r.env[flag.Name]; ok {
		return v, nil
	}
	if v, ok := r.file[flag.Name]; ok {
		return v, nil
	}
	return nil, nil
}

func nearest(key string, known map[string]bool) string {
	for k := range known {
		if strings.ReplaceAll(k, "-", "") == strings.ReplaceAll(key, "-", "") || len(key) > 3 && (strings.HasPrefix(k, key) || strings.HasPrefix(key, k)) {
			return "; nearest: " + k
		}
	}
	return "; see mudpulse config"
}

// withoutPassword is an address that may be shown.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(hidden)"
	}
	return u.Redacted()
}

// secrets are never printed.
var secrets = []string{"sasl-password"}

// PrintSettings writes every setting of ctx's command with its value and where it came from.
func PrintSettings(w io.Writer, ctx *kong.Context, args, environ []string) error {
	r, err := newResolver(args, environ)
	if err != nil {
		return err
	}
	given := map[string]bool{}
	for _, p := range ctx.Path {
		if p.Flag != nil && !p.Resolved {
			given[p.Flag.Name] = true
		}
	}
	for _, f := range ctx.Flags() {
		if f.Hidden || f.Name == "help" || f.Name == "config" {
			continue
		}
		from := "default"
		if given[f.Name] {
			from = "flag"
		} else if _, ok := r.env[f.Name]; ok {
			from = "environment"
		} else if _, ok := r.file[f.Name]; ok {
			from = r.path
		}
		value := fmt.Sprint(f.Target.Interface())
		if slices.Contains(secrets, f.Name) && value != "" {
			value = "(hidden)"
		}
		if f.Name == "columnstore" && value != "" {
			value = withoutPassword(value)
		}
		value = strings.Trim(value, "[]")
		if _, err := fmt.Fprintf(w, "%-16s %-34q # %s\n", f.Name+":", value, from); err != nil {
			return err
		}
	}
	return nil
}

// Environ is the process's environment; tests give their own.
func Environ() []string { return os.Environ() }
