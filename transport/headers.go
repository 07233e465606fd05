package transport

import "net/http"

// Header values that never change, shared by all answers: net/http only reads them.
var (
	noSniff       = []string{"nosniff"}
	noStore       = []string{"no-store"}
	noContent     = []string{"default-src 'none'; frame-ancestors 'none'"}
	noFrames      = []string{"DENY"}
	noReferrer    = []string{"no-referrer"}
	ownPagesAlone = []string{"same-origin"}
	tlsAlone      = []string{"max-age=31536000"} // for a year, and for this name: what runs below it is not ours
	varyOrigin    = []string{"Origin"}
	jsonType      = []string{"application/json"}
	problemType   = []string{"application/problem+json"}
)

// setHeaders sets what every answer has: it is data for programs, to be neither guessed at, shown in a frame, loaded into
// the page of a stranger (pages of allowed origins read it by CORS, which this does not concern), nor kept by others. It
// says nothing of the server.
func (s *Server) setHeaders(header http.Header, r *http.Request) {
	header["X-Content-Type-Options"] = noSniff
	header["Content-Security-Policy"] = noContent
	header["X-Frame-Options"] = noFrames
	header["Referrer-Policy"] = noReferrer
	header["Cross-Origin-Resource-Policy"] = ownPagesAlone
	header["Cache-Control"] = noStore // where a handler does not know better
	header["Vary"] = varyOrigin
	if s.cameByTLS(r) {
		header["Strict-Transport-Security"] = tlsAlone
	}
}
