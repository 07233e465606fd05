package archive

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"graphy/eventstore"
)

func TestBucket(t *testing.T) {
	for _, prefix := range []string{"", "some/where"} {
		f := newFakeS3(t)
		f.objects["/bucket/elsewhere"] = []byte("x")
		f.objects["/bucket/some/where else"] = []byte("x")
		f.objects["/bucket/some/whereabouts"] = []byte("x")
		if prefix == "" {
			clear(f.objects)
		}
		testStore(t, f.bucket(prefix))
	}
}

func TestBucketAtOnce(t *testing.T)    { testStoreAtOnce(t, newFakeS3(t).bucket("p")) }
func TestBucketOfArchive(t *testing.T) { testStoreOfArchive(t, newFakeS3(t).bucket("p")) }

func TestBucketRetries(t *testing.T) {
	f := newFakeS3(t)
	b := f.bucket("p")
	content := strings.Repeat("content", 10_000)
	if err := b.Put(t.Context(), "a", []byte(content)); err != nil {
		t.Fatal(err)
	}
	for name, fault := range map[string]func(w http.ResponseWriter, r *http.Request){
		"500": func(w http.ResponseWriter, _ *http.Request) {
			f.refuse(w, http.StatusInternalServerError, "InternalError")
		},
		"503":       func(w http.ResponseWriter, _ *http.Request) { f.refuse(w, http.StatusServiceUnavailable, "SlowDown") },
		"no answer": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"closed":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"cut": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "70000")
			w.Write([]byte(content[:1000]))
			panic(http.ErrAbortHandler)
		},
		"stuck": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "70000")
			w.Write([]byte(content[:1000]))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			once := func(call int, w http.ResponseWriter, r *http.Request) bool {
				if call == 1 {
					fault(w, r)
				}
				return call == 1
			}
			f.breakWith(once)
			if got, err := fetchAll(t.Context(), b, "a"); err != nil || got != content || f.counted() != 2 {
				t.Errorf("get: got %d bytes, %v, after %d calls", len(got), err, f.counted())
			}
			if name == "cut" || name == "stuck" {
				return // there is no body to speak of in other answers
			}
			f.breakWith(once)
			if err := b.Put(t.Context(), "a", []byte(content)); err != nil {
				t.Errorf("put: %v, after %d calls", err, f.counted())
			}
			f.breakWith(once)
			for object, err := range b.List(t.Context(), "") {
				if err != nil || object.Name != "a" {
					t.Errorf("list: %v, %v", object, err)
				}
			}
			f.breakWith(once)
			if err := b.Delete(t.Context(), "none"); err != nil {
				t.Errorf("delete: %v", err)
			}
		})
	}
}

// What does not come right ends all the same, in an error that is not "not found" nor "damaged".
func TestBucketGivesUp(t *testing.T) {
	f := newFakeS3(t)
	b := f.bucket("")
	b.call = time.Second
	for name, fault := range map[string]func(w http.ResponseWriter, r *http.Request){
		"500": func(w http.ResponseWriter, _ *http.Request) {
			f.refuse(w, http.StatusInternalServerError, "InternalError")
		},
		"403":       func(w http.ResponseWriter, _ *http.Request) { f.refuse(w, http.StatusForbidden, "AccessDenied") },
		"no bucket": func(w http.ResponseWriter, _ *http.Request) { f.refuse(w, http.StatusNotFound, "NoSuchBucket") },
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"stuck": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "70000")
			w.Write([]byte("begun"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		f.breakWith(func(_ int, w http.ResponseWriter, r *http.Request) bool { fault(w, r); return true })
		_, got := b.Get(t.Context(), "a")
		var listed error
		for _, err := range b.List(t.Context(), "") {
			listed = err
		}
		for call, err := range map[string]error{"get": got, "put": b.Put(t.Context(), "a", nil), "delete": b.Delete(t.Context(), "a"), "list": listed} {
			if name == "stuck" && call != "get" && call != "list" {
				continue // the answer is there, whatever becomes of its body
			}
			if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) || errors.Is(err, context.Canceled) {
				t.Errorf("%s: %s: got %v", name, call, err)
			}
		}
	}
	f.breakWith(func(_ int, _ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := b.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a short deadline: got %v", err)
	}
	f.Close()
	if _, err := b.Get(t.Context(), "a"); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("no server: got %v", err)
	}
}

// A store that gives out something else than it was given is found out.
func TestBucketSpoils(t *testing.T) {
	f := newFakeS3(t)
	events := history(eventstore.Position{}, 20, "m")
	a := archived(t, f.bucket("p"), "g", events, 20)
	for name, spoil := range map[string]func([]byte) []byte{
		"flipped": func(content []byte) []byte { content[len(content)/2] ^= 1; return content },
		"halved":  func(content []byte) []byte { return content[:len(content)/2] },
		"other":   func([]byte) []byte { return []byte("<html>please sign in</html>") },
	} {
		f.mu.Lock()
		f.spoil = spoil
		f.mu.Unlock()
		if page, err := New(f.bucket("p")).Read(t.Context(), "g", endOf(events), 0, 100); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %d events, %v", name, len(page), err)
		}
		if _, err := a.Put(t.Context(), "g", eventstore.Position{}, events); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: put: %v", name, err)
		}
	}
}

func TestOpenBucket(t *testing.T) {
	f := newFakeS3(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", "/nowhere")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
	for _, region := range []string{"", "&region=eu-central-1"} {
		store, err := OpenStore(t.Context(), "s3://bucket/some/where/?path-style=true&endpoint="+f.URL+region)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Put(t.Context(), "a", []byte("content")); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f.objects["/bucket/some/where/a"], []byte("content")) {
			t.Errorf("there is %q", f.objects)
		}
	}
	for _, wrong := range []string{"", "s3://", "s3:///prefix", "s3://bucket", "s3://bucket?region=x&zone=1", "s3://bucket/a b?region=x", "s3://b/../c?region=x",
		"s3://key:secret@bucket?region=x", "s3://bucket?region=x&path-style=perhaps", "s3://bucket?endpoint=host:9000", "s3://bucket?endpoint=ftp://host",
		"ftp://host/path", "file://relative", "file:///a?b"} {
		_, err := OpenStore(t.Context(), wrong)
		if err == nil || strings.Contains(err.Error(), "key:secret") {
			t.Errorf("%q: got %v", wrong, err)
		}
	}
}
