package limit

import (
	"testing"
	"time"
)

// TestAsk: what a process asks the shared bucket for.
func TestAsk(t *testing.T) {
	p := Every(200) // portions of 10
	const now = time.Hour
	for _, test := range []struct {
		name        string
		account     account
		cost        int
		need, extra int
	}{
		{"nothing is held, for the first time", account{}, 3, 3, 0},
		{"some is held", account{spare: 2}, 3, 1, 0},
		{"some is owed", account{spare: -4}, 3, 7, 0},
		{"ahead of need, the debt alone", account{spare: -6, asked: now - lapse}, 0, 0, 6},
		{"ahead of need, and a portion where it is busy", account{spare: -6, asked: now - lapse/2}, 0, 0, 16},
		{"and for who waits", account{waiting: 20, asked: now - 1}, 5, 5, 30},
	} {
		need, extra := test.account.ask(p, now, test.cost)
		if need != test.need || extra != test.extra {
			t.Errorf("%s: got %d and %d more, want %d and %d", test.name, need, extra, test.need, test.extra)
		}
		if test.account.waiting != 0 || test.account.asked != now {
			t.Errorf("%s: left %+v", test.name, test.account)
		}
	}
}

// TestSpend: what a process spends without asking.
func TestSpend(t *testing.T) {
	p := Every(200) // portions of 10, a burst of 400
	const now = time.Hour
	empty := Bucket{missing: 395, at: now}
	for _, test := range []struct {
		name    string
		account account
		cost    int
		verdict verdict
		wait    time.Duration
		spare   int
	}{
		{"what is held", account{spare: 5, touched: now - lapse, shared: empty}, 5, granted, 0, 0},
		{"what was held for too long", account{spare: 5, touched: now - lapse - 1, shared: empty}, 6, refused, 5 * time.Millisecond, 0},
		{"on credit", account{spare: 5, touched: now}, 15, granted, 0, -10},
		{"beyond the credit", account{spare: 5, touched: now}, 16, unsure, 0, 5},
		{"on credit that there is not", account{shared: empty}, 6, refused, 5 * time.Millisecond, 0},
		{"with a debt", account{spare: -6, shared: empty}, 1, refused, 10 * time.Millisecond, -6},
		{"more than a bucket", account{}, 1000, unsure, 0, 0},
	} {
		verdict, wait := test.account.spend(p, now, test.cost)
		if verdict != test.verdict || wait != test.wait || test.account.spare != test.spare {
			t.Errorf("%s: got %v after %v with %d left, want %v after %v with %d", test.name,
				verdict, wait, test.account.spare, test.verdict, test.wait, test.spare)
		}
	}
}

// TestDebtIsOfAMinute: no cost shuts anybody out for longer.
func TestDebtIsOfAMinute(t *testing.T) {
	var c clock
	l := New(Every(10), Options{Now: c.now})
	if !allow(l, "k", 1e9) {
		t.Fatal("a full bucket refuses")
	}
	if d := l.Allow(t.Context(), "k", 1); d.OK || d.Wait < time.Minute || d.Wait > 61*time.Second {
		t.Errorf("got %+v, want a wait of a minute", d)
	}
}
