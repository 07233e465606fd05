package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const adminPath = "/api/v2/admin"

// operator calls the operators' API, of a running server or inside this process. It is safe for concurrent use.
type operator struct {
	server string // its address; inside the process one that nobody can reach
	where  string // what it works on, in words
	token  string
	user   string // in development mode
	http   *http.Client
	close  func() error
}

// call is one request of the operators' API.
type call struct {
	method, path string
	query        url.Values
	body         any       // encoded as JSON; nil: none
	content      io.Reader // in the place of body, as it is
	contentType  string    // of content
}

// do sends a call and decodes its answer into answer; nil: there is none. Errors are those of send.
func (o *operator) do(ctx context.Context, c call, answer any) error {
	response, err := o.send(ctx, c, "application/json")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return lost(ctx, err)
	}
	if answer == nil {
		return nil
	}
	if raw, ok := answer.(*jsontext.Value); ok {
		*raw = body
		return nil
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return o.misunderstood(err)
	}
	return nil
}

// send sends a call and returns its answer, whose body is to be closed. It fails with a *problemError when the server
// refuses, with a *lostError when there is no answer, and with the context's error.
func (o *operator) send(ctx context.Context, c call, accept string) (*http.Response, error) {
	body, contentType := c.content, c.contentType
	if c.body != nil {
		encoded, err := json.Marshal(c.body, json.Deterministic(true))
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body, contentType = bytes.NewReader(encoded), "application/json"
	}
	address := o.server + adminPath + c.path
	if len(c.query) > 0 {
		address += "?" + c.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, c.method, address, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if c.content != nil { // it is long: let the server refuse it before it is sent
		request.Header.Set("Expect", "100-continue")
	}
	if o.user != "" {
		request.Header.Set("X-User-Id", o.user)
	}
	if o.token != "" {
		request.Header.Set("Authorization", "Bearer "+o.token)
	}
	response, err := o.http.Do(request)
	if err != nil {
		return nil, o.unreached(lost(ctx, err))
	}
	if response.StatusCode >= 300 {
		defer response.Body.Close()
		return nil, o.refused(readProblem(response))
	}
	return response, nil
}

// unreached says what to do when nobody answers.
func (o *operator) unreached(err error) error {
	if lost := (*lostError)(nil); errors.As(err, &lost) && o.server != inProcessServer {
		return fmt.Errorf("%w; is a server running whose operators' address (GRAPHY_ADMIN_ADDR) is %s?", err, o.server)
	}
	return err
}

// refused says what to do about a refusal, where the server cannot know.
func (o *operator) refused(err error) error {
	problem := (*problemError)(nil)
	if !errors.As(err, &problem) {
		return err
	}
	switch problem.Status {
	case http.StatusUnauthorized:
		return fmt.Errorf("%w; give --token or GRAPHY_TOKEN, a token with the claim admin, as `graphy token --user NAME --admin` makes", err)
	case http.StatusForbidden:
		return fmt.Errorf("%w; the token needs the claim admin", err)
	case http.StatusNotFound:
		if problem.Code == "" {
			return fmt.Errorf("%w; is %s the operators' address (GRAPHY_ADMIN_ADDR), and not that of clients?", err, o.server)
		}
	}
	return err
}

func (o *operator) misunderstood(err error) error {
	return fmt.Errorf("the answer of %s is not what Graphy gives: %w", o.where, err)
}
