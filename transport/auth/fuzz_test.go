package auth

import (
	"errors"
	"strings"
	"testing"
)

// FuzzVerify sends anything as a token: nothing that the secret did not sign is believed.
func FuzzVerify(f *testing.F) {
	v := withSecret(f)
	f.Add(plainHeader, plainPayload, "")
	f.Add(plainHeader, plainPayload, "AAAA")
	f.Add(`{"alg":"none"}`, plainPayload, "")
	f.Add(`{"alg":"RS256","kid":"k"}`, `{}`, "x.y")
	f.Fuzz(func(t *testing.T, header, payload, signature string) {
		for _, token := range []string{
			header + "." + payload + "." + signature, encode(header) + "." + encode(payload) + "." + signature,
			encode(header) + "." + encode(payload) + "." + encode(signature), header,
		} {
			if p, err := v.Verify(t.Context(), token); err == nil || p != nil || !errors.Is(err, ErrInvalid) {
				t.Fatalf("Verify(%q): got %+v, %v, want ErrInvalid", token, p, err)
			}
		}
	})
}

// FuzzPayload signs any payload, as a careless issuer may: it is refused, or gives a principal that is in order.
func FuzzPayload(f *testing.F) {
	v := withSecret(f)
	for _, payload := range []string{
		plainPayload, `{"sub":"ann","exp":4102444800.5,"aud":["a","b"],"admin":true}`, `{"sub":"ann","sub":"bob","exp":4102444800}`,
		`{"sub":"ann","exp":1e400}`, `{"sub":"ann","exp":4102444800,"graphs":{"*":"owner","g":"none","\u0067":"x"}}`, `null`, `[]`, `{"sub":"\ud800"}`,
	} {
		f.Add(plainHeader, payload)
	}
	f.Add(`{"alg":"HS256","crit":[]}`, plainPayload)
	f.Fuzz(func(t *testing.T, header, payload string) {
		p, err := v.Verify(t.Context(), forge(header, payload))
		if err != nil {
			if p != nil || !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrExpired) {
				t.Fatalf("got %+v, %v", p, err)
			}
			return
		}
		if !IsUser(p.User) || p.Expires.IsZero() || !strings.Contains(header, "HS256") {
			t.Fatalf("header %q, payload %q: got %+v", header, payload, p)
		}
		for graph, role := range p.Grants {
			if role < None || role > Owner {
				t.Fatalf("payload %q: role %d on %q", payload, role, graph)
			}
		}
	})
}

// FuzzKeyset reads anything as a JWKS: it is refused, or gives keys that verify no HMAC.
func FuzzKeyset(f *testing.F) {
	f.Add(marshal(f, newSigners(f).set...))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA","alg":"HS256"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","use":"sig","key_ops":["verify"]}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, _, err := parseKeyset(data)
		if err != nil {
			return
		}
		for _, alg := range []string{"HS256", "HS384", "HS512", "none", ""} {
			if fit, _ := set.find(alg, ""); len(fit) > 0 {
				t.Fatalf("%q: a key fits %q", data, alg)
			}
		}
	})
}
