package transport

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"graphy/command"
	"graphy/transport/auth"
)

// idParam returns an id from the path, decoded and checked.
func idParam(c echo.Context, name string) (string, error) {
	id := c.Param(name)
	if strings.IndexByte(id, '/') >= 0 { // echo lets the last parameter of a route swallow what follows
		return "", refuse(command.NotFound, "there is no such route")
	}
	if c.Request().URL.RawPath != "" { // then echo matched the encoded path, else the decoded one
		decoded, err := url.PathUnescape(id)
		if err != nil {
			return "", refuse(command.InvalidID, "%s is not percent-encoded as it should be", name)
		}
		id = decoded
	}
	if command.CheckID(id, "") != nil {
		return "", refuse(command.InvalidID, "%s %.128q is not 1 to 128 bytes of A-Z a-z 0-9 . _ ~ : @ -, or a reserved name", name, id)
	}
	return id, nil
}

// openQuery lets in the sender of a query about graph, "" for none, lets each of take read its parameters, of which there
// are no others, and sets the time the stores have to answer it.
func (s *Server) openQuery(c echo.Context, graph string, need auth.Role, take ...func(*query)) (context.Context, context.CancelFunc, error) {
	_, ctx, cancel, err := s.openQueryAs(c, graph, need, take...)
	return ctx, cancel, err
}

// openQueryAs is openQuery for who has to know the sender.
func (s *Server) openQueryAs(c echo.Context, graph string, need auth.Role, take ...func(*query)) (caller, context.Context, context.CancelFunc, error) {
	q := parseQuery(c.Request().URL.RawQuery)
	for _, take := range take {
		take(q)
	}
	who, err := s.enter(c.Request(), q, graph, need)
	if err != nil {
		return who, nil, nil, err
	}
	if err := q.done(); err != nil {
		return who, nil, nil, err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.opts.ReadLimit)
	return who, ctx, cancel, nil
}

// chunkless is the length up to which net/http says by itself how long a body is.
const chunkless = 2000

// writeJSON answers with a body, which may be used again afterwards.
func writeJSON(c echo.Context, status int, body []byte) error {
	c.Response().Header()["Content-Type"] = jsonType
	return sendBody(c.Response(), c.Request(), status, body)
}

// sendBody writes an answer whose other headers are set; of HEAD only the headers.
func sendBody(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	head := r.Method == http.MethodHead
	if head || len(body) > chunkless {
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	if head {
		return nil
	}
	_, err := w.Write(body)
	return err
}

// writeCompressible is writeJSON with status 200, compressed if the client takes it and it is worth the while.
func writeCompressible(c echo.Context, body []byte) error {
	header := c.Response().Header()
	header["Vary"] = varyEncoding
	if len(body) < worthCompressing || !acceptsGzip(c.Request().Header) {
		return writeJSON(c, http.StatusOK, body)
	}
	header["Content-Encoding"] = gzipEncoding
	buffer := borrow()
	defer giveBack(buffer)
	buffer.bytes = appendGzip(buffer.bytes, body)
	return writeJSON(c, http.StatusOK, buffer.bytes)
}
