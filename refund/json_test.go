package refund_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

// The JSON of these types is stored and sent by others, so that a changed name or word must fail here.

func fullRequest() refund.Request {
	return refund.Request{
		IdempotencyKey: "key-1", Order: refund.Order{ID: "1001", MerchantID: "shop-1001", InvoiceID: "inv-7"},
		Amount: refund.MustParseMoney("10.99", "AUD"), Part: refund.PartShipping, Line: "row-1",
		PurchasedAt: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), Captured: refund.MustParseMoney("100.00", "AUD"),
		Reason: "broken kettle", Metadata: map[string]string{"Ticket": "T-1"},
	}
}

func fullRefund() refund.Refund {
	return refund.Refund{
		ID: "r-1", IdempotencyKey: "key-1", Provider: "afterpay", Account: "shop-au",
		Order:  refund.Order{ID: "1001", MerchantID: "shop-1001", InvoiceID: "inv-7"},
		Amount: refund.MustParseMoney("10.99", "AUD"), Status: refund.StatusNeedsAction, ProviderStatus: "PENDING_INFORMATION",
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), LocksAt: time.Date(2026, 1, 3, 3, 4, 5, 0, time.UTC),
		ExpiresAt: time.Date(2026, 2, 2, 3, 4, 5, 0, time.UTC), FailureReason: "the account is closed",
		Replayed: true, Warnings: []string{"late"}, Raw: refund.Raw(answer),
	}
}

func fullAttempt() refund.Attempt {
	return refund.Attempt{
		Request: fullRequest(), Snapshot: "[]", Answered: true, Tries: 3,
		FirstSent: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), LastSent: time.Date(2026, 1, 2, 3, 5, 5, 0, time.UTC),
		MissedAt: time.Date(2026, 1, 2, 4, 5, 5, 0, time.UTC), LookOnly: true,
		Known: []refund.Known{{Key: "key-0", RefundID: "r-0"}, {RefundID: "r-2"}, {Key: "key-2"}},
	}
}

func fullCapabilities() refund.Capabilities {
	return refund.Capabilities{
		Provider: "somepay", Account: "shop-au", Target: "api.somepay.test", Partial: true, MultipleRefunds: true, RejectsExcess: true,
		Synchronous: true, Repeat: refund.RepeatRefundsAgain, ResolvedBy: refund.ResolvedBySnapshot, Reads: true, Lists: refund.ListsByTime,
		Cancels: true, Snapshots: true, Currencies: []string{"AUD", "NZD"}, Parts: []refund.Part{refund.PartTax, refund.PartReturnCost},
		RefundsLines: true, Reason: true, Metadata: true, Window: 120 * 24 * time.Hour, KeyLife: time.Hour, AbsenceAfter: 90 * time.Second,
		RateLimit: 100,
	}
}

func TestJSON(t *testing.T) {
	got, failure := fullRefund(), *fullError()
	failure.Outcome = refund.OutcomeRejected
	testJSON(t, "request", fullRequest(), nil)
	testJSON(t, "refund", fullRefund(), func(r *refund.Refund) { r.Raw = nil }, "Raw")
	testJSON(t, "error", failure, func(e *refund.Error) { e.Attempt, e.Raw, e.Err = refund.Attempt{}, nil, nil }, "Attempt", "Raw", "Err")
	testJSON(t, "capabilities", fullCapabilities(), nil)
	testJSON(t, "attempt", fullAttempt(), nil)
	testJSON(t, "resolution", refund.Resolution{
		Verdict: refund.VerdictNotApplied, Refund: &got, Duplicates: []*refund.Refund{&got},
		NotBefore: time.Date(2026, 1, 2, 3, 4, 15, 0, time.UTC), Attempt: fullAttempt(), Why: "seen",
	}, func(r *refund.Resolution) { r.Refund.Raw = nil })
	testJSON(t, "money", refund.MustParseMoney("10.99", "AUD"), nil)
}

// testJSON compares the JSON of a value with every field set, and of the zero value, with the golden file, and reads
// both back. strip removes what is not written: the fields that hidden names.
func testJSON[T any](t *testing.T, name string, full T, strip func(*T), hidden ...string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		var zero T
		typ := reflect.TypeFor[T]()
		visible := 0
		for i := range typ.NumField() {
			if field := typ.Field(i); field.IsExported() {
				assert.False(t, reflect.ValueOf(full).Field(i).IsZero(), "%s is not tried", field.Name)
				visible++
			}
		}
		written, err := json.MarshalIndent(map[string]any{"full": full, "pointer": &full, "zero": zero}, "", "  ")
		require.NoError(t, err)

		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(written, &members))
		assert.JSONEq(t, string(members["full"]), string(members["pointer"]), "a pointer is written the same")
		var names map[string]any
		require.NoError(t, json.Unmarshal(members["full"], &names))
		if visible > 0 {
			assert.Len(t, names, visible-len(hidden), "every field is written, besides the hidden ones")
		}
		assertSnakeCase(t, names)
		assertPrivate(t, string(written), "private", "JSON of %s", name)

		pretty, err := json.MarshalIndent(map[string]json.RawMessage{"full": members["full"], "zero": members["zero"]}, "", "  ")
		require.NoError(t, err)
		wiretest.Golden(t, name, string(pretty)+"\n")

		if strip != nil {
			strip(&full)
		}
		var back T
		require.NoError(t, json.Unmarshal(members["full"], &back))
		assert.Equal(t, full, back)
		var none T
		require.NoError(t, json.Unmarshal(members["zero"], &none))
		assert.Equal(t, zero, none)
	})
}

