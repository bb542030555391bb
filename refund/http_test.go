package refund_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

var outcomes = []refund.Outcome{refund.OutcomeUnknown, refund.OutcomeNotSent, refund.OutcomeRejected}

func TestHTTPStatus(t *testing.T) {
	// By kind, unless the outcome is unknown.
	table := map[refund.Kind]int{
		refund.ErrInvalidRequest:   400,
		refund.ErrOrderNotFound:    404,
		refund.ErrConflict:         409,
		refund.ErrLocked:           409,
		refund.ErrInFlight:         409,
		refund.ErrDuplicate:        409,
		refund.ErrNotRefundable:    422,
		refund.ErrAmountExceeded:   422,
		refund.ErrCurrencyMismatch: 422,
		refund.ErrWindowExpired:    422,
		refund.ErrKeyReused:        422,
		refund.ErrUnauthorized:     502,
		refund.ErrForbidden:        502,
		refund.ErrUnexpected:       502,
		refund.ErrUnavailable:      503,
		refund.ErrRateLimited:      503,
	}
	require.Len(t, table, len(kinds))
	for _, k := range kinds {
		for _, outcome := range outcomes {
			t.Run(k.word+", "+outcome.String(), func(t *testing.T) {
				want := table[k.kind]
				if outcome == refund.OutcomeUnknown && k.kind != refund.ErrKeyReused {
					want = 202
				}
				err := &refund.Error{Kind: k.kind, Outcome: outcome, HTTPStatus: 418}
				assert.Equal(t, want, refund.HTTPStatus(err))
				assert.Equal(t, want, refund.HTTPStatus(fmt.Errorf("shop: %w", err)))
				assert.Equal(t, want, refund.HTTPStatus(errors.Join(errors.New("not recorded"), err)))
			})
		}
	}
	assert.Equal(t, 200, refund.HTTPStatus(nil))
	for _, foreign := range []error{errors.New("boom"), context.Canceled, context.DeadlineExceeded, refund.ErrOrderNotFound} {
		assert.Equal(t, 500, refund.HTTPStatus(foreign), foreign)
	}
	for _, strange := range []refund.Kind{0, -1, 17} {
		assert.Equal(t, 502, refund.HTTPStatus(&refund.Error{Kind: strange, Outcome: refund.OutcomeRejected}), strange)
		assert.Equal(t, 202, refund.HTTPStatus(&refund.Error{Kind: strange}), strange)
	}
}

// problem is what a reader of problem+json finds.
type problem struct {
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail"`
	Outcome string `json:"outcome"`
	Kind    string `json:"kind"`
	Advice  string `json:"advice"`
}

func TestProblemJSON(t *testing.T) {
	var golden bytes.Buffer
	for _, err := range []error{
		fullError(),
		&refund.Error{
			Provider: "backd", Op: "refund", Kind: refund.ErrAmountExceeded, Outcome: refund.OutcomeRejected, Code: "too_much",
			Message: `the order has "5.00" <left>`, IdempotencyKey: "key-2", RequestID: "r-2",
		},
		&refund.Error{Kind: refund.ErrRateLimited, Outcome: refund.OutcomeRejected, RetryAfter: 1500 * time.Millisecond},
		&refund.Error{Kind: refund.ErrInvalidRequest, Outcome: refund.OutcomeNotSent, Field: "Amount", Message: "is missing"},
		&refund.Error{},
		errors.New("private"),
	} {
		require.NoError(t, json.Indent(&golden, refund.ProblemJSON(err), "", "  "))
		golden.WriteByte('\n')
	}
	wiretest.Golden(t, "problem", golden.String())
}

func TestProblemJSONOfEveryError(t *testing.T) {
	for _, k := range kinds {
		for _, outcome := range outcomes {
			err := &refund.Error{Kind: k.kind, Outcome: outcome, Message: "is odd"}
			word, textErr := outcome.MarshalText()
			require.NoError(t, textErr)
			var got problem
			require.NoError(t, json.Unmarshal(refund.ProblemJSON(fmt.Errorf("private: %w", err)), &got))
			assert.Equal(t, problem{
				Title: k.kind.Error(), Status: refund.HTTPStatus(err), Detail: "is odd",
				Outcome: string(word), Kind: k.word, Advice: string(err.Advice()),
			}, got)
		}
	}
}

// Whoever asks the shop's API is not whoever may read the shop's log.
func TestProblemJSONHasNothingSecret(t *testing.T) {
	caused := fullError()
	caused.Err = errors.New("private")
	for name, err := range map[string]error{
		"an error of ours": caused,
		"wrapped":          fmt.Errorf("private: %w", fullError()),
		"joined":           errors.Join(errors.New("private"), fullError()),
		"a foreign error":  errors.New("private"),
		"a foreign cause":  &refund.Error{Kind: refund.ErrUnavailable, Err: errors.New("private")},
		"another of ours as the cause": &refund.Error{
			Err: &refund.Error{Message: "private", Code: "private", Provider: "private", IdempotencyKey: "private"},
		},
	} {
		body := refund.ProblemJSON(err)
		assert.True(t, json.Valid(body), name)
		assertPrivate(t, string(body), "private", "%s", name)
	}
	var foreign problem
	require.NoError(t, json.Unmarshal(refund.ProblemJSON(errors.New("private")), &foreign))
	assert.Equal(t, problem{
		Title: http.StatusText(500), Status: 500, Outcome: "unknown", Kind: "none", Advice: string(refund.AdviceResolve),
	}, foreign, "nothing is known of it, so money may have moved")
}

func TestProblemJSONIsAlwaysJSON(t *testing.T) {
	odd := "\xff\x00\"\n</script>\u2028"
	body := refund.ProblemJSON(&refund.Error{
		Provider: odd, Account: odd, Op: odd, Field: odd, Code: odd, Message: odd, RequestID: odd, IdempotencyKey: odd,
		Kind: 99, Outcome: 99, RetryAfter: math.MaxInt64,
	})
	assert.True(t, json.Valid(body), "%s", body)
	assert.NotContains(t, string(body), "</script>")
}
