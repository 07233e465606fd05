// Package auth tells who a bearer token speaks for, and what they may do on which graph.
//
// A token is a JWT, signed with a secret (HS256) or with a key of a JWKS (RS, PS, ES, EdDSA). Which algorithms are
// accepted follows from where the key comes from, never from the token: a secret verifies HS256 alone, a key of the JWKS
// only what its type, `alg` and `use` allow. A token must end (`exp`) and name its user (`sub`); the claims that this
// package reads are refused when they are of another type or stand there twice. No error, and no line of the log, quotes
// a token.
//
// A verified token is kept, so that further checks of it cost one hash and one look-up, until it ends or the JWKS has
// changed since: a key taken out of the JWKS is good for nothing from the next fetch on. The JWKS is fetched ahead of
// need, and at once, with a limit on how often, when a token names a key that is not known; one fetch at a time. While
// it is out of reach the keys known last stay good.
//
// A Verifier and a Principal are safe for concurrent use. What needs which role, and how tokens arrive, is left to
// package transport.
package auth
