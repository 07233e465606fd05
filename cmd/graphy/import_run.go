package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"graphy/cmd/graphy/graphfile"
)

// importer sends the chunks of one document. Its chunks go out one after the other; it is not for concurrent use.
type importer struct {
	client   *apiClient
	doc      *graphfile.Document
	run      string // what operation ids are made of, beside the content
	progress *progress
	retrier  retrier

	created, existing counts
	version           uint64 // the newest one that was answered
	stored            *storedGraph
	stats             graphStats
}

// counts are numbers of entities.
type counts struct{ nodes, edges int }

func (c *counts) add(chunk chunk) {
	for _, op := range chunk {
		switch op.kind {
		case "node":
			c.nodes++
		case "edge":
			c.edges++
		}
	}
}

func (c counts) String() string { return fmt.Sprintf("%d nodes and %d edges", c.nodes, c.edges) }

// graphStats are what a graph holds, as its read model has it.
type graphStats struct {
	Version uint64 `json:"version"`
	Nodes   int    `json:"nodes"`
	Edges   int    `json:"edges"`
}

// importAll sends all chunks and waits until they can be read.
func (im *importer) importAll(ctx context.Context, chunks []chunk) error {
	for i, chunk := range chunks {
		if err := im.send(ctx, chunk, i == len(chunks)-1); err != nil {
			return err
		}
	}
	return im.awaitReadModel(ctx)
}

// send brings one chunk into the graph. It may be repeated at any time.
func (im *importer) send(ctx context.Context, chunk chunk, wait bool) error {
	var answer struct {
		Version   uint64 `json:"version"`
		Duplicate bool   `json:"duplicate"`
	}
	body := chunk.body(im.run)
	err := im.retrier.do(ctx, func() error { return im.client.command(ctx, "/batch", body, wait, &answer) })
	problem := (*problemError)(nil)
	switch {
	case err == nil:
		im.version = max(im.version, answer.Version)
		if answer.Duplicate {
			im.existing.add(chunk)
		} else {
			im.created.add(chunk)
		}
		im.progress.add(len(chunk))
		return nil
	case !errors.As(err, &problem):
		return err
	case problem.Status == http.StatusRequestEntityTooLarge && len(chunk) > 1:
		half := len(chunk) / 2
		if err := im.send(ctx, chunk[:half], false); err != nil {
			return err
		}
		return im.send(ctx, chunk[half:], wait)
	case problem.Code == "already-exists":
		return im.sendMissing(ctx, chunk, wait, err)
	}
	return nameEntity(chunk, problem, err)
}

// nameEntity says which entity a refusal is about, since a pointer into a batch tells people nothing.
func nameEntity(chunk chunk, problem *problemError, err error) error {
	for _, field := range problem.Errors {
		rest, ok := strings.CutPrefix(field.Pointer, "/operations/")
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(rest, "/")
		if i, numErr := strconv.Atoi(number); numErr == nil && i >= 0 && i < len(chunk) {
			return fmt.Errorf("%s %q was refused: %w", chunk[i].kind, chunk[i].entity.ID(), err)
		}
	}
	return err
}

// awaitReadModel waits until the graph can be read with all that was sent.
func (im *importer) awaitReadModel(ctx context.Context) error {
	for waited, delay := time.Duration(0), 20*time.Millisecond; ; delay = min(2*delay, time.Second) {
		err := im.retrier.do(ctx, func() error { return im.client.get(ctx, "/stats", &im.stats) })
		if err != nil || im.stats.Version >= im.version {
			return err
		}
		if waited += delay; waited > im.retrier.patience {
			return fmt.Errorf("all is accepted, up to version %d, but what is read is at version %d still", im.version, im.stats.Version)
		}
		if err := im.retrier.wait(ctx, delay); err != nil {
			return err
		}
	}
}

func (im *importer) summary() string {
	return fmt.Sprintf("created %v, already there %v, version %d", im.created, im.existing, im.stats.Version)
}

// explain says of an import that has ended early how far it came and how to go on.
func (im *importer) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = errInterrupted
	}
	return fmt.Errorf("%w\nup to here: created %v, already there %v, of %v; the same command again resumes",
		err, im.created, im.existing, counts{len(im.doc.Nodes), len(im.doc.Edges)})
}

// check compares what the graph holds with what it was given. Where this run has created all of it, less is an
// error; else others may have deleted some since an earlier run.
func (im *importer) check(diagnostics io.Writer) error {
	if im.stats.Nodes >= len(im.doc.Nodes) && im.stats.Edges >= len(im.doc.Edges) {
		return nil
	}
	short := fmt.Sprintf("the graph holds %v, the file %v", counts{im.stats.Nodes, im.stats.Edges},
		counts{len(im.doc.Nodes), len(im.doc.Edges)})
	if im.existing == (counts{}) {
		return errors.New(short)
	}
	fmt.Fprintf(diagnostics, "note: %s: some were deleted since they were imported; --run NAME imports them anew\n", short)
	return nil
}
