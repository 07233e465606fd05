package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"graphy/cmd/graphy/graphfile"
)

// apiClient calls the HTTP API of a running server for one graph. It is safe for concurrent use.
type apiClient struct {
	server, graph string
	user, token   string
	http          *http.Client
}

// answerTimeout is the longest wait for an answer to begin; the body may take longer.
const answerTimeout = 30 * time.Second

// clientFlags are the flags that every command of the API has.
type clientFlags struct{ server, graph, user, token string }

func (f *clientFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.server, "server", "http://127.0.0.1:3000", "address of the server")
	cmd.Flags().StringVar(&f.graph, "graph", "", "id of the graph (required)")
	cmd.Flags().StringVar(&f.user, "user", "", "user to act as, where the server runs in development mode")
	cmd.Flags().StringVar(&f.token, "token", "", "bearer token (default: environment variable GRAPHY_TOKEN)")
	_ = cmd.MarkFlagRequired("graph") // fails only for a flag that is not there
}

// client checks the flags and returns a client.
func (f *clientFlags) client(getenv func(string) string) (*apiClient, error) {
	if !graphfile.ValidID(f.graph) {
		return nil, usageError{invalidID("--graph", f.graph)}
	}
	server, err := serverAddress(f.server)
	if err != nil {
		return nil, usageError{err}
	}
	token := f.token
	if token == "" {
		token = getenv("GRAPHY_TOKEN")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = answerTimeout
	return &apiClient{server: server, graph: f.graph, user: f.user, token: token,
		http: &http.Client{Transport: transport}}, nil
}

// command posts a body to a path under the graph.
func (c *apiClient) command(ctx context.Context, path string, body []byte, wait bool, answer any) error {
	request, err := c.request(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if wait {
		request.Header.Set("Prefer", "wait")
	}
	return c.do(request, answer)
}

// get reads a path under the graph.
func (c *apiClient) get(ctx context.Context, path string, answer any) error {
	request, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return c.do(request, answer)
}

func (c *apiClient) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.server+"/api/v2/graphs/"+c.graph+path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Client-Id", "graphy-cli")
	if c.user != "" {
		request.Header.Set("X-User-Id", c.user)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	return request, nil
}

// do sends a request and decodes the answer. It fails with a *problemError when the server refuses, with a
// *lostError when it is not known whether the server has carried the request out, and with the context's error.
func (c *apiClient) do(request *http.Request, answer any) error {
	response, err := c.http.Do(request)
	if err != nil {
		return lost(request.Context(), err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return readProblem(response)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return lost(request.Context(), err)
	}
	if err := json.Unmarshal(body, answer, jsontext.AllowDuplicateNames(false)); err != nil {
		return fmt.Errorf("the answer of %s is not what Graphy gives: %w", c.server, err)
	}
	return nil
}

func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the address, which the caller knows
	}
	return &lostError{err}
}
