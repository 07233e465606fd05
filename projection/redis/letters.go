package redis

import (
	"context"
	_ "embed"
	"strconv"

	"github.com/redis/rueidis"

	"graphy/projection"
)

//go:embed lua/close.lua
var closeSource string

var closeScript = rueidis.NewLuaScript(closeSource)

const (
	keptClosed    = 10_000 // closed letters, the newest
	lettersAtOnce = 100    // entries read together
)

// Letters implements projection.DeadLetters.
func (m *Models) Letters(ctx context.Context, closed bool, graph, before string, limit int) (letters []projection.Letter, err error) {
	end := "+"
	if before != "" && !closed {
		if !isLetterID(before) {
			return nil, nil
		}
		end = "(" + before
	}
	passed := before == "" || !closed // closed letters are in the order in which they were closed
	err = m.eachLetter(ctx, m.lettersKey(closed), end, func(letter projection.Letter) (more bool) {
		if passed && (graph == "" || letter.Graph == graph) && len(letters) < limit {
			letters = append(letters, letter)
		}
		passed = passed || letter.ID == before
		return len(letters) < limit
	})
	return letters, err
}

func (m *Models) lettersKey(closed bool) string {
	if closed {
		return m.keys.DeadLettersClosed()
	}
	return m.keys.DeadLetters()
}

// eachLetter visits the letters of a stream from end on, newest first, until visit has had enough.
func (m *Models) eachLetter(ctx context.Context, key, end string, visit func(projection.Letter) (more bool)) error {
	for {
		entries, err := m.letterEntries(ctx, key, end, lettersAtOnce)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if letter, ok := decodeLetter(entry); ok && !visit(letter) {
				return nil
			}
		}
		if len(entries) < lettersAtOnce {
			return nil
		}
		end = "(" + entries[len(entries)-1].ID
	}
}

func (m *Models) letterEntries(ctx context.Context, key, end string, count int64) ([]rueidis.XRangeEntry, error) {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	entries, err := m.client.Do(ctx, m.client.B().Xrevrange().Key(key).End(end).Start("-").Count(count).Build()).AsXRange()
	return entries, failed(err, "read letters", "")
}

// Letter implements projection.DeadLetters.
func (m *Models) Letter(ctx context.Context, id string) (letter projection.Letter, found bool, err error) {
	if letter, found, err = m.openLetter(ctx, id); found || err != nil {
		return letter, found, err
	}
	err = m.eachLetter(ctx, m.keys.DeadLettersClosed(), "+", func(closed projection.Letter) (more bool) {
		if closed.ID == id {
			letter, found = closed, true
		}
		return !found
	})
	return letter, found, err
}

func (m *Models) openLetter(ctx context.Context, id string) (letter projection.Letter, found bool, err error) {
	if !isLetterID(id) {
		return letter, false, nil
	}
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	entries, err := m.client.Do(ctx, m.client.B().Xrange().Key(m.keys.DeadLetters()).Start(id).End(id).Build()).AsXRange()
	if err != nil || len(entries) == 0 {
		return letter, false, failed(err, "read letters", "")
	}
	letter, found = decodeLetter(entries[0])
	return letter, found, nil
}

// CloseLetter implements projection.DeadLetters. The two streams are not in one slot, so it takes two steps: add it to
// the closed ones, remove it from the open ones. Who adds it has closed it; who dies in between leaves it in both, for the
// next call to remove.
func (m *Models) CloseLetter(ctx context.Context, id string, closing projection.Closing) (bool, error) {
	letter, found, err := m.openLetter(ctx, id)
	if !found {
		return false, err
	}
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	args := append([]string{strconv.Itoa(keptClosed), letter.ID}, encodeLetter(&letter, closing)...)
	added, err := closeScript.Exec(ctx, m.client, []string{m.keys.DeadLettersClosed()}, args).AsInt64()
	if err == nil {
		err = m.client.Do(ctx, m.client.B().Xdel().Key(m.keys.DeadLetters()).Id(letter.ID).Build()).Error()
	}
	return added == 1 && err == nil, failed(err, "close letter", letter.Graph)
}

// OpenLetters implements projection.DeadLetters. It counts what others have written among them too.
func (m *Models) OpenLetters(ctx context.Context) (int64, error) {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	open, err := m.client.Do(ctx, m.client.B().Xlen().Key(m.keys.DeadLetters()).Build()).AsInt64()
	return open, failed(err, "count letters", "")
}

// Release implements projection.DeadLetters.
func (m *Models) Release(ctx context.Context, graph string) error {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	err := m.client.Do(ctx, m.client.B().Hdel().Key(m.keys.State(graph)).Field("stalled", letterField).Build()).Error()
	return failed(err, "release", graph)
}
