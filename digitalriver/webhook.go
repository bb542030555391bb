package digitalriver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const (
	// SignatureHeader is the header of a webhook request that carries its signature.
	SignatureHeader = "DigitalRiver-Signature"

	defaultTolerance = 5 * time.Minute
)

// EventType says what happened. Open: new values are kept verbatim.
type EventType string

// The documented events of refunds (event types page).
const (
	EventRefundPending            EventType = "refund.pending"
	EventRefundPendingInformation EventType = "refund.pending_information"
	EventRefundComplete           EventType = "refund.complete" // the refund's state is succeeded
	EventRefundFailed             EventType = "refund.failed"
	EventRefundUpdated            EventType = "refund.updated"   // its metadata
	EventRefundSucceeded          EventType = "refund.succeeded" // listed in addition to complete
	EventRefundCreated            EventType = "refund.created"   // no longer sent
)

// The documented events of orders and charges that refunds set off (event types page). Event.Refund is nil: what the
// object is differs between the samples of the charge's events, a charge or an order.
const (
	EventOrderRefunded        EventType = "order.refunded" // the object is the order
	EventChargeRefundPending  EventType = "order.charge.refund.pending"
	EventChargeRefundComplete EventType = "order.charge.refund.complete"
	EventChargeRefundFailed   EventType = "order.charge.refund.failed"
	EventCreditMemoCreated    EventType = "order.credit_memo.created"
)

// Event is a webhook event. Events come more than once (the ID tells), at the same time and in any order: read the refund
// again before acting on one (best practices page).
type Event struct {
	ID                  ID
	Type                EventType
	CreatedTime         Time
	LiveMode            bool
	WebhookIDs          []ID
	DigitalRiverVersion string
	// Refund is what the event is about; nil unless Type begins with "refund.".
	Refund *Refund
	// Object and PreviousAttributes are the JSON of data.object and data.previousAttributes.
	Object, PreviousAttributes json.RawMessage
}

// ParseEvent reads the body of a webhook request. Check it with VerifySignature first, and bound what you read
// with http.MaxBytesReader. An error is a *refund.Error of kind ErrInvalidRequest.
func ParseEvent(payload []byte) (*Event, error) {
	op := &httpx.Op{Provider: provider, Name: "parse event"}
	var envelope struct {
		ID          ID        `json:"id"`
		Type        EventType `json:"type"`
		CreatedTime Time      `json:"createdTime"`
		LiveMode    bool      `json:"liveMode"`
		WebhookIDs  []ID      `json:"webhookIds"`
		// The schema has a capital R in it, payloads have not: encoding/json takes both.
		Version string `json:"digitalriverVersion"`
		Data    struct {
			Object             json.RawMessage `json:"object"`
			PreviousAttributes json.RawMessage `json:"previousAttributes"`
		} `json:"data"`
	}
	if err := httpx.Unmarshal(payload, &envelope); err != nil {
		return nil, op.Invalid("payload", "is not an event of Digital River's")
	}
	if envelope.ID == "" || envelope.Type == "" {
		return nil, op.Invalid("payload", "has no id or no type")
	}
	e := &Event{
		ID: envelope.ID, Type: envelope.Type, CreatedTime: envelope.CreatedTime, LiveMode: envelope.LiveMode,
		WebhookIDs: envelope.WebhookIDs, DigitalRiverVersion: envelope.Version,
		Object: envelope.Data.Object, PreviousAttributes: envelope.Data.PreviousAttributes,
	}
	if strings.HasPrefix(string(e.Type), "refund.") {
		if err := httpx.Unmarshal(e.Object, &e.Refund); err != nil || e.Refund.ID == "" {
			return nil, op.Invalid("payload", "has no refund in data.object")
		}
	}
	return e, nil
}

// VerifySignature checks the SignatureHeader of a webhook request with its raw body. secrets are the webhook's tokens
// of the Dashboard: two while one replaces the other. The signature must not be older, or newer, than tolerance; 0
// means 5 minutes, negative any age. An error is a *refund.Error of kind ErrUnauthorized.
//
// The scheme is in no document. It is that of the official cartridge (sfcc_link_digitalriver, drHooksHelper.js): the
// header is "<timestamp>, <signature>", the signature the base64 HMAC-SHA256 of "<timestamp>.<body>". What is not known:
// whether the timestamp is in seconds or milliseconds (both are taken, by their size), and what the header looks like
// with two tokens.
func VerifySignature(header string, payload []byte, tolerance time.Duration, secrets ...refund.Secret) error {
	op := &httpx.Op{Provider: provider, Name: "verify signature"}
	timestamp, signature, ok := strings.Cut(header, ",")
	at, good := signedAt(timestamp)
	if !ok || !good {
		return op.NotSent(refund.ErrUnauthorized, SignatureHeader, `is not like "<timestamp>, <signature>"`)
	}
	// Anybody can sign with an empty secret.
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(s refund.Secret) bool { return s.Reveal() == "" })
	signature = strings.TrimSpace(signature)
	if !slices.ContainsFunc(secrets, func(s refund.Secret) bool {
		return hmac.Equal([]byte(signature), []byte(sign(s, timestamp, payload)))
	}) {
		return op.NotSent(refund.ErrUnauthorized, SignatureHeader, "does not match the payload with any of the secrets")
	}
	if tolerance == 0 {
		tolerance = defaultTolerance
	}
	if age := time.Since(at).Abs(); tolerance > 0 && age > tolerance {
		return op.NotSent(refund.ErrUnauthorized, SignatureHeader, "is %s away from now; %s are allowed", age.Truncate(time.Second), tolerance)
	}
	return nil
}

// SignPayload returns the SignatureHeader of a payload that is sent at some time, for tests of webhook handlers.
func SignPayload(secret refund.Secret, payload []byte, at time.Time) string {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	return timestamp + ", " + sign(secret, timestamp, payload)
}

func sign(secret refund.Secret, timestamp string, payload []byte) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(timestamp + "."))
	mac.Write(payload)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signedAt reads a timestamp of digits: in seconds, or in milliseconds if it is too large for that (before the year 5138
// and after 1973).
func signedAt(timestamp string) (time.Time, bool) {
	n, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, false
	}
	if n >= 1e11 {
		return time.UnixMilli(n), true
	}
	return time.Unix(n, 0), true
}
