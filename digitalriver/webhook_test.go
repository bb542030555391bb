package digitalriver_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/refund"
)

const event = `{"id":"evt_1","type":"refund.failed","createdTime":"2021-04-05T10:11:12.5Z","liveMode":true,"webhookIds":["wh_1"],
	"digitalriverVersion":"2021-03-23","data":{"object":{"id":"re_1","orderId":190214700336,"state":"failed","refundedAmount":0.0,
	"failureReason":"expired_or_canceled_card"},"previousAttributes":{"state":"pending"}}}`

func TestParseEvent(t *testing.T) {
	got, err := digitalriver.ParseEvent([]byte(event))
	require.NoError(t, err)
	assert.Equal(t, digitalriver.ID("evt_1"), got.ID)
	assert.Equal(t, digitalriver.EventRefundFailed, got.Type)
	assert.Equal(t, time.Date(2021, 4, 5, 10, 11, 12, 5e8, time.UTC), got.CreatedTime.Time)
	assert.True(t, got.LiveMode)
	assert.Equal(t, []digitalriver.ID{"wh_1"}, got.WebhookIDs)
	assert.Equal(t, "2021-03-23", got.DigitalRiverVersion)
	assert.Equal(t, digitalriver.StateFailed, got.Refund.State)
	assert.Equal(t, digitalriver.ID("190214700336"), got.Refund.OrderID)
	assert.JSONEq(t, `{"state":"pending"}`, string(got.PreviousAttributes))

	got, err = digitalriver.ParseEvent([]byte(`{"id":"evt_2","type":"order.refunded","digitalRiverVersion":"x","data":{"object":{"id":"1"}}}`))
	require.NoError(t, err)
	assert.Nil(t, got.Refund, "its object is an order")
	assert.JSONEq(t, `{"id":"1"}`, string(got.Object))
	assert.Equal(t, "x", got.DigitalRiverVersion)

	for _, bad := range []string{
		"", "null", "<html>", "[]", "{}", `{"id":"evt_1"}`, `{"type":"refund.failed"}`, `{"id":"e","type":"refund.failed"}`,
		`{"id":"e","type":"refund.failed","data":{"object":null}}`, `{"id":"e","type":"refund.failed","data":{"object":{}}}`,
		`{"id":"e","type":"refund.failed","data":{"object":{"id":"1","state":7}}}`,
	} {
		got, err := digitalriver.ParseEvent([]byte(bad))
		assert.Nil(t, got, bad)
		require.ErrorIs(t, err, refund.ErrInvalidRequest, bad)
	}
}

func TestVerifySignature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret, other, none := refund.NewSecret("webhook-token"), refund.NewSecret("old-token"), refund.Secret{}
		payload, now := []byte(event), time.Now()
		header := digitalriver.SignPayload(secret, payload, now)
		// By hand, as the cartridge does it, in milliseconds.
		ms := strconv.FormatInt(now.UnixMilli(), 10)
		mac := hmac.New(sha256.New, []byte("webhook-token"))
		mac.Write([]byte(ms + "." + event))
		byHand := ms + ", " + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		ago := func(d time.Duration) string { return digitalriver.SignPayload(secret, payload, now.Add(-d)) }
		for name, tt := range map[string]struct {
			header    string
			payload   string
			tolerance time.Duration
			secrets   []refund.Secret
			good      bool
		}{
			"good":            {header, event, 0, []refund.Secret{secret}, true},
			"milliseconds":    {byHand, event, 0, []refund.Secret{secret}, true},
			"either secret":   {header, event, 0, []refund.Secret{other, secret}, true},
			"in time":         {ago(5 * time.Minute), event, 0, []refund.Secret{secret}, true},
			"any age":         {ago(9999 * time.Hour), event, -1, []refund.Secret{secret}, true},
			"own tolerance":   {ago(time.Hour), event, 2 * time.Hour, []refund.Secret{secret}, true},
			"too old":         {ago(5*time.Minute + time.Second), event, 0, []refund.Secret{secret}, false},
			"too new":         {ago(-5*time.Minute - time.Second), event, 0, []refund.Secret{secret}, false},
			"other secret":    {header, event, 0, []refund.Secret{other}, false},
			"no secret":       {header, event, 0, nil, false},
			"an empty secret": {digitalriver.SignPayload(none, payload, now), event, 0, []refund.Secret{none, refund.NewSecret("")}, false},
			"other payload":   {header, event + " ", 0, []refund.Secret{secret}, false},
			"no timestamp":    {", " + header, event, 0, []refund.Secret{secret}, false},
			"other timestamp": {"1" + header, event, -1, []refund.Secret{secret}, false},
			"no signature":    {"1617617472", event, -1, []refund.Secret{secret}, false},
			"empty signature": {"1617617472, ", event, -1, []refund.Secret{secret}, false},
			"no header":       {"", event, -1, []refund.Secret{secret}, false},
			"negative":        {"-5, x", event, -1, []refund.Secret{secret}, false},
		} {
			err := digitalriver.VerifySignature(tt.header, []byte(tt.payload), tt.tolerance, tt.secrets...)
			if tt.good {
				require.NoError(t, err, name)
				continue
			}
			require.ErrorIs(t, err, refund.ErrUnauthorized, name)
			assert.NotContains(t, err.Error(), "webhook-token")
		}
	})
}

// FuzzWebhook lets anything come in. Nothing may panic, and only what was signed is good.
func FuzzWebhook(f *testing.F) {
	secret := refund.NewSecret("webhook-token")
	f.Add(event, digitalriver.SignPayload(secret, []byte(event), time.Unix(1617617472, 0)))
	f.Add(`{"id":1,"type":"refund.x","data":{"object":{"id":2}}}`, "9223372036854775807, AAAA")
	f.Fuzz(func(t *testing.T, payload, header string) {
		if e, err := digitalriver.ParseEvent([]byte(payload)); err == nil {
			require.NotEmpty(t, e.ID)
		}
		if digitalriver.VerifySignature(header, []byte(payload), -1, secret) == nil {
			require.Error(t, digitalriver.VerifySignature(header, []byte(payload+"x"), -1, secret))
		}
		now := time.Now()
		require.NoError(t, digitalriver.VerifySignature(digitalriver.SignPayload(secret, []byte(payload), now), []byte(payload), 0, secret))
	})
}
