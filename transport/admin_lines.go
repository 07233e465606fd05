package transport

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"graphy/projection/upkeep"
)

// report is the answer to a long act: with Accept: application/x-ndjson a line for each thing that happens, as it
// happens; else one JSON object, which is the report itself if the act is on one graph. It is for one goroutine.
type report struct {
	act     *act
	out     *longAnswer
	lines   bool
	start   time.Time
	results int
	summary Summary
}

func (a *act) newReport() *report {
	return &report{act: a, out: a.newLongAnswer(), lines: wantsLines(a.request.Header["Accept"]), start: time.Now(),
		summary: Summary{Outcomes: map[string]int{}}}
}

type answerLine = Line[jsontext.Value]

// wantsLines tells whether the client asks for a line per event.
func wantsLines(accept []string) bool {
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(name), "application/x-ndjson") && quality(parameters) > 0 {
				return true
			}
		}
	}
	return false
}

// progress tells how far the act has come.
func (r *report) progress(at upkeep.Progress) error {
	r.summary.Events = at.Events
	if !r.lines {
		return r.act.request.Context().Err()
	}
	return r.line(answerLine{Type: "progress", Done: at.Done, Total: at.Total, Events: at.Events, Rate: at.Rate,
		LeftMillis: at.Left.Milliseconds(), After: at.Graph})
}

// result gives the report of one graph.
func (r *report) result(value any, outcome string) error {
	r.summary.Graphs++
	if outcome != "" {
		r.summary.Outcomes[outcome]++
	}
	return r.give(value)
}

// failed tells that the act failed on one graph.
func (r *report) failed(graph string, err error) error {
	err = forOperators(err)
	r.act.server.logInternal(err, "an operator's act failed", zap.String("graphId", graph))
	r.summary.Graphs++
	r.summary.Failed++
	return r.give(Failed{GraphID: graph, Error: publicProblem(err)})
}

func (r *report) give(value any) error {
	encoded, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return err
	}
	text := jsontext.Value(encoded)
	if r.lines {
		return r.line(answerLine{Type: "result", Result: &text})
	}
	if r.isPlain() {
		r.out.begin(jsonType)
		_, err := r.out.Write(text)
		return err
	}
	return r.member(text)
}

// isPlain tells whether the report of one graph is the whole answer.
func (r *report) isPlain() bool { return !r.lines && r.act.graph != "" }

// member adds a result to the one object that is the answer.
func (r *report) member(text jsontext.Value) error {
	separator := ","
	if r.results == 0 {
		r.out.begin(jsonType)
		separator = `{"results":[`
	}
	r.results++
	_, err := r.out.Write(append([]byte(separator), text...))
	return err
}

// line sends one line.
func (r *report) line(line answerLine) error {
	if !r.out.begun {
		r.out.begin(ndjsonType)
	}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if _, err := r.out.Write(append(text, '\n')); err != nil {
		return err
	}
	return r.out.flush()
}

// end ends the answer. An error before anything was sent is returned, to be answered as any other; after that it goes
// into the answer's end.
func (r *report) end(err error) error {
	r.summary.Millis = time.Since(r.start).Milliseconds()
	r.act.note(zap.Int("graphs", r.summary.Graphs), zap.Int("failed", r.summary.Failed))
	if err != nil && (!r.out.begun || errors.Is(err, errGone) || r.act.request.Context().Err() != nil) {
		return err
	}
	var failure *Problem
	if err != nil {
		err = forOperators(err)
		r.act.failure = err
		r.act.server.logInternal(err, "an operator's act failed", zap.String("graphId", r.act.graph))
		told := publicProblem(err)
		failure = &told
	}
	switch {
	case r.isPlain():
		return err
	case !r.lines:
		return r.endObject(failure)
	case failure != nil:
		return r.line(answerLine{Type: "error", Error: failure})
	}
	return r.line(answerLine{Type: "end", Summary: &r.summary})
}

// endObject ends the one object.
func (r *report) endObject(failure *Problem) error {
	if r.results == 0 {
		r.out.begin(jsonType)
		if _, err := r.out.Write([]byte(`{"results":[`)); err != nil {
			return err
		}
	}
	rest := struct {
		Summary *Summary `json:"summary"`
		Error   *Problem `json:"error,omitempty"`
	}{&r.summary, failure}
	text, err := json.Marshal(rest, json.Deterministic(true))
	if err == nil {
		_, err = r.out.Write(append([]byte("],"), text[1:]...))
	}
	return err
}

// publicProblem returns what clients are told of err.
func publicProblem(err error) Problem {
	p := problemOf(err)
	told := Problem{Type: "/problems/" + string(p.code), Title: p.title, Status: p.status, Detail: p.detail, Code: string(p.code)}
	for _, field := range p.fields {
		told.Errors = append(told.Errors, ProblemField(field))
	}
	return told
}

// eachGraph does work to the graphs of selection and reports it. Outcome sorts the results for the summary.
func eachGraph[R any](a *act, selection upkeep.Selection, outcome func(*R) string, work func(ctx context.Context, graph string) (R, error)) error {
	ctx, leave, err := a.long()
	if err != nil {
		return err
	}
	defer leave()
	r := a.newReport()
	return r.end(becauseOf(ctx, func() error {
		for step, err := range upkeep.Each(ctx, a.server.services.Upkeep, selection, work) {
			switch {
			case err != nil:
				return err
			case step.Err != nil && a.graph != "":
				return step.Err
			case step.Err != nil:
				err = r.failed(step.Graph, step.Err)
			case step.Result != nil:
				err = r.result(step.Result, outcome(step.Result))
			}
			if err == nil {
				err = r.progress(step.Progress)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}()))
}
