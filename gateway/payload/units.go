package payload

import (
	"strings"

	"github.com/mudpulse/mudpulse/telemetry"
)

// A unit is v·factor + shift in the coherent unit of its quantity.
type unit struct {
	quantity      string
	factor, shift float64
}

// units by their names, in lower case where that is no other unit. Factors are
// exact by definition (international foot and pound, US gallon, standard gravity,
// 42-gallon barrel) or follow from such.
var units = map[string]unit{
	"N": {"force", 1, 0}, "kN": {"force", 1e3, 0}, "daN": {"force", 10, 0}, "kdaN": {"force", 1e4, 0}, "lbf": {"force", lbf, 0}, "klbf": {"force", 1e3 * lbf, 0}, "kgf": {"force", 9.80665, 0}, "tf": {"force", 9806.65, 0},
	"Pa": {"pressure", 1, 0}, "kPa": {"pressure", 1e3, 0}, "MPa": {"pressure", 1e6, 0}, "bar": {"pressure", 1e5, 0}, "mbar": {"pressure", 100, 0}, "psi": {"pressure", lbf / (inch * inch), 0},
	"m": {"length", 1, 0}, "cm": {"length", 0.01, 0}, "mm": {"length", 1e-3, 0}, "km": {"length", 1e3, 0}, "ft": {"length", foot, 0}, "in": {"length", inch, 0},
	"L/min": {"flow", 1e-3 / 60, 0}, "L/s": {"flow", 1e-3, 0}, "m3/s": {"flow", 1, 0}, "m3/min": {"flow", 1.0 / 60, 0}, "m3/h": {"flow", 1.0 / 3600, 0}, "gpm": {"flow", gallon / 60, 0}, "bbl/min": {"flow", 42 * gallon / 60, 0},
	"rpm": {"rotation", 1.0 / 60, 0}, "Hz": {"rotation", 1, 0}, "1/min": {"rotation", 1.0 / 60, 0}, "1/s": {"rotation", 1, 0}, "rad/s": {"rotation", 1 / (2 * pi), 0}, "spm": {"rotation", 1.0 / 60, 0}, "beat/min": {"rotation", 1.0 / 60, 0},
	"N.m": {"torque", 1, 0}, "kN.m": {"torque", 1e3, 0}, "ft.lbf": {"torque", foot * lbf, 0}, "kft.lbf": {"torque", 1e3 * foot * lbf, 0}, "daN.m": {"torque", 10, 0},
	"W": {"power", 1, 0}, "kW": {"power", 1e3, 0}, "MW": {"power", 1e6, 0}, "hp": {"power", 550 * foot * lbf, 0},
	"m3": {"volume", 1, 0}, "L": {"volume", 1e-3, 0}, "l": {"volume", 1e-3, 0}, "bbl": {"volume", 42 * gallon, 0}, "gal": {"volume", gallon, 0},
	"kg/m3": {"density", 1, 0}, "g/cm3": {"density", 1e3, 0}, "ppg": {"density", pound / gallon, 0}, "lb/gal": {"density", pound / gallon, 0}, "sg": {"density", 1e3, 0},
	"°C": {"temperature", 1, 273.15}, "Cel": {"temperature", 1, 273.15}, "degC": {"temperature", 1, 273.15}, "°F": {"temperature", 5.0 / 9, 273.15 - 160.0/9}, "degF": {"temperature", 5.0 / 9, 273.15 - 160.0/9}, "K": {"temperature", 1, 0},
	"m/s": {"velocity", 1, 0}, "m/h": {"velocity", 1.0 / 3600, 0}, "ft/h": {"velocity", foot / 3600, 0}, "ft/min": {"velocity", foot / 60, 0}, "mm/s": {"velocity", 1e-3, 0}, "in/s": {"velocity", inch, 0}, "km/h": {"velocity", 1.0 / 3.6, 0},
	"g": {"acceleration", 9.80665, 0}, "m/s2": {"acceleration", 1, 0},
	"°": {"angle", pi / 180, 0}, "deg": {"angle", pi / 180, 0}, "rad": {"angle", 1, 0},
	"°/30m": {"curvature", pi / 180 / 30, 0}, "°/100ft": {"curvature", pi / 180 / (100 * foot), 0}, "°/10m": {"curvature", pi / 180 / 10, 0},
	"–": {"ratio", 1, 0}, "1": {"ratio", 1, 0}, "/": {"ratio", 1, 0}, "%": {"ratio", 0.01, 0}, "gAPI": {"radioactivity", 1, 0},
}

const (
	lbf    = 4.4482216152605
	pound  = 0.45359237
	foot   = 0.3048
	inch   = 0.0254
	gallon = 3.785411784e-3
	pi     = 3.14159265358979323846
)

// spelled brings the spellings of a unit to the one in the table.
var spelled = strings.NewReplacer("·", ".", "*", ".", "³", "3", "²", "2", "^", "", " ", "", "lpm", "L/min", "l/min", "L/min", "gal/min", "gpm", "RPM", "rpm", "PSI", "psi", "ft-lbf", "ft.lbf", "kft-lbf", "kft.lbf", "lbs/gal", "ppg")

// ConvertUnit returns how values in a unit become values of the channel:
// v·factor + shift. ok is false if the unit is not known or measures something else.
func ConvertUnit(from string, ch *telemetry.Channel) (factor, shift float64, ok bool) {
	if from == ch.Unit || from == "" {
		return 1, 0, true
	}
	if from == fieldUnit {
		from = ch.Field
	}
	a, okA := units[spelled.Replace(from)]
	b, okB := units[spelled.Replace(ch.Unit)]
	if !okA || !okB || a.quantity != b.quantity {
		return 0, 0, false
	}
	return a.factor / b.factor, (a.shift - b.shift) / b.factor, true
}
