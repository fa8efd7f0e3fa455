module github.com/mudpulse/mudpulse/gateway

go 1.26.0

require (
	github.com/mudpulse/mudpulse/telemetry v0.0.0
	github.com/twmb/franz-go v1.22.2
)

require (
	github.com/klauspost/compress v1.20.4 // indirect
	github.com/pierrec/lz4/v4 v4.1.33 // indirect
	github.com/twmb/franz-go/pkg/kmsg v1.15.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

replace github.com/mudpulse/mudpulse/telemetry => ../telemetry
