package command

import "github.com/go-json-experiment/json/jsontext"

// The conflict strategies (SEMANTICS.md, Conflicts).
const (
	ClientWins    = "CLIENT_WINS"
	ServerWins    = "SERVER_WINS"
	LastWriteWins = "LAST_WRITE_WINS"
	Merge         = "MERGE"
	Manual        = "MANUAL"
)

// strategy settles one contested path. It is pure.
type strategy func(c *contest) settlement

// strategies is the table of strategies: a new one is a file with its function and a line here.
var strategies = map[string]strategy{
	ClientWins:    clientWins,
	ServerWins:    serverWins,
	LastWriteWins: lastWriteWins,
	Merge:         mergeBoth,
	Manual:        leaveOpen,
}

// contest is a path on which a command conflicts with events after its base.
type contest struct {
	base, server, client jsontext.Value            // canonical; nil: not there
	whole                bool                      // one value, of which there are no halves
	writtenAt, theirs    int64                     // write times, Unix ms: of the command, and of the newest event it conflicts with
	fits                 func(jsontext.Value) bool // whether a merged value may stand here; nil: any may
	merger               *merger                   // of the command
}

// settlement is how a contest ends.
type settlement struct {
	resolution resolution
	written    jsontext.Value // what stands at the path then; nil: nothing
}

// resolution says which way a path went.
type resolution string

const (
	toClient resolution = "client"
	toServer resolution = "server"
	toMerged resolution = "merged"
	toManual resolution = "manual" // the server's value stays until a person decides
	mixed    resolution = "mixed"  // of a command: its paths went different ways
)

// strategyName reads the name of a strategy out of a body.
func strategyName(value jsontext.Value) (string, *Error) {
	name, err := text(value)
	if err == nil && strategies[name] == nil {
		err = invalid("", "the conflict strategy %.40q does not exist", name)
	}
	return name, err
}
