package auth

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"
)

// Options say which tokens are believed. One of Secret and JWKSURL is needed; with both, each verifies the algorithms of
// its own.
type Options struct {
	Secret   string        // of HS256, at least 32 bytes, used as they are; "": none
	JWKSURL  string        // of the keys of the other algorithms; https, or http on loopback; "": none
	Audience string        // what `aud` must hold; "": any
	Issuer   string        // what `iss` must be; "": any
	Leeway   time.Duration // by which clocks may differ; default 30s, at most 60s

	Refresh time.Duration    // from one fetch of the JWKS to the next; default 1m
	Timeout time.Duration    // of one fetch; default 5s
	Client  *http.Client     // fetches the JWKS; default one of its own. It follows no redirects
	Logger  *zap.Logger      // default discards
	Now     func() time.Time // default time.Now
}

const maxLeeway = time.Minute

func (o Options) withDefaults() Options {
	o.Leeway = cmp.Or(o.Leeway, 30*time.Second)
	o.Refresh = cmp.Or(o.Refresh, time.Minute)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	o.Logger = cmp.Or(o.Logger, zap.NewNop())
	if o.Client == nil {
		o.Client = &http.Client{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// check refuses what would not protect anything, in words that say what to change.
func (o Options) check() error {
	if o.Secret == "" && o.JWKSURL == "" {
		return errors.New("neither a secret nor the URL of a JWKS is given, so no token can be verified")
	}
	if o.Secret != "" {
		if err := checkSecret(o.Secret); err != nil {
			return err
		}
	}
	if o.JWKSURL != "" {
		if err := checkURL(o.JWKSURL); err != nil {
			return err
		}
	}
	if o.Leeway < 0 || o.Leeway > maxLeeway {
		return fmt.Errorf("a leeway of %v is not between 0 and %v", o.Leeway, maxLeeway)
	}
	if o.Refresh < 0 || o.Timeout < 0 {
		return fmt.Errorf("the JWKS cannot be fetched every %v within %v", o.Refresh, o.Timeout)
	}
	return nil
}

// checkURL refuses a JWKS that somebody on the way could replace.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("the URL of the JWKS is no URL") // without err, which quotes it: it may hold a password
	}
	host := u.Hostname()
	switch {
	case host == "":
		return errors.New("the URL of the JWKS names no host")
	case u.User != nil:
		return errors.New("the URL of the JWKS holds a user name or a password: keys are public")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(host):
		return nil
	}
	return fmt.Errorf("the URL of the JWKS begins with %s://: it must be https://, or http:// on a loopback address", u.Scheme)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
