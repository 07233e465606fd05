package memory

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"graphy/projection"
)

const keptClosed = 10_000 // closed letters, the newest

func (m *Models) addLetter(letter projection.DeadLetter) {
	for _, known := range m.open {
		if known.Graph == letter.Graph && known.Version == letter.Version && string(known.Payload) == string(letter.Payload) {
			return
		}
	}
	m.sent++
	m.open = append(m.open, projection.Letter{ID: strconv.Itoa(m.sent) + "-0", DeadLetter: letter})
}

// Letters implements projection.DeadLetters.
func (m *Models) Letters(ctx context.Context, closed bool, graph, before string, limit int) (letters []projection.Letter, err error) {
	err = m.with(ctx, "Letters", graph, func(*model) error {
		listed := m.closed
		if !closed {
			listed = slices.Clone(m.open)
			listed = slices.DeleteFunc(listed, func(letter projection.Letter) bool { return before != "" && order(letter.ID) >= order(before) })
			before = ""
		}
		passed := before == ""
		for _, letter := range slices.Backward(listed) {
			if passed && (graph == "" || letter.Graph == graph) && len(letters) < limit {
				letters = append(letters, letter)
			}
			passed = passed || letter.ID == before
		}
		return nil
	})
	return letters, err
}

// order returns the place of a letter among all there ever were.
func order(id string) int {
	number, _ := strconv.Atoi(strings.TrimSuffix(id, "-0"))
	return number
}

// Letter implements projection.DeadLetters.
func (m *Models) Letter(ctx context.Context, id string) (letter projection.Letter, found bool, err error) {
	err = m.with(ctx, "Letter", "", func(*model) error {
		for _, known := range slices.Concat(m.closed, m.open) {
			if known.ID == id {
				letter, found = known, true
			}
		}
		return nil
	})
	return letter, found, err
}

// CloseLetter implements projection.DeadLetters.
func (m *Models) CloseLetter(ctx context.Context, id string, closing projection.Closing) (done bool, err error) {
	err = m.with(ctx, "CloseLetter", "", func(*model) error {
		at := slices.IndexFunc(m.open, func(letter projection.Letter) bool { return letter.ID == id })
		if at < 0 {
			return nil
		}
		letter := m.open[at]
		letter.Closed = &closing
		m.open = slices.Delete(m.open, at, at+1)
		m.closed = append(m.closed[max(0, len(m.closed)+1-keptClosed):], letter)
		done = true
		return nil
	})
	return done, err
}

// OpenLetters implements projection.DeadLetters.
func (m *Models) OpenLetters(ctx context.Context) (open int64, err error) {
	err = m.with(ctx, "OpenLetters", "", func(*model) error {
		open = int64(len(m.open))
		return nil
	})
	return open, err
}

// Release implements projection.DeadLetters.
func (m *Models) Release(ctx context.Context, graph string) error {
	return m.with(ctx, "Release", graph, func(kept *model) error {
		kept.Stalled, kept.letter = "", 0
		return nil
	})
}
