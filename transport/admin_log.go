package transport

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"graphy/command"
	"graphy/eventstore"
)

// logPage is how many events of a log are read and sent at a time.
const logPage = 500

// logRequest is which events of a log are asked for.
type logRequest struct {
	graph  string
	since  eventstore.Version // those after it,
	to     eventstore.Version // up to and with this one; 0: to the end
	left   int64              // so many at most
	follow bool               // and what is still to come
}

// adminLog answers a log as it stands, a change on each line, byte for byte with its hash. What is damaged is shown as
// far as it can be read; a last line says so where it cannot.
func (s *Server) adminLog(a *act) error {
	request := logRequest{graph: a.graph, since: a.q.version("since"), left: a.q.number("limit", maxVersion, 1, maxVersion),
		to: eventstore.Version(a.q.number("to", 0, 1, maxVersion)), follow: a.q.flag("follow")}
	if request.to > 0 && request.to <= request.since {
		a.q.fail("query parameter \"to\" is %d, not above \"since\", which is %d", request.to, request.since)
	}
	if err := a.q.done(); err != nil {
		return err
	}
	a.note(zap.Uint64("since", uint64(request.since)), zap.Uint64("to", uint64(request.to)), zap.Bool("follow", request.follow))
	ctx, leave, err := a.long()
	if err != nil {
		return err
	}
	defer leave()
	out := &logAnswer{longAnswer: a.newLongAnswer(), logRequest: request}
	err = becauseOf(ctx, out.show(ctx, s.services.Log))
	a.note(zap.Int64("events", out.events))
	return a.endLines(out.longAnswer, err)
}

// endLines ends an answer of lines. An error before the first is returned, to be answered as any other; after that it is
// the last line.
func (a *act) endLines(out *longAnswer, err error) error {
	switch {
	case err == nil && !out.begun:
		out.begin(ndjsonType)
		return out.flush()
	case err == nil || !out.begun || errors.Is(err, errGone) || a.request.Context().Err() != nil:
		return err
	}
	err = forOperators(err)
	a.failure = err
	a.server.logInternal(err, "a log cannot be shown further", zap.String("graphId", a.graph))
	told := publicProblem(err)
	text, err := json.Marshal(answerLine{Type: "error", Error: &told})
	if err == nil {
		_, err = out.Write(append(text, '\n'))
	}
	if err == nil {
		err = out.flush()
	}
	return err
}

// logAnswer is the answer to a logRequest, whose since and left move on with it.
type logAnswer struct {
	*longAnswer
	logRequest
	events int64 // that were sent
}

// show sends what was asked for.
func (l *logAnswer) show(ctx context.Context, log eventstore.Log) error {
	for {
		page, err := log.Read(ctx, l.graph, l.since, int(min(l.left, logPage)))
		if err != nil {
			return err
		}
		if over, err := l.send(page); err != nil || over {
			return err
		}
		if len(page) == 0 {
			break
		}
	}
	if !l.follow {
		return l.unknown(ctx, log)
	}
	if !l.begun {
		l.begin(ndjsonType)
		if err := l.flush(); err != nil {
			return err
		}
	}
	for event, err := range log.Tail(ctx, l.graph, l.since) {
		if err != nil {
			return err
		}
		if over, err := l.send([]eventstore.Event{event}); err != nil || over {
			return err
		}
	}
	return ctx.Err()
}

// unknown refuses to show nothing of a graph that there is not.
func (l *logAnswer) unknown(ctx context.Context, log eventstore.Log) error {
	if l.begun {
		return nil
	}
	head, err := log.Head(ctx, l.graph)
	if err == nil && head.Version == 0 {
		err = refuse(command.NotFound, "there is no graph %q", l.graph)
	}
	return err
}

// send sends events, and reports whether they were the last that were asked for.
func (l *logAnswer) send(events []eventstore.Event) (over bool, err error) {
	if len(events) == 0 {
		return false, nil
	}
	buffer := borrow()
	defer giveBack(buffer)
	for _, event := range events {
		if over = l.to > 0 && event.Version > l.to; over {
			break
		}
		buffer.bytes = append(appendLogged(buffer.bytes, event), '\n')
		l.since, l.left = event.Version, l.left-1
		l.events++
		if over = l.left == 0 || l.to > 0 && event.Version == l.to; over {
			break
		}
	}
	if !l.begun {
		l.begin(ndjsonType)
	}
	if _, err := l.Write(buffer.bytes); err != nil {
		return over, err
	}
	return over, l.flush()
}

// appendLogged appends an event as a change or, where it is not in the form of one, what stands in its place.
func appendLogged(dst []byte, event eventstore.Event) []byte {
	data := event.Data
	if len(data) > 2 && data[0] == '{' && data[len(data)-1] == '}' && jsontext.Value(data).IsValid() && !bytes.ContainsRune(data, '\n') && isHash(event.Hash) {
		return appendChange(dst, event)
	}
	dst = strconv.AppendUint(append(dst, `{"version":`...), uint64(event.Version), 10)
	dst = appendText(dst, "damaged", string(data))
	return append(appendText(dst, "hash", string(event.Hash)), '}')
}

// isHash tells whether a hash is of digits and letters alone.
func isHash(hash eventstore.Hash) bool {
	for _, c := range hash {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// adminDiff answers the net change from one version of a graph to a later one, or where its history parts from that of
// another graph.
func (s *Server) adminDiff(a *act) error {
	if !a.q.has("with") {
		between, toHead := a.q.between()
		if err := a.q.done(); err != nil {
			return err
		}
		return s.answerDiff(a.context, a.graph, between, toHead)
	}
	for _, name := range []string{"from", "to"} {
		if a.q.has(name) {
			a.q.fail("query parameter %q does not go with \"with\"", name)
		}
	}
	other, _ := a.q.take("with")
	if command.CheckID(other, "") != nil {
		a.q.fail("query parameter \"with\" is %.128q, which is no valid id", other)
	}
	if err := a.q.done(); err != nil {
		return err
	}
	k, err := a.keeper()
	if err != nil {
		return err
	}
	a.note(zap.String("with", other))
	ctx, leave, err := a.long()
	if err != nil {
		return err
	}
	defer leave()
	_ = a.newLongAnswer() // takes the time limits off
	compared, err := k.CompareLogs(ctx, a.graph, other)
	if err != nil {
		return becauseOf(ctx, err)
	}
	return a.answer(compared)
}
