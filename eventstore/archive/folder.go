package archive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// folder is a Store in a folder. An object is a file, written beside, synced, and renamed to its name. The folder is
// opened for each call as a root that nothing leads out of; one that is gone (not mounted) is an error, and is not made
// anew.
type folder struct{ path string }

const (
	// unfinished is where files are written. No object has a + in its name.
	unfinished = "unfinished+"
	// abandonedAfter is when nobody is writing such a file any more.
	abandonedAfter = time.Hour
)

func openFolder(location string) (*folder, error) {
	if err := os.MkdirAll(location, 0o700); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	f := &folder{location}
	return f, f.do(context.Background(), "open", ".", func(root *os.Root) error {
		left, err := fs.ReadDir(root.FS(), unfinished)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, entry := range left {
			if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > abandonedAfter {
				_ = root.Remove(path.Join(unfinished, entry.Name()))
			}
		}
		return err
	})
}

// do opens the folder for one act on an object.
func (f *folder) do(ctx context.Context, what, name string, act func(root *os.Root) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", what, name, err)
	}
	root, err := os.OpenRoot(f.path)
	if err == nil {
		defer root.Close()
		err = act(root)
	}
	if err != nil {
		return fmt.Errorf("archive: %s %s: %w", what, name, err)
	}
	return nil
}

// Put implements Store.
func (f *folder) Put(ctx context.Context, name string, content []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	return f.do(ctx, "write", name, func(root *os.Root) error {
		temporary := path.Join(unfinished, rand.Text())
		if err := writeSynced(root, temporary, content); err != nil {
			_ = root.Remove(temporary)
			return err
		}
		err := moveSynced(root, temporary, name)
		for attempt := 0; attempt < 10 && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)); attempt++ {
			err = moveSynced(root, temporary, name) // a Delete took the empty folder away, just before or just after it was seen
		}
		if err != nil {
			_ = root.Remove(temporary)
		}
		return err
	})
}

func writeSynced(root *os.Root, name string, content []byte) error {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, bytes.NewReader(content))
	return errors.Join(err, file.Sync(), file.Close())
}

// moveSynced renames a file, so that it has its new name for good.
func moveSynced(root *os.Root, from, to string) error {
	if err := root.MkdirAll(path.Dir(to), 0o700); err != nil {
		return err
	}
	if err := root.Rename(from, to); err != nil {
		return err
	}
	return syncFolders(root, to)
}

// syncFolders makes the name of an object last, with all folders on the way to it. Where one is gone, the object was
// deleted meanwhile.
func syncFolders(root *os.Root, name string) error {
	for name != "." {
		name = path.Dir(name)
		if err := syncOne(root, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func syncOne(root *os.Root, name string) error {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// settle implements settler.
func (f *folder) settle(ctx context.Context, name string) error {
	return f.do(ctx, "sync", name, func(root *os.Root) error {
		if err := syncOne(root, name); err != nil {
			return err
		}
		return syncFolders(root, name)
	})
}

// Get implements Store.
func (f *folder) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	var file *os.File
	err := f.do(ctx, "read", name, func(root *os.Root) error {
		info, err := root.Stat(name)
		if err == nil && !info.Mode().IsRegular() {
			err = fs.ErrNotExist
		}
		if err == nil {
			file, err = root.Open(name)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}

// List implements Store.
func (f *folder) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		err := f.do(ctx, "list", prefix, func(root *os.Root) error {
			return listFolder(ctx, root.FS(), path.Dir(prefix+"x"), prefix, yield)
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(Object{}, err)
		}
	}
}

// listFolder yields the objects in a folder and below, sorted by their whole names. What is no object's is passed over,
// and what goes away meanwhile.
func listFolder(ctx context.Context, files fs.FS, name, prefix string, yield func(Object, error) bool) error {
	entries, err := fs.ReadDir(files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err = cmp.Or(err, ctx.Err()); err != nil {
		return err
	}
	order := func(entry fs.DirEntry) string {
		if entry.IsDir() {
			return entry.Name() + "/"
		}
		return entry.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(order(a), order(b)) })
	for _, entry := range entries {
		full := path.Join(name, entry.Name())
		switch {
		case checkName(entry.Name()) != nil:
		case entry.IsDir():
			if under := full + "/"; strings.HasPrefix(under, prefix) || strings.HasPrefix(prefix, under) {
				err = listFolder(ctx, files, full, prefix, yield)
			}
		case entry.Type().IsRegular() && strings.HasPrefix(full, prefix):
			info, gone := entry.Info()
			if gone == nil && !yield(Object{Name: full, Size: info.Size()}, nil) {
				return errStopped
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Delete implements Store.
func (f *folder) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return f.do(ctx, "delete", name, func(root *os.Root) error {
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for name = path.Dir(name); name != "."; name = path.Dir(name) {
			if root.Remove(name) != nil { // it is not empty
				break
			}
		}
		return nil
	})
}
