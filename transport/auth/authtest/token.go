// Package authtest signs tokens for tests: with a secret that servers under test are given, or with keys that a JWKS
// server on loopback publishes and rotates.
package authtest

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Secret signs the tokens of Token. It is another one in each test process, so that it is no secret that others know.
var Secret = rand.Text() + rand.Text()

// Token returns a token of user, signed with Secret, with the role named by grants for each graph id or "*", that ends in
// an hour. The options change its claims.
func Token(t testing.TB, user string, grants map[string]string, opts ...func(jwt.MapClaims)) string {
	t.Helper()
	return Sign(t, Claims(user, grants, opts...))
}

// Sign returns a token with just these claims, signed with Secret.
func Sign(t testing.TB, claims jwt.MapClaims) string {
	t.Helper()
	return SignWith(t, jwt.SigningMethodHS256, []byte(Secret), nil, claims)
}

// Claims returns the claims of Token.
func Claims(user string, grants map[string]string, opts ...func(jwt.MapClaims)) jwt.MapClaims {
	claims := jwt.MapClaims{"sub": user, "exp": time.Now().Add(time.Hour).Unix()}
	if grants != nil {
		claims["graphs"] = grants
	}
	for _, opt := range opts {
		opt(claims)
	}
	return claims
}

// Admin opens the operators' endpoints.
func Admin(claims jwt.MapClaims) { claims["admin"] = true }

// Expires says when the token ends.
func Expires(at time.Time) func(jwt.MapClaims) { return With("exp", at.Unix()) }

// With sets a claim, and takes it away where value is nil.
func With(name string, value any) func(jwt.MapClaims) {
	return func(claims jwt.MapClaims) {
		if value == nil {
			delete(claims, name)
			return
		}
		claims[name] = value
	}
}

// SignWith returns a token signed by any method and key, with header over that of a plain token: what a forger may send.
func SignWith(t testing.TB, method jwt.SigningMethod, key any, header map[string]any, claims jwt.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	for name, value := range header {
		token.Header[name] = value
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatalf("sign a token with %s: %v", method.Alg(), err)
	}
	return signed
}
