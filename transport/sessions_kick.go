package transport

import (
	"context"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"graphy/command"
)

// Kick asks every process to end the connections of a client.
type Kick struct {
	ClientID string `json:"clientId"`
	Reason   string `json:"reason,omitempty"`
}

// Kicks carry kicks to the processes.
type Kicks interface {
	// Kick has every process that serves clients end the connections of a client, and returns how many it were, as far
	// as they told in time.
	Kick(ctx context.Context, kick Kick) (ended int, err error)

	// Subscribe calls end for each kick until ctx is done, and passes on how many connections it ended.
	Subscribe(ctx context.Context, end func(Kick) (ended int))
}

// kickReason is what a client is told that is kicked.
const kickReason = "ended by an operator"

// adminKick ends the connections of a client, to whatever process, and has it forgotten, so that it cannot be continued.
func (s *Server) adminKick(a *act) error {
	var request struct {
		Reason string `json:"reason"`
	}
	client, err := idParam(a.context, "clientId")
	if err != nil {
		return err
	}
	a.note(zap.String("client", client))
	if err := a.optionalBody(&request); err != nil {
		return err
	}
	if err := checkReason(request.Reason, false); err != nil {
		return err
	}
	a.note(zap.String("reason", request.Reason))
	ctx, cancel := context.WithTimeout(a.request.Context(), s.opts.PastLimit)
	defer cancel()
	kicked, err := s.kick(ctx, Kick{ClientID: client, Reason: request.Reason})
	a.note(zap.Int("ended", kicked.Ended))
	if err != nil {
		return err
	}
	if kicked.Ended == 0 && !kicked.Forgotten {
		return refuse(command.NotFound, "nothing is known of a client %q", client)
	}
	return a.answer(kicked)
}

// kick ends what client has here, then elsewhere, and has it forgotten.
func (s *Server) kick(ctx context.Context, kick Kick) (kicked Kicked, err error) {
	kicked.ClientID = kick.ClientID
	kicked.Forgotten = s.sockets.clients.left.forgetAll(kick.ClientID)
	kicked.Ended = s.kickHere(kick)
	if s.services.Kicks != nil {
		elsewhere, err := s.services.Kicks.Kick(ctx, kick)
		kicked.Ended += elsewhere
		if err != nil {
			return kicked, err
		}
	}
	if s.services.Clients != nil {
		forgotten, err := s.services.Clients.Forget(ctx, kick.ClientID)
		kicked.Forgotten = kicked.Forgotten || forgotten
		return kicked, err
	}
	return kicked, nil
}

// kickHere ends the connections of a client to this process.
func (s *Server) kickHere(kick Kick) (ended int) {
	s.sockets.clients.left.forgetAll(kick.ClientID)
	for _, one := range s.sockets.open() {
		if one.identity.ClientID == kick.ClientID && one.kick() {
			ended++
		}
	}
	for _, one := range s.streams.all() {
		if one.client() == kick.ClientID {
			one.end()
			ended++
		}
	}
	if ended > 0 {
		s.logger.Info("connections of a client were ended by an operator", zap.String("clientId", kick.ClientID), zap.Int("count", ended))
	}
	return ended
}

// kick ends the session for good. It reports false if it had ended before.
func (s *session) kick() bool {
	if s.over.Load() {
		return false
	}
	s.kicked.Store(true)
	s.end(websocket.ClosePolicyViolation, kickReason)
	return true
}
