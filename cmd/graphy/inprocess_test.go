package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// callInProcess sends a request to a handler in the process; when the test ends no handler runs any more.
func callInProcess(t *testing.T, ctx context.Context, body io.Reader, handler http.HandlerFunc) (*http.Response, error) {
	t.Helper()
	carrier, before := &inProcess{handler: handler}, goleak.IgnoreCurrent()
	t.Cleanup(func() {
		carrier.wait()
		goleak.VerifyNone(t, before)
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://in-process.invalid/path?q=1", body)
	if err != nil {
		t.Fatal(err)
	}
	return (&http.Client{Transport: carrier}).Do(request)
}

func TestInProcessServesAsOverHTTP(t *testing.T) {
	response, err := callInProcess(t, t.Context(), strings.NewReader("body"), func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Method+" "+r.RequestURI+" "+r.Host+" "+string(body))
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK) // too late
		w.Header().Set("X-Late", "1")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	rest, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusTeapot || response.Header.Get("X-Seen") != "POST /path?q=1 in-process.invalid body" ||
		response.Header.Get("X-Late") != "" || len(rest) > 0 || err != nil {
		t.Errorf("got %v, %v, %q, %v", response.Status, response.Header, rest, err)
	}
}

// Each line can be read before the next is written, and the handler waits while nobody reads.
func TestInProcessStreams(t *testing.T) {
	next := make(chan struct{})
	response, err := callInProcess(t, t.Context(), nil, func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		_ = control.Flush() // the answer begins before there is anything in it
		for _, err := range []error{control.SetWriteDeadline(time.Now()), control.SetReadDeadline(time.Now()), control.EnableFullDuplex()} {
			if err != nil {
				t.Error(err)
			}
		}
		for range next {
			_, _ = io.WriteString(w, "line\n")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	reader := bufio.NewReader(response.Body)
	for range 3 {
		next <- struct{}{}
		if text, err := reader.ReadString('\n'); text != "line\n" || err != nil {
			t.Fatalf("got %q, %v", text, err)
		}
	}
	close(next)
	if _, err := reader.ReadByte(); err != io.EOF {
		t.Errorf("at the end: got %v, want EOF", err)
	}
}

// zeros are so many bytes.
type zeros int

func (z *zeros) Read(into []byte) (int, error) {
	if *z == 0 {
		return 0, io.EOF
	}
	n := min(len(into), int(*z))
	clear(into[:n])
	*z -= zeros(n)
	return n, nil
}

// Bodies go both ways at once and are held nowhere.
func TestInProcessBigBodies(t *testing.T) {
	const most = 256 << 20
	body := zeros(most)
	response, err := callInProcess(t, t.Context(), &body, func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(w, r.Body); n != most || err != nil {
			t.Errorf("the handler copied %d bytes, %v", n, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if n, err := io.Copy(io.Discard, response.Body); n != most || err != nil {
		t.Errorf("%d bytes came back, %v", n, err)
	}
}

// Whoever stops reading, or is cancelled, cancels the handler; an answer that was cancelled does not look whole.
func TestInProcessCancels(t *testing.T) {
	for name, end := range map[string]func(*http.Response, context.CancelFunc){
		"closed":    func(r *http.Response, _ context.CancelFunc) { r.Body.Close() },
		"cancelled": func(_ *http.Response, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			response, err := callInProcess(t, ctx, nil, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, "begun")
				<-r.Context().Done()
				_, err := io.WriteString(w, "more")
				ended <- err
			})
			if err != nil {
				t.Fatal(err)
			}
			begun := make([]byte, 5)
			if _, err := io.ReadFull(response.Body, begun); err != nil {
				t.Fatal(err)
			}
			end(response, cancel)
			if rest, err := io.ReadAll(response.Body); err == nil || len(rest) > 0 {
				t.Errorf("got %q and a whole answer", rest)
			}
			if err := <-ended; err == nil {
				t.Error("the handler could go on writing")
			}
		})
	}
	t.Run("before the answer", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := callInProcess(t, ctx, nil, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// A handler that panics fails its request, and nothing else.
func TestInProcessPanics(t *testing.T) {
	_, err := callInProcess(t, t.Context(), nil, func(http.ResponseWriter, *http.Request) { panic("oh") })
	var panicked *panicError
	if !errors.As(err, &panicked) || !strings.Contains(err.Error(), "oh") {
		t.Errorf("got %v", err)
	}
	response, err := callInProcess(t, t.Context(), nil, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, err := io.ReadAll(response.Body); !bytes.Equal(got, []byte("half")) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v, want half of it and an error", got, err)
	}
}
