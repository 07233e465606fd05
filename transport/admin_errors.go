package transport

import (
	"errors"
	"strings"

	"graphy/command"
	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection"
	"graphy/projection/upkeep"
)

// notPossible is the code of an act that things are not in the state for.
const notPossible command.Code = "not-possible"

// forOperators returns err as operators are told of it: they learn what is wrong with a graph, which others do not.
func forOperators(err error) error {
	var refusal *command.Error
	var trimmed *eventstore.TrimmedError
	var broken *eventstore.ChainError
	switch {
	case err == nil, errors.As(err, &refusal), errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, eventstore.ErrUnknown):
		return err
	case errors.Is(err, upkeep.ErrUnknown):
		return refuse(command.NotFound, "there is no such graph")
	case errors.Is(err, upkeep.ErrBusy):
		return refuse(command.Unavailable, "another process is at it already")
	case errors.Is(err, upkeep.ErrConflict):
		return refuse(notPossible, "%s", wordsOf(err, upkeep.ErrConflict))
	case errors.Is(err, archive.ErrDamaged):
		return refuse(notPossible, "%s", wordsOf(err, archive.ErrDamaged))
	case errors.As(err, &trimmed):
		return refuse(command.HistoryTrimmed, "the log of graph %q begins with version %d", trimmed.Stream, trimmed.First)
	case errors.As(err, &broken):
		return refuse(notPossible, "the log of graph %q is damaged at version %d: %s", broken.Stream, broken.Version, broken.Reason)
	case errors.Is(err, archive.ErrNotFound):
		return refuse(command.NotFound, "the archive has nothing of it")
	case errors.Is(err, projection.ErrTrimmed):
		return refuse(command.HistoryTrimmed, "the log no longer reaches back that far")
	case errors.Is(err, eventstore.ErrBroken):
		return refuse(notPossible, "the log is damaged: verify says what is wrong with it")
	}
	return err
}

// wordsOf returns what err says beside of what kind it is. Errors of these kinds tell of graphs and files, not of what is
// behind them.
func wordsOf(err, kind error) string {
	text := err.Error()
	if _, words, found := strings.Cut(text, kind.Error()+": "); found {
		text = words
	}
	return text[:min(len(text), 500)]
}

// missing refuses what this process cannot do.
func missing(what string) error { return refuse(command.NotFound, "there is no %s here", what) }
