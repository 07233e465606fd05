package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// newHealthCommand asks a server whether it is ready: the health check of containers, whose image holds nothing else.
func newHealthCommand() *cobra.Command {
	var server string
	cmd := &cobra.Command{
		Use:     "health",
		Short:   "Ask a server whether it is ready; exit code 1 if it is not",
		Long:    "Ask a server whether it is ready, at its address of clients or of operators.\nExit codes: 0 it is; 1 it is not, or does not answer; see graphy help exit-codes.",
		Example: "  graphy health --server http://127.0.0.1:3000",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return checkHealth(cmd.Context(), server, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&server, "server", "http://127.0.0.1:3000", "address of the server")
	return cmd
}

func checkHealth(ctx context.Context, server string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s", server, response.Status)
	}
	return nil
}
