package orderrows_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/refund"
)

func config() orderrows.Config {
	return orderrows.Config{
		User: "api-user", Password: refund.NewSecret("abcdefgh"), APIKey: refund.NewSecret("key-ijklmnop"), Currencies: []string{"SEK"},
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
		{"Currencies", func(c *orderrows.Config) { c.Currencies = nil }},
		{"Currencies", func(c *orderrows.Config) { c.Currencies = []string{} }},
		{"Currencies", func(c *orderrows.Config) { c.Currencies = []string{""} }},
		{"Currencies", func(c *orderrows.Config) { c.Currencies = []string{"SEK", "nok"} }},
		{"Currencies", func(c *orderrows.Config) { c.Currencies = []string{"XXX"} }},
		{"Currencies", func(c *orderrows.Config) { c.Currencies = []string{"SEK", "NOK", "SEK"} }},
		{"Account", func(c *orderrows.Config) { c.Account = "our shop" }},
		{"AbsenceAfter", func(c *orderrows.Config) { c.AbsenceAfter = -1 }},
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

// TestCurrenciesAreTheClientsOwn: neither the caller's slice nor a copy of Capabilities changes the client.
func TestCurrenciesAreTheClientsOwn(t *testing.T) {
	cfg := config()
	cfg.Currencies = []string{"SEK", "NOK"}
	client, err := orderrows.New(cfg)
	require.NoError(t, err)
	cfg.Currencies[0] = "JPY"
	client.Capabilities().Currencies[1] = "JPY"
	assert.Equal(t, []string{"SEK", "NOK"}, client.Capabilities().Currencies)
}

func TestCapabilities(t *testing.T) {
	cfg := config()
	cfg.Account, cfg.AbsenceAfter = "shop-se", 2*time.Hour
	client, err := orderrows.New(cfg)
	require.NoError(t, err)
	caps := client.Capabilities()
	require.NoError(t, refund.CheckAbilities(client))
	assert.Equal(t, "orderrows", caps.Provider)
	assert.Equal(t, "shop-se", caps.Account)
	assert.Equal(t, "mgmtapi.geins.io", caps.Target)
	assert.Equal(t, 2*time.Hour, caps.AbsenceAfter)
	assert.Equal(t, refund.ListsByTime, caps.Lists)
	assert.True(t, caps.Reads)
	assert.False(t, caps.RejectsExcess, "no cap is documented")
	assert.False(t, caps.Synchronous, "a refund is a record that somebody pays")
}
