package duckdb

import (
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Drills returns all drills, sorted by name. Lists of devices are shared: not to be changed.
func (s *Store) Drills() []storage.Drill { return s.mem.Drills() }

// LatestScore returns the drill's newest tick, in its last version. It is shared: not to be changed.
func (s *Store) LatestScore(name string) (*telemetry.Score, bool) { return s.mem.LatestScore(name) }

// LatestScores returns LatestScore of every drill that has one, sorted by drill.
func (s *Store) LatestScores() []*telemetry.Score { return s.mem.LatestScores() }

// Latest returns the newest sample of each of the drill's channels.
func (s *Store) Latest(name string) map[string]storage.Value { return s.mem.Latest(name) }

// HealthHistory returns the week of each drill that ends with the bucket that at lies in, sorted by drill.
func (s *Store) HealthHistory(at int64) []storage.HealthHistory { return s.mem.HealthHistory(at) }

// Unregistered returns the tags seen in frames that are neither in the catalogue
// nor registered since, sorted.
func (s *Store) Unregistered() []storage.SeenChannel {
	s.names.RLock()
	var tags []string
	for lower, ch := range s.byLower {
		if _, ok := s.registered[lower]; !ok && !s.catalogued[lower] {
			tags = append(tags, s.byChannel[ch])
		}
	}
	s.names.RUnlock()
	return s.mem.Seen(tags)
}
