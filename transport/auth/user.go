package auth

import (
	"unicode"
	"unicode/utf8"
)

// maxUser is the longest user id, in bytes.
const maxUser = 128

// IsUser says whether user may be somebody's id: 1 to 128 bytes of printable UTF-8.
func IsUser(user string) bool {
	if user == "" || len(user) > maxUser || !utf8.ValidString(user) {
		return false
	}
	for _, r := range user {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
