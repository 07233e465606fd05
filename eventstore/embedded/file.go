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
	journalName = "events.journal"
	fileMagic   = "GRAPHYJ\n"
	headerSize  = int64(len(fileMagic)) + 8

	// A journal is of the oldest format that has all its records, so that older programs can go on with it for as long
	// as that is possible; when it is not, they find another number here and say so.
	oldestFormat, newestFormat = 1, 2
)

// fileHeader is the first thing in a journal: magic, format, CRC-32C of both.
func fileHeader(format uint32) []byte {
	header := binary.LittleEndian.AppendUint32([]byte(fileMagic), format)
	return binary.LittleEndian.AppendUint32(header, crc32.Checksum(header, castagnoli))
}

// readHeader returns the format of a journal, 0 for one whose header was being changed to the newest when the process
// or the machine ended. It refuses a file that is no journal or of a format that this program does not know.
func readHeader(f io.ReaderAt, path string) (format uint32, err error) {
	header := make([]byte, headerSize)
	if _, err := f.ReadAt(header, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	for format := uint32(oldestFormat); format <= newestFormat; format++ {
		if bytes.Equal(header, fileHeader(format)) {
			return format, nil
		}
	}
	if tornHeader(header) {
		return 0, nil
	}
	body, sum := header[:headerSize-4], binary.LittleEndian.Uint32(header[headerSize-4:])
	if !bytes.HasPrefix(header, []byte(fileMagic)) || crc32.Checksum(body, castagnoli) != sum {
		return 0, &CorruptError{File: path, Offset: 0, Reason: "no journal header"}
	}
	return 0, fmt.Errorf("journal %s has format %d, this program knows none above %d: it was written by a newer one",
		path, binary.LittleEndian.Uint32(body[len(fileMagic):]), newestFormat)
}

// tornHeader tells whether each byte is that of the oldest header or that of the newest.
func tornHeader(header []byte) bool {
	before, after := fileHeader(oldestFormat), fileHeader(newestFormat)
	for i, b := range header {
		if b != before[i] && b != after[i] {
			return false
		}
	}
	return true
}

// ensureFile creates an empty journal at path if there is none.
func ensureFile(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temporary, err := writeFile(path, oldestFormat, func(io.Writer) error { return nil })
	if err != nil {
		return err
	}
	return installFile(temporary, path)
}

// writeFile makes a journal that holds what write writes after the header, for installFile to put at path.
func writeFile(path string, format uint32, write func(io.Writer) error) (temporary string, err error) {
	temporary = path + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	if _, err = f.Write(fileHeader(format)); err == nil {
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
