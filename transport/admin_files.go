package transport

import (
	"bufio"
	"context"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"graphy/command"
	"graphy/projection/upkeep"
)

const (
	exportPage   = 1000      // names of graphs that are listed at a time
	exportBuffer = 256 << 10 // bytes that are sent at once
)

var archiveType = []string{"application/zstd"}

// adminArchive lists what the archive has of a graph.
func (s *Server) adminArchive(a *act) error {
	if s.services.Archive == nil {
		return missing("archive")
	}
	ctx, cancel, err := a.brief()
	if err != nil {
		return err
	}
	defer cancel()
	segments, err := s.archived(ctx, a.graph)
	if err != nil {
		return err
	}
	return a.answer(struct {
		Segments []ArchiveSegment `json:"segments"`
	}{segments})
}

// archived returns the segments of a graph in the archive.
func (s *Server) archived(ctx context.Context, graph string) ([]ArchiveSegment, error) {
	segments, err := s.services.Archive.Segments(ctx, graph)
	if err != nil {
		return nil, err
	}
	listed := make([]ArchiveSegment, len(segments))
	for i, segment := range segments {
		listed[i] = ArchiveSegment{From: segment.From, To: segment.To, Bytes: segment.Bytes}
	}
	return listed, nil
}

// adminExport answers the logs of graphs as one archive file. An answer that breaks off is no whole file, and whoever
// reads it can tell.
func (s *Server) adminExport(a *act) error {
	names, all := a.q.takeAll("graph"), a.q.flag("all")
	if all == (len(names) > 0) {
		a.q.fail("say which graphs, graph=…, once for each, or all=true")
	}
	for _, name := range names {
		if command.CheckID(name, "") != nil {
			a.q.fail("query parameter \"graph\" is %.128q, which is no valid id", name)
		}
	}
	k, err := a.keeper()
	if err == nil {
		err = a.q.done()
	}
	if err != nil {
		return err
	}
	ctx, leave, err := a.long()
	if err != nil {
		return err
	}
	defer leave()
	slices.Sort(names)
	names = slices.Compact(names)
	a.note(zap.Bool("all", all), zap.Strings("named", names[:min(len(names), 20)]))
	for _, name := range names {
		if head, err := s.services.Log.Head(ctx, name); err != nil {
			return err
		} else if head.Version == 0 {
			return refuse(command.NotFound, "there is no graph %q", name)
		}
	}
	out := &exportAnswer{a.newLongAnswer()}
	buffered := bufio.NewWriterSize(out, exportBuffer)
	graphs := 0
	_, err = k.Export(ctx, buffered, s.exported(ctx, names, all), func(upkeep.Exported) { graphs++ })
	if err == nil {
		err = buffered.Flush()
	}
	a.note(zap.Int("graphs", graphs))
	if err == nil || !out.begun {
		return becauseOf(ctx, err)
	}
	a.failure = forOperators(becauseOf(ctx, err))
	s.logInternal(a.failure, "an export broke off")
	return errBrokenOff
}

// exportAnswer begins with the first bytes of the file.
type exportAnswer struct{ *longAnswer }

// Write implements io.Writer.
func (e *exportAnswer) Write(piece []byte) (int, error) {
	if !e.begun {
		e.begin(archiveType)
	}
	return e.longAnswer.Write(piece)
}

// exported yields the names of the graphs to export.
func (s *Server) exported(ctx context.Context, names []string, all bool) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for cursor := ""; ; {
			if all {
				page, err := s.services.Log.Streams(ctx, cursor, exportPage)
				if err != nil {
					yield("", err)
					return
				}
				names = page
			}
			for _, name := range names {
				if !yield(name, nil) {
					return
				}
			}
			if !all || len(names) < exportPage {
				return
			}
			cursor = names[len(names)-1]
		}
	}
}

// adminImport takes in an archive file.
func (s *Server) adminImport(a *act) error {
	opts := upkeep.ImportOptions{Replace: a.q.set("replace"), DryRun: a.q.set("dryRun")}
	k, err := a.keeper()
	if err == nil {
		err = a.q.done()
	}
	if err == nil {
		err = checkArchiveType(a.request.Header)
	}
	if err != nil {
		discard(a.request)
		return err
	}
	a.note(zap.Bool("replace", opts.Replace), zap.Bool("dryRun", opts.DryRun))
	ctx, leave, err := a.long()
	if err != nil {
		discard(a.request)
		return err
	}
	defer leave()
	r := a.newReport()
	_ = r.out.control.EnableFullDuplex() // what cannot do both at once is inside the process, and can
	body := &steadyBody{body: a.request.Body, control: r.out.control, patience: s.opts.Timeouts.Request}
	return r.end(becauseOf(ctx, r.watch(ctx, func(ctx context.Context, tell *teller) error {
		defer context.AfterFunc(ctx, body.end)()
		at := upkeep.Progress{}
		err := k.Import(ctx, body, opts, func(imported upkeep.Imported) {
			at.Done++
			at.Events += imported.Events
			tell.progress(at)
			_ = tell.result(ctx, imported, imported.Outcome) // fails if nobody wants to know any more
		})
		if body.failed.Load() && ctx.Err() == nil {
			return refuse(command.MalformedJSON, "the body ended early")
		}
		return err
	})))
}

// checkArchiveType accepts files.
func checkArchiveType(header http.Header) error {
	mediaType, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(mediaType)) {
	case "application/zstd", "application/octet-stream":
	default:
		return refuse(unsupportedMediaType, "content type %.64q is not application/zstd", mediaType)
	}
	if encoding := header.Get("Content-Encoding"); encoding != "" {
		return refuse(unsupportedMediaType, "content encoding %.64q is not supported: send the file as it is", encoding)
	}
	return nil
}

// steadyBody is a body that may be of any length, as long as something of it comes now and then.
type steadyBody struct {
	body     io.Reader
	control  *http.ResponseController
	patience time.Duration // for something of it to come
	failed   atomic.Bool   // it broke off
}

// Read implements io.Reader.
func (b *steadyBody) Read(into []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.patience))
	n, err := b.body.Read(into)
	if err != nil {
		_ = b.control.SetReadDeadline(time.Time{})
		b.failed.Store(err != io.EOF)
	}
	return n, err
}

// end has a Read that waits fail.
func (b *steadyBody) end() { _ = b.control.SetReadDeadline(time.Now()) }
