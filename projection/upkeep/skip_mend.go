package upkeep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/oklog/ulid/v2"

	"graphy/eventstore"
	"graphy/projection"
)

// skipType is the type of the event that stands in the place of one that was taken out.
const skipType = "SKIP"

// errSkipped ends the mending of a log in which the version is skipped already.
var errSkipped = errors.New("it is skipped already")

// mending goes through a log, takes out what cannot be folded, and writes the rest.
type mending struct {
	k       *Keeper
	graph   string
	version eventstore.Version // that is to be skipped
	opts    SkipOptions
	base    eventstore.Base

	state *projection.Graph // at the end of what was written
	draft *draft
	out   []eventstore.Event // to be written
	known []eventstore.Hash  // what the next event as it was may chain to; nil: that cannot be told
	chain eventstore.Position
	torn  bool // the events as they were do not chain beyond chain
	taken []taken

	others map[string]bool // by id: letters that were there before those that are added
}

// taken is what was taken out.
type taken struct {
	version eventstore.Version
	data    []byte // nil: there was nothing
	cause   string
}

// mend goes on to the end of s.
func (m *mending) mend(ctx context.Context, s *survey) error {
	for size := firstPage; m.state.Position.Version < s.end; {
		page, err := s.read(ctx, m.state.Position.Version, size)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			err = m.add(eventstore.Event{Version: m.state.Position.Version + 1}, s)
		}
		for i := 0; err == nil && i < len(page); i++ {
			err = m.add(page[i], s)
		}
		if err == nil {
			err = m.flush(ctx)
		}
		if err != nil {
			return err
		}
		size = nextPage(size, page)
	}
	if len(m.taken) > 0 {
		return nil
	}
	if !s.foreign {
		return fmt.Errorf("%w: the log ends with version %d, and all of it can be folded", ErrConflict, s.end)
	}
	// What is in the way stands behind the last event.
	if err := m.add(eventstore.Event{Version: s.end + 1}, s); err != nil {
		return err
	}
	return m.flush(ctx)
}

func (m *mending) flush(ctx context.Context) error {
	err := m.draft.write(ctx, m.out)
	m.out = nil
	return err
}

// add takes the next entry of the log; one without data is missing.
func (m *mending) add(entry eventstore.Event, s *survey) error {
	cause := m.fold(entry)
	switch {
	case cause == nil && entry.Version == m.version && len(m.taken) == 0:
		if event, err := projection.DecodeEvent(entry.Data); err == nil && event.CommandType == skipType {
			m.taken = append(m.taken, taken{version: entry.Version})
			return errSkipped
		}
		return fmt.Errorf("%w: nothing is wrong with it", ErrConflict)
	case cause == nil:
		return nil
	case len(m.taken) == 0 && entry.Version != m.version && min(entry.Version, m.version) <= s.end:
		return fmt.Errorf("%w: version %d cannot be folded, and comes first: %w", ErrConflict, entry.Version, cause)
	}
	m.taken = append(m.taken, taken{entry.Version, entry.Data, cause.Error()})
	return m.skip(cause)
}

// fold takes the entry over, if it can be folded; else it tells why not.
func (m *mending) fold(entry eventstore.Event) error {
	fits := m.follow(&entry)
	if entry.Data == nil {
		return fmt.Errorf("version %d is missing, or is no event", entry.Version)
	}
	if !fits {
		return &eventstore.ChainError{Stream: m.graph, Version: entry.Version, Reason: "its hash does not chain"}
	}
	event, err := projection.DecodeEvent(entry.Data)
	if err == nil && event.Version != entry.Version {
		err = fmt.Errorf("%w: it says version %d", projection.ErrEvent, event.Version)
	}
	if err != nil {
		return err
	}
	if len(m.taken) == 0 {
		if err := m.state.Apply(&event, entry.Hash); err != nil {
			return err
		}
		m.out = append(m.out, entry)
		return nil
	}
	if err := m.state.ApplyChanges(event.Changes); err != nil {
		return err
	}
	entry.Data = restamp(entry.Data, &event, m.state.Checksum.String())
	entry.Hash = eventstore.NextHash(m.state.Position.Hash, entry.Data)
	m.state.Advance(&event, entry.Hash)
	m.out = append(m.out, entry)
	return nil
}

// follow tells whether the entry, as it is, follows the one before it, as that was. After one whose hash or data are
// damaged it may follow either what that says or what its data give.
func (m *mending) follow(entry *eventstore.Event) bool {
	if entry.Data == nil {
		m.known, m.torn = nil, true
		return false
	}
	var given []eventstore.Hash
	for _, hash := range m.known {
		given = append(given, eventstore.NextHash(hash, entry.Data))
	}
	fits := m.known == nil || slices.Contains(given, entry.Hash)
	if m.known = append(given, entry.Hash); fits {
		m.known = []eventstore.Hash{entry.Hash}
	}
	if m.torn = m.torn || !fits; !m.torn {
		m.chain = entry.Position()
	}
	return fits
}

// restamp returns an event's data with another checksum, and all else as it is.
func restamp(data []byte, event *projection.Event, checksum string) []byte {
	old := fmt.Appendf(nil, `"checksum":"%s"`, event.Checksum)
	at := bytes.LastIndex(data, old) // it is the last field but in events of a newer version
	event.Checksum = checksum
	if at >= 0 {
		stamped := fmt.Appendf(data[:at:at], `"checksum":"%s"%s`, checksum, data[at+len(old):])
		if at+len(old)+1 == len(data) {
			return stamped
		}
		if again, err := projection.DecodeEvent(stamped); err == nil && again.Checksum == checksum {
			return stamped
		}
	}
	return event.AppendJSON(nil)
}

// skip writes the event that stands for one taken out.
func (m *mending) skip(cause error) error {
	skips, err := json.Marshal(struct {
		Reason string `json:"reason"`
		Cause  string `json:"cause"`
		By     string `json:"by"`
	}{m.opts.Reason, fmt.Sprintf("%.500s", cause), m.opts.By})
	if err != nil {
		return err
	}
	event := projection.Event{Version: m.state.Position.Version + 1, CommandType: skipType, OperationID: ulid.Make().String(),
		UserID: m.opts.By, Timestamp: time.Now().UnixMilli(), Skips: skips, Checksum: m.state.Checksum.String()}
	event.WrittenAt = event.Timestamp
	entry := eventstore.Event{Version: event.Version, Data: event.AppendJSON(nil)}
	entry.Hash = eventstore.NextHash(m.state.Position.Hash, entry.Data)
	m.out = append(m.out, entry)
	return m.state.Apply(&event, entry.Hash)
}
