package auth

import (
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

var (
	// ErrInvalid matches a token that is not to be believed, now or later. Another one is needed.
	ErrInvalid = errors.New("auth: the token is not valid")

	// ErrExpired matches a token that was good and has ended. A new one is needed.
	ErrExpired = errors.New("auth: the token has expired")

	// ErrUnavailable matches a token that cannot be judged, since the keys are out of reach. It may be tried again.
	ErrUnavailable = errors.New("auth: the keys that tokens are signed with are out of reach")
)

// claimError says what is wrong with a claim or a header, in words that quote nothing of it.
type claimError string

func (e claimError) Error() string { return string(e) }

// refusals are the words for what the parser finds, the gravest first: a token may have ended and be forged, too.
var refusals = []struct{ is, then error }{
	{jwt.ErrTokenMalformed, invalid("it is malformed")},
	{jwt.ErrTokenUnverifiable, errUntrusted},
	{jwt.ErrTokenSignatureInvalid, errUntrusted},
	{jwt.ErrTokenInvalidAudience, invalid("it is for another audience")},
	{jwt.ErrTokenInvalidIssuer, invalid("it is of another issuer")},
	{jwt.ErrTokenRequiredClaimMissing, invalid("it has no exp, or no aud or iss where they are needed")},
	{jwt.ErrTokenNotValidYet, errEarly},
	{jwt.ErrTokenUsedBeforeIssued, errEarly},
	{jwt.ErrTokenExpired, ErrExpired},
}

var (
	errUntrusted = invalid("it is not signed with a key and an algorithm that are trusted here")
	errEarly     = invalid("its time has not come yet")
)

func invalid(why string) error { return fmt.Errorf("%w: %s", ErrInvalid, why) }

// refusal turns an error of the parser into one of this package. The parser's own words stay out, for they may quote the
// token.
func refusal(err error) error {
	if errors.Is(err, ErrUnavailable) {
		return ErrUnavailable
	}
	var claim claimError
	if errors.As(err, &claim) {
		return invalid(claim.Error())
	}
	for _, known := range refusals {
		if errors.Is(err, known.is) {
			return known.then
		}
	}
	return invalid("it cannot be read")
}
