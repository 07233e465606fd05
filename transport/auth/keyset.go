package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

const (
	maxKeys                = 64 // of one JWKS: a token without `kid` is tried with each that fits
	minModulus, maxModulus = 2048, 8192
)

// algorithms are those that keys of a JWKS verify; HS256, for which a key that everybody may read would be the secret, is
// not among them.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// key verifies signatures of some algorithms.
type key struct {
	id         string
	public     crypto.PublicKey
	algorithms []string
}

// keyset is what a JWKS held at one time. It is never written to.
type keyset struct {
	keys []key
	sum  [sha256.Size]byte // of the JWKS's bytes
}

// find returns the keys that may have signed a token of alg with `kid` id; "" is a token that names none. Known says
// whether there is a key to name it at all: one that is there and does not fit will not fit after the next fetch either.
func (s *keyset) find(alg, id string) (fit []jwt.VerificationKey, known bool) {
	for _, k := range s.keys {
		if id != "" && k.id != id {
			continue
		}
		known = true
		if slices.Contains(k.algorithms, alg) {
			fit = append(fit, k.public)
		}
	}
	return fit, known
}

// parseKeyset reads a JWKS. Keys that are for something else, or that nothing can be verified with, are left out, each with
// a reason, and do not keep the others from being used.
func parseKeyset(data []byte) (set *keyset, leftOut []error, err error) {
	var body struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(data, &body); err != nil {
		return nil, nil, errors.New("it is not a JSON object with an array of keys")
	}
	if body.Keys == nil {
		return nil, nil, errors.New("it has no keys member")
	}
	if len(body.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("it has %d keys, more than %d", len(body.Keys), maxKeys)
	}
	set = &keyset{sum: sha256.Sum256(data)}
	for i, raw := range body.Keys {
		k, err := parseKey(raw)
		if err != nil {
			leftOut = append(leftOut, fmt.Errorf("key %d %.40q: %w", i, k.id, err))
			continue
		}
		set.keys = append(set.keys, k)
	}
	return set, leftOut, nil
}

func parseKey(raw jsontext.Value) (key, error) {
	var jwk jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &jwk); err != nil {
		return key{}, errors.New("it is not a JSON Web Key")
	}
	k := key{id: jwk.KID}
	if jwk.D != "" || jwk.K != "" || jwk.P != "" {
		return k, errors.New("it is not public: whoever published it must make a new one")
	}
	if jwk.USE != "" && jwk.USE != jwkset.UseSig {
		return k, errors.New("its use is not sig")
	}
	if len(jwk.KEYOPS) > 0 && !slices.Contains(jwk.KEYOPS, jwkset.KeyOpsVerify) {
		return k, errors.New("its key_ops have no verify")
	}
	parsed, err := jwkset.NewJWKFromMarshal(jwk, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return k, err
	}
	k.public = parsed.Key()
	k.algorithms, err = algorithmsOf(k.public)
	if err == nil && jwk.ALG != "" {
		if !slices.Contains(k.algorithms, jwk.ALG.String()) {
			return k, errors.New("its alg does not fit its type, or is not known here")
		}
		k.algorithms = []string{jwk.ALG.String()}
	}
	return k, err
}

// algorithmsOf returns the algorithms that signatures with a key's private half can have.
func algorithmsOf(public crypto.PublicKey) ([]string, error) {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minModulus || bits > maxModulus {
			return nil, fmt.Errorf("its modulus has %d bits, not %d to %d", bits, minModulus, maxModulus)
		}
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, nil
	case *ecdsa.PublicKey:
		switch public.Curve.Params().BitSize {
		case 256:
			return []string{"ES256"}, nil
		case 384:
			return []string{"ES384"}, nil
		case 521:
			return []string{"ES512"}, nil
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}, nil
	}
	return nil, errors.New("its type is not known here")
}
