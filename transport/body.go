package transport

import (
	"io"
	"net/http"
	"strings"

	"graphy/command"
)

// readBody returns the body of r, in memory of its own: a command may outlive its request. It refuses other types than
// JSON (415) and what is longer than Options.BodyLimit (413), whether or not the sender says how long it is.
func (s *Server) readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, refuse(command.MalformedJSON, "the body is empty")
	}
	if err := checkContentType(r.Header); err != nil {
		discard(r)
		return nil, err
	}
	limit := int64(s.opts.BodyLimit)
	if r.ContentLength > limit {
		discard(r)
		return nil, refuseTooLarge(limit)
	}
	if r.ContentLength > 0 {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, refuseBroken(err)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if int64(len(body)) > limit {
		discard(r)
		return nil, refuseTooLarge(limit)
	}
	return body, refuseBroken(err)
}

// discardLimit is how much of a refused body is read all the same.
const discardLimit = 16 << 20

// discard reads a body that is refused unread. Most clients send all of it before they look for an answer, and a
// connection closed under them would lose it. Who asked first (Expect: 100-continue) sends nothing.
func discard(r *http.Request) {
	if r.Header.Get("Expect") == "" && r.ContentLength <= discardLimit {
		_, _ = io.CopyN(io.Discard, r.Body, discardLimit)
	}
}

func refuseTooLarge(limit int64) error {
	return refuse(command.TooLarge, "the body is longer than %d bytes", limit)
}

// refuseBroken answers, if anybody still listens, a body that could not be read.
func refuseBroken(err error) error {
	if err == nil {
		return nil
	}
	return refuse(command.MalformedJSON, "the body ended early or is not framed as HTTP demands")
}

// checkContentType accepts application/json, with any parameters, as it is.
func checkContentType(header http.Header) error {
	if encoding := header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return refuse(unsupportedMediaType, "content encoding %.64q is not supported, send the body as it is", encoding)
	}
	types := header["Content-Type"]
	if len(types) != 1 {
		return refuse(unsupportedMediaType, "Content-Type must be given once, as application/json")
	}
	if types[0] == "application/json" {
		return nil
	}
	mediaType, _, _ := strings.Cut(types[0], ";")
	if !strings.EqualFold(strings.TrimSpace(mediaType), "application/json") {
		return refuse(unsupportedMediaType, "content type %.64q is not application/json", types[0])
	}
	return nil
}
