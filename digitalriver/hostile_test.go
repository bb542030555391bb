package digitalriver_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// middlebox delivers each POST twice and hands back the second response. Reads fail from then on if readsDown.
type middlebox struct {
	next      http.RoundTripper
	readsDown bool
	posted    bool
}

func (m *middlebox) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodPost {
		if m.posted && m.readsDown {
			return nil, io.ErrUnexpectedEOF
		}
		return m.next.RoundTrip(req)
	}
	m.posted = true
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	for range 2 {
		again := req.Clone(context.Background()) // the sender sees one connection
		again.Body = io.NopCloser(bytes.NewReader(body))
		resp, err := m.next.RoundTrip(again)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= http.StatusBadRequest {
			return resp, nil
		}
	}
	return nil, io.ErrUnexpectedEOF
}

// TestRefusedByItself: the refund took all that the order had, and was refused when it was delivered once more.
func TestRefusedByItself(t *testing.T) {
	for _, noLookup := range []bool{false, true} {
		for _, readsDown := range []bool{false, true} {
			sim := digitalrivertest.New()
			req := refund.Request{
				IdempotencyKey: "k", Order: sim.AddOrder(refund.MustParseMoney("10.00", "USD")), Amount: refund.MustParseMoney("10.00", "USD"),
			}
			client := newClient(t, &middlebox{next: refundtest.InMemory(sim), readsDown: readsDown}, func(cfg *digitalriver.Config) {
				cfg.NoLookup, cfg.Retry.MaxAttempts = noLookup, 1
			})
			got, err := client.Refund(t.Context(), req)
			assert.Len(t, sim.Ledger(req.Order), 1)
			if readsDown {
				var e *refund.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, refund.OutcomeUnknown, e.Outcome, "it may be its own cause")
				assert.Equal(t, req, e.Attempt.Request)
				assert.False(t, e.Attempt.LastSent.IsZero())
				continue
			}
			require.NoError(t, err)
			assert.Equal(t, "k", got.IdempotencyKey)
			assert.Equal(t, req.Amount, got.Amount)
			assert.NotEmpty(t, got.Warnings)
		}
	}
}

// TestRefusedByAnother: a refusal that the refund did not cause stays one.
func TestRefusedByAnother(t *testing.T) {
	sim := digitalrivertest.New()
	order := sim.AddOrder(refund.MustParseMoney("10.00", "USD"))
	client := newClient(t, refundtest.InMemory(sim))
	req := refund.Request{IdempotencyKey: "k", Order: order, Amount: refund.MustParseMoney("10.01", "USD")}
	_, err := client.Refund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrAmountExceeded)
	assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))
	assert.Empty(t, sim.Ledger(order))
}

// TestRefusedByWhatIsHidden: the list lags, but the order shows that the money is gone.
func TestRefusedByWhatIsHidden(t *testing.T) {
	reads := byPath{"/refunds": `{"hasMore":false,"data":[]}`, "/orders/1": `{"id":"1","currency":"USD","capturedAmount":10,"availableToRefundAmount":0}`}
	client := newClient(t, transportFunc(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet {
			return reads.RoundTrip(req)
		}
		body := `{"type":"bad_request","errors":[{"code":"invalid_parameter","parameter":"amountRequested"}]}`
		return (&wiretest.Transport{Status: http.StatusBadRequest, Body: body}).RoundTrip(req)
	}))
	_, err := client.Refund(t.Context(), refund.Request{
		IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD"),
	})
	require.ErrorIs(t, err, refund.ErrAmountExceeded)
	assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestFreeTextIsPrivate: a refusal that echoes what a native request says.
func TestFreeTextIsPrivate(t *testing.T) {
	const reason, note = "Mrs Whittingham wants it back", "ring the doorbell of number nine"
	wire := &wiretest.Transport{
		Status: http.StatusBadRequest,
		Body:   `{"type":"bad_request","errors":[{"code":"invalid_parameter","message":"not ` + reason + `, nor ` + note + `"}]}`,
	}
	client := newClient(t, wire)
	_, err := client.CreateRefund(t.Context(), digitalriver.RefundRequest{
		OrderID: "1", Currency: "USD", Amount: number("1"), Reason: reason, Metadata: digitalriver.Metadata{"note": note},
	})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "Whittingham")
	assert.NotContains(t, err.Error(), "doorbell")
	_, err = client.UpdateRefund(t.Context(), "re_1", digitalriver.Metadata{"note": note})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "doorbell")
}

// TestInvalidUTF8 is refused: two texts would become one on the wire.
func TestInvalidUTF8(t *testing.T) {
	wire := &wiretest.Transport{Status: http.StatusCreated}
	client := newClient(t, wire)
	for field, req := range map[string]digitalriver.RefundRequest{
		"Reason":   {Reason: "r-\xff"},
		"Metadata": {Metadata: digitalriver.Metadata{"a": "v-\xff"}},
	} {
		req.OrderID, req.Currency, req.Amount = "1", "USD", number("1")
		_, err := client.CreateRefund(t.Context(), req)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, field, e.Field)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	}
	_, err := client.UpdateRefund(t.Context(), "re_1", digitalriver.Metadata{"k-\xff": "v"})
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
	_, err = client.Refund(t.Context(), refund.Request{
		IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("1.00", "USD"), Reason: "r-\xff",
	})
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
	assert.Empty(t, wire.Dumps)
}

// TestErrorWithoutMessage names the code instead.
func TestErrorWithoutMessage(t *testing.T) {
	for body, want := range map[string]string{
		`{"type":"bad_request","errors":[{"code":"missing_parameter"}]}`:                        "missing_parameter",
		`{"type":"bad_request","errors":[{"code":"missing_parameter","parameter":"currency"}]}`: "missing_parameter (parameter currency)",
		`{"type":"bad_request","errors":[{}]}`:                                                  "",
	} {
		_, err := newClient(t, &wiretest.Transport{Status: http.StatusBadRequest, Body: body}).RetrieveRefund(t.Context(), "re_1")
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, want, e.Message)
	}
}
