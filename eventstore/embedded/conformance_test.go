package embedded

import (
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
)

func TestConformanceWithJournal(t *testing.T) {
	eventstoretest.Run(t, func(t *testing.T) eventstore.Log { return open(t, Options{Dir: t.TempDir()}) })
}

func TestConformanceInMemory(t *testing.T) {
	eventstoretest.Run(t, func(t *testing.T) eventstore.Log { return open(t, Options{}) })
}
