package authtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// Keys is a JWKS server on loopback and the private halves of what it publishes. It is safe for concurrent use.
type Keys struct {
	URL string // of the JWKS

	t testing.TB

	mu        sync.Mutex
	private   *ecdsa.PrivateKey // of the newest key
	id        string            // kid of the newest key
	made      int
	published []jwkset.JWKMarshal
	handler   http.HandlerFunc // instead of the JWKS
	fetches   int
}

// NewKeys starts a JWKS server with one ES256 key, until the test ends.
func NewKeys(t testing.TB) *Keys {
	t.Helper()
	k := &Keys{t: t}
	k.Add()
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	k.URL = server.URL + "/jwks.json"
	return k
}

// Token returns a token as the package's Token does, signed with the newest key.
func (k *Keys) Token(user string, grants map[string]string, opts ...func(jwt.MapClaims)) string {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	return SignWith(k.t, jwt.SigningMethodES256, k.private, map[string]any{"kid": k.id}, Claims(user, grants, opts...))
}

// Rotate publishes a new key and takes away all before it.
func (k *Keys) Rotate() {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.published = nil
	k.add()
}

// Add publishes a new key beside those there are; Token signs with it from now on.
func (k *Keys) Add() {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.add()
}

func (k *Keys) add() {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		k.t.Fatalf("make a key: %v", err)
	}
	k.made++
	k.private, k.id = private, "key-"+strconv.Itoa(k.made)
	k.published = append(k.published, Public(k.t, &private.PublicKey, k.id, jwkset.AlgES256))
}

// Publish publishes just these keys.
func (k *Keys) Publish(keys ...jwkset.JWKMarshal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.published = keys
}

// Answer answers in place of the JWKS; with nil the JWKS is back.
func (k *Keys) Answer(handler http.HandlerFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.handler = handler
}

// Fetches returns how often the URL was asked.
func (k *Keys) Fetches() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fetches
}

// ServeHTTP answers what the URL answers, for tests without a network.
func (k *Keys) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.fetches++
	handler := k.handler
	body, err := json.Marshal(jwkset.JWKSMarshal{Keys: k.published})
	k.mu.Unlock()
	if handler != nil {
		handler(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_, _ = w.Write(body) // the reader may be gone
}

// Public returns the JWK of a public key, for verifying signatures.
func Public(t testing.TB, public any, id string, alg jwkset.ALG) jwkset.JWKMarshal {
	t.Helper()
	key, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{
		Metadata: jwkset.JWKMetadataOptions{KID: id, ALG: alg, USE: jwkset.UseSig},
	})
	if err != nil {
		t.Fatalf("make a JWK: %v", err)
	}
	return key.Marshal()
}
