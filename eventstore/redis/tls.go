package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/redis/rueidis"
)

// secure gives a connection by TLS what the parameters of its URL name: ca, a PEM file of the authorities to trust in the
// place of the system's; cert and key, PEM files of the certificate to show, where the server asks for one.
func secure(option *rueidis.ClientOption, values url.Values) error {
	ca, cert, key := values.Get("ca"), values.Get("cert"), values.Get("key")
	switch {
	case ca == "" && cert == "" && key == "":
		return nil
	case option.TLSConfig == nil:
		return errors.New("redis URL: ca, cert and key are for TLS: begin the URL with rediss")
	case (cert == "") != (key == ""):
		return errors.New("redis URL: cert and key go together")
	}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return fmt.Errorf("redis URL: ca: %w", err)
		}
		option.TLSConfig.RootCAs = x509.NewCertPool()
		if !option.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("redis URL: ca: %s holds no certificate", ca)
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("redis URL: cert and key: %w", err)
		}
		option.TLSConfig.Certificates = []tls.Certificate{pair}
	}
	return nil
}
