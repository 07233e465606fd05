package transport

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func FuzzDecodePresence(f *testing.F) {
	message := presenceMessage{place: "p", number: 7, asks: true, first: true, entries: []presenceEntry{
		{key: presenceKey{"u", "c"}, at: 1 << 40, data: []byte(`{"x":1}`)}, {key: presenceKey{"ü", "d"}}}}
	f.Add(message.append(nil))
	f.Add([]byte{presenceFormat, 0, 1, 'p', 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		decoded, err := decodePresence(data)
		if err != nil {
			return
		}
		again, err := decodePresence(decoded.append(nil))
		if err != nil || !reflect.DeepEqual(again, decoded) {
			t.Errorf("%x became %+v and then %+v, %v", data, decoded, again, err)
		}
		var r roster
		for _, e := range decoded.entries {
			r.tell(decoded.place, e.key, e.at, e.data)
		}
		for _, line := range r.after(0).lines {
			if bytes.IndexByte(line, '\n') >= 0 {
				t.Errorf("frame %q is more than a line", line)
			}
		}
		picture{}.take(t, r.after(0).lines)
	})
}

func TestDecodePresenceRefuses(t *testing.T) {
	good := presenceMessage{place: "p", number: 1, entries: []presenceEntry{{key: presenceKey{"u", "c"}, at: 1, data: []byte(`1`)}}}
	encoded := func(change func(*presenceMessage)) []byte {
		message := good
		message.entries = append([]presenceEntry{}, good.entries...)
		change(&message)
		return message.append(nil)
	}
	whole := encoded(func(*presenceMessage) {})
	if got, err := decodePresence(whole); err != nil || !reflect.DeepEqual(*got, good) {
		t.Fatalf("got %+v, %v, want %+v", got, err, good)
	}
	for cut := range len(whole) - 1 {
		if _, err := decodePresence(whole[:cut]); err == nil && cut > 5 {
			t.Errorf("%d of %d bytes are taken for a message", cut, len(whole))
		}
	}
	for name, message := range map[string][]byte{
		"other format": append([]byte{presenceFormat + 1}, whole[1:]...),
		"other flags":  append([]byte{presenceFormat, 8}, whole[2:]...),
		"no place":     encoded(func(m *presenceMessage) { m.place = "" }),
		"no number":    encoded(func(m *presenceMessage) { m.number = 0 }),
		"no user":      encoded(func(m *presenceMessage) { m.entries[0].key.user = "" }),
		"bad user":     encoded(func(m *presenceMessage) { m.entries[0].key.user = "\xff" }),
		"bad client":   encoded(func(m *presenceMessage) { m.entries[0].key.client = `"` }),
		"long client":  encoded(func(m *presenceMessage) { m.entries[0].key.client = strings.Repeat("c", 129) }),
		"no JSON":      encoded(func(m *presenceMessage) { m.entries[0].data = []byte(`{"a":1`) }),
		"two lines":    encoded(func(m *presenceMessage) { m.entries[0].data = []byte("[1,\n2]") }),
		"too large":    encoded(func(m *presenceMessage) { m.entries[0].data = []byte(`"` + strings.Repeat("x", presenceMost) + `"`) }),
		"too long": encoded(func(m *presenceMessage) {
			for range 20 {
				m.entries = append(m.entries, presenceEntry{key: presenceKey{"u", "c"}, data: []byte(`"` + strings.Repeat("x", presenceMost-2) + `"`)})
			}
		}),
	} {
		if got, err := decodePresence(message); err == nil {
			t.Errorf("%s: got %+v, want a refusal", name, got)
		}
	}
}
