module github.com/mudpulse/mudpulse/docs

go 1.26
