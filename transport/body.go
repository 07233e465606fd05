package transport

import (
	"io"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"graphy/command"
)

// readBody returns the body of a request, inflated, in memory of its own: a command may outlive its request. It refuses
// other types than JSON and other encodings than gzip (415), and what is longer than Options.BodyLimit (413), as sent or
// inflated, whether or not the sender says how long it is. It never holds more than that.
func (s *Server) readBody(c echo.Context) ([]byte, error) {
	r := c.Request()
	if r.ContentLength == 0 {
		return nil, refuse(command.MalformedJSON, "the body is empty")
	}
	compressed, err := isCompressed(r.Header)
	if err != nil {
		c.Response().Header()["Accept-Encoding"] = gzipEncoding // says that this is what is wrong (RFC 7694)
	} else {
		err = checkContentType(r.Header)
	}
	if err != nil {
		discard(r)
		return nil, err
	}
	limit := int64(s.opts.BodyLimit)
	if r.ContentLength > limit {
		discard(r)
		return nil, refuseTooLarge(limit)
	}
	if compressed {
		return inflateBody(r, limit)
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

// inflateBody is readBody for a body in gzip.
func inflateBody(r *http.Request, limit int64) ([]byte, error) {
	sent := &io.LimitedReader{R: r.Body, N: limit + 1}
	body, err := inflate(sent, limit)
	switch {
	case sent.N == 0 || int64(len(body)) > limit:
		discard(r)
		return nil, refuseTooLarge(limit)
	case err != nil:
		discard(r)
		return nil, refuse(command.MalformedJSON, "the body is not gzip, or ended early")
	case len(body) == 0:
		return nil, refuse(command.MalformedJSON, "the body is empty")
	}
	return body, nil
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

// isCompressed tells whether a body comes in gzip. It accepts no other encoding, nor several at once.
func isCompressed(header http.Header) (bool, error) {
	encoding := strings.Join(header["Content-Encoding"], ", ")
	switch strings.ToLower(encoding) {
	case "", "identity":
		return false, nil
	case "gzip", "x-gzip":
		return true, nil
	}
	return false, refuse(unsupportedMediaType, "content encoding %.64q is not supported, send the body in gzip or as it is", encoding)
}

// checkContentType accepts application/json, with any parameters.
func checkContentType(header http.Header) error {
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
