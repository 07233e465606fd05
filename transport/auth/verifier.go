package auth

import (
	"context"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxToken is the longest token, in bytes. It is refused before anything of it is read.
const maxToken = 8 << 10

// Verifier tells who tokens speak for. It is safe for concurrent use.
type Verifier struct {
	secret []byte // nil: none
	keys   *jwks  // nil: none
	parser *jwt.Parser
	leeway time.Duration
	now    func() time.Time
	kept   *cache
}

// New returns a Verifier, or says why the options would not protect anything. It fetches nothing: without Run, keys are
// fetched only when a token names one that is not known.
func New(opts Options) (*Verifier, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	kept, err := newCache()
	if err != nil {
		return nil, err
	}
	v := &Verifier{leeway: opts.Leeway, now: opts.Now, kept: kept}
	var accepted []string
	if opts.Secret != "" {
		v.secret = []byte(opts.Secret)
		accepted = append(accepted, jwt.SigningMethodHS256.Alg())
	}
	if opts.JWKSURL != "" {
		v.keys = newJWKS(opts)
		accepted = append(accepted, algorithms...)
	}
	rules := []jwt.ParserOption{
		jwt.WithValidMethods(accepted), jwt.WithStrictDecoding(), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(opts.Leeway), jwt.WithTimeFunc(opts.Now), jwt.WithIssuer(opts.Issuer),
	}
	if opts.Audience != "" {
		rules = append(rules, jwt.WithAudience(opts.Audience))
	}
	v.parser = jwt.NewParser(rules...)
	return v, nil
}

// Run keeps the keys of the JWKS fresh until ctx is done, and returns nil then. Without a JWKS it only waits.
func (v *Verifier) Run(ctx context.Context) error {
	if v.keys != nil {
		v.keys.run(ctx)
	}
	<-ctx.Done()
	return nil
}

// Ready returns nil, or ErrUnavailable while there are no keys yet to verify any token with.
func (v *Verifier) Ready() error {
	if v.secret == nil && v.keys.current.Load() == nil {
		return ErrUnavailable
	}
	return nil
}

// Verify returns who token speaks for: a principal that is shared and must not be changed. Its error wraps ErrInvalid,
// ErrExpired or ErrUnavailable and quotes nothing of the token. It waits, until ctx is done, only where the token's key is
// not known and the JWKS is being fetched.
func (v *Verifier) Verify(ctx context.Context, token string) (*Principal, error) {
	if len(token) > maxToken {
		return nil, invalid("it is longer than 8 KiB")
	}
	sum := sumOf(token)
	if k, ok := v.kept.GetIfPresent(sum); ok {
		if v.good(k) {
			return k.principal, nil
		}
		v.kept.Invalidate(sum) // what is wrong now, a full check says
	}
	return v.verify(ctx, token, sum)
}

// good says whether a kept token would pass again: it has not ended, and its key is still there.
func (v *Verifier) good(k *kept) bool {
	return v.now().Before(k.ends) && (k.set == nil || k.set == v.keys.current.Load())
}

// verify checks token in full and keeps it.
func (v *Verifier) verify(ctx context.Context, token string, sum tokenSum) (*Principal, error) {
	var said claims
	var set *keyset
	_, err := v.parser.ParseWithClaims(token, &said, func(parsed *jwt.Token) (key any, err error) {
		set, key, err = v.keysFor(ctx, parsed)
		return key, err
	})
	if err != nil {
		return nil, refusal(err)
	}
	p := said.principal()
	v.kept.Set(sum, &kept{
		principal: p, ends: p.Expires.Add(v.leeway), set: set, weight: uint32(keptCost + 2*len(token)),
	})
	return p, nil
}

// keysFor returns what may have signed a token whose algorithm is among those accepted, and the set of keys it is of.
func (v *Verifier) keysFor(ctx context.Context, token *jwt.Token) (*keyset, any, error) {
	h, err := readHeader(token.Raw)
	if err != nil {
		return nil, nil, err
	}
	if token.Method == jwt.SigningMethodHS256 {
		return nil, v.secret, nil
	}
	set, fit, err := v.keys.find(ctx, token.Method.Alg(), h.kid)
	return set, jwt.VerificationKeySet{Keys: fit}, err
}
