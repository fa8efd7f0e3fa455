// Package credential makes and checks device passwords: argon2id, stored as a
// PHC string ($argon2id$v=19$m=…,t=…,p=…$salt$hash).
package credential

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What Hash uses: the second of OWASP's equal choices for argon2id (Password
// Storage Cheat Sheet), which keeps a gateway small: 7 MiB, 5 passes.
const (
	memory  = 7168 // KiB
	passes  = 5
	threads = 1
)

// Bounds of what Verify computes, so that a stored string cannot exhaust a gateway.
const (
	maxMemory  = 64 << 10 // KiB
	maxPasses  = 16
	maxThreads = 8
)

// Generate returns a password of 120 random bits, letters and digits only.
func Generate() string { return strings.ToLower(rand.Text()[:24]) }

// Hash returns the PHC string of a password.
func Hash(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	sum := argon2.IDKey([]byte(password), salt, passes, memory, threads, 32)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, threads, enc.EncodeToString(salt), enc.EncodeToString(sum))
}

// Verify reports whether password is that of phc; an error says that phc is none of ours.
func Verify(phc string, password []byte) (bool, error) {
	parts := strings.Split(phc, "$")
	var m, t uint32
	var p uint8
	var v int
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return false, fmt.Errorf("credential: want $argon2id$v=19$m=…,t=…,p=…$salt$hash")
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &v); err != nil || v != argon2.Version {
		return false, fmt.Errorf("credential: want argon2 version %d", argon2.Version)
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &m, &t, &p); err != nil || m < 8 || m > maxMemory || t < 1 || t > maxPasses || p < 1 || p > maxThreads {
		return false, fmt.Errorf("credential: parameters %q are not within m=8…%d,t=1…%d,p=1…%d", parts[3], maxMemory, maxPasses, maxThreads)
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil || len(salt) < 8 || len(salt) > 64 {
		return false, fmt.Errorf("credential: the salt is not 8 to 64 bytes of base64")
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) < 16 || len(want) > 64 {
		return false, fmt.Errorf("credential: the hash is not 16 to 64 bytes of base64")
	}
	got := argon2.IDKey(password, salt, t, m, p, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}
