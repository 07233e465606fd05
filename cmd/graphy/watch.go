package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/spf13/cobra"
)

// newWatchCommand follows a graph over the WebSocket: a client for the terminal, to look and to try.
func newWatchCommand() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "watch --graph ID",
		Short: "Print a graph's messages as they come, and send the lines typed",
		Long: "Print the messages of a graph's WebSocket, one on a line, as they come. Lines of standard input are sent as\n" +
			"they are; the end of the input changes nothing. Ctrl-C ends it.\n" +
			"Exit codes: 0 when it was ended by Ctrl-C; see graphy help exit-codes.",
		Example: `  graphy watch --graph demo --user ada
  {"type":"command","command":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"typed"}}
  {"type":"undo"}`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := flags.client(os.Getenv)
			if err != nil {
				return err
			}
			return client.watch(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	flags.register(cmd)
	return cmd
}

// watch prints messages until ctx is done or the server closes the socket.
func (c *apiClient) watch(ctx context.Context, in io.Reader, out io.Writer) error {
	address := "ws" + strings.TrimPrefix(c.server, "http") + "/api/v2/graphs/" + url.PathEscape(c.graph) + "/subscribe"
	header := http.Header{}
	if c.user != "" {
		header.Set("X-User-Id", c.user)
	}
	if c.token != "" {
		header.Set("Authorization", "Bearer "+c.token)
	}
	ws, response, err := websocket.DefaultDialer.DialContext(ctx, address, header)
	if err != nil {
		if response != nil {
			defer response.Body.Close()
			return fmt.Errorf("subscribe to %s: %w", c.graph, readProblem(response))
		}
		return fmt.Errorf("subscribe to %s: %w", c.graph, err)
	}
	defer ws.Close()
	defer context.AfterFunc(ctx, func() { // a read cannot be told of ctx
		_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		_ = ws.Close()
	})()
	go sendLines(ws, in) // ends with the input, or with the process: a read of a terminal cannot be cut short
	for {
		_, message, err := ws.ReadMessage()
		var closed *websocket.CloseError
		switch {
		case err == nil:
			fmt.Fprintf(out, "%s\n", message)
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &closed):
			return fmt.Errorf("the server closed the socket: code %d %s", closed.Code, closed.Text)
		default:
			return fmt.Errorf("watch %s: %w", c.graph, err)
		}
	}
}

func sendLines(ws *websocket.Conn, in io.Reader) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 && ws.WriteMessage(websocket.TextMessage, line) != nil {
			return
		}
	}
}
