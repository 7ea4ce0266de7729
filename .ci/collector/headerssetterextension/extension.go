// Package headerssetterextension stands in for contrib's headers_setter in the Collector that the tests start: headers
// of outgoing HTTP requests are set from the metadata of the request that brought the data, in the same configuration.
package headerssetterextension

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionauth"
)

// Header is one header to set.
type Header struct {
	Action      string `mapstructure:"action"`
	Key         string `mapstructure:"key"`
	FromContext string `mapstructure:"from_context"`
}

// Config is what contrib's has, as far as it is used here.
type Config struct {
	Headers []Header `mapstructure:"headers"`
}

// Validate refuses what the stand-in cannot do.
func (config *Config) Validate() error {
	for _, header := range config.Headers {
		if header.Action != "upsert" || header.Key == "" || header.FromContext == "" {
			return errors.New("the stand-in for headers_setter knows action: upsert, key and from_context only")
		}
	}
	return nil
}

// NewFactory makes the extension known to the Collector.
func NewFactory() extension.Factory {
	return extension.NewFactory(
		component.MustNewType("headers_setter"),
		func() component.Config { return &Config{} },
		func(_ context.Context, _ extension.Settings, config component.Config) (extension.Extension, error) {
			return &setter{headers: config.(*Config).Headers}, nil
		},
		component.StabilityLevelAlpha,
	)
}

type setter struct {
	component.StartFunc
	component.ShutdownFunc
	headers []Header
}

var _ extensionauth.HTTPClient = (*setter)(nil)

// RoundTripper sets the headers of each request.
func (s *setter) RoundTripper(base http.RoundTripper) (http.RoundTripper, error) {
	return &roundTripper{base: base, headers: s.headers}, nil
}

type roundTripper struct {
	base    http.RoundTripper
	headers []Header
}

func (r *roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	changed := request.Clone(request.Context())
	metadata := client.FromContext(request.Context()).Metadata
	for _, header := range r.headers {
		values := metadata.Get(header.FromContext)
		if len(values) > 1 {
			return nil, fmt.Errorf("%d values of %s: it is not known which one counts", len(values), header.FromContext)
		}
		if len(values) == 1 {
			changed.Header.Set(header.Key, values[0])
		}
	}
	return r.base.RoundTrip(changed)
}
