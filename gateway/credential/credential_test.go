package credential_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/gateway/credential"
)

func TestOnlyTheRightPasswordIsVerified(t *testing.T) {
	p, q := credential.Generate(), credential.Generate()
	if p == q || len(p) != 24 {
		t.Fatal(p, q)
	}
	phc := credential.Hash(p)
	if strings.Contains(phc, p) {
		t.Error("the word itself is stored")
	}
	c := credential.NewCache()
	for range 2 {
		if ok, err := credential.Verify(phc, []byte(p)); !ok || err != nil {
			t.Error(ok, err)
		}
		if ok, err := credential.Verify(phc, []byte(q)); ok || err != nil {
			t.Error(ok, err)
		}
		if !c.Verify(phc, []byte(p)) || c.Verify(phc, []byte(q)) || c.Verify(phc, nil) {
			t.Error("the cache answers otherwise")
		}
	}
}

// The string is from test.c of the reference implementation (P-H-C/phc-winner-argon2).
func TestAHashOfTheReferenceImplementationIsVerified(t *testing.T) {
	phc := "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, err := credential.Verify(phc, []byte("password")); !ok || err != nil {
		t.Error(ok, err)
	}
}

func TestStoredStringsThatWouldExhaustAreRefused(t *testing.T) {
	for _, phc := range []string{
		"", "secret", "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8", "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8",
		"$argon2id$v=19$m=64,t=4000000000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8", "$argon2id$v=19$m=64,t=1,p=1$$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8", "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$",
	} {
		if _, err := credential.Verify(phc, []byte("x")); err == nil {
			t.Errorf("%q is taken", phc)
		}
	}
}

func TestTenThousandDevicesThatComeBackCostLittle(t *testing.T) {
	phc, c := credential.Hash("a"), credential.NewCache()
	c.Verify(phc, []byte("a"))
	c.Verify(phc, []byte("b"))
	start := time.Now()
	for range 10000 {
		if !c.Verify(phc, []byte("a")) || c.Verify(phc, []byte("b")) {
			t.Fatal("wrong")
		}
	}
	if d := time.Since(start); d > 5*time.Second { // 10,000 computations take minutes
		t.Errorf("took %v", d)
	}
}

func BenchmarkVerify(b *testing.B) {
	phc := credential.Hash("a")
	for b.Loop() {
		credential.Verify(phc, []byte("a"))
	}
}
