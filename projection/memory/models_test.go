package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"graphy/eventstore"
	log "graphy/eventstore/memory"
	"graphy/projection"
	"graphy/projection/memory"
	"graphy/projection/projectiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestModels(t *testing.T) {
	projectiontest.Run(t, func(*testing.T) (projection.ReadModels, eventstore.Log) {
		events := log.New()
		return memory.New(events), events
	})
}

func TestSnapshots(t *testing.T) {
	projectiontest.RunSnapshots(t, func(*testing.T) (projectiontest.Store, eventstore.Log) {
		events := log.New()
		return memory.New(events), events
	})
}
