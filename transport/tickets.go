package transport

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"graphy/command"
	"graphy/transport/auth"
)

const (
	ticketLife   = 30 * time.Second
	ticketBytes  = 32 // random ones, so that none is ever guessed
	ticketLength = 43 // of them in base64
)

// ticketValue is what a ticket stands for: its user, with the role of when it was issued, on one graph, for as long as
// the token that it was issued for.
type ticketValue struct {
	User    string `json:"user"`
	Graph   string `json:"graph"`
	Role    string `json:"role"`
	Expires int64  `json:"expires,omitzero"` // Unix milliseconds; 0: never
}

// postTicket issues a ticket: in a query it takes the place of a token, once.
func (s *Server) postTicket(c echo.Context) error {
	r := c.Request()
	q := parseQuery(r.URL.RawQuery)
	who, err := s.enter(r, q, "", auth.None)
	if err != nil {
		return err
	}
	if err := q.done(); err != nil {
		return err
	}
	if err := s.chargeRequest(c, &who, ""); err != nil {
		return err
	}
	body, err := s.readBody(c)
	if err != nil {
		return err
	}
	graph, err := ticketGraph(body)
	if err != nil {
		return err
	}
	if err := s.permit(&who, graph, auth.Viewer); err != nil {
		return err
	}
	ticket, expires, err := s.issue(r.Context(), &who, graph)
	if err != nil {
		return err
	}
	s.audit.act("ticket issued", &who, graph)
	buffer := borrow()
	defer giveBack(buffer)
	buffer.bytes = append(append(append(buffer.bytes, `{"ticket":"`...), ticket...), '"')
	buffer.bytes = append(appendNumber(buffer.bytes, "expiresAt", expires.UnixMilli()), '}')
	return writeJSON(c, http.StatusCreated, buffer.bytes)
}

// ticketGraph reads for which graph a ticket is asked for.
func ticketGraph(body []byte) (string, error) {
	var request struct {
		GraphID string `json:"graphId"`
	}
	if err := decode(body, &request, "body", strictly); err != nil {
		return "", err
	}
	return request.GraphID, command.CheckID(request.GraphID, "/graphId")
}

// issue makes a ticket and keeps what it stands for.
func (s *Server) issue(ctx context.Context, who *caller, graph string) (ticket string, expires time.Time, err error) {
	now := time.Now()
	value := ticketValue{User: who.UserID, Graph: graph, Role: who.principal.Role(graph).String()}
	expires = now.Add(ticketLife)
	if ends := who.principal.Expires; !ends.IsZero() {
		value.Expires = ends.UnixMilli()
		if ends.Before(expires) {
			expires = ends
		}
	}
	long := expires.Sub(now)
	if long < time.Millisecond { // within the leeway of a token that has ended
		return "", expires, auth.ErrExpired
	}
	data, err := json.Marshal(value)
	if err != nil {
		return "", expires, fmt.Errorf("encode a ticket: %w", err)
	}
	random := make([]byte, ticketBytes)
	_, _ = rand.Read(random) // never fails
	ticket = base64.RawURLEncoding.EncodeToString(random)
	ctx, cancel := context.WithTimeout(ctx, s.opts.ReadLimit)
	defer cancel()
	return ticket, expires, s.services.Tickets.Put(ctx, ticketID(ticket), data, long)
}

// errTicket refuses a ticket for whatever reason: who made it up learns nothing.
var errTicket = refuse(unauthenticated, "this ticket is not good here: it was used, is over, or is for another graph")

// redeem takes a ticket, and returns who it speaks for. It is gone afterwards, also if it was for another graph.
func (s *Server) redeem(ctx context.Context, ticket, graph string) (auth.Principal, error) {
	if len(ticket) != ticketLength {
		return auth.Principal{}, errTicket
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.ReadLimit)
	defer cancel()
	data, err := s.services.Tickets.Take(ctx, ticketID(ticket))
	if err != nil {
		return auth.Principal{}, err
	}
	if data == nil {
		return auth.Principal{}, errTicket
	}
	var value ticketValue
	if err := json.Unmarshal(data, &value); err != nil {
		return auth.Principal{}, fmt.Errorf("decode a ticket: %w", err)
	}
	principal := auth.Principal{User: value.User, Grants: map[string]auth.Role{value.Graph: auth.ParseRole(value.Role)}}
	if value.Expires != 0 {
		principal.Expires = time.UnixMilli(value.Expires)
	}
	if value.Graph != graph || hasEnded(&principal) {
		return auth.Principal{}, errTicket
	}
	return principal, nil
}

// ticketID is what a ticket is kept under: who reads the store gets no tickets out of it.
func ticketID(ticket string) string {
	sum := sha256.Sum256([]byte(ticket))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
