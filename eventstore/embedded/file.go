package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// file is what the journal needs of an *os.File, so that tests can let it fail.
type file interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

const (
	journalName   = "events.journal"
	fileMagic     = "GRAPHYJ\n"
	formatVersion = 1
	headerSize    = int64(len(fileMagic)) + 8
)

// fileHeader is the first thing in a journal: magic, format version, CRC-32C of both.
func fileHeader() []byte {
	header := binary.LittleEndian.AppendUint32([]byte(fileMagic), formatVersion)
	return binary.LittleEndian.AppendUint32(header, crc32.Checksum(header, castagnoli))
}

// checkHeader refuses a file that is no journal or of a format that this program does not know.
func checkHeader(f io.ReaderAt, path string) error {
	header := make([]byte, headerSize)
	if _, err := f.ReadAt(header, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.Equal(header, fileHeader()) {
		return nil
	}
	body, sum := header[:headerSize-4], binary.LittleEndian.Uint32(header[headerSize-4:])
	if !bytes.HasPrefix(header, []byte(fileMagic)) || crc32.Checksum(body, castagnoli) != sum {
		return &CorruptError{File: path, Offset: 0, Reason: "no journal header"}
	}
	return fmt.Errorf("journal %s has format %d, this program knows %d only: it was written by a newer one",
		path, binary.LittleEndian.Uint32(body[len(fileMagic):]), formatVersion)
}

// ensureFile creates an empty journal at path if there is none.
func ensureFile(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temporary, err := writeFile(path, func(io.Writer) error { return nil })
	if err != nil {
		return err
	}
	return installFile(temporary, path)
}

// writeFile makes a journal that holds what write writes after the header, for installFile to put at path.
func writeFile(path string, write func(io.Writer) error) (temporary string, err error) {
	temporary = path + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	if _, err = f.Write(fileHeader()); err == nil {
		err = write(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(temporary)
	}
	return temporary, err
}

// installFile gives a durable file its name in one step, so that the journal is there whole or not at all. After an
// error the file may bear either name, now or after a crash.
func installFile(temporary, path string) error {
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// ensureDir creates a folder and makes its name durable.
func ensureDir(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := ensureDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a folder durable.
func syncDir(path string) error {
	if runtime.GOOS == "windows" { // folders cannot be synced there, and need not be
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
