package redis

import (
	"context"
	_ "embed"
	"iter"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/redis/rueidis"
)

//go:embed lua/stage.lua
var stageSource string

var stageScript = rueidis.NewLuaScript(writesSource + stageSource)

// stager writes staged keys, page by page.
type stager struct {
	*staged
	page writes
	open string // the key that is being written to
	size int    // bytes of the page
}

// hash stages the fields of a hash; without any it is to go.
func (w *stager) hash(ctx context.Context, served string, fields iter.Seq2[string, jsontext.Value]) error {
	key := ""
	for field, value := range fields {
		if key == "" {
			key = w.place(served)
		}
		if err := w.add(ctx, "HSET", key, field, rueidis.BinaryString(value)); err != nil {
			return err
		}
	}
	if key == "" {
		w.gone = append(w.gone, served)
	}
	return nil
}

// place returns the key that is staged in the place of served.
func (w *stager) place(served string) string {
	key := w.models.keys.Staged(w.graph, w.token, served)
	w.beside, w.served = append(w.beside, key), append(w.served, served)
	return key
}

// add writes arguments to key. Those of one key follow each other.
func (w *stager) add(ctx context.Context, command, key string, arguments ...string) error {
	if len(w.page.args) >= stagedItems || w.size >= stagedBytes {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	if w.open != key {
		if w.open != "" {
			w.page.end()
		}
		w.page.begin(command, key)
		w.open = key
	}
	w.page.add(arguments...)
	for _, argument := range arguments {
		w.size += len(argument)
	}
	return nil
}

// flush writes what has gathered.
func (w *stager) flush(ctx context.Context) error {
	if w.open == "" {
		return nil
	}
	w.page.end()
	ctx, cancel := w.models.deadline(ctx)
	defer cancel()
	err := stageScript.Exec(ctx, w.models.client, w.page.keys, w.page.args).Error()
	w.reset()
	return failed(err, "stage", w.graph)
}

func (w *stager) reset() {
	w.page = writes{args: []string{strconv.FormatInt(stagedFor.Milliseconds(), 10)}}
	w.open, w.size = "", 0
}
