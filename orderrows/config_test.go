package orderrows_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/refund"
)

func config() orderrows.Config {
	return orderrows.Config{
		User: "api-user", Password: refund.NewSecret("abcdefgh"), APIKey: refund.NewSecret("key-ijklmnop"), Currency: "SEK",
	}
}

func TestNewNamesTheField(t *testing.T) {
	for _, tt := range []struct {
		field  string
		change func(*orderrows.Config)
	}{
		{"User", func(c *orderrows.Config) { c.User = "" }},
		{"User", func(c *orderrows.Config) { c.User = "a:b" }},
		{"Password", func(c *orderrows.Config) { c.Password = refund.Secret{} }},
		{"APIKey", func(c *orderrows.Config) { c.APIKey = refund.Secret{} }},
		{"APIKey", func(c *orderrows.Config) { c.APIKey = refund.NewSecret("abcdefgh\r\nX: y") }},
		{"Currency", func(c *orderrows.Config) { c.Currency = "" }},
		{"Currency", func(c *orderrows.Config) { c.Currency = "sek" }},
		{"BaseURL", func(c *orderrows.Config) { c.BaseURL = "http://mgmtapi.geins.io" }},
		{"Transport", func(c *orderrows.Config) { c.Transport = (*http.Transport)(nil) }},
		{"UserAgent", func(c *orderrows.Config) { c.UserAgent = "a\nb" }},
	} {
		cfg := config()
		tt.change(&cfg)
		client, err := orderrows.New(cfg)
		assert.Nil(t, client)
		var e *refund.Error
		require.ErrorAs(t, err, &e, tt.field)
		assert.Equal(t, tt.field, e.Field)
		assert.Equal(t, "orderrows", e.Provider)
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		assert.NotContains(t, err.Error(), "abcdefgh")
	}
}

// TestDocumentedHeaders: both credentials go with every request, reads included, under their documented names.
func TestDocumentedHeaders(t *testing.T) {
	wire := &wiretest.Transport{Status: http.StatusOK, Body: noneYet}
	cfg := config()
	cfg.Transport, cfg.UserAgent = wire, "shop-backend/7"
	client, err := orderrows.New(cfg)
	require.NoError(t, err)
	_, err = client.ListRefunds(t.Context(), 1)
	require.NoError(t, err)
	assert.Contains(t, wire.Dumps[0], "GET https://mgmtapi.geins.io/API/Order/1/Refund/List\n")
	assert.Contains(t, wire.Dumps[0], "Authorization: Basic YXBpLXVzZXI6YWJjZGVmZ2g=\n")
	assert.Contains(t, wire.Dumps[0], "X-ApiKey: key-ijklmnop\n")
	assert.Regexp(t, `User-Agent: shop-backend/7 refund-go/[0-9.]+\n`, wire.Dumps[0])
}

func TestConfigDoesNotPrintTheSecrets(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		assert.NotContains(t, fmt.Sprintf(verb, config()), "abcdefgh")
		assert.NotContains(t, fmt.Sprintf(verb, config()), "ijklmnop")
	}
}

// TestCapabilitiesOfAHastyClient: a client that does not look pays again.
func TestCapabilitiesOfAHastyClient(t *testing.T) {
	assert.Equal(t, refund.RepeatFound, newClient(t, &wiretest.Transport{}).Capabilities().Repeat)
	assert.Equal(t, refund.RepeatRefundsAgain, newHastyClient(t, &wiretest.Transport{}).Capabilities().Repeat)
}
