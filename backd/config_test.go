package backd_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

func config() backd.Config {
	return backd.Config{Environment: backd.Production, PublicKey: "pk_placeholder1", SecretKey: refund.NewSecret("sk_placeholder1")}
}

func TestNewNamesTheField(t *testing.T) {
	for _, tt := range []struct {
		field  string
		change func(*backd.Config)
	}{
		{"Environment", func(c *backd.Config) { c.Environment = "" }},
		{"PublicKey", func(c *backd.Config) { c.PublicKey = "" }},
		{"PublicKey", func(c *backd.Config) { c.PublicKey = "pk:1" }},
		{"PublicKey", func(c *backd.Config) { c.PublicKey = "pk 1" }},
		{"SecretKey", func(c *backd.Config) { c.SecretKey = refund.Secret{} }},
		{"BaseURL", func(c *backd.Config) { c.BaseURL = "http://service.bnpl.backd.com" }},
		{"Transport", func(c *backd.Config) { c.Transport = (*http.Transport)(nil) }},
		{"UserAgent", func(c *backd.Config) { c.UserAgent = "a\nb" }},
		{"Account", func(c *backd.Config) { c.Account = "a b" }},
		{"AbsenceAfter", func(c *backd.Config) { c.AbsenceAfter = -1 }},
	} {
		cfg := config()
		tt.change(&cfg)
		client, err := backd.New(cfg)
		assert.Nil(t, client)
		var e *refund.Error
		require.ErrorAs(t, err, &e, tt.field)
		assert.Equal(t, tt.field, e.Field)
		assert.Equal(t, "backd", e.Provider)
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		assert.NotContains(t, err.Error(), "sk_placeholder1")
	}
}

// TestDocumentedHeaders uses the placeholders and the hosts of the documentation (api_auth page).
func TestDocumentedHeaders(t *testing.T) {
	for environment, host := range map[backd.Environment]string{
		backd.Production: "service.bnpl.backd.com", backd.Sandbox: "sandbox.service.bnpl.backd.com",
	} {
		wire := &wiretest.Transport{Status: http.StatusOK, Body: order("")}
		cfg := config()
		cfg.Environment, cfg.Transport, cfg.UserAgent = environment, wire, "shop-backend/7"
		client, err := backd.New(cfg)
		require.NoError(t, err)
		_, err = client.FindOrder(t.Context(), "B1")
		require.NoError(t, err)
		assert.Contains(t, wire.Dumps[0], "Authorization: Basic cGtfcGxhY2Vob2xkZXIxOnNrX3BsYWNlaG9sZGVyMQ==\n")
		assert.Regexp(t, `User-Agent: shop-backend/7 refund-go/[0-9.]+\n`, wire.Dumps[0])
		assert.Contains(t, wire.Dumps[0], "GET https://"+host+"/v1/backd/bnpl/api/find_order/B1\n")
	}
}

func TestConfigDoesNotPrintTheSecret(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		assert.NotContains(t, fmt.Sprintf(verb, config()), "sk_placeholder1")
	}
}
