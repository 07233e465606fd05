package transport

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"graphy/command"
	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/upkeep"
)

const (
	defaultLetters = 100
	maxLetters     = 1000

	needsMost = 1000 // versions that a refusal names
)

// letters returns the dead letters, if they are kept here.
func (a *act) letters() (projection.DeadLetters, error) {
	if a.server.services.Letters == nil {
		return nil, missing("list of dead letters")
	}
	return a.server.services.Letters, nil
}

// adminLetters lists dead letters, newest first: those that are open, or those that were dealt with.
func (s *Server) adminLetters(a *act) error {
	closed, graph := a.q.flag("closed"), a.q.cursor("graph")
	before, limit := a.q.cursor("before"), a.q.count("limit", defaultLetters, maxLetters)
	letters, err := a.letters()
	if err != nil {
		return err
	}
	ctx, cancel, err := a.brief()
	if err != nil {
		return err
	}
	defer cancel()
	found, err := letters.Letters(ctx, closed, graph, before, limit)
	if err != nil {
		return err
	}
	page := Letters{Letters: make([]LetterInfo, len(found))}
	for i := range found {
		page.Letters[i] = letterInfo(&found[i])
	}
	if len(found) == limit {
		page.Before = found[limit-1].ID
	}
	return a.answer(page)
}

func letterInfo(letter *projection.Letter) LetterInfo {
	info := LetterInfo{ID: letter.ID, GraphID: letter.Graph, Version: letter.Version, Cause: letter.Cause,
		Attempts: letter.Attempts, Time: letter.Time}
	if c := letter.Closed; c != nil {
		info.Closed = &LetterClosed{Outcome: c.Outcome, Reason: c.Reason, By: c.By, Time: c.Time}
	}
	return info
}

// adminLetter shows one letter, with the event that it is about.
func (s *Server) adminLetter(a *act) error {
	ctx, cancel, err := a.brief()
	if err != nil {
		return err
	}
	defer cancel()
	letter, err := a.letter(ctx)
	if err != nil {
		return err
	}
	info := letterInfo(&letter)
	info.Payload = strings.ToValidUTF8(string(letter.Payload), "\uFFFD")
	return a.answer(info)
}

// letter returns the letter of the path.
func (a *act) letter(ctx context.Context) (letter projection.Letter, err error) {
	letters, err := a.letters()
	if err != nil {
		return letter, err
	}
	id, err := idParam(a.context, "id")
	if err != nil {
		return letter, err
	}
	a.note(zap.String("letter", id))
	letter, found, err := letters.Letter(ctx, id)
	if err == nil && !found {
		err = refuse(command.NotFound, "there is no dead letter %q", id)
	}
	if err == nil {
		a.graph = letter.Graph
		a.note(zap.Uint64("version", uint64(letter.Version)))
	}
	return letter, err
}

// letterRequest is what is said about what is done with a letter.
type letterRequest struct {
	Reason  string `json:"reason"`
	Cascade bool   `json:"cascade"`
	DryRun  bool   `json:"dryRun"`
}

// openLetter returns the letter of the path, which is open, and what the body says.
func (a *act) openLetter(ctx context.Context, mayCascade bool) (letter projection.Letter, request letterRequest, err error) {
	if err = a.body(&request); err != nil {
		return letter, request, err
	}
	if err = checkReason(request.Reason, true); err != nil {
		return letter, request, err
	}
	a.note(zap.String("reason", request.Reason), zap.Bool("dryRun", request.DryRun))
	if request.Cascade && !mayCascade {
		return letter, request, refuseField("/cascade", "goes with skip alone")
	}
	letter, err = a.letter(ctx)
	if err == nil && letter.Closed != nil {
		err = errClosedLetter(letter.Closed)
	}
	return letter, request, err
}

func errClosedLetter(c *projection.Closing) error {
	return refuse(notPossible, "the dead letter was dealt with already: %s by %s, %s", c.Outcome, c.By, time.UnixMilli(c.Time).UTC().Format(time.RFC3339))
}

