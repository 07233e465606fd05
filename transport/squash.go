package transport

import (
	"context"
	"strconv"

	"github.com/labstack/echo/v4"

	"graphy/projection"
)

// getSquashed answers what happened after a version as one net change of each entity, however many events there were.
func (s *Server) getSquashed(c echo.Context, request changesRequest) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.opts.PastLimit)
	defer cancel()
	request.limit = runPage
	var d delta
	var r *run
	err := steadily(func() (err error) {
		if d, err = s.readDelta(ctx, request); err == nil && d.status == behind {
			r, err = s.squash(ctx, request, d)
		}
		return err
	})
	if err != nil {
		return err
	}
	if d.status != behind {
		return s.writeDelta(c, request, d)
	}
	buffer := borrow()
	defer giveBack(buffer)
	d.last, d.current = r.at, r.at.Version
	buffer.bytes = d.appendEnd(append(r.appendSquashed(append(buffer.bytes, `{"status":"behind","changes":[`...)), ']'))
	return writeCompressible(c, buffer.bytes)
}

// squash returns the run from a client's version to the head as it stood when d was read.
func (s *Server) squash(ctx context.Context, request changesRequest, d delta) (*run, error) {
	r := &run{graph: request.graph, at: d.from}
	if err := r.add(d.events); err != nil || r.at.Version == d.current {
		return r, err
	}
	leave, err := s.enterPast(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return r, r.readTo(ctx, s.services.Live, d.current)
}

// appendSquashed appends the entry that takes the place of the run's events.
func (r *run) appendSquashed(dst []byte) []byte {
	dst = strconv.AppendUint(append(dst, `{"version":`...), uint64(r.at.Version), 10)
	dst = append(dst, `,"squashed":true,"changes":`...)
	dst = projection.AppendChanges(dst, r.net.Changes())
	dst = appendText(dst, "checksum", r.checksum)
	return append(appendText(dst, "hash", string(r.at.Hash)), '}')
}
