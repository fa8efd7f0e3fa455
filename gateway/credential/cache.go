package credential

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// A Cache verifies passwords, computing argon2id once for each pair of stored
// string and password, so that ten thousand devices that come back do not cost
// ten thousand times 15 ms. It keeps hashes under a key that dies with the
// process. Safe for concurrent use.
type Cache struct {
	key  [32]byte
	slot chan struct{} // one computation at a time: memory is bounded

	mu    sync.Mutex
	known map[[32]byte]answer
}

type answer struct {
	right bool
	until time.Time // of a wrong one; a right one stays
}

const (
	maxKnown    = 1 << 16
	rememberBad = 10 * time.Second
)

// NewCache returns an empty cache.
func NewCache() *Cache {
	c := &Cache{slot: make(chan struct{}, 1), known: map[[32]byte]answer{}}
	rand.Read(c.key[:]) // never fails
	return c
}

// Verify is as the function of that name; what cannot be verified is wrong.
func (c *Cache) Verify(phc string, password []byte) bool {
	mac := hmac.New(sha256.New, c.key[:])
	mac.Write([]byte(phc))
	mac.Write([]byte{0})
	mac.Write(password)
	var k [32]byte
	mac.Sum(k[:0])
	if right, ok := c.lookup(k); ok {
		return right
	}
	c.slot <- struct{}{}
	defer func() { <-c.slot }()
	if right, ok := c.lookup(k); ok {
		return right
	}
	right, err := Verify(phc, password)
	right = right && err == nil
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxKnown {
		clear(c.known)
	}
	c.known[k] = answer{right, time.Now().Add(rememberBad)}
	return right
}

func (c *Cache) lookup(k [32]byte) (right, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.known[k]
	if ok && !a.right && time.Now().After(a.until) {
		delete(c.known, k)
		return false, false
	}
	return a.right, ok
}
