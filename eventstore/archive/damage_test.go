package archive

import (
	"bytes"
	"errors"
	"testing"

	"graphy/eventstore"
)

// A segment that is missing, flipped, cut, or another one's is an error, never a wrong event; put again it is as before.
func TestDamagedSegments(t *testing.T) {
	events := history(eventstore.Position{}, 30, "m")
	other := history(eventstore.Position{}, 30, "other")
	name := Segment{GraphID: "g", From: events[9].Position(), To: events[19].Position()}.name()
	tests := []struct {
		name  string
		spoil func(store *heap)
		want  error
	}{
		{"missing", func(store *heap) { delete(store.objects, name) }, ErrNotFound},
		{"empty", func(store *heap) { store.objects[name] = nil }, ErrDamaged},
		{"cut", func(store *heap) { store.objects[name] = store.objects[name][:100] }, ErrDamaged},
		{"too long", func(store *heap) { store.objects[name] = append(store.objects[name], 0) }, ErrDamaged},
		{"foreign", func(store *heap) { store.objects[name] = []byte("foreign") }, ErrDamaged},
		{"of another place", func(store *heap) {
			store.objects[name] = store.objects[Segment{GraphID: "g", From: events[19].Position(), To: events[29].Position()}.name()]
		}, ErrDamaged},
		{"of another graph", func(store *heap) {
			archived(t, store, "h", events, 10)
			store.objects[name] = store.objects[Segment{GraphID: "h", From: events[9].Position(), To: events[19].Position()}.name()]
		}, ErrDamaged},
		{"of another history", func(store *heap) {
			archived(t, store, "g", other, 10)
			store.objects[name] = store.objects[Segment{GraphID: "g", From: other[9].Position(), To: other[19].Position()}.name()]
		}, ErrDamaged},
		{"a base", func(store *heap) {
			object, err := encodeBase("g", eventstore.Base{Position: events[9].Position(), Data: []byte("x")})
			if err != nil {
				t.Fatal(err)
			}
			store.objects[name] = object
		}, ErrDamaged},
		{"a file", func(store *heap) { store.objects[name] = write(t, content{graph: "g", events: events}) }, ErrDamaged},
	}
	for _, test := range tests {
		store := newHeap()
		archived(t, store, "g", events, 10)
		test.spoil(store)
		a := New(store)
		if page, err := a.Read(t.Context(), "g", endOf(events), 5, 20); !errors.Is(err, test.want) {
			t.Errorf("%s: got %d events, %v, want %v", test.name, len(page), err, test.want)
		}
		page, err := a.ReadBackward(t.Context(), "g", endOf(events), 0, 30)
		if err != nil {
			t.Fatalf("%s: backward: %v", test.name, err)
		}
		same(t, test.name+", backward", page, reversed(events[20:]))
		if page, err := a.ReadBackward(t.Context(), "g", endOf(events), 21, 30); !errors.Is(err, test.want) {
			t.Errorf("%s: backward from there: got %d events, %v", test.name, len(page), err)
		}
		page, err = a.Read(t.Context(), "g", endOf(events), 20, 20)
		if err != nil {
			t.Fatalf("%s: above it: %v", test.name, err)
		}
		same(t, test.name+", above it", page, events[20:])
		if _, err := a.Tips(t.Context(), "g"); err != nil {
			t.Errorf("%s: tips: %v", test.name, err)
		}
		mustPut(t, a, "g", events[9].Position(), events[10:20])
		page, err = a.Read(t.Context(), "g", endOf(events), 0, 100)
		if err != nil {
			t.Fatalf("%s: put again: %v", test.name, err)
		}
		same(t, test.name+", put again", page, events)
	}
}

// Not a bit of an object changes unnoticed.
func TestDamagedObject(t *testing.T) {
	events := history(eventstore.Position{}, 5, "m")
	segment, object, err := encodeSegment("g", eventstore.Position{}, events)
	if err != nil {
		t.Fatal(err)
	}
	base := eventstore.Base{Position: endOf(events), Data: []byte("state")}
	baseObject, err := encodeBase("g", base)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range [][]byte{object, baseObject} {
		check := func(spoiled []byte) {
			_, one := decodeSegment(segment, spoiled)
			_, other := decodeBase("g", base.Position, spoiled)
			if !errors.Is(one, ErrDamaged) || !errors.Is(other, ErrDamaged) || !errors.Is(checkSegment(segment, spoiled), ErrDamaged) {
				t.Fatalf("%q: got %v and %v", spoiled, one, other)
			}
		}
		for at := range object {
			check(object[:at])
			for bit := range 8 {
				spoiled := bytes.Clone(object)
				spoiled[at] ^= 1 << bit
				check(spoiled)
			}
		}
	}
	if got, err := decodeSegment(segment, object); err != nil {
		t.Fatal(err)
	} else {
		same(t, "unharmed", got, events)
	}
}

func FuzzSegment(f *testing.F) {
	events := history(eventstore.Position{}, 3, "m")
	segment, object, err := encodeSegment("g", eventstore.Position{}, events)
	if err != nil {
		f.Fatal(err)
	}
	text, err := unpack(object)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		object, err := pack(text)
		if err != nil {
			t.Skip()
		}
		got, err := decodeSegment(segment, object)
		if checked := checkSegment(segment, object); (checked == nil) != (err == nil) {
			t.Fatalf("checked: %v, decoded: %v", checked, err)
		}
		if err == nil {
			same(t, "decoded", got, events)
		} else if !errors.Is(err, ErrDamaged) {
			t.Fatalf("got %v", err)
		}
	})
}
