module github.com/mudpulse/mudpulse/simulators

go 1.26

require (
	github.com/mudpulse/mudpulse/telemetry v0.0.0
)

replace (
	github.com/mudpulse/mudpulse/telemetry => ../telemetry
)
