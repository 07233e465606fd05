package auth

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"graphy/transport/auth/authtest"
)

func TestGoodTokens(t *testing.T) {
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	tests := []struct {
		name  string
		token string
		want  Principal
	}{
		{"plain", token(t, authtest.Expires(ends)), Principal{User: "ann", Grants: map[string]Role{"g": Editor}, Expires: ends}},
		{"every role", authtest.Token(t, "bob", map[string]string{"a": "viewer", "b": "editor", "c": "owner", "*": "viewer"}, authtest.Expires(ends)),
			Principal{User: "bob", Grants: map[string]Role{"a": Viewer, "b": Editor, "c": Owner, "*": Viewer}, Expires: ends}},
		{"unknown roles grant nothing", authtest.Token(t, "bob", map[string]string{"a": "Owner", "b": "admin", "c": ""}, authtest.Expires(ends)),
			Principal{User: "bob", Grants: map[string]Role{"a": None, "b": None, "c": None}, Expires: ends}},
		{"no grants", authtest.Sign(t, jwt.MapClaims{"sub": "eve", "exp": ends.Unix()}), Principal{User: "eve", Expires: ends}},
		{"admin", token(t, authtest.Admin, authtest.Expires(ends)),
			Principal{User: "ann", Grants: map[string]Role{"g": Editor}, Admin: true, Expires: ends}},
		{"a fraction of a second", token(t, authtest.With("exp", float64(ends.Unix())+0.5)),
			Principal{User: "ann", Grants: map[string]Role{"g": Editor}, Expires: ends.Add(500 * time.Millisecond)}},
		{"more claims", token(t, authtest.Expires(ends), authtest.With("scope", "x"), authtest.With("cnf", map[string]any{"a": nil})),
			Principal{User: "ann", Grants: map[string]Role{"g": Editor}, Expires: ends}},
		{"no typ", forge(`{"alg":"HS256"}`, plainPayload),
			Principal{User: "ann", Grants: map[string]Role{"g": Editor}, Expires: time.Unix(4102444800, 0)}},
		{"typ at+jwt", forge(`{"typ":"application/at+JWT","alg":"HS256","kid":"x","x5t":"y"}`, plainPayload),
			Principal{User: "ann", Grants: map[string]Role{"g": Editor}, Expires: time.Unix(4102444800, 0)}},
		{"the longest user", authtest.Token(t, strings.Repeat("é", 64), nil, authtest.Expires(ends)),
			Principal{User: strings.Repeat("é", 64), Expires: ends}},
	}
	v := withSecret(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for range 2 { // verified, and kept
				got := accept(t, v, test.token)
				if got.User != test.want.User || got.Admin != test.want.Admin || !got.Expires.Equal(test.want.Expires) ||
					!maps.Equal(got.Grants, test.want.Grants) {
					t.Errorf("got %+v, want %+v", *got, test.want)
				}
			}
		})
	}
}

