package redis_test

import (
	"errors"
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/redis/redistest"
)

// A stream that is not what was appended is found, and the error says where.
func TestI2BrokenStreams(t *testing.T) {
	server := redistest.Start(t)
	tests := []struct {
		name     string
		commands [][]string // KEY stands for the stream's
		version  eventstore.Version
		byHash   bool               // only the hashes tell
		yields   eventstore.Version // of a Tail, before the error
	}{
		{"hole", [][]string{{"XDEL", "KEY", "3-0"}}, 3, false, 2},
		{"no beginning", [][]string{{"XDEL", "KEY", "1-0"}}, 1, false, 0},
		{"foreign id", [][]string{{"XADD", "KEY", "5-1", "event", "{}", "hash", "x"}}, 5, false, 5},
		{"foreign fields", [][]string{{"XADD", "KEY", "6-0", "evil", "{}", "hash", "x"}}, 6, false, 5},
		{"a field more", [][]string{{"XADD", "KEY", "6-0", "event", "{}", "hash", "x", "more", "x"}}, 6, false, 5},
		{"far ahead", [][]string{{"XADD", "KEY", "9-0", "event", "{}", "hash", "x"}}, 6, false, 5},
		{"edited event", [][]string{{"EVAL", editEvent, "1", "KEY"}}, 4, true, 3},
		{"event of another history", [][]string{{"XADD", "KEY", "6-0", "event", "{}", "hash", string(eventstore.NextHash("", []byte("{}")))}}, 6, true, 5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			log, client := dial(t, server.URL, server.Prefix(t))
			w := writer{log: log}
			w.mustWrite(t, 5)
			for _, command := range test.commands {
				for i := range command {
					if command[i] == "KEY" {
						command[i] = log.Keys().Events("g")
					}
				}
				if err := client.Do(t.Context(), client.B().Arbitrary(command...).Build()).Error(); err != nil {
					t.Fatal(err)
				}
			}
			events, err := log.Read(t.Context(), "g", 0, 100)
			if test.byHash && err == nil {
				err = eventstore.VerifyChain("g", eventstore.Position{}, events)
			}
			wantBroken(t, "read", err, test.version)
			yielded := eventstore.Version(0)
			for event, err := range log.Tail(within(t, patience), "g", 0) {
				if err != nil {
					wantBroken(t, "tail", err, test.version)
					break
				}
				yielded = event.Version
			}
			if yielded != test.yields {
				t.Errorf("tail yielded up to version %d, want %d", yielded, test.yields)
			}
		})
	}
}

// editEvent writes the stream anew with one digit of event 4 changed.
const editEvent = `local entries = redis.call('XRANGE', KEYS[1], '-', '+')
redis.call('DEL', KEYS[1])
for i, entry in ipairs(entries) do
  local event = entry[2][2]
  if i == 4 then event = string.gsub(event, '4', '5') end
  redis.call('XADD', KEYS[1], entry[1], 'event', event, 'hash', entry[2][4])
end
return 1`

func wantBroken(t *testing.T, what string, err error, version eventstore.Version) {
	t.Helper()
	broken, ok := errors.AsType[*eventstore.ChainError](err)
	if !ok || broken.Stream != "g" || broken.Version != version || !errors.Is(err, eventstore.ErrBroken) {
		t.Errorf("%s: got %v, want a ChainError at version %d of g", what, err, version)
	}
}

// Keys of the wrong type stop their graph alone, at once.
func TestBrokenKeys(t *testing.T) {
	server := redistest.Start(t)
	log, client := dial(t, server.URL, server.Prefix(t))
	for _, key := range []func(string) string{log.Keys().Events, log.Keys().Operations} {
		if err := client.Do(t.Context(), client.B().Set().Key(key("g")).Value("x").Build()).Error(); err != nil {
			t.Fatal(err)
		}
		w := writer{log: log}
		if err := w.write(within(t, patience)); !errors.Is(err, eventstore.ErrBroken) {
			t.Errorf("%s: got %v, want %v", key("g"), err, eventstore.ErrBroken)
		}
		if err := log.Delete(t.Context(), "g"); err != nil {
			t.Fatal(err)
		}
		w.mustWrite(t, 1)
		if err := log.Delete(t.Context(), "g"); err != nil {
			t.Fatal(err)
		}
	}
}
