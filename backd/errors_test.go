package backd_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

// TestErrors has every kind of answer that is no success. The documentation has none: no status but 200, no code.
func TestErrors(t *testing.T) {
	const (
		html  = `<html><title>Attention Required!</title></html>`
		plain = "Unauthorized"
		other = `{"detail":"of somebody else"}`
	)
	// said is Backd's envelope with an error, as far as it is documented.
	said := func(code string) string {
		return `{"message":"in words","status":{"type":"a_type","code":` + code + `,"error":true}}`
	}
	// shown is the same beside the order, which has a request in a status.
	shown := func(code, status string) string {
		return `{"data":{"backd_order_id":"B1","refunds":[` + entry("10.00", "2026-04-16 10:30:00", status) + `]},` + said(code)[1:]
	}
	for _, tt := range []struct {
		status  int
		body    string
		kind    error
		outcome refund.Outcome
		advice  refund.Advice
	}{
		// status.error with the documented status.
		{200, said("400"), refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{200, said("401"), refund.ErrUnauthorized, refund.OutcomeRejected, refund.AdviceFix},
		{200, said("403"), refund.ErrForbidden, refund.OutcomeRejected, refund.AdviceFix},
		{200, said("404"), refund.ErrOrderNotFound, refund.OutcomeRejected, refund.AdviceFix},
		{200, said("405"), refund.ErrUnexpected, refund.OutcomeRejected, refund.AdviceStop},
		{200, said("409"), refund.ErrConflict, refund.OutcomeRejected, refund.AdviceWait},
		{200, said("422"), refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{200, said("423"), refund.ErrLocked, refund.OutcomeRejected, refund.AdviceWait},
		{200, said("429"), refund.ErrRateLimited, refund.OutcomeRejected, refund.AdviceWait},
		{200, said("0"), refund.ErrUnexpected, refund.OutcomeRejected, refund.AdviceStop},
		{200, said("1042"), refund.ErrUnexpected, refund.OutcomeRejected, refund.AdviceStop},
		{200, said("null"), refund.ErrUnexpected, refund.OutcomeRejected, refund.AdviceStop},
		{200, said(`"404"`), refund.ErrOrderNotFound, refund.OutcomeRejected, refund.AdviceFix},
		{200, said(`[]`), refund.ErrUnexpected, refund.OutcomeRejected, refund.AdviceStop},
		{201, said("400"), refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{200, said("408"), refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{200, said("500"), refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{200, said("599"), refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		// What contradicts itself.
		{200, said("200"), refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{200, said("302"), refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{200, shown("409", "draft"), refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{200, shown("0", "executed"), refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{200, shown("409", "declined"), refund.ErrConflict, refund.OutcomeRejected, refund.AdviceWait},
		{409, shown("409", "draft"), refund.ErrConflict, refund.OutcomeRejected, refund.AdviceWait},
		// status.error with a status of HTTP's own.
		{400, said("1"), refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{401, said("401"), refund.ErrUnauthorized, refund.OutcomeRejected, refund.AdviceFix},
		{403, said("403"), refund.ErrForbidden, refund.OutcomeRejected, refund.AdviceFix},
		{404, said("404"), refund.ErrOrderNotFound, refund.OutcomeRejected, refund.AdviceFix},
		{405, said("405"), refund.ErrUnexpected, refund.OutcomeRejected, refund.AdviceStop},
		{409, said("409"), refund.ErrConflict, refund.OutcomeRejected, refund.AdviceWait},
		{418, said("418"), refund.ErrUnexpected, refund.OutcomeRejected, refund.AdviceStop},
		{422, said("422"), refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{429, said("429"), refund.ErrRateLimited, refund.OutcomeRejected, refund.AdviceWait},
		{302, said("400"), refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{408, said("400"), refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, said("400"), refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{503, said("503"), refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		// Nothing is known: what stands in front of Backd may say it after Backd has acted.
		{401, plain, refund.ErrUnauthorized, refund.OutcomeUnknown, refund.AdviceResolve},
		{401, "", refund.ErrUnauthorized, refund.OutcomeUnknown, refund.AdviceResolve},
		{403, html, refund.ErrForbidden, refund.OutcomeUnknown, refund.AdviceResolve},
		{403, other, refund.ErrForbidden, refund.OutcomeUnknown, refund.AdviceResolve},
		{404, html, refund.ErrOrderNotFound, refund.OutcomeUnknown, refund.AdviceResolve},
		{404, order(""), refund.ErrOrderNotFound, refund.OutcomeUnknown, refund.AdviceResolve},
		{405, plain, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{302, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{400, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{400, other, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{400, order(""), refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{402, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{408, "", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{409, "", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{422, other, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{429, plain, refund.ErrRateLimited, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, "", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, order(""), refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{502, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{503, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{504, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
	} {
		t.Run(fmt.Sprintf("%d %.90s", tt.status, tt.body), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bad := &wiretest.Transport{Status: tt.status, Body: tt.body}
				good := &wiretest.Transport{Status: http.StatusOK, Body: order("")}
				client := newClient(t, split{good, bad})
				_, err := client.Refund(t.Context(), commonRequest("10.00"))
				require.ErrorIs(t, err, tt.kind)
				var e *refund.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, tt.outcome, e.Outcome)
				assert.Equal(t, tt.advice, e.Advice())
				assert.Equal(t, tt.status, e.HTTPStatus)
				assert.Equal(t, tt.body, string(e.Raw))
				assert.NotEmpty(t, e.Message)
				assert.Equal(t, e.Outcome == refund.OutcomeUnknown, e.Attempt.Snapshot == "[]", "the error carries what Resolve needs")
				assert.Len(t, bad.Dumps, 1, "a refund is never sent again")
				if e.Code != "success" {
					assert.Equal(t, e.Code != "", backd.HasCode(err, "a_type"))
				}

				// Natively it is the same, and the other write has the same table.
				_, err = client.ReplaceRefund(t.Context(), nativeRequest())
				assert.Equal(t, tt.outcome, refund.OutcomeOf(err))
				_, err = client.DeleteRefund(t.Context(), backd.DeleteRequest{BackdOrderID: "B1", MerchantOrderID: "M1"})
				assert.Equal(t, tt.outcome, refund.OutcomeOf(err))
				assert.Len(t, bad.Dumps, 3)

				// The same answer to a read never makes anything unknown, and to the look-up before a refund means
				// that it was not sent.
				client = newClient(t, bad)
				_, err = client.FindOrder(t.Context(), "B1")
				require.ErrorIs(t, err, tt.kind)
				assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))
				_, err = client.Refund(t.Context(), commonRequest("10.00"))
				require.ErrorIs(t, err, tt.kind)
				require.ErrorAs(t, err, &e)
				assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
				assert.Equal(t, "refund-1", e.IdempotencyKey)
			})
		})
	}
}

// TestErrorsHideTheOrder: an envelope may hold the whole order, with its contacts.
func TestErrorsHideTheOrder(t *testing.T) {
	for _, body := range []string{
		`{"data":{"shipping":{"name":{"first":"Canary"}}},"status":{"code":400,"error":true}}`,
		`{"data":{"shipping":{"name":{"first":"Canary"}}}}`,
	} {
		_, err := newClient(t, &wiretest.Transport{Status: http.StatusBadRequest, Body: body}).FindOrder(t.Context(), "B1")
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "Canary")
	}
}

func TestHasCode(t *testing.T) {
	ours := &refund.Error{Provider: "backd", Code: "a_type"}
	assert.True(t, backd.HasCode(fmt.Errorf("wrapped: %w", ours), "x", "a_type"))
	assert.False(t, backd.HasCode(ours, "x"))
	assert.False(t, backd.HasCode(ours))
	assert.False(t, backd.HasCode(&refund.Error{Provider: "instant", Code: "a_type"}, "a_type"))
	assert.False(t, backd.HasCode(errors.New("a_type"), "a_type"))
	assert.False(t, backd.HasCode(nil, "a_type"))
}
