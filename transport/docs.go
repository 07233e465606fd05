package transport

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"graphy/transport/openapi"
)

var (
	htmlType  = []string{"text/html; charset=utf-8"}
	keepAHour = []string{"public, max-age=3600"}
)

// routeDocs serves the description of a listener's routes, for programs and to read. It needs no token.
func routeDocs(e *echo.Echo, description openapi.Description) {
	policy := []string{description.Policy}
	serve := func(path string, contentType []string, content []byte, more func(http.Header)) {
		handler := func(c echo.Context) error {
			header := c.Response().Header()
			header["Cache-Control"] = keepAHour
			header["Content-Type"] = contentType
			more(header)
			return c.Blob(http.StatusOK, contentType[0], content)
		}
		e.GET(path, handler)
		e.HEAD(path, handler)
	}
	serve("/openapi.json", jsonType, description.Document, func(http.Header) {})
	serve("/docs", htmlType, description.Page, func(header http.Header) { header["Content-Security-Policy"] = policy })
}
