package digitalriver_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

func config() digitalriver.Config {
	return digitalriver.Config{APIKey: refund.NewSecret("sk_test_abcdefgh")}
}

func TestNewNamesTheField(t *testing.T) {
	for _, tt := range []struct {
		field  string
		change func(*digitalriver.Config)
	}{
		{"APIKey", func(c *digitalriver.Config) { c.APIKey = refund.Secret{} }},
		{"APIKey", func(c *digitalriver.Config) { c.APIKey = refund.NewSecret("sk_test_abcdefgh\n") }},
		{"Version", func(c *digitalriver.Config) { c.Version = "v1" }},
		{"Version", func(c *digitalriver.Config) { c.Version = "2021-13-13" }},
		{"BaseURL", func(c *digitalriver.Config) { c.BaseURL = "http://api.digitalriver.com" }},
		{"Transport", func(c *digitalriver.Config) { c.Transport = (*http.Transport)(nil) }},
		{"UserAgent", func(c *digitalriver.Config) { c.UserAgent = "a\nb" }},
	} {
		cfg := config()
		tt.change(&cfg)
		client, err := digitalriver.New(cfg)
		assert.Nil(t, client)
		var e *refund.Error
		require.ErrorAs(t, err, &e, tt.field)
		assert.Equal(t, tt.field, e.Field)
		assert.Equal(t, "digitalriver", e.Provider)
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		assert.NotContains(t, err.Error(), "abcdefgh")
	}
}

// TestTarget: the key decides between test and live, at one host.
func TestTarget(t *testing.T) {
	for _, tt := range []struct{ key, base, want string }{
		{"sk_test_abcdefgh", "", "api.digitalriver.com (test)"},
		{"sk_abcdefgh", "", "api.digitalriver.com"},
		{"sk_abcdefgh", "https://gateway.example/dr", "gateway.example"},
	} {
		cfg := config()
		cfg.APIKey, cfg.BaseURL, cfg.Account = refund.NewSecret(tt.key), tt.base, "us"
		client, err := digitalriver.New(cfg)
		require.NoError(t, err)
		caps := client.Capabilities()
		assert.Equal(t, tt.want, caps.Target)
		assert.Equal(t, "us", caps.Account)
		assert.Equal(t, "digitalriver", caps.Provider)
		assert.Equal(t, time.Hour, caps.AbsenceAfter)
		caps.Parts[0] = "changed"
		assert.NotEqual(t, caps.Parts, client.Capabilities().Parts, "a copy")
	}
}

func TestHeaders(t *testing.T) {
	wire := &wiretest.Transport{Status: http.StatusOK, Body: `{"id":"1"}`}
	cfg := config()
	cfg.Transport, cfg.UserAgent, cfg.Version = wire, "shop-backend/7", "2021-12-13"
	client, err := digitalriver.New(cfg)
	require.NoError(t, err)
	_, err = client.RetrieveOrder(t.Context(), "1")
	require.NoError(t, err)
	assert.Contains(t, wire.Dumps[0], "Authorization: Bearer sk_test_abcdefgh\n")
	assert.Contains(t, wire.Dumps[0], "Digitalriver-Version: 2021-12-13\n")
	assert.Contains(t, wire.Dumps[0], "User-Agent: shop-backend/7 refund-go/")
	assert.Contains(t, wire.Dumps[0], "GET https://api.digitalriver.com/orders/1\n")
}

func TestConfigDoesNotPrintTheKey(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		assert.NotContains(t, fmt.Sprintf(verb, config()), "abcdefgh")
	}
}
