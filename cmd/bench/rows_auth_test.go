package main

import "testing"

func TestGateLetsInWhomItShould(t *testing.T) {
	g, err := newGate()
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := g.tokens(2)
	if err != nil || tokens[0] == tokens[1] {
		t.Fatal(tokens, err)
	}
	for range 2 {
		if err := g.check(t.Context(), tokens[1]); err != nil {
			t.Error(err)
		}
	}
	if g.check(t.Context(), tokens[0]+"x") == nil {
		t.Error("a forged token is let in")
	}
}
