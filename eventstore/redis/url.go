package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// errURL does not quote the URL, which may hold a password.
var errURL = errors.New("redis URL: want redis://[user:password@]host[:port][/db], rediss://…, unix://path, " +
	"redis+cluster://[user:password@]host:port,host:port or redis+sentinel://[user:password@]host:port,host:port/master[/db]")

// parseURL returns the driver's options for a Redis URL. The scheme says what stands there, and redis or rediss
// whether it is reached by TLS:
//
//	redis://[user:password@]host[:port][/db]
//	redis+cluster://[user:password@]host:port,host:port
//	redis+sentinel://[user:password@]host:port,host:port/master[/db][?sentinel_user=…&sentinel_password=…]
//	unix://[user:password@]/path/to/socket[?db=N]
//
// With TLS also ?ca=file&cert=file&key=file (tls.go).
func parseURL(text string) (rueidis.ClientOption, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	transport, kind, _ := strings.Cut(scheme, "+")
	switch {
	case !ok, transport != "redis" && transport != "rediss" && scheme != "unix":
		return rueidis.ClientOption{}, errURL
	case kind == "":
		return parseSingle(text)
	case kind != "cluster" && kind != "sentinel":
		return rueidis.ClientOption{}, errURL
	}
	// A list of hosts is no URL to net/url.
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	option := rueidis.ClientOption{}
	if transport == "rediss" {
		option.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	hosts := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		hosts = authority[at+1:]
		user, password, _ := strings.Cut(authority[:at], ":")
		var userErr, passwordErr error
		option.Username, userErr = url.PathUnescape(user)
		option.Password, passwordErr = url.PathUnescape(password)
		if userErr != nil || passwordErr != nil {
			return rueidis.ClientOption{}, errURL
		}
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return rueidis.ClientOption{}, errURL
	}
	if err := secure(&option, values); err != nil {
		return rueidis.ClientOption{}, err
	}
	if kind == "sentinel" {
		return parseSentinel(option, hosts, path, values)
	}
	if path != "" && path != "0" {
		return rueidis.ClientOption{}, errors.New("redis URL: a cluster has no databases but 0")
	}
	option.InitAddress, err = addresses(hosts, "6379")
	return option, err
}

func parseSingle(text string) (rueidis.ClientOption, error) {
	option, err := rueidis.ParseURL(text)
	if err != nil {
		return rueidis.ClientOption{}, errURL
	}
	option.ForceSingleClient = true
	_, query, _ := strings.Cut(text, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return rueidis.ClientOption{}, errURL
	}
	return option, secure(&option, values)
}

func parseSentinel(option rueidis.ClientOption, hosts, path string, query url.Values) (rueidis.ClientOption, error) {
	master, db, hasDB := strings.Cut(path, "/")
	if master == "" {
		return rueidis.ClientOption{}, errURL
	}
	if hasDB {
		number, err := strconv.ParseUint(db, 10, 16)
		if err != nil {
			return rueidis.ClientOption{}, fmt.Errorf("redis URL: database %q is no number", db)
		}
		option.SelectDB = int(number)
	}
	option.Sentinel = rueidis.SentinelOption{MasterSet: master, TLSConfig: option.TLSConfig,
		Username: query.Get("sentinel_user"), Password: query.Get("sentinel_password")}
	var err error
	option.InitAddress, err = addresses(hosts, "26379")
	return option, err
}

// addresses splits a list of hosts, which may lack the port.
func addresses(hosts, port string) ([]string, error) {
	var list []string
	for host := range strings.SplitSeq(hosts, ",") {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		if name, _, err := net.SplitHostPort(host); err != nil || name == "" {
			return nil, errURL
		}
		list = append(list, host)
	}
	return list, nil
}
