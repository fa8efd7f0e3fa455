module github.com/mudpulse/mudpulse/dashboard

go 1.26
