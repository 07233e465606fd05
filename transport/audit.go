package transport

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"graphy/command"
)

const (
	auditPause = time.Second // a denial that repeats is written once in it
	auditKinds = 256         // kinds of denials that are told apart at a time; further ones count as one
)

// audit puts down who was denied what, and what owners did. It names users, addresses and graphs, never tokens or what a
// command holds. A denial that repeats is written at once the first time, and then once a second with how many there were
// since, so that a flood of them does not fill the log.
//
// It is safe for concurrent use. It starts a timer while denials are held back, and none otherwise.
type audit struct {
	logger *zap.Logger

	mu    sync.Mutex
	held  map[denial]*repeats
	timer *time.Timer
}

// denial is what denials have in common that are written once.
type denial struct {
	what, user, graph string
	code              command.Code
}

// repeats are the denials of one kind since the last line.
type repeats struct {
	count int
	last  []zap.Field
}

func newAudit(logger *zap.Logger) *audit {
	return &audit{logger: logger.Named("audit"), held: map[denial]*repeats{}}
}

// act puts down what somebody did that others depend on.
func (a *audit) act(what string, who *caller, graph string, more ...zap.Field) {
	a.logger.Info(what, append(fieldsOf(who, graph), more...)...)
}

// denied puts down that somebody was not let in, or may not do what they asked for. Other errors are no denials.
func (a *audit) denied(who *caller, graph string, err error) {
	if code := problemOf(err).code; code == unauthenticated || code == forbidden {
		a.refused("denied", who, graph, code, zap.NamedError("reason", err))
	}
}

// refused puts down a refusal of any kind, bounded: what, of which code, to whom, on which graph.
func (a *audit) refused(what string, who *caller, graph string, code command.Code, more ...zap.Field) {
	kind := denial{what: what, user: who.UserID, graph: graph, code: code}
	fields := append(append(fieldsOf(who, graph), zap.String("code", string(code))), more...)
	if a.hold(kind, fields) {
		return
	}
	a.logger.Info(what, fields...)
}

// hold keeps a denial back if one of its kind was written within the last second, and counts it.
func (a *audit) hold(kind denial, fields []zap.Field) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.held) >= auditKinds && a.held[kind] == nil {
		kind = denial{what: kind.what} // of many kinds
	}
	if same := a.held[kind]; same != nil {
		same.count++
		same.last = fields
		return true
	}
	a.held[kind] = &repeats{}
	if a.timer == nil {
		a.timer = time.AfterFunc(auditPause, a.flush)
	}
	return false
}

// flush writes what was held back since the last time.
func (a *audit) flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for kind, same := range a.held {
		if same.count == 0 {
			delete(a.held, kind)
			continue
		}
		a.logger.Info(kind.what, append(same.last, zap.Int("repeated", same.count))...)
		same.count, same.last = 0, nil
	}
	if a.timer = nil; len(a.held) > 0 {
		a.timer = time.AfterFunc(auditPause, a.flush)
	}
}

// fieldsOf says who did something from where, on which graph if on one.
func fieldsOf(who *caller, graph string) []zap.Field {
	fields := make([]zap.Field, 0, 8)
	for _, field := range [...]struct{ name, value string }{{"userId", who.UserID}, {"clientId", who.ClientID}, {"graphId", graph}} {
		if field.value != "" {
			fields = append(fields, zap.String(field.name, field.value))
		}
	}
	if who.address.IsValid() {
		fields = append(fields, zap.Stringer("address", who.address))
	}
	return fields
}
