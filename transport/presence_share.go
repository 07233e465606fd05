package transport

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	presenceAsk   = time.Second // between two times that others are asked for all they have
	presenceRetry = time.Second // after other processes could not be told
)

// sharing is what presence owes to the other processes. It is guarded by presence.mu.
type sharing struct {
	news     map[presenceKey]struct{} // clients here of which the others have yet to be told
	all      bool                     // they are to be told of all clients here
	asking   bool                     // they are to be asked for all of theirs
	asked    time.Time
	told     time.Time // when they were told last
	failed   time.Time // when they could not be told
	number   uint64    // of the last message
	underWay bool
}

// listen follows what other processes tell, until p is closed.
func (p *presence) listen() {
	if p.shared() == nil {
		return
	}
	p.set.sockets.spawn(func() {
		p.shared().Subscribe(p.ctx, p.graph, p.begun, p.hear)
	})
}

func (p *presence) shared() Presence { return p.set.sockets.server.services.Presence }

// untold notes that the others are to be told of a client here. It is called with mu held.
func (p *presence) untold(key presenceKey) {
	if p.shared() == nil {
		return
	}
	if p.news == nil {
		p.news = map[presenceKey]struct{}{}
	}
	p.news[key] = struct{}{}
}

// begun is told that messages may have been missed until now.
func (p *presence) begun() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ask()
}

// ask has the others asked for all they have. It is called with mu held.
func (p *presence) ask() {
	p.asking = true
	p.wake(0)
}

// hear takes in a message of this or another process.
func (p *presence) hear(data []byte) {
	message, err := decodePresence(data)
	if err != nil {
		p.set.sockets.server.logger.Warn("foreign message on a channel of presence", zap.String("graphId", p.graph))
		return
	}
	if message.place == p.place {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	number := p.roster.number
	if p.roster.hear(message, time.Now()) {
		p.ask()
	}
	if message.asks {
		p.all = true
		p.wake(0)
	}
	if p.roster.number != number {
		p.wake(0)
	}
	p.wake(p.set.sockets.limits.presenceSilence) // to see whether that place is there still
}

// share tells the others what is new. One goroutine at a time does so: while it is at work the next news gather. It is
// called with mu held, at each tick.
func (p *presence) share(now time.Time) {
	if p.shared() == nil {
		return
	}
	silence := p.set.sockets.limits.presenceSilence
	if len(p.roster.peers) > 0 {
		p.wake(silence)
	}
	beat := p.showing > 0 && now.Sub(p.told) >= silence/3
	asking := p.asking && now.Sub(p.asked) >= presenceAsk
	switch {
	case p.underWay:
		return // it wakes p when it is done
	case len(p.news) == 0 && !p.all && !asking && !beat:
		p.wakeToTell(now)
		return
	case now.Sub(p.failed) < presenceRetry:
		p.wake(p.failed.Add(presenceRetry).Sub(now))
		return
	}
	p.all = p.all || now.Sub(p.told) > silence*2/3 // they may have given this place up
	messages := p.messages(asking)
	news, all := p.news, p.all
	p.news, p.all = nil, false
	if asking {
		p.asking, p.asked = false, now
	}
	p.underWay = p.set.sockets.spawn(func() {
		err := p.publish(p.ctx, messages)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.underWay = false
		if err != nil {
			p.failed = time.Now()
			p.all = p.all || all
			p.asking = p.asking || asking
			for key := range news {
				p.untold(key)
			}
		} else {
			p.told = now
		}
		p.wakeToTell(now)
	})
}

// wakeToTell has share called when there is something to tell, or a sign of life is due. It is called with mu held.
func (p *presence) wakeToTell(now time.Time) {
	switch {
	case len(p.news) > 0 || p.all:
		p.wake(0)
	case p.asking:
		p.wake(p.asked.Add(presenceAsk).Sub(now))
	case p.showing > 0:
		p.wake(p.told.Add(p.set.sockets.limits.presenceSilence / 3).Sub(now))
	}
}

// messages returns what is to be told, encoded. It is called with mu held.
func (p *presence) messages(asking bool) (messages [][]byte) {
	var entries []presenceEntry
	if p.all {
		for key := range p.here {
			if said, ok := p.roster.saidAt(p.place, key); ok {
				entries = append(entries, presenceEntry{key, said.at, said.data})
			}
		}
	} else {
		for key := range p.news {
			said, _ := p.roster.saidAt(p.place, key)
			entries = append(entries, presenceEntry{key, said.at, said.data})
		}
	}
	for first := true; first || len(entries) > 0; first = false {
		count, size := 0, 0
		for count < len(entries) && size < presencePart {
			size += entries[count].size()
			count++
		}
		p.number++
		message := presenceMessage{place: p.place, number: p.number, entries: entries[:count]}
		message.asks = asking && first
		message.first = p.all && first
		message.last = p.all && count == len(entries)
		messages = append(messages, message.append(nil))
		entries = entries[count:]
	}
	return messages
}

func (p *presence) publish(ctx context.Context, messages [][]byte) error {
	for _, message := range messages {
		if err := p.shared().Publish(ctx, p.graph, message); err != nil {
			p.set.sockets.server.logger.Debug("other processes cannot be told of presence", zap.String("graphId", p.graph), zap.Error(err))
			return err
		}
	}
	return nil
}

// sayGoodbye tells the others that nobody is here any more. It is called with mu held, when p is closed.
func (p *presence) sayGoodbye() {
	if p.shared() == nil || p.number == 0 {
		return
	}
	p.number++
	goodbye := presenceMessage{place: p.place, number: p.number, first: true, last: true}
	p.set.sockets.spawn(func() {
		_ = p.publish(p.set.sockets.ctx, [][]byte{goodbye.append(nil)}) // else they find out by its silence
	})
}
