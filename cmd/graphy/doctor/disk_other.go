//go:build !(linux || darwin || freebsd)

package doctor

import "errors"

// disk is not known here.
func disk(string) (free, total int64, err error) { return 0, 0, errors.ErrUnsupported }
