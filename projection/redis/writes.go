package redis

import "strconv"

// writes are the keys and arguments of a script, to which writes (writes.lua) are added one after the other.
type writes struct {
	keys, args []string
	start      int // of the write that has begun, in args
}

// write adds a command on key.
func (w *writes) write(command, key string, arguments ...string) {
	w.args = append(w.args, command, w.place(key), strconv.Itoa(len(arguments)))
	w.args = append(w.args, arguments...)
}

// begin starts a command on key; add gives it arguments, and end leaves it out if there were none.
func (w *writes) begin(command, key string) {
	w.start = len(w.args)
	w.args = append(w.args, command, w.place(key), "")
}

func (w *writes) add(arguments ...string) { w.args = append(w.args, arguments...) }

func (w *writes) end() {
	count := len(w.args) - w.start - 3
	if count == 0 {
		w.args = w.args[:w.start]
		return
	}
	w.args[w.start+2] = strconv.Itoa(count)
}

// place returns the place of key in KEYS. Writes to one key follow each other, so it looks at the last one alone.
func (w *writes) place(key string) string {
	if len(w.keys) == 0 || w.keys[len(w.keys)-1] != key {
		w.keys = append(w.keys, key)
	}
	return strconv.Itoa(len(w.keys))
}
