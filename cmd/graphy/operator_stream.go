package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/transport"
)

const ndjson = "application/x-ndjson"

// line is a line of the answer to a long act. Type says which of the other members it has.
type line struct {
	Type string `json:"type"` // "progress", "result", "end", "error"

	Done       int     `json:"done"` // graphs
	Total      int     `json:"total"`
	Events     int64   `json:"events"`
	Rate       float64 `json:"rate"` // events a second
	LeftMillis int64   `json:"leftMillis"`
	After      string  `json:"after"` // this graph and all before it are done

	Result  jsontext.Value     `json:"result"`
	Summary transport.Summary  `json:"summary"`
	Error   *transport.Problem `json:"error"`
}

// errCutOff is what an answer ends with that is not whole.
var errCutOff = errors.New("the answer was cut off before its end")

// lines sends a call and yields the lines of its answer, each valid until the next. The last pair has an error if the
// answer could not be had, or not all of it.
func (o *operator) lines(ctx context.Context, c call) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		response, err := o.send(ctx, c, ndjson)
		if err != nil {
			yield(nil, err)
			return
		}
		defer response.Body.Close()
		reader := bufio.NewReaderSize(response.Body, 64<<10)
		for {
			text, err := readLine(reader)
			if errors.Is(err, io.EOF) && len(text) == 0 {
				return
			}
			if err != nil {
				yield(nil, lost(ctx, err))
				return
			}
			if len(text) > 0 && !yield(text, nil) {
				return
			}
		}
	}
}

// readLine returns a line of any length without its end. A last one without an end is not whole.
func readLine(reader *bufio.Reader) ([]byte, error) {
	text, err := reader.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		long := append([]byte(nil), text...)
		for errors.Is(err, bufio.ErrBufferFull) {
			text, err = reader.ReadSlice('\n')
			long = append(long, text...)
		}
		text = long
	}
	if errors.Is(err, io.EOF) && len(text) > 0 {
		return nil, errCutOff
	}
	if err != nil {
		return nil, err
	}
	return text[:len(text)-1], nil
}

// stream sends a call and yields what the long act tells, up to its end. The last pair has an error if the act failed, or
// the answer broke off.
func (o *operator) stream(ctx context.Context, c call) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		for text, err := range o.lines(ctx, c) {
			var l line
			if err == nil {
				if malformed := json.Unmarshal(text, &l); malformed != nil {
					err = o.misunderstood(malformed)
				}
			}
			if err == nil && l.Type == "error" {
				err = problemOf(l.Error)
			}
			if err != nil {
				yield(line{}, err)
				return
			}
			if !yield(l, nil) || l.Type == "end" {
				return
			}
		}
		if ctx.Err() != nil {
			yield(line{}, ctx.Err())
			return
		}
		yield(line{}, &lostError{errCutOff})
	}
}

// problemOf makes an error of the problem document that a line holds.
func problemOf(p *transport.Problem) error {
	if p == nil {
		return &lostError{errors.New("it failed, and does not say why")}
	}
	problem := &problemError{Status: p.Status, Code: p.Code, Title: p.Title, Detail: p.Detail}
	for _, field := range p.Errors {
		problem.Errors = append(problem.Errors, problemField{field.Pointer, field.Detail})
	}
	return problem
}
