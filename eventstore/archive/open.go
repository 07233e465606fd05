package archive

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// OpenStore returns the Store at location:
//
//   - a folder, as a path or as file:///path, which is made if it is not there;
//   - s3://bucket/prefix?endpoint=https://host&region=name&path-style=true, a bucket of S3 or of a store that speaks its
//     protocol, whose credentials are where the AWS SDK looks for them. The parameters may be absent. It is not asked
//     for anything before it is used.
func OpenStore(ctx context.Context, location string) (Store, error) {
	scheme, rest, found := strings.Cut(location, "://")
	switch {
	case !found && location != "":
		return openFolder(location)
	case scheme == "file":
		if !filepath.IsAbs(rest) || strings.ContainsAny(rest, "?#") {
			return nil, fmt.Errorf("archive: %q does not name a folder: want file:///path", location)
		}
		path, err := url.PathUnescape(rest)
		if err != nil {
			return nil, fmt.Errorf("archive: %q: %w", location, err)
		}
		return openFolder(path)
	case scheme == "s3":
		return openBucket(ctx, location)
	default:
		return nil, fmt.Errorf("archive: %q is neither a folder nor s3://bucket/prefix", location)
	}
}
