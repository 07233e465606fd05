package transport

import (
	"github.com/labstack/echo/v4"

	"graphy/command"
	"graphy/transport/auth"
)

// postUndo takes back the caller's own last step.
func (s *Server) postUndo(c echo.Context) error { return s.postStep(c, s.parser.ParseUndo) }

// postRedo takes back the caller's own last undo.
func (s *Server) postRedo(c echo.Context) error { return s.postStep(c, s.parser.ParseRedo) }

// postStep carries out a command that needs no body: all that it can say has a default.
func (s *Server) postStep(c echo.Context, parse func([]byte, command.Identity) (*command.Command, error)) error {
	request, err := s.openCommand(c, auth.Editor)
	if err != nil {
		return err
	}
	if c.Request().ContentLength != 0 {
		if request.body, err = s.readBody(c); err != nil {
			return err
		}
	}
	return s.carryOut(c, request, parse)
}
