module github.com/mudpulse/mudpulse/simulators

go 1.26

require (
	github.com/alecthomas/kong v1.17.0
	github.com/eclipse/paho.mqtt.golang v1.5.1
	github.com/mudpulse/mudpulse/telemetry v0.0.0
)

require (
	github.com/gorilla/websocket v1.5.3 // indirect
	golang.org/x/net v0.44.0 // indirect
	golang.org/x/sync v0.17.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

replace github.com/mudpulse/mudpulse/telemetry => ../telemetry
