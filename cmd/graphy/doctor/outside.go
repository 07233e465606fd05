package doctor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// checkArchive puts an object into the archive, reads it and removes it.
func checkArchive(ctx context.Context, l *look) []finding {
	if l.opts.Archive == nil {
		return []finding{note("There is no archive: events that are trimmed are gone (GRAPHY_ARCHIVE).")}
	}
	if err := l.opts.Archive.Probe(ctx); err != nil {
		return []finding{bad(fmt.Sprintf("The archive does not work: %v.", err),
			"See GRAPHY_ARCHIVE, the rights of this process there and the room left; logs are not trimmed until it works.")}
	}
	return []finding{good("The archive takes, returns and removes objects.")}
}

const keysMost = 1 << 20 // bytes of a JWKS

// checkTokens looks whether tokens can be checked.
func checkTokens(ctx context.Context, l *look) []finding {
	if l.opts.JWKSURL == "" && !l.opts.Secret {
		return []finding{note("Tokens are off: everybody who reaches the server may do everything. It listens on loopback only.")}
	}
	if l.opts.JWKSURL == "" {
		return []finding{good("Tokens are checked with a secret.")}
	}
	count, err := countKeys(ctx, l.opts.JWKSURL)
	if err != nil {
		return []finding{bad(fmt.Sprintf("The keys of tokens cannot be fetched: %v.", err),
			"See GRAPHY_JWKS_URL and the way there; keys that were fetched before serve until the process ends.")}
	}
	if count == 0 {
		return []finding{bad("The JWKS holds no key.", "See what the issuer of tokens publishes at GRAPHY_JWKS_URL.")}
	}
	return []finding{good("The JWKS holds %d keys.", count)}
}

// countKeys fetches a JWKS. Like the one who checks tokens it follows no redirect.
func countKeys(ctx context.Context, url string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the answer is %s", response.Status)
	}
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.UnmarshalRead(io.LimitReader(response.Body, keysMost), &set); err != nil {
		return 0, fmt.Errorf("the answer is no JWKS: %w", err)
	}
	return len(set.Keys), nil
}

const (
	diskLow  = 0.10
	diskFull = 0.02
)

// checkJournal looks at the journal of the Redis inside the process, and at its disk.
func checkJournal(_ context.Context, l *look) []finding {
	if l.opts.Embedded == nil {
		return nil
	}
	if l.opts.DataDir == "" {
		return []finding{warn("Everything is in the memory of this process and ends with it.", "Set GRAPHY_DATA_DIR, or GRAPHY_REDIS_URL.")}
	}
	if err := l.opts.Embedded.Err(); err != nil {
		return []finding{bad(fmt.Sprintf("The journal takes no more writes: %v.", err), "Free the disk or repair it, then start again.")}
	}
	if err := tryFolder(l.opts.DataDir); err != nil {
		return []finding{bad(fmt.Sprintf("The folder of the journal cannot be written to: %v.", err), "Free the disk, or repair the rights of the folder.")}
	}
	journal, _ := os.Stat(filepath.Join(l.opts.DataDir, "events.journal"))
	text := "The journal works"
	if journal != nil {
		text = fmt.Sprintf("The journal works, and has %s", size(journal.Size()))
	}
	free, total, err := disk(l.opts.DataDir)
	if err != nil {
		return []finding{good("%s.", text)}
	}
	text = fmt.Sprintf("%s; its disk has %s left of %s.", text, size(free), size(total))
	remedy := "Make room, or move the folder (GRAPHY_DATA_DIR). What was trimmed or deleted leaves the journal at a start at which it is the most of it."
	switch share := float64(free) / float64(total); {
	case share < diskFull:
		return []finding{bad(text, remedy)}
	case share < diskLow:
		return []finding{warn(text, remedy)}
	}
	return []finding{good("%s", text)}
}

// tryFolder writes a file, durably, and removes it.
func tryFolder(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString("Graphy was here.\n")
	if err == nil {
		err = f.Sync()
	}
	if failure := f.Close(); err == nil {
		err = failure
	}
	return err
}
