// Package redis keeps in Redis what the processes that serve clients have to share beside the log and the read models:
// one-time tickets, what is known of clients that may come back, rates, and, by pub/sub, presence.
//
// All of it is of short life: each key expires by itself, and a Redis that forgets it costs nobody any data. Every call
// is bounded in time; none is retried here. All types are safe for concurrent use.
//
// What is done with it is left to package transport.
package redis
