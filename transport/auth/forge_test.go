package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"graphy/transport/auth/authtest"
)

// forge signs whatever header and payload, as they are, with the secret that the verifier of tests has.
func forge(header, payload string) string {
	return forgeRaw(encode(header), encode(payload))
}

// forgeRaw is forge of parts that are not encoded.
func forgeRaw(header, payload string) string {
	mac := hmac.New(sha256.New, []byte(authtest.Secret))
	mac.Write([]byte(header + "." + payload))
	return header + "." + payload + "." + encode(string(mac.Sum(nil)))
}

func encode(part string) string { return base64.RawURLEncoding.EncodeToString([]byte(part)) }

const (
	plainHeader  = `{"alg":"HS256","typ":"JWT"}`
	plainPayload = `{"sub":"ann","exp":4102444800,"graphs":{"g":"editor"}}`
)
