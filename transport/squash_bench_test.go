package transport

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"go.uber.org/zap"

	"graphy/eventstore"
	eventmemory "graphy/eventstore/memory"
	"graphy/projection/projectiontest"
)

// BenchmarkSquash answers a client that is 100,000 events over 1,000 nodes behind: the events themselves, page after page,
// and their net change.
func BenchmarkSquash(b *testing.B) {
	const nodes, events = 1000, 100_000
	log := eventmemory.New()
	w := projectiontest.NewWriter("g", rand.New(rand.NewPCG(1, 1)))
	for from := w.Graph.Position; from.Version < events; from = w.Graph.Position {
		page := make([]eventstore.Event, 1000)
		for i := range page {
			if w.Graph.Position.Version < nodes {
				page[i] = w.CreateNode()
			} else {
				page[i] = w.Move("n" + strconv.Itoa(1+2*int(w.Graph.Position.Version*7919%nodes)))
			}
		}
		if _, err := log.Append(b.Context(), "g", from, page); err != nil {
			b.Fatal(err)
		}
	}
	handler := New(Services{Log: log}, Options{API: true, Development: true, Logger: zap.NewNop()}).Handler()
	get := func(query, encoding string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodGet, "/api/v2/graphs/g/changes?"+query, nil)
		request.Header.Set("Accept-Encoding", encoding)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != http.StatusOK {
			b.Fatalf("%s: got %d %.300s", query, answer.Code, answer.Body)
		}
		return answer
	}
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run("events/"+encoding, func(b *testing.B) {
			for b.Loop() {
				bytes := 0
				for since := 0; since < events; since += maxChanges {
					bytes += get("limit=5000&since="+strconv.Itoa(since), encoding).Body.Len()
				}
				b.ReportMetric(float64(bytes), "B/answer")
			}
		})
		b.Run("squashed/"+encoding, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.ReportMetric(float64(get("squash=true", encoding).Body.Len()), "B/answer")
			}
		})
	}
}
