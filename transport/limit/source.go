package limit

import "context"

// Source holds the buckets that processes share. Implementations are safe for concurrent use.
type Source interface {
	// Take takes need tokens, or none where the bucket of key holds fewer (and less than it can hold); on top of them it
	// takes as many of the extra ones as there are. Buckets are told apart by kind and key, and each is always asked
	// for under the same policy. After an error tokens may have been taken all the same.
	Take(ctx context.Context, kind, key string, p Policy, need, extra int) (Grant, error)
}

// Grant is what a shared bucket gave.
type Grant struct {
	Tokens  int
	Missing float64 // tokens that the bucket now lacks of being full; above the burst: it is in debt
}
