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

func TestMaintainerConformanceWithJournal(t *testing.T) {
	eventstoretest.RunMaintainer(t, func(t *testing.T) (eventstore.Log, eventstore.Maintainer) {
		s := open(t, Options{Dir: t.TempDir()})
		return s, s
	})
}

func TestMaintainerConformanceInMemory(t *testing.T) {
	eventstoretest.RunMaintainer(t, func(t *testing.T) (eventstore.Log, eventstore.Maintainer) {
		s := open(t, Options{})
		return s, s
	})
}
