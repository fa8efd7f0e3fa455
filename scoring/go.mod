module github.com/mudpulse/mudpulse/scoring

go 1.26