func assertSnakeCase(t *testing.T, value any) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			assert.Regexp(t, `^[a-z]+(_[a-z]+)*$`, name)
			if name != "metadata" { // the caller's own names
				assertSnakeCase(t, member)
			}
		}
	case []any:
		for _, item := range value {
			assertSnakeCase(t, item)
		}
	}
}

// "unknown" is the word that matters: a reader must not have to know what it means that it is not there.
func TestErrorJSONAlwaysHasKindAndOutcome(t *testing.T) {
	written, err := json.Marshal(refund.Error{})
	require.NoError(t, err)
	assert.JSONEq(t, `{"kind":"none","outcome":"unknown"}`, string(written))

	for _, k := range kinds {
		for _, outcome := range outcomes {
			want := refund.Error{Kind: k.kind, Outcome: outcome}
			written, err := json.Marshal(&want)
			require.NoError(t, err)
			var back refund.Error
			require.NoError(t, json.Unmarshal(written, &back))
			assert.Equal(t, want, back)
		}
	}
	// What is missing is the worst that it can be.
	var back refund.Error
	require.NoError(t, json.Unmarshal([]byte(`{"provider":"afterpay"}`), &back))
	assert.Equal(t, refund.Error{Provider: "afterpay"}, back)
	assert.Equal(t, refund.OutcomeUnknown, back.Outcome)
}

func TestErrorJSONRefuses(t *testing.T) {
	for _, bad := range []string{
		`{"outcome":"paid"}`, `{"outcome":""}`, `{"outcome":0}`, `{"outcome":"not sent"}`, `{"kind":"odd"}`, `{"kind":4}`, `{"kind":""}`,
		`{"retry_after_seconds":-1}`, `{"retry_after_seconds":1.5}`, `{"retry_after_seconds":"5"}`, `{"retry_after_seconds":1e3}`,
		`{"retry_after_seconds":9223372037}`, `{"retry_after_seconds":99999999999999999999}`, `[]`, `"error"`, `{`,
	} {
		require.Error(t, json.Unmarshal([]byte(bad), new(refund.Error)), bad)
	}
}

// Seconds are rounded up, so that nobody comes back too early, and whatever is written can be read.
func TestSecondsInJSON(t *testing.T) {
	for wait, want := range map[time.Duration]time.Duration{
		0: 0, 1: time.Second, time.Second: time.Second, time.Second + 1: 2 * time.Second, 90 * time.Second: 90 * time.Second,
		2*time.Minute - 1: 2 * time.Minute,
		math.MaxInt64:     9223372036 * time.Second, // the most that a Duration holds, of what a provider may ask for
	} {
		written, err := json.Marshal(refund.Error{RetryAfter: wait})
		require.NoError(t, err)
		var back refund.Error
		require.NoError(t, json.Unmarshal(written, &back), "%s", written)
		assert.Equal(t, want, back.RetryAfter, "%s", written)
		assert.Equal(t, wait != 0, strings.Contains(string(written), "retry_after_seconds"))

		written, err = json.Marshal(refund.Capabilities{Window: wait, KeyLife: wait, AbsenceAfter: wait})
		require.NoError(t, err)
		var caps refund.Capabilities
		require.NoError(t, json.Unmarshal(written, &caps), "%s", written)
		assert.Equal(t, refund.Capabilities{Window: want, KeyLife: want, AbsenceAfter: want}, caps)
	}
}

// nil means any currency, and an empty list none.
func TestCapabilitiesJSONTellsNilFromNone(t *testing.T) {
	for _, caps := range []refund.Capabilities{{}, {Currencies: []string{}, Parts: []refund.Part{}}} {
		written, err := json.Marshal(caps)
		require.NoError(t, err)
		var back refund.Capabilities
		require.NoError(t, json.Unmarshal(written, &back))
		assert.Equal(t, caps, back)
	}
}

// nil means that nobody knows the other refunds of the order, and an empty list that there are none.
func TestAttemptJSONTellsNilFromNone(t *testing.T) {
	for _, known := range [][]refund.Known{nil, {}} {
		written, err := json.Marshal(refund.Attempt{Known: known})
		require.NoError(t, err)
		var back refund.Attempt
		require.NoError(t, json.Unmarshal(written, &back))
		assert.Equal(t, known, back.Known)
	}
}

// Reading over an older value leaves nothing of it that was written.
func TestErrorJSONReadsOverAnother(t *testing.T) {
	e := fullError()
	cause := errors.New("cause")
	e.Err = cause
	require.NoError(t, json.Unmarshal([]byte(`{"kind":"locked","outcome":"rejected"}`), e))
	assert.Equal(t, refund.ErrLocked, e.Kind)
	assert.Equal(t, refund.OutcomeRejected, e.Outcome)
	assert.Zero(t, e.RetryAfter, "absence is the zero value")
	assert.Equal(t, cause, e.Err, "what is not in JSON stays")
}