func TestBadTokens(t *testing.T) {
	good := token(t)
	parts := strings.Split(good, ".")
	ended := authtest.Expires(time.Now().Add(-time.Hour))
	tests := []struct {
		name  string
		token string
		want  error
	}{
		{"empty", "", ErrInvalid},
		{"two dots", "..", ErrInvalid},
		{"no dots", "token", ErrInvalid},
		{"two parts", parts[0] + "." + parts[1], ErrInvalid},
		{"four parts", good + ".x", ErrInvalid},
		{"five parts, as an encrypted one", good + ".x.y", ErrInvalid},
		{"spaces around", " " + good + " ", ErrInvalid},
		{"a line break inside", parts[0] + ".\n" + parts[1] + "." + parts[2], ErrInvalid},
		{"no signature", parts[0] + "." + parts[1] + ".", ErrInvalid},
		{"half a signature", good[:len(good)-10], ErrInvalid},
		{"another signature", parts[0] + "." + parts[1] + "." + strings.Split(token(t, ended), ".")[2], ErrInvalid},
		{"another payload", parts[0] + "." + encode(plainPayload) + "." + parts[2], ErrInvalid},
		{"another header", encode(`{"alg":"HS256"}`) + "." + parts[1] + "." + parts[2], ErrInvalid},
		{"padded", good + "=", ErrInvalid},
		{"standard base64", forgeRaw(encode(plainHeader), "+/+/"), ErrInvalid},
		{"bits left over", parts[0] + "." + parts[1] + "." + looseEnd(parts[2]), ErrInvalid},
		{"ended", token(t, ended), ErrExpired},
		{"ended, and forged", strings.TrimSuffix(token(t, ended), "A") + "AAAA", ErrInvalid},
		{"not yet valid", token(t, authtest.With("nbf", time.Now().Add(time.Hour).Unix())), ErrInvalid},
		{"of the future", token(t, authtest.With("iat", time.Now().Add(time.Hour).Unix())), ErrInvalid},
		{"oversized", token(t, authtest.With("more", strings.Repeat("x", maxToken))), ErrInvalid},
		{"header not JSON", forge(`{"alg":"HS256"`, plainPayload), ErrInvalid},
		{"header of two values", forge(plainHeader+plainHeader, plainPayload), ErrInvalid},
		{"header an array", forge(`["HS256"]`, plainPayload), ErrInvalid},
		{"header null", forge(`null`, plainPayload), ErrInvalid},
		{"header with a name twice", forge(`{"alg":"none","alg":"HS256"}`, plainPayload), ErrInvalid},
		{"alg missing", forge(`{"typ":"JWT"}`, plainPayload), ErrInvalid},
		{"alg a number", forge(`{"alg":256}`, plainPayload), ErrInvalid},
		{"Alg", forge(`{"Alg":"HS256"}`, plainPayload), ErrInvalid},
		{"kid a number", forge(`{"alg":"HS256","kid":1}`, plainPayload), ErrInvalid},
		{"kid null", forge(`{"alg":"HS256","kid":null}`, plainPayload), ErrInvalid},
		{"crit", forge(`{"alg":"HS256","crit":["exp"]}`, plainPayload), ErrInvalid},
		{"crit, empty", forge(`{"alg":"HS256","crit":[]}`, plainPayload), ErrInvalid},
		{"crit, null", forge(`{"alg":"HS256","crit":null}`, plainPayload), ErrInvalid},
		{"payload not encoded", forge(`{"alg":"HS256","b64":false,"crit":["b64"]}`, plainPayload), ErrInvalid},
		{"typ of a logout token", forge(`{"alg":"HS256","typ":"logout+jwt"}`, plainPayload), ErrInvalid},
		{"payload not JSON", forge(plainHeader, `sub=ann`), ErrInvalid},
		{"payload null", forge(plainHeader, `null`), ErrInvalid},
		{"payload an array", forge(plainHeader, `["ann"]`), ErrInvalid},
		{"payload and more", forge(plainHeader, plainPayload+`{}`), ErrInvalid},
		{"payload not UTF-8", forge(plainHeader, `{"sub":"ann","exp":4102444800,"x":"`+"\xff"+`"}`), ErrInvalid},
	}
	v := withSecret(t)
	accept(t, v, good)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { refuse(t, v, test.token, test.want) })
	}
}

// looseEnd changes only bits of the last character that stand for nothing.
func looseEnd(part string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, part[len(part)-1])
	return part[:len(part)-1] + string(alphabet[last^1])
}

