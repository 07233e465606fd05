// Package e2e tests the whole system from outside: real server processes, a real Redis beside the one inside the
// process, plain HTTP and WebSocket clients, and a saboteur. It holds tests only, written against the contract and
// not against the code: it knows the addresses, the bodies and the rules that clients know, and folds, hashes and
// checks with code of its own.
//
// The server is built once (with the race detector where the tests have it) and started as a child, ended by its
// process id. Tests about one server's answers share two servers, one for each backend, and keep apart by graph;
// those that break something have servers of their own.
package e2e
