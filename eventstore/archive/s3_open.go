package archive

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// usualRegion stands in where an endpoint is named and no region anywhere: most stores but S3 itself do not care.
const usualRegion = "us-east-1"

// openBucket reads a location (see OpenStore). It connects to nothing.
func openBucket(ctx context.Context, location string) (*bucket, error) {
	at, err := parseBucket(location)
	if err != nil {
		return nil, err
	}
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(at.region))
	if err != nil {
		return nil, fmt.Errorf("archive: settings of AWS: %w", err)
	}
	if settings.Region == "" && at.endpoint != "" {
		settings.Region = usualRegion
	}
	if settings.Region == "" {
		return nil, fmt.Errorf("archive: no region is set for %q: add ?region=", location)
	}
	return newBucket(at, settings, usualPatience), nil
}

func newBucket(at place, settings aws.Config, patience patience) *bucket {
	client := s3.NewFromConfig(settings, func(o *s3.Options) {
		if at.endpoint != "" {
			o.BaseEndpoint = &at.endpoint
		}
		o.UsePathStyle = at.pathStyle
		// Objects are sealed and read back, and many stores do not know the newer checksums.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = patience.attempts, 25*patience.pause
		})
		o.HTTPClient = awshttp.NewBuildableClient().
			WithDialerOptions(func(dialer *net.Dialer) { dialer.Timeout = patience.dial }).
			WithTransportOptions(func(transport *http.Transport) { transport.ResponseHeaderTimeout = patience.idle })
	})
	return &bucket{client: client, name: at.bucket, prefix: at.prefix, patience: patience}
}

// place is where a bucket is.
type place struct {
	bucket, prefix   string // prefix: "", or with a slash at its end
	endpoint, region string // "": as the SDK finds them
	pathStyle        bool
}

func parseBucket(location string) (place, error) {
	parsed, err := url.Parse(location)
	if err != nil {
		return place{}, fmt.Errorf("archive: %w", err)
	}
	at := place{bucket: parsed.Host, prefix: strings.Trim(parsed.Path, "/")}
	if at.bucket == "" || parsed.User != nil || parsed.Port() != "" || parsed.Fragment != "" {
		return place{}, fmt.Errorf("archive: %q is not of the form s3://bucket/prefix; credentials come from the environment",
			parsed.Redacted())
	}
	if at.prefix != "" {
		if err := checkName(at.prefix); err != nil {
			return place{}, err
		}
		at.prefix += "/"
	}
	query, err := url.ParseQuery(parsed.RawQuery)
	if err != nil {
		return place{}, fmt.Errorf("archive: %q: %w", location, err)
	}
	for name, values := range query {
		switch value := values[len(values)-1]; name {
		case "region":
			at.region = value
		case "endpoint":
			at.endpoint = value
			target, err := url.Parse(value)
			if err != nil || target.Scheme != "https" && target.Scheme != "http" || target.Host == "" {
				return place{}, fmt.Errorf("archive: endpoint %q is not of the form https://host", value)
			}
		case "path-style":
			if at.pathStyle, err = strconv.ParseBool(value); err != nil {
				return place{}, fmt.Errorf("archive: path-style is %q: want true or false", value)
			}
		default:
			return place{}, fmt.Errorf("archive: unknown parameter %q in %q", name, location)
		}
	}
	return at, nil
}