func TestBadClaims(t *testing.T) {
	tests := []struct{ name, payload string }{
		{"no exp", `{"sub":"ann"}`},
		{"exp null", `{"sub":"ann","exp":null}`},
		{"exp a string", `{"sub":"ann","exp":"4102444800"}`},
		{"exp too far", `{"sub":"ann","exp":1e300}`},
		{"exp before 1970", `{"sub":"ann","exp":-1}`},
		{"exp true", `{"sub":"ann","exp":true}`},
		{"EXP", `{"sub":"ann","EXP":4102444800}`},
		{"nbf a string", `{"sub":"ann","exp":4102444800,"nbf":"0"}`},
		{"nbf null", `{"sub":"ann","exp":4102444800,"nbf":null}`},
		{"iat an array", `{"sub":"ann","exp":4102444800,"iat":[]}`},
		{"no sub", `{"exp":4102444800}`},
		{"sub empty", `{"sub":"","exp":4102444800}`},
		{"sub null", `{"sub":null,"exp":4102444800}`},
		{"sub a number", `{"sub":7,"exp":4102444800}`},
		{"sub too long", `{"sub":"` + strings.Repeat("é", 64) + `x","exp":4102444800}`},
		{"sub with a control character", `{"sub":"a\u0007","exp":4102444800}`},
		{"sub with a line break", `{"sub":"a\nb","exp":4102444800}`},
		{"sub with half a surrogate", `{"sub":"\ud800","exp":4102444800}`},
		{"sub that turns the text around", `{"sub":"a\u202eb","exp":4102444800}`},
		{"iss a number", `{"sub":"ann","exp":4102444800,"iss":1}`},
		{"aud a number", `{"sub":"ann","exp":4102444800,"aud":1}`},
		{"aud with a number", `{"sub":"ann","exp":4102444800,"aud":["a",1]}`},
		{"aud an object", `{"sub":"ann","exp":4102444800,"aud":{}}`},
		{"graphs an array", `{"sub":"ann","exp":4102444800,"graphs":["g"]}`},
		{"graphs a string", `{"sub":"ann","exp":4102444800,"graphs":"*"}`},
		{"graphs null", `{"sub":"ann","exp":4102444800,"graphs":null}`},
		{"a role a number", `{"sub":"ann","exp":4102444800,"graphs":{"g":3}}`},
		{"a role null", `{"sub":"ann","exp":4102444800,"graphs":{"g":null}}`},
		{"a role an array", `{"sub":"ann","exp":4102444800,"graphs":{"g":["owner"]}}`},
		{"admin a string", `{"sub":"ann","exp":4102444800,"admin":"true"}`},
		{"admin a number", `{"sub":"ann","exp":4102444800,"admin":1}`},
		{"admin null", `{"sub":"ann","exp":4102444800,"admin":null}`},
		{"sub twice", `{"sub":"ann","sub":"root","exp":4102444800}`},
		{"sub twice, once escaped", `{"sub":"ann","\u0073ub":"root","exp":4102444800}`},
		{"exp twice", `{"sub":"ann","exp":4102444800,"exp":4102444801}`},
		{"a graph twice", `{"sub":"ann","exp":4102444800,"graphs":{"g":"viewer","g":"owner"}}`},
		{"an unknown claim twice", `{"sub":"ann","exp":4102444800,"x":1,"x":1}`},
		{"a name twice in an unknown claim", `{"sub":"ann","exp":4102444800,"x":{"y":1,"y":1}}`},
	}
	v := withSecret(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { refuse(t, v, forge(plainHeader, test.payload), ErrInvalid) })
	}
}

func TestAudienceAndIssuer(t *testing.T) {
	with := func(aud, iss any) string { return token(t, authtest.With("aud", aud), authtest.With("iss", iss)) }
	tests := []struct {
		name     string
		aud, iss any
		good     bool
	}{
		{"both", "graphy", "https://id.example", true},
		{"one of several audiences", []string{"other", "graphy"}, "https://id.example", true},
		{"no audience", nil, "https://id.example", false},
		{"no audiences", []string{}, "https://id.example", false},
		{"another audience", "other", "https://id.example", false},
		{"other audiences", []string{"graphy2", "Graphy", ""}, "https://id.example", false},
		{"an audience that is a prefix", "graph", "https://id.example", false},
		{"no issuer", "graphy", nil, false},
		{"another issuer", "graphy", "https://id.example.org", false},
		{"an issuer but for a slash", "graphy", "https://id.example/", false},
	}
	v := newVerifier(t, Options{Secret: authtest.Secret, Audience: "graphy", Issuer: "https://id.example"})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.good {
				accept(t, v, with(test.aud, test.iss))
				accept(t, withSecret(t), with(test.aud, test.iss))
			} else {
				refuse(t, v, with(test.aud, test.iss), ErrInvalid)
			}
		})
	}
}

// TestErrorsQuoteNothing looks for what a token says in the words that refuse it.
func TestErrorsQuoteNothing(t *testing.T) {
	const marker = "MARKER7"
	tokens := []string{
		marker, forgeRaw(marker, marker), forge(`{"alg":"`+marker+`"}`, plainPayload), forge(`{"alg":"HS256","kid":1,"`+marker+`":1}`, plainPayload),
		forge(plainHeader, marker), forge(plainHeader, `{"`+marker+`":1,"`+marker+`":2}`), forge(plainHeader, `{"sub":["`+marker+`"]}`),
		token(t, authtest.With("sub", marker+"\n")), token(t, authtest.With("exp", marker)), token(t, authtest.With("graphs", marker)),
		token(t, authtest.With("sub", marker), authtest.Expires(time.Now().Add(-time.Hour))), token(t, authtest.With("aud", marker)),
		token(t, authtest.With("iss", marker), authtest.With("aud", "graphy")),
	}
	v := newVerifier(t, Options{Secret: authtest.Secret, Audience: "graphy", Issuer: "me"})
	for i, token := range tokens {
		_, err := v.Verify(t.Context(), token)
		if err == nil || strings.Contains(err.Error(), marker) || strings.Contains(err.Error(), encode(marker)) {
			t.Errorf("token %d: got %v, want an error without %s", i, err, marker)
		}
	}
}
