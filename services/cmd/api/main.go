// Command api serves the dashboard and the API, alone. Its store must
// be one that several processes may share: on DuckDB it refuses, with the reason.
package main

import (
	"fmt"
	"os"

	"github.com/mudpulse/mudpulse/services/internal/process"
)

func main() {
	fmt.Fprintln(os.Stderr, "api:", process.ErrApart)
	os.Exit(2)
}
