package auth

import (
	"crypto/sha256"
	"fmt"
	"time"
	"unsafe"

	"github.com/maypok86/otter/v2"
)

const (
	// maxKept is about how many bytes the principals of kept tokens may take; those used least go first.
	maxKept = 16 << 20
	// keptCost is about what one takes besides what its token says.
	keptCost = 512
)

// kept is a token that was verified.
type kept struct {
	principal *Principal
	ends      time.Time // with the leeway
	set       *keyset   // that it was verified with; nil: the secret
	weight    uint32
}

// tokenSum stands for a token, so that none is held in memory longer than its request.
type tokenSum = [sha256.Size]byte

// sumOf does not copy token: each check would leave garbage of its length.
func sumOf(token string) tokenSum {
	return sha256.Sum256(unsafe.Slice(unsafe.StringData(token), len(token))) // only reads
}

type cache = otter.Cache[tokenSum, *kept]

func newCache() (*cache, error) {
	c, err := otter.New(&otter.Options[tokenSum, *kept]{
		MaximumWeight: maxKept,
		Weigher:       func(_ tokenSum, k *kept) uint32 { return k.weight },
	})
	if err != nil {
		return nil, fmt.Errorf("make the cache of tokens: %w", err)
	}
	return c, nil
}
