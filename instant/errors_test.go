package instant_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

// TestErrors has every documented status and code, and what is met beside them.
func TestErrors(t *testing.T) {
	const (
		html    = "\x00html"
		empty   = "\x00empty"
		cut     = "\x00cut off"
		another = "\x00another shape"
	)
	covered := map[string]bool{}
	for _, tt := range []struct {
		status  int
		code    string
		kind    error
		outcome refund.Outcome
		advice  refund.Advice
	}{
		{500, "REFUND_FAILURE", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, "INVALID_AMOUNT_TO_REFUND", refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{500, "POSSIBLE_DUPLICATE_REFUND", refund.ErrDuplicate, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, "REFUND_AMOUNT_GREATER_THAN_AVAILABLE", refund.ErrAmountExceeded, refund.OutcomeRejected, refund.AdviceFix},
		{500, "NO_ENTITY_FOUND", refund.ErrOrderNotFound, refund.OutcomeRejected, refund.AdviceFix},
		{500, "UNAUTHORIZED", refund.ErrUnauthorized, refund.OutcomeRejected, refund.AdviceFix},
		{500, "INVALID_CREDENTIALS", refund.ErrUnauthorized, refund.OutcomeRejected, refund.AdviceFix},
		{500, "INTENRAL_SERVER_ERROR", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, "INTERNAL_SERVER_ERROR", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		// A 500 that is none of them.
		{500, "A_NEW_CODE", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, "unauthorized", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, empty, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, cut, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, another, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		// No other status is documented: the code decides all the same, and without one nothing is known.
		{400, "INVALID_AMOUNT_TO_REFUND", refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{401, "UNAUTHORIZED", refund.ErrUnauthorized, refund.OutcomeRejected, refund.AdviceFix},
		{404, "NO_ENTITY_FOUND", refund.ErrOrderNotFound, refund.OutcomeRejected, refund.AdviceFix},
		{409, "POSSIBLE_DUPLICATE_REFUND", refund.ErrDuplicate, refund.OutcomeUnknown, refund.AdviceResolve},
		{200, "UNAUTHORIZED", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{201, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{202, "NO_ENTITY_FOUND", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{204, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{302, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{400, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{401, html, refund.ErrUnauthorized, refund.OutcomeUnknown, refund.AdviceResolve},
		{403, html, refund.ErrForbidden, refund.OutcomeUnknown, refund.AdviceResolve},
		{404, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{408, empty, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{409, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{422, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{429, html, refund.ErrRateLimited, refund.OutcomeUnknown, refund.AdviceResolve},
		{502, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{503, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{504, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
	} {
		covered[tt.code] = true
		t.Run(fmt.Sprintf("%d %q", tt.status, tt.code), func(t *testing.T) {
			code := tt.code
			body := fmt.Sprintf(`{"error":%q,"message":"in words"}`, tt.code)
			switch tt.code {
			case html:
				code, body = "", `<html><title>Attention Required!</title></html>`
			case empty:
				code, body = "", ""
			case cut:
				code, body = "", `{"error":"UNAUTHORIZED","mess`
			case another:
				code, body = "", `{"error":{"code":"UNAUTHORIZED"}}`
			}
			wire := &wiretest.Transport{Status: tt.status, Body: body}
			_, err := newClient(t, wire).Refund(t.Context(), request("k", "10.00"))
			require.ErrorIs(t, err, tt.kind)
			var e *refund.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tt.outcome, e.Outcome)
			assert.Equal(t, tt.advice, e.Advice())
			assert.Equal(t, code, e.Code)
			assert.Equal(t, tt.status, e.HTTPStatus)
			assert.Equal(t, body, string(e.Raw))
			assert.Equal(t, code != "", instant.HasCode(err, "x", instant.ErrorCode(code)) && code != "")
			assert.Len(t, wire.Dumps, 1, "an answered refund is never sent again")
		})
	}
	for _, code := range wiretest.Constants(t, "errors.go", "ErrorCode") {
		assert.True(t, covered[code], "no row for code %q", code)
	}
}

// TestMessageOfAnyType: the code counts, whatever the message has become.
func TestMessageOfAnyType(t *testing.T) {
	for _, message := range []string{`null`, `["a","b"]`, `{"text":"a"}`, `7`, `1e999999999`, `""`} {
		wire := &wiretest.Transport{Status: http.StatusInternalServerError, Body: `{"message":` + message + `,"error":"NO_ENTITY_FOUND"}`}
		_, err := newClient(t, wire).Refund(t.Context(), request("k", "10.00"))
		assert.ErrorIs(t, err, refund.ErrOrderNotFound, message)
	}
}

// TestMessageHidesTheToken: a server may quote what it refuses.
func TestMessageHidesTheToken(t *testing.T) {
	for _, body := range []string{
		`{"error":"UNAUTHORIZED","message":"` + instanttest.AppAuth + ` is wrong"}`,
		`<html>` + instanttest.AppAuth + `</html>`,
	} {
		wire := &wiretest.Transport{Status: http.StatusInternalServerError, Body: body}
		_, err := newClient(t, wire).Refund(t.Context(), request("k", "10.00"))
		require.Error(t, err)
		assert.NotContains(t, err.Error(), instanttest.AppAuth)
	}
}

func TestHasCode(t *testing.T) {
	ours := &refund.Error{Provider: "instant", Code: "NO_ENTITY_FOUND"}
	assert.True(t, instant.HasCode(fmt.Errorf("wrapped: %w", ours), instant.CodeUnauthorized, instant.CodeNoEntityFound))
	assert.False(t, instant.HasCode(ours, instant.CodeUnauthorized))
	assert.False(t, instant.HasCode(ours))
	assert.False(t, instant.HasCode(&refund.Error{Provider: "afterpay", Code: "NO_ENTITY_FOUND"}, instant.CodeNoEntityFound))
	assert.False(t, instant.HasCode(errors.New("NO_ENTITY_FOUND"), instant.CodeNoEntityFound))
	assert.False(t, instant.HasCode(nil, instant.CodeNoEntityFound))
}
