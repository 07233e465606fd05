package embedded

import (
	"errors"
	"fmt"
	"sync"
)

// groupLimit is where a group of records stops gathering: it bounds the time until its fsync, not the records of one
// append.
const groupLimit = 8 << 20

// A journal is an append-only file of records. What append has answered for is on the disk and is replayed by the
// next openJournal; it is safe for concurrent use.
//
// While one group of records is being written and fsynced the next one gathers, so the price of an fsync is shared by
// all who wait, without a timer. The goroutine that writes lives only while there is something to write.
type journal struct {
	file   file
	end    int64  // of the last durable frame; belongs to whoever writes
	format uint32 // of the file; belongs to whoever writes

	mu      sync.Mutex
	waiting []*group // not begun to write yet, oldest first
	writing bool     // a goroutine is in flush
	failed  error    // the file cannot be trusted any more; never cleared
}

// A group is a frame in the making.
type group struct {
	frame  []byte
	format uint32        // that its records need
	done   chan struct{} // closed when err holds the outcome
	err    error
}

// append writes r and returns when it is durable. Its errors are errNotWritten and errInDoubt.
func (j *journal) append(r record) error {
	size := r.encodedSize()
	if size > maxPayload {
		return fmt.Errorf("%w: %d bytes are more than a journal frame holds", errNotWritten, size)
	}
	g, err := j.gather(r, size)
	if err != nil {
		return err
	}
	<-g.done
	return g.err
}

// gather puts r into the youngest waiting group that has room, and sees to it that somebody writes.
func (j *journal) gather(r record, size int) (*group, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return nil, fmt.Errorf("%w: %w", errNotWritten, j.failed)
	}
	var g *group
	if n := len(j.waiting); n > 0 && len(j.waiting[n-1].frame)+size <= groupLimit {
		g = j.waiting[n-1]
	} else {
		g = &group{frame: beginFrame(size), done: make(chan struct{})}
		j.waiting = append(j.waiting, g)
	}
	g.frame, g.format = r.appendTo(g.frame), max(g.format, r.kind.format())
	if !j.writing {
		j.writing = true
		go j.flush()
	}
	return g, nil
}

// flush writes groups until none waits.
func (j *journal) flush() {
	for {
		j.mu.Lock()
		if len(j.waiting) == 0 {
			j.writing = false
			j.mu.Unlock()
			return
		}
		g, failed := j.waiting[0], j.failed
		j.waiting = j.waiting[1:]
		j.mu.Unlock()
		if failed != nil {
			g.err = fmt.Errorf("%w: %w", errNotWritten, failed)
		} else {
			g.err = j.write(g.frame, g.format)
		}
		close(g.done)
	}
}

// write makes one frame durable at the end of the file, which is to be of the format at least.
func (j *journal) write(frame []byte, format uint32) error {
	if format > j.format {
		if err := j.lift(format); err != nil {
			return err
		}
	}
	endFrame(frame)
	if _, err := j.file.WriteAt(frame, j.end); err != nil {
		return j.takeBack(err)
	}
	if err := j.file.Sync(); err != nil {
		// The kernel may have dropped the pages it could not write and report the next fsync as a success, so nothing
		// written from now on could be believed. The frame is cut off for the case that only the process ends.
		return j.fail(errors.Join(fmt.Errorf("sync journal: %w", err), j.file.Truncate(j.end)))
	}
	j.end += int64(len(frame))
	return nil
}

// lift makes the file one of format. Were that cut short, readHeader would see it.
func (j *journal) lift(format uint32) error {
	if _, err := j.file.WriteAt(fileHeader(format), 0); err != nil {
		return fmt.Errorf("%w: write journal header: %w", errNotWritten, err)
	}
	if err := j.file.Sync(); err != nil {
		return j.fail(fmt.Errorf("sync journal: %w", err))
	}
	j.format = format
	return nil
}

// takeBack makes certain that nothing of a failed write is ever replayed. The disk may have room again later, so the
// journal goes on if that succeeds.
func (j *journal) takeBack(cause error) error {
	cause = fmt.Errorf("write journal: %w", cause)
	if err := j.file.Truncate(j.end); err != nil {
		return j.fail(errors.Join(cause, fmt.Errorf("take the write back: %w", err)))
	}
	if err := j.file.Sync(); err != nil {
		return j.fail(errors.Join(cause, fmt.Errorf("take the write back: %w", err)))
	}
	return fmt.Errorf("%w: %w", errNotWritten, cause)
}

// fail closes the journal to further records for good.
func (j *journal) fail(cause error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed = cause
	return fmt.Errorf("%w: %w", errInDoubt, cause)
}

// err returns why the journal takes no more records, or nil.
func (j *journal) err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
}

// close closes the file. Every append must have returned.
func (j *journal) close() error { return j.file.Close() }
