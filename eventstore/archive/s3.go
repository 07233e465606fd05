package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// bucket is a Store in a bucket of S3, or of what speaks its protocol. The SDK retries what may be tried again; every
// call ends within its own deadline, and within that of its context.
type bucket struct {
	client *s3.Client
	name   string
	prefix string // of all keys, "" or with a slash at its end
	patience
}

// patience is how long a bucket waits.
type patience struct {
	call time.Duration // for a call with all its retries, and in addition
	slow int64         // bytes a second that a body has to have, at the very least
	dial time.Duration // for a connection
	idle time.Duration // for an answer to begin, and for the next bytes of its body
	// attempts is how often the SDK tries a call, and how often a body is read that ends too early; pause is how long it
	// waits, at least and at most 25 times that.
	attempts int
	pause    time.Duration
}

var usualPatience = patience{call: time.Minute, slow: 128 << 10, dial: 5 * time.Second, idle: 15 * time.Second,
	attempts: 5, pause: 200 * time.Millisecond}

// errSilent is the error of a call that took too long for us, in the place of the context's, which says that of its caller.
var errSilent = errors.New("no answer in time")

func (b *bucket) within(ctx context.Context, bytes int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, b.call+time.Duration(bytes/b.slow)*time.Second)
}

// Put implements Store.
func (b *bucket) Put(ctx context.Context, name string, content []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	call, cancel := b.within(ctx, int64(len(content)))
	defer cancel()
	_, err := b.client.PutObject(call, &s3.PutObjectInput{Bucket: &b.name, Key: aws.String(b.prefix + name),
		Body: bytes.NewReader(content), ContentLength: aws.Int64(int64(len(content))), ContentType: aws.String("application/zstd")})
	return b.fail(ctx, "write", name, err)
}

// Get implements Store. It reads the whole object, again if it was cut off.
func (b *bucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		content, again, err := b.get(ctx, name)
		if err == nil {
			return io.NopCloser(bytes.NewReader(content)), nil
		}
		if !again || attempt >= b.attempts || !wait(ctx, b.pause) {
			return nil, b.fail(ctx, "read", name, err)
		}
	}
}

// get reads an object; with an error comes whether it is worth another try.
func (b *bucket) get(ctx context.Context, name string) (content []byte, again bool, err error) {
	ctx, cancel := b.within(ctx, maxObject)
	defer cancel()
	// The body is watched for silence, since it may be as large as it likes.
	silence := time.AfterFunc(b.call, cancel)
	defer silence.Stop()
	answer, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: aws.String(b.prefix + name)})
	if err != nil {
		return nil, false, err
	}
	defer answer.Body.Close()
	var body bytes.Buffer
	body.Grow(int(min(max(aws.ToInt64(answer.ContentLength), 0), 16*SegmentBytes) + bytes.MinRead))
	_, err = io.Copy(&body, io.LimitReader(&watched{answer.Body, silence, b.idle}, maxObject+1))
	return body.Bytes(), true, err
}

// watched puts a timer off with all that is read.
type watched struct {
	io.Reader
	timer *time.Timer
	idle  time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.idle)
	return w.Reader.Read(p)
}

// List implements Store.
func (b *bucket) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: aws.String(b.prefix + prefix)},
			func(o *s3.ListObjectsV2PaginatorOptions) { o.StopOnDuplicateToken = true })
		for pages.HasMorePages() {
			page, err := b.page(ctx, pages)
			if err != nil {
				yield(Object{}, b.fail(ctx, "list", prefix, err))
				return
			}
			for _, object := range page.Contents {
				name, ok := strings.CutPrefix(aws.ToString(object.Key), b.prefix)
				if ok && checkName(name) == nil && !yield(Object{Name: name, Size: aws.ToInt64(object.Size)}, nil) {
					return
				}
			}
		}
	}
}

func (b *bucket) page(ctx context.Context, pages *s3.ListObjectsV2Paginator) (*s3.ListObjectsV2Output, error) {
	ctx, cancel := b.within(ctx, 0)
	defer cancel()
	return pages.NextPage(ctx)
}

// Delete implements Store.
func (b *bucket) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	call, cancel := b.within(ctx, 0)
	defer cancel()
	_, err := b.client.DeleteObject(call, &s3.DeleteObjectInput{Bucket: &b.name, Key: aws.String(b.prefix + name)})
	if err = b.fail(ctx, "delete", name, err); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// fail returns the error of a call within ctx in our terms.
func (b *bucket) fail(ctx context.Context, what, name string, err error) error {
	if err == nil {
		return nil
	}
	refusal, refused := errors.AsType[smithy.APIError](err)
	switch {
	case refused && refusal.ErrorCode() == "NoSuchKey":
		err = ErrNotFound
	case ctx.Err() == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		err = errSilent
	}
	return fmt.Errorf("archive: %s s3://%s/%s%s: %w", what, b.name, b.prefix, name, err)
}

// wait waits, and is false if ctx is done before.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
