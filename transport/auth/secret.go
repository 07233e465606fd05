package auth

import (
	"fmt"
	"slices"
	"strings"
)

const (
	minSecret   = 32 // bytes: as long as what HS256 makes of it
	minDistinct = 8  // different bytes; 32 random hex digits have fewer once in ten million
	minPeriod   = 16 // bytes after which it may begin anew
	minRest     = 16 // bytes that are no part of a word that everybody tries
)

// checkSecret refuses a secret that can be guessed, in words that say what to do, without quoting it.
func checkSecret(secret string) error {
	var why string
	switch {
	case len(secret) < minSecret:
		why = fmt.Sprintf("has %d bytes, fewer than %d", len(secret), minSecret)
	case distinct(secret) < minDistinct:
		why = fmt.Sprintf("has fewer than %d different bytes", minDistinct)
	case period(secret) < minPeriod:
		why = "repeats a few bytes"
	case climbs(secret):
		why = "counts up or down"
	case len(withoutWords(secret)) < minRest:
		why = "is made of words that everybody tries first"
	default:
		return nil
	}
	return fmt.Errorf("the secret %s: take a random one, as `openssl rand -base64 48` makes", why)
}

func distinct(s string) int {
	var seen [256]bool
	count := 0
	for i := range len(s) {
		if !seen[s[i]] {
			seen[s[i]] = true
			count++
		}
	}
	return count
}

// period returns after how many bytes s begins anew; its length if it does not.
func period(s string) int {
	for n := 1; n < len(s); n++ {
		if s[n:] == s[:len(s)-n] {
			return n
		}
	}
	return len(s)
}

// climbs says whether two thirds of the bytes of s follow from the one before: abcdef, 987654, aaaa. Of random ones in
// hexadecimal a sixth do.
func climbs(s string) bool {
	steps := 0
	for i := 1; i < len(s); i++ {
		if d := int(s[i]) - int(s[i-1]); d >= -1 && d <= 1 {
			steps++
		}
	}
	return steps > 2*len(s)/3
}

// guessed are the words that secrets in documentation, examples and haste are made of.
var guessed = longestFirst(strings.Fields(`
	secret secrets topsecret supersecret signing signature signed private public hmac hs256 sha256 jwt json web token tokens
	key keys password passwort passphrase passwd pass changeme change replace please insert enter choose default example sample
	placeholder dummy fake foo bar baz test testing dev devel develop development local localhost prod production staging
	demo admin root user server client graphy graph your this that that's very super really strong secure random long longer short
	string valid which text value word words phrase bytes byte bits bit 128 256 384 512 32 least more than must should characters chars
	char with and for not the use using only never ever app application api auth qwertyuiop qwerty asdfghjkl asdfgh zxcvbnm
	abcdefghijklmnopqrstuvwxyz abcdef abc123 123456789 12345678 1234567890 0123456789 123456 1234 123 letmein welcome
	deadbeef cafebabe hunter2 hello world none null undefined todo fixme xxx`))

func longestFirst(words []string) []string {
	slices.SortStableFunc(words, func(a, b string) int { return len(b) - len(a) })
	return words
}

// apart takes out what words are set apart with, and marks of words that were taken out.
var apart = strings.NewReplacer(" ", "", "-", "", "_", "", ".", "", "/", "", ",", "", ":", "")

// withoutWords returns what remains of s when the guessed words are taken out, in any case, written apart or together.
func withoutWords(s string) string {
	s = apart.Replace(strings.ToLower(s))
	for _, word := range guessed {
		s = strings.ReplaceAll(s, word, " ") // a space, so that the rest on both sides makes no new word
	}
	return apart.Replace(s)
}
