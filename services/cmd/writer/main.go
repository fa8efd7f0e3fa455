// Command writer keeps frames and scores in a columnstore, alone. Its store must
// be one that several processes may share: on DuckDB it refuses, with the reason.
package main

import (
	"fmt"
	"os"

	"github.com/mudpulse/mudpulse/services/internal/process"
)

func main() {
	fmt.Fprintln(os.Stderr, "writer:", process.ErrApart)
	os.Exit(2)
}
