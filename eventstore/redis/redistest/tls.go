package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TLS is a server that is also reached by TLS, and wants to see a certificate of its clients.
type TLS struct {
	*Server
	SecureURL     string // rediss://127.0.0.1:port
	CA, Cert, Key string // PEM files: the authority of both sides, and what a client shows
}

// StartTLS returns a server for this test alone, with an authority made for it.
func StartTLS(t testing.TB) *TLS {
	t.Helper()
	find(t)
	dir := t.TempDir()
	s := &TLS{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	s.makeCertificates(t)
	ports, err := freePorts(1)
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	s.Server = StartOwn(t, "--tls-port", ports[0], "--tls-ca-cert-file", s.CA, "--tls-cert-file", s.Cert, "--tls-key-file", s.Key)
	s.SecureURL = "rediss://" + net.JoinHostPort("127.0.0.1", ports[0])
	return s
}

// makeCertificates makes an authority, and one certificate that both sides show.
func (s *TLS) makeCertificates(t testing.TB) {
	t.Helper()
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	server := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	write := func(path, kind string, der []byte, err error) {
		if err == nil {
			err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
		}
		if err != nil {
			t.Fatalf("redistest: certificates: %v", err)
		}
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("redistest: certificates: %v", err)
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("redistest: certificates: %v", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	write(s.CA, "CERTIFICATE", der, err)
	der, err = x509.CreateCertificate(rand.Reader, server, authority, &serverKey.PublicKey, authorityKey)
	write(s.Cert, "CERTIFICATE", der, err)
	der, err = x509.MarshalPKCS8PrivateKey(serverKey)
	write(s.Key, "PRIVATE KEY", der, err)
}
