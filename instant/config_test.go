package instant_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

func config() instant.Config {
	return instant.Config{
		Environment: instant.Production, AppAuth: refund.NewSecret("AbCdEfGh"), AppID: "App-Id-32",
		StoreCode: "store_1", Currency: "AUD",
	}
}

func TestNewNamesTheField(t *testing.T) {
	for _, tt := range []struct {
		field  string
		change func(*instant.Config)
	}{
		{"Environment", func(c *instant.Config) { c.Environment = "" }},
		{"AppAuth", func(c *instant.Config) { c.AppAuth = refund.Secret{} }},
		{"AppAuth", func(c *instant.Config) { c.AppAuth = refund.NewSecret("AbCdEfGh\n") }},
		{"AppID", func(c *instant.Config) { c.AppID = "" }},
		{"AppID", func(c *instant.Config) { c.AppID = "3 2" }},
		{"StoreCode", func(c *instant.Config) { c.StoreCode = "" }},
		{"StoreCode", func(c *instant.Config) { c.StoreCode = "störe" }},
		{"Currency", func(c *instant.Config) { c.Currency = "" }},
		{"Currency", func(c *instant.Config) { c.Currency = "aud" }},
		{"Account", func(c *instant.Config) { c.Account = "a b" }},
		{"AbsenceAfter", func(c *instant.Config) { c.AbsenceAfter = -1 }},
		{"BaseURL", func(c *instant.Config) { c.BaseURL = "http://api.instant.one" }},
		{"Transport", func(c *instant.Config) { c.Transport = (*http.Transport)(nil) }},
		{"UserAgent", func(c *instant.Config) { c.UserAgent = "a\nb" }},
	} {
		cfg := config()
		cfg.Account = "au-1"
		tt.change(&cfg)
		client, err := instant.New(cfg)
		assert.Nil(t, client)
		var e *refund.Error
		require.ErrorAs(t, err, &e, tt.field)
		assert.Equal(t, tt.field, e.Field)
		assert.Equal(t, "instant", e.Provider)
		assert.Equal(t, cfg.Account, e.Account)
		assert.Equal(t, "new", e.Op)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		assert.NotContains(t, err.Error(), "AbCdEfGh")
	}
}

// TestDocumentedHeaders: both names as documented, both values as issued, and the documented addresses.
func TestDocumentedHeaders(t *testing.T) {
	for environment, url := range map[instant.Environment]string{
		instant.Production: "https://api.instant.one/order/refund",
		instant.Staging:    "https://staging.api.instant.one/order/refund",
	} {
		wire := &wiretest.Transport{Status: http.StatusOK}
		cfg := config()
		cfg.Environment, cfg.Transport, cfg.UserAgent = environment, wire, "shop-backend/7"
		client, err := instant.New(cfg)
		require.NoError(t, err)
		_, err = client.Refund(t.Context(), request("k", "10.00"))
		require.NoError(t, err)
		assert.Contains(t, wire.Dumps[0], "POST "+url+"\n")
		assert.Contains(t, wire.Dumps[0], "\nX-Instant-App-Auth: AbCdEfGh\n")
		assert.Contains(t, wire.Dumps[0], "\nX-Instant-App-Id: App-Id-32\n")
		assert.Regexp(t, `\nUser-Agent: shop-backend/7 refund-go/[0-9.]+\n`, wire.Dumps[0])
	}
}

func TestConfigDoesNotPrintTheSecret(t *testing.T) {
	client, err := instant.New(config())
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		assert.NotContains(t, fmt.Sprintf(verb, config()), "AbCdEfGh")
		assert.NotContains(t, fmt.Sprintf(verb, client), "AbCdEfGh")
	}
}
