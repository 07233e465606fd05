package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTick is the unit of CPU time in /proc: USER_HZ, which Linux fixes for all user space.
const clockTick = 10 * time.Millisecond

// cpuTime returns the user and system time that processes have used, 0 where the system does not tell.
func cpuTime(processes ...*child) time.Duration {
	total := time.Duration(0)
	for _, process := range processes {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process.pid))
		if err != nil {
			return 0
		}
		_, rest, _ := bytes.Cut(stat, []byte(") ")) // the name of the program may hold spaces
		fields := strings.Fields(string(rest))
		if len(fields) < 13 {
			return 0
		}
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		total += time.Duration(user+system) * clockTick
	}
	return total
}

// ownTime returns the user and system time of this process, finer than cpuTime.
func ownTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // fails for another constant alone
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// memory returns the bytes that a process has in memory.
func memory(process *child) (int64, error) { return statusOf(process, "VmRSS") }

// peakMemory returns the most that a process ever had in memory.
func peakMemory(process *child) (int64, error) { return statusOf(process, "VmHWM") }

// statusOf returns what Linux says of a process, in bytes.
func statusOf(process *child, name string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process.pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("no %s of process %d", name, process.pid)
}

// foreignLoad tells how much of the machine others use: it returns the CPU time, since the machine started, that neither
// we nor our children have used, of all that there was. Linux tells that; elsewhere it is 0 of 0.
func (l *lab) foreignLoad() (used, all time.Duration) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	first, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(first)
	if len(fields) < 9 {
		return 0, 0
	}
	for i, field := range fields[1:9] { // user nice system idle iowait irq softirq steal
		ticks, _ := strconv.Atoi(field)
		span := time.Duration(ticks) * clockTick
		all += span
		if i != 3 && i != 4 {
			used += span
		}
	}
	return used - l.retired - cpuTime(generator, l.reference, l.graphy, l.redis), all
}

// machine describes what the figures were measured on.
func (l *lab) machine(ctx context.Context) string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	redis := "unknown"
	info, _ := l.client.Do(ctx, l.client.B().Info().Section("server").Build()).ToString()
	for line := range strings.Lines(info) {
		if version, ok := strings.CutPrefix(line, "redis_version:"); ok {
			redis = strings.TrimSpace(version)
		}
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s, Redis %s (AOF everysec, noeviction)",
		model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), redis)
}

// metric returns a value without labels of graphy's /metrics.
func (l *lab) metric(ctx context.Context, name string) (float64, error) {
	text, err := l.get(ctx, "http://"+l.adminAddr+"/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("graphy has no metric %s", name)
}
