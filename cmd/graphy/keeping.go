package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"graphy/eventstore/archive"
	"graphy/projection/upkeep"
)

// keeping says what is kept of the logs, where, and how much work goes into checking it.
type keeping struct {
	Retain      string        `env:"RETAIN"`
	RetainEvery time.Duration `env:"RETAIN_EVERY" envDefault:"10m"`
	Archive     string        `env:"ARCHIVE"`
	VerifyShare float64       `env:"VERIFY_SHARE" envDefault:"0.02"`
}

func (k *keeping) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&k.Retain, "retain", k.Retain,
		"what a log keeps in Redis at most, such as events=10000,age=720h; empty: everything (GRAPHY_RETAIN)")
	flags.DurationVar(&k.RetainEvery, "retain-every", k.RetainEvery, "from one round of retention to the next (GRAPHY_RETAIN_EVERY)")
	flags.StringVar(&k.Archive, "archive", k.Archive,
		"where events go before they are trimmed: a folder or s3://bucket/prefix; empty: nowhere (GRAPHY_ARCHIVE)")
	flags.Float64Var(&k.VerifyShare, "verify-share", k.VerifyShare,
		"share of a processor core that verifies graphs in the background; 0: none (GRAPHY_VERIFY_SHARE)")
}

func (k *keeping) check() error {
	if _, err := k.policy(); err != nil {
		return err
	}
	if k.RetainEvery < time.Second {
		return fmt.Errorf("GRAPHY_RETAIN_EVERY is %v: give a second or more", k.RetainEvery)
	}
	if k.VerifyShare < 0 || k.VerifyShare > 1 {
		return fmt.Errorf("GRAPHY_VERIFY_SHARE is %v: give a share of a core from 0 (none) to 1", k.VerifyShare)
	}
	return nil
}

// policy is the zero one if everything is kept.
func (k *keeping) policy() (upkeep.Policy, error) {
	if k.Retain == "" {
		return upkeep.Policy{}, nil
	}
	policy, err := upkeep.ParsePolicy(k.Retain)
	if err != nil {
		return upkeep.Policy{}, fmt.Errorf("GRAPHY_RETAIN: %w", err)
	}
	return policy, nil
}

// openArchive opens the archive; nil if there is none.
func (k *keeping) openArchive(ctx context.Context) (*archive.Archive, error) {
	if k.Archive == "" {
		return nil, nil
	}
	store, err := archive.OpenStore(ctx, k.Archive)
	if err != nil {
		return nil, fmt.Errorf("GRAPHY_ARCHIVE: %w", err)
	}
	return archive.New(store), nil
}
