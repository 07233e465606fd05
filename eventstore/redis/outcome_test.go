package redis

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/redis/rueidis"

	"graphy/eventstore/redis/redistest"
)

func TestClassifyAnswers(t *testing.T) {
	client := redistest.Start(t).Client(t)
	tests := []struct {
		answer string
		want   class
	}{
		{"LOADING Redis is loading the dataset in memory", refused},
		{"CLUSTERDOWN The cluster is down", refused},
		{"TRYAGAIN Multiple keys request during rehashing of slot", refused},
		{"READONLY You can't write against a read only replica.", refused},
		{"OOM command not allowed when used memory > 'maxmemory'.", refused},
		{"MISCONF Redis is configured to save RDB snapshots", refused},
		{"NOREPLICAS Not enough good replicas to write.", refused},
		{"NOSCRIPT No matching script.", refused},
		{"MASTERDOWN Link with MASTER is down", refused},
		{"BUSY Redis is busy running a script.", refused},
		{"WRONGTYPE Operation against a key holding the wrong kind of value", permanent},
		{"ERR something else", unknown},
		{"ERR says LOADING in its text", unknown},
	}
	for _, test := range tests {
		err := client.Do(t.Context(), client.B().Eval().Script("return redis.error_reply(ARGV[1])").Numkeys(0).Arg(test.answer).Build()).Error()
		if _, ok := rueidis.IsRedisErr(err); !ok {
			t.Fatalf("%s: got %v", test.answer, err)
		}
		if got := classify(err); got != test.want {
			t.Errorf("%s: got %v, want %v", test.answer, got, test.want)
		}
	}
}

func TestClassifyErrors(t *testing.T) {
	_, refusedDial := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:1")
	tests := []struct {
		err  error
		want class
	}{
		{refusedDial, refused},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, unknown},
		{&net.OpError{Op: "write", Err: errors.New("broken pipe")}, unknown},
		{io.EOF, unknown},
		{context.DeadlineExceeded, unknown},
		{context.Canceled, unknown},
		{rueidis.ErrClosing, refused},
		{rueidis.ErrNoSlot, refused},
	}
	for _, test := range tests {
		if got := classify(test.err); got != test.want {
			t.Errorf("%v: got %v, want %v", test.err, got, test.want)
		}
	}
}