// adminRetry has projectors try the graph again.
func (s *Server) adminRetry(a *act) error {
	ctx, cancel := context.WithTimeout(a.request.Context(), s.opts.PastLimit)
	defer cancel()
	letter, request, err := a.openLetter(ctx, false)
	if err != nil {
		return err
	}
	if !request.DryRun {
		if err := s.services.Letters.Release(ctx, letter.Graph); err != nil {
			return err
		}
	}
	return a.settle(ctx, letter, request, "retried", nil)
}

// adminDiscard takes a letter off the list; what it is about stays as it is.
func (s *Server) adminDiscard(a *act) error {
	ctx, cancel := context.WithTimeout(a.request.Context(), s.opts.PastLimit)
	defer cancel()
	letter, request, err := a.openLetter(ctx, false)
	if err != nil {
		return err
	}
	return a.settle(ctx, letter, request, "discarded", nil)
}

// adminSkip takes the event of a letter out of the graph's history.
func (s *Server) adminSkip(a *act) error {
	k, err := a.keeper()
	if err != nil {
		return err
	}
	ctx, leave, err := a.long()
	if err != nil {
		return err
	}
	defer leave()
	_ = a.newLongAnswer() // takes the time limits off
	letter, request, err := a.openLetter(ctx, true)
	if err != nil {
		return err
	}
	a.note(zap.Bool("cascade", request.Cascade))
	skipped, err := k.Skip(ctx, letter.Graph, letter.Version,
		upkeep.SkipOptions{Cascade: request.Cascade, DryRun: request.DryRun, Reason: request.Reason, By: a.UserID})
	switch {
	case err != nil:
		return becauseOf(ctx, err)
	case len(skipped.Needs) > 0:
		return refuseNeeds(letter.Version, skipped.Needs)
	}
	if !request.DryRun {
		if err := s.services.Letters.Release(ctx, letter.Graph); err != nil {
			return err
		}
	}
	return a.settle(ctx, letter, request, "skipped", &skipped)
}

// refuseNeeds refuses to skip a version alone that later ones need.
func refuseNeeds(version eventstore.Version, needs []eventstore.Version) error {
	refusal := &command.Error{Code: notPossible,
		Detail: fmt.Sprintf("version %d cannot be skipped alone: %d later ones need it; with cascade they are skipped too", version, len(needs))}
	for _, need := range needs[:min(len(needs), needsMost)] {
		refusal.Fields = append(refusal.Fields, command.FieldError{Pointer: "/cascade", Detail: fmt.Sprintf("version %d", need)})
	}
	return refusal
}

// settle closes a letter, unless the run is a dry one, and answers.
func (a *act) settle(ctx context.Context, letter projection.Letter, request letterRequest, outcome string, skipped *upkeep.Skipped) error {
	if !request.DryRun {
		closing := projection.Closing{Outcome: outcome, Reason: request.Reason, By: a.UserID, Time: time.Now().UnixMilli()}
		closed, err := a.server.services.Letters.CloseLetter(ctx, letter.ID, closing)
		if err != nil {
			return err
		}
		if !closed {
			return refuse(notPossible, "somebody else has dealt with the dead letter meanwhile")
		}
	}
	return a.answer(LetterAct{ID: letter.ID, GraphID: letter.Graph, Outcome: outcome, DryRun: request.DryRun, Skipped: skipped})
}

// closeLetters discards the open letters of the graph, which there is no more.
func (a *act) closeLetters(ctx context.Context, reason string) error {
	if a.server.services.Letters == nil {
		return nil
	}
	open, err := a.server.services.Letters.Letters(ctx, false, a.graph, "", maxLetters)
	if err != nil {
		return err
	}
	for i := range open {
		closing := projection.Closing{Outcome: "discarded", Reason: reason, By: a.UserID, Time: time.Now().UnixMilli()}
		if _, err := a.server.services.Letters.CloseLetter(ctx, open[i].ID, closing); err != nil {
			return err
		}
	}
	return nil
}
