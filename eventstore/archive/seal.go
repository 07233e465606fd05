package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
)

// Every object and file ends with a seal: a skippable frame of zstd, which its tools pass over, with the SHA-256 of all
// bytes before it. So not a bit of it changes unnoticed, not even one that means nothing to zstd.
const (
	sealMagic = "\x5e\x2a\x4d\x18\x20\x00\x00\x00" // 0x184D2A5E, and the length of what follows
	sealBytes = len(sealMagic) + sha256.Size
)

var errSeal = damaged("the content does not have the checksum that should stand at its end")

// seal appends the seal to object.
func seal(object []byte) []byte {
	sum := sha256.Sum256(object)
	return append(append(object, sealMagic...), sum[:]...)
}

// unseal returns what was sealed.
func unseal(object []byte) ([]byte, error) {
	cut := len(object) - sealBytes
	if cut < 0 {
		return nil, damaged("%d bytes are no archive", len(object))
	}
	sum := sha256.Sum256(object[:cut])
	if string(object[cut:]) != sealMagic+string(sum[:]) {
		return nil, errSeal
	}
	return object[:cut], nil
}

// sealing seals what is written through it.
type sealing struct {
	w   io.Writer
	sum hash.Hash
}

func newSealing(w io.Writer) *sealing { return &sealing{w, sha256.New()} }

func (s *sealing) Write(data []byte) (int, error) {
	s.sum.Write(data)
	return s.w.Write(data)
}

func (s *sealing) close() error {
	_, err := s.w.Write(s.sum.Sum([]byte(sealMagic)))
	return err
}

// unsealing reads what was sealed. In the place of io.EOF it fails with ErrDamaged if the seal is not there or not right.
// An error of the source is a *sourceError.
type unsealing struct {
	r          io.Reader
	sum        hash.Hash
	buffer     []byte
	start, end int // of what is read and not given out; the last bytes of it may be the seal
	ended      error
}

func newUnsealing(r io.Reader) *unsealing {
	return &unsealing{r: r, sum: sha256.New(), buffer: make([]byte, 64<<10)}
}

func (u *unsealing) Read(p []byte) (int, error) {
	for u.end-u.start <= sealBytes {
		if u.ended != nil {
			return 0, u.ended
		}
		u.fill()
	}
	n := copy(p, u.buffer[u.start:u.end-sealBytes])
	u.sum.Write(u.buffer[u.start : u.start+n])
	u.start += n
	return n, nil
}

func (u *unsealing) fill() {
	u.end = copy(u.buffer, u.buffer[u.start:u.end])
	u.start = 0
	n, err := u.r.Read(u.buffer[u.end:])
	u.end += n
	switch {
	case errors.Is(err, io.EOF) && u.end <= sealBytes:
		if u.ended = io.EOF; !bytes.Equal(u.buffer[:u.end], u.sum.Sum([]byte(sealMagic))) {
			u.ended = errSeal
		}
	case err != nil && !errors.Is(err, io.EOF):
		u.ended = &sourceError{err}
	}
}

// sourceError is an error of what is read from, not of what is read.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }
