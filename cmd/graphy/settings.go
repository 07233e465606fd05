package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"graphy/transport"
)

// hiddenValue stands for a secret.
const hiddenValue = "***"

// settingsOf returns every setting among the flags of serve: what holds, and where it comes from. Secrets are hidden, the
// data folder is absolute.
func settingsOf(flags *pflag.FlagSet) []transport.Setting {
	var settings []transport.Setting
	flags.VisitAll(func(flag *pflag.Flag) {
		name := variableOf(flag)
		if name == "" {
			return
		}
		setting := transport.Setting{Name: name, Value: valueOf(flag), Source: "default"}
		if value, set := os.LookupEnv(name); set && (value != "" || flag.DefValue == "") {
			setting.Source = "environment"
		}
		if flag.Changed {
			setting.Source = "flag"
		}
		hide(&setting)
		settings = append(settings, setting)
	})
	return settings
}

// variableOf returns the variable of a setting, "" for a flag that is none.
func variableOf(flag *pflag.Flag) string {
	name := "GRAPHY_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
	if !strings.Contains(flag.Usage, "("+name+")") {
		return ""
	}
	return name
}

func valueOf(flag *pflag.Flag) string {
	if list, ok := flag.Value.(pflag.SliceValue); ok {
		return strings.Join(list.GetSlice(), ",")
	}
	return flag.Value.String()
}

// hide takes out of a setting what nobody is to read.
func hide(setting *transport.Setting) {
	switch value := setting.Value; {
	case value == "":
	case setting.Name == "GRAPHY_JWT_SECRET":
		if setting.Secret = true; !strings.HasPrefix(value, "@") { // the name of a file is none
			setting.Value = hiddenValue
		}
	case setting.Name == "GRAPHY_DATA_DIR":
		if absolute, err := filepath.Abs(value); err == nil {
			setting.Value = absolute
		}
	case strings.Contains(value, "://"):
		setting.Value = withoutPassword(value)
	}
}

// withoutPassword returns a URL with its user and password hidden, and those parameters that may be secrets.
func withoutPassword(url string) string {
	scheme, rest, _ := strings.Cut(redacted(url), "://")
	before, parameters, any := strings.Cut(url, "?")
	if strings.Contains(before, "@") {
		rest = hiddenValue + "@" + rest
	}
	if strings.Contains(parameters, "@") { // or is all of it a password?
		return scheme + "://" + hiddenValue
	}
	if !any {
		return scheme + "://" + rest
	}
	pairs := strings.Split(parameters, "&")
	for i, pair := range pairs {
		name, _, _ := strings.Cut(strings.ToLower(pair), "=")
		if secretName.MatchString(name) {
			pairs[i] = pair[:len(name)] + "=" + hiddenValue
		}
	}
	return scheme + "://" + rest + "?" + strings.Join(pairs, "&")
}

// secretName matches the names of parameters that nobody is to read.
var secretName = regexp.MustCompile("pass|secret|key|token|auth|user|sign|cred")

// otherVariables are those that are no settings of serve.
var otherVariables = []string{"GRAPHY_TOKEN"}

// strangers returns the names of variables that look like settings and are none, with the nearest that is one.
func strangers(environment []string, settings []transport.Setting) map[string]string {
	known := make(map[string]bool, len(settings))
	for _, setting := range settings {
		known[setting.Name] = true
	}
	for _, name := range otherVariables {
		known[name] = true
	}
	found := map[string]string{}
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "GRAPHY_") && !known[name] {
			found[name] = nearest(name, known)
		}
	}
	return found
}

// nearest returns the known name that is most like name, "" if none is.
func nearest(name string, known map[string]bool) string {
	best, least := "", 4 // edits
	for candidate := range known {
		if d := distance(name, candidate); d < least || d == least && best != "" && candidate < best {
			best, least = candidate, d
		}
	}
	return best
}

// distance returns how many characters have to be put in, taken out or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
