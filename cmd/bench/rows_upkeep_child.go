package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"

	"graphy/eventstore/redis"
	"graphy/projection"
	models "graphy/projection/redis"
	"graphy/projection/upkeep"
)

// upkeepCommand is the hidden command that does the upkeep of the rows about it, in a process whose memory and CPU time
// are its own.
const upkeepCommand = "upkeep"

// What it may do.
const (
	actRebuild = "rebuild"
	actVerify  = "verify"
	actSample  = "sample"
)

// upkeepResult is what it says when it is done.
type upkeepResult struct {
	Events  int64
	Seconds float64
	CPU     float64 // µs of its own for each event
	Peak    int64   // most bytes it had in memory
	Redis   float64 // µs of Redis for each event; filled in by who started it
}

func isLog(key string) bool {
	return strings.HasSuffix(key, ":events") || strings.HasSuffix(key, ":operations")
}

// upkeepChild runs the hidden command.
func (l *lab) upkeepChild(ctx context.Context, args ...string) (*upkeepResult, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l.settle(ctx, l.subjects())
	command := exec.CommandContext(ctx, self, append([]string{upkeepCommand, l.redisAddr}, args...)...)
	command.Stderr = os.Stderr
	alive, err := command.StdinPipe() // it ends when this program does
	if err != nil {
		return nil, err
	}
	defer alive.Close()
	before := cpuTime(l.redis)
	text, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("upkeep %v: %w", args, err)
	}
	redis := cpuTime(l.redis) - before
	l.retired += command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	result := &upkeepResult{}
	if err := json.Unmarshal(text, result); err != nil {
		return nil, fmt.Errorf("upkeep %v: it said %q: %w", args, text, err)
	}
	result.Redis = float64(redis.Microseconds()) / float64(max(result.Events, 1))
	return result, nil
}

// doUpkeep is the hidden command: the address of Redis, what to do, and for how long.
func doUpkeep(ctx context.Context, args []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: args[:1], DisableCache: true})
	if err != nil {
		return err
	}
	defer client.Close()
	keeper := upkeepKeeper(client)
	begun := time.Now()
	switch args[1] {
	case actRebuild:
		err = forAll(ctx, keeper, func(ctx context.Context, graph string) (string, error) {
			rebuilt, err := keeper.Rebuild(ctx, graph, upkeep.RebuildOptions{})
			return rebuilt.Outcome, err
		}, "rebuilt", "unchanged")
	case actVerify:
		err = forAll(ctx, keeper, func(ctx context.Context, graph string) (string, error) {
			verified, err := keeper.Verify(ctx, graph)
			return fmt.Sprint(verified.Mismatches), err
		}, "0")
	case actSample:
		err = sampleFor(ctx, keeper, args[2])
	}
	if err != nil {
		return err
	}
	result := upkeepResult{Seconds: time.Since(begun).Seconds(), Events: eventsOf(keeper)}
	result.CPU = float64(ownTime().Microseconds()) / float64(max(result.Events, 1))
	if result.Peak, err = peakMemory(&child{pid: os.Getpid()}); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func upkeepKeeper(client rueidis.Client) *upkeep.Keeper {
	log := redis.New(client, client, redis.Options{Prefix: upkeepPrefix})
	kept := models.New(client, log.Keys(), models.Options{})
	return upkeep.New(upkeep.Stores{Log: log, Maintainer: log, Models: kept, Workshop: kept,
		Snapshots: projection.WithBase(kept, log), Letters: kept}, upkeep.Options{})
}

// forAll does act to all graphs, and fails unless each comes to one of the outcomes wanted.
func forAll(ctx context.Context, keeper *upkeep.Keeper, act func(context.Context, string) (string, error), want ...string) error {
	for step, err := range upkeep.Each(ctx, keeper, upkeep.Selection{All: true}, act) {
		if err = errors.Join(err, step.Err); err != nil {
			return err
		}
		if step.Result != nil && !strings.Contains(strings.Join(want, " "), *step.Result) {
			return fmt.Errorf("%s: got %s", step.Graph, *step.Result)
		}
	}
	return nil
}

// sampleFor runs the verifier in the background for so long.
func sampleFor(ctx context.Context, keeper *upkeep.Keeper, span string) error {
	long, err := time.ParseDuration(span)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	return upkeep.NewSampler(keeper, upkeep.SamplerOptions{}).Run(ctx)
}

// eventsOf returns how many events a keeper has gone through.
func eventsOf(keeper *upkeep.Keeper) int64 {
	registry := prometheus.NewRegistry()
	registry.MustRegister(keeper)
	families, _ := registry.Gather()
	for _, family := range families {
		if family.GetName() == "graphy_verify_events_total" {
			return int64(family.GetMetric()[0].GetCounter().GetValue())
		}
	}
	return 0
}
