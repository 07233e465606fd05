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

func TestWorkshop(t *testing.T) {
	projectiontest.RunWorkshop(t, func(*testing.T) (projectiontest.Shop, eventstore.Log, projectiontest.Vandal) {
		events := log.New()
		models := memory.New(events)
		return models, events, memory.Vandal{Models: models}
	})
}

func TestDeadLetters(t *testing.T) {
	projectiontest.RunDeadLetters(t, func(*testing.T) (projectiontest.Office, eventstore.Log) {
		events := log.New()
		return memory.New(events), events
	})
}
