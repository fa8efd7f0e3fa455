// Package simulators holds what stands in for the world: rigs that fail truly,
// the devices on them, and the default models trained on them.
package simulators

import "embed"

// Models are the default models, *.pmml under models/.
//
//go:embed all:models
var Models embed.FS
