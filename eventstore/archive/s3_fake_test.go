package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// fakeS3 is a server that speaks as much of S3's protocol as a bucket needs, and fails as it is told to.
type fakeS3 struct {
	*httptest.Server
	t testing.TB

	mu      sync.Mutex
	objects map[string][]byte // by path: /bucket/key
	calls   int
	// fault, if set, answers a call in its own way; false lets the server do so.
	fault func(call int, w http.ResponseWriter, r *http.Request) bool
	// spoil, if set, changes what is read.
	spoil func(content []byte) []byte
}

// fakePage is how many objects a listing has at once.
const fakePage = 3

func newFakeS3(t testing.TB) *fakeS3 {
	f := &fakeS3{t: t, objects: map[string][]byte{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// bucket returns a Store there that does not wait for long.
func (f *fakeS3) bucket(prefix string) *bucket {
	f.t.Helper()
	at, err := parseBucket("s3://bucket/" + prefix + "?path-style=true&endpoint=" + url.QueryEscape(f.URL))
	if err != nil {
		f.t.Fatal(err)
	}
	settings := aws.Config{Region: usualRegion, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")}
	return newBucket(at, settings, patience{call: 5 * time.Second, slow: 1 << 30, dial: time.Second, idle: 200 * time.Millisecond, attempts: 3,
		pause: time.Millisecond})
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.calls++
	call, fault, spoil := f.calls, f.fault, f.spoil
	f.mu.Unlock()
	body, err := io.ReadAll(r.Body) // first: only then does the server notice that a client has gone
	if fault != nil && fault(call, w, r) {
		return
	}
	sum := sha256.Sum256(body)
	if err != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=key/") ||
		r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) {
		f.refuse(w, http.StatusForbidden, "AccessDenied")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.Method == http.MethodPut:
		f.objects[r.URL.Path] = body
	case r.Method == http.MethodDelete:
		delete(f.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Query().Get("list-type") == "2":
		f.list(w, strings.TrimSuffix(r.URL.Path, "/")+"/", r.URL.Query())
	default:
		content, ok := f.objects[r.URL.Path]
		if !ok {
			f.refuse(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		if spoil != nil {
			content = spoil(slices.Clone(content))
		}
		w.Write(content)
	}
}

func (f *fakeS3) refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
}

func (f *fakeS3) list(w http.ResponseWriter, bucket string, query url.Values) {
	type object struct {
		Key  string
		Size int
	}
	answer := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []object
	}{}
	skip, _ := strconv.Atoi(query.Get("continuation-token"))
	for _, path := range slices.Sorted(maps.Keys(f.objects)) {
		key, ok := strings.CutPrefix(path, bucket)
		if !ok || !strings.HasPrefix(key, query.Get("prefix")) {
			continue
		}
		if skip--; skip >= 0 {
			continue
		}
		if len(answer.Contents) == fakePage {
			answer.IsTruncated = true
			past, _ := strconv.Atoi(query.Get("continuation-token"))
			answer.NextContinuationToken = strconv.Itoa(past + fakePage)
			break
		}
		answer.Contents = append(answer.Contents, object{key, len(f.objects[path])})
	}
	w.Header().Set("Content-Type", "application/xml")
	xml.NewEncoder(w).Encode(answer)
}

// breakWith sets the fault, and starts to count calls anew.
func (f *fakeS3) breakWith(fault func(call int, w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.fault = 0, fault
}

func (f *fakeS3) counted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}
