package archive

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/oklog/ulid/v2"
)

// probePrefix is one that no graph's objects have.
const probePrefix = "~probe/"

// Probe writes an object, reads it back and removes it, so that who relies on the archive knows that it works.
func (a *Archive) Probe(ctx context.Context) (err error) {
	name, content := probePrefix+ulid.Make().String(), []byte("Graphy was here.\n")
	if err := a.store.Put(ctx, name, content); err != nil {
		return fmt.Errorf("write to the archive: %w", err)
	}
	defer func() {
		if failure := a.store.Delete(context.WithoutCancel(ctx), name); failure != nil && err == nil {
			err = fmt.Errorf("remove from the archive: %w", failure)
		}
	}()
	reader, err := a.store.Get(ctx, name)
	if err != nil {
		return fmt.Errorf("read from the archive: %w", err)
	}
	defer reader.Close()
	got, err := io.ReadAll(io.LimitReader(reader, int64(len(content))+1))
	if err != nil {
		return fmt.Errorf("read from the archive: %w", err)
	}
	if !bytes.Equal(got, content) {
		return fmt.Errorf("read from the archive: %w: it gives back something else than it was given", ErrDamaged)
	}
	return nil
}
