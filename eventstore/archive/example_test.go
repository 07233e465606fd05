package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"graphy/eventstore"
	"graphy/eventstore/archive"
)

func twoEvents() []eventstore.Event {
	first := eventstore.Event{Version: 1, Data: []byte(`{"version":1}`)}
	first.Hash = eventstore.NextHash("", first.Data)
	second := eventstore.Event{Version: 2, Data: []byte(`{"version":2}`)}
	second.Hash = eventstore.NextHash(first.Hash, second.Data)
	return []eventstore.Event{first, second}
}

func ExampleWriter() {
	var file bytes.Buffer
	writer, err := archive.NewWriter(&file)
	if err != nil {
		log.Fatal(err)
	}
	defer writer.Abort()
	if err := writer.Begin("board", eventstore.Base{}); err != nil {
		log.Fatal(err)
	}
	if err := writer.Write(twoEvents()); err != nil {
		log.Fatal(err)
	}
	if _, err := writer.End(); err != nil {
		log.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		log.Fatal(err)
	}

	reader, err := archive.NewReader(&file)
	if err != nil {
		log.Fatal(err)
	}
	defer reader.Close()
	for {
		graph, _, err := reader.Next()
		if err == io.EOF {
			break // all of it was there, and fits
		}
		if err != nil {
			log.Fatal(err)
		}
		for {
			events, err := reader.Read(1000)
			if err == io.EOF {
				break
			}
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(graph, len(events), "events")
		}
	}
	fmt.Println(len(reader.Manifest().Graphs), "graph")
	// Output:
	// board 2 events
	// 1 graph
}

func ExampleArchive() {
	folder, err := os.MkdirTemp("", "archive")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	ctx := context.Background()
	store, err := archive.OpenStore(ctx, folder)
	if err != nil {
		log.Fatal(err)
	}
	kept := archive.New(store)
	events := twoEvents()
	segment, err := kept.Put(ctx, "board", eventstore.Position{}, events)
	if err != nil {
		log.Fatal(err)
	}
	page, err := kept.Read(ctx, "board", segment.To, 1, 100)
	fmt.Println(len(page), string(page[0].Data), err)
	// Output: 1 {"version":2} <nil>
}
