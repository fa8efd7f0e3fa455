module github.com/mudpulse/mudpulse/services

go 1.26

require (
	github.com/mudpulse/mudpulse/dashboard v0.0.0
	github.com/mudpulse/mudpulse/gateway v0.0.0
	github.com/mudpulse/mudpulse/scoring v0.0.0
	github.com/mudpulse/mudpulse/simulators v0.0.0
	github.com/mudpulse/mudpulse/storage v0.0.0
	github.com/mudpulse/mudpulse/telemetry v0.0.0
)

replace (
	github.com/mudpulse/mudpulse/dashboard => ../dashboard
	github.com/mudpulse/mudpulse/gateway => ../gateway
	github.com/mudpulse/mudpulse/scoring => ../scoring
	github.com/mudpulse/mudpulse/simulators => ../simulators
	github.com/mudpulse/mudpulse/storage => ../storage
	github.com/mudpulse/mudpulse/telemetry => ../telemetry
)
