//go:build linux || darwin || freebsd

package doctor

import "syscall"

// disk returns how many bytes of a folder's file system are free for this user, and how many it has.
func disk(dir string) (free, total int64, err error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, 0, err
	}
	block := int64(stat.Bsize) //nolint:unconvert // not of this type on every system
	return int64(stat.Bavail) * block, int64(stat.Blocks) * block, nil
}
