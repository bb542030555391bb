package afterpay_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

func config() afterpay.Config {
	return afterpay.Config{
		Environment: afterpay.Production, MerchantID: "32", SecretKey: refund.NewSecret("abcdefgh"), Currency: "AUD",
		MerchantName: "Merchantname", Platform: "E-Commerce Platform Name/1.0.0", MerchantURL: "https://merchant.example.com",
	}
}

func TestNewNamesTheField(t *testing.T) {
	for _, tt := range []struct {
		field  string
		change func(*afterpay.Config)
	}{
		{"Environment", func(c *afterpay.Config) { c.Environment = "" }},
		{"MerchantID", func(c *afterpay.Config) { c.MerchantID = "" }},
		{"MerchantID", func(c *afterpay.Config) { c.MerchantID = "32:1" }},
		{"MerchantID", func(c *afterpay.Config) { c.MerchantID = "3 2" }},
		{"SecretKey", func(c *afterpay.Config) { c.SecretKey = refund.Secret{} }},
		{"SecretKey", func(c *afterpay.Config) { c.TokenSource = tokenFunc(nil) }},
		{"TokenSource", func(c *afterpay.Config) { c.SecretKey, c.TokenSource = refund.Secret{}, tokenFunc(nil) }},
		{"Currency", func(c *afterpay.Config) { c.Currency = "" }},
		{"Currency", func(c *afterpay.Config) { c.Currency = "JPY" }},
		{"MerchantName", func(c *afterpay.Config) { c.MerchantName = "" }},
		{"MerchantName", func(c *afterpay.Config) { c.MerchantName = "a\r\nb" }},
		{"MerchantName", func(c *afterpay.Config) { c.MerchantName = "a) b" }},
		{"Platform", func(c *afterpay.Config) { c.Platform = "MyShop" }},
		{"Platform", func(c *afterpay.Config) { c.Platform = "/1" }},
		{"MerchantURL", func(c *afterpay.Config) { c.MerchantURL = "" }},
		{"MerchantURL", func(c *afterpay.Config) { c.MerchantURL = "merchant.example.com" }},
		{"BaseURL", func(c *afterpay.Config) { c.BaseURL = "http://global-api.afterpay.com" }},
		{"Transport", func(c *afterpay.Config) { c.Transport = (*http.Transport)(nil) }},
		{"UserAgent", func(c *afterpay.Config) { c.UserAgent = "a\nb" }},
		{"Account", func(c *afterpay.Config) { c.Account = "a b" }},
		{"AbsenceAfter", func(c *afterpay.Config) { c.AbsenceAfter = -1 }},
	} {
		cfg := config()
		tt.change(&cfg)
		client, err := afterpay.New(cfg)
		assert.Nil(t, client)
		var e *refund.Error
		require.ErrorAs(t, err, &e, tt.field)
		assert.Equal(t, tt.field, e.Field)
		assert.Equal(t, "afterpay", e.Provider)
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		assert.NotContains(t, err.Error(), "abcdefgh")
	}
}

// TestDocumentedHeaders compares with the examples of the documentation (authentication, request headers).
func TestDocumentedHeaders(t *testing.T) {
	wire := &wiretest.Transport{Status: http.StatusOK, Body: `{"id":"1"}`}
	cfg := config()
	cfg.Transport, cfg.UserAgent = wire, "shop-backend/7"
	client, err := afterpay.New(cfg)
	require.NoError(t, err)
	_, err = client.RetrievePayment(t.Context(), "1")
	require.NoError(t, err)
	assert.Contains(t, wire.Dumps[0], "Authorization: Basic MzI6YWJjZGVmZ2g=\n")
	assert.Regexp(t, `User-Agent: shop-backend/7 refund-go/[0-9.]+ \(E-Commerce Platform Name/1.0.0; Go/GOVERSION; Merchantname/32\) https://merchant.example.com\n`, wire.Dumps[0])
	assert.Contains(t, wire.Dumps[0], "GET https://global-api.afterpay.com/v2/payments/1\n")
}

func TestConfigDoesNotPrintTheSecret(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		assert.NotContains(t, fmt.Sprintf(verb, config()), "abcdefgh")
	}
}
