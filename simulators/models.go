// Package simulators holds what stands in for the world: rigs that fail truly,
// the devices on them, and the default models trained on them.
package simulators

import "embed"

// Models are the default models, *.pmml under models/; those of models/library are
// pushed where they are wanted.
//
//go:embed models/*.pmml
var Models embed.FS
