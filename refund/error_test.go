package refund_test

import (
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

func TestOutcome(t *testing.T) {
	var zero refund.Outcome
	assert.Equal(t, refund.OutcomeUnknown, zero, "who forgets to set it must not claim that nothing moved")
	assert.Equal(t, refund.OutcomeUnknown, (&refund.Error{}).Outcome)

	for number, outcome := range []refund.Outcome{refund.OutcomeUnknown, refund.OutcomeNotSent, refund.OutcomeRejected} {
		assert.Equal(t, number, int(outcome))
	}
	words := map[string]bool{}
	for _, o := range []refund.Outcome{refund.OutcomeUnknown, refund.OutcomeNotSent, refund.OutcomeRejected, -1, 3} {
		assert.NotEmpty(t, o.String())
		words[o.String()] = true
	}
	assert.Len(t, words, 5, "each prints differently, those that do not exist too")
	assert.Contains(t, refund.Outcome(7).String(), "7")
}

func TestOutcomeOf(t *testing.T) {
	rejected := &refund.Error{Outcome: refund.OutcomeRejected}
	for name, tt := range map[string]struct {
		err  error
		want refund.Outcome
	}{
		"nil":            {nil, refund.OutcomeUnknown},
		"foreign":        {errors.New("boom"), refund.OutcomeUnknown},
		"context":        {context.Canceled, refund.OutcomeUnknown},
		"a bare kind":    {refund.ErrOrderNotFound, refund.OutcomeUnknown},
		"direct":         {rejected, refund.OutcomeRejected},
		"not sent":       {&refund.Error{Outcome: refund.OutcomeNotSent}, refund.OutcomeNotSent},
		"wrapped":        {fmt.Errorf("shop: %w", fmt.Errorf("job: %w", rejected)), refund.OutcomeRejected},
		"joined":         {errors.Join(errors.New("not recorded"), rejected), refund.OutcomeRejected},
		"outermost wins": {&refund.Error{Err: rejected}, refund.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, refund.OutcomeOf(tt.err))
		})
	}
}

func TestAdvice(t *testing.T) {
	const (
		fix, wait, retry, stop = refund.AdviceFix, refund.AdviceWait, refund.AdviceRetry, refund.AdviceStop
	)
	table := map[refund.Kind]struct{ notSent, rejected refund.Advice }{
		refund.ErrUnexpected:       {retry, stop},
		refund.ErrInvalidRequest:   {fix, fix},
		refund.ErrUnauthorized:     {fix, fix},
		refund.ErrForbidden:        {fix, fix},
		refund.ErrOrderNotFound:    {fix, fix},
		refund.ErrNotRefundable:    {stop, stop},
		refund.ErrAmountExceeded:   {fix, fix},
		refund.ErrCurrencyMismatch: {fix, fix},
		refund.ErrWindowExpired:    {stop, stop},
		refund.ErrDuplicate:        {stop, stop},
		refund.ErrConflict:         {wait, wait},
		refund.ErrLocked:           {wait, wait},
		refund.ErrInFlight:         {wait, wait},
		refund.ErrRateLimited:      {wait, wait},
		refund.ErrUnavailable:      {retry, retry},
		refund.ErrKeyReused:        {fix, fix},
	}
	require.Len(t, table, len(kinds))
	for _, k := range kinds {
		t.Run(k.word, func(t *testing.T) {
			want, ok := table[k.kind]
			require.True(t, ok)
			advice := func(o refund.Outcome) refund.Advice { return (&refund.Error{Kind: k.kind, Outcome: o}).Advice() }
			assert.Equal(t, want.notSent, advice(refund.OutcomeNotSent), "not sent")
			assert.Equal(t, want.rejected, advice(refund.OutcomeRejected), "rejected")
			if k.kind == refund.ErrKeyReused {
				assert.Equal(t, fix, advice(refund.OutcomeUnknown), "the earlier refund may be unknown; this one needs a key of its own all the same")
				return
			}
			assert.Equal(t, refund.AdviceResolve, advice(refund.OutcomeUnknown), "whatever else it says, money may have moved")
		})
	}
	for _, o := range []refund.Outcome{refund.OutcomeNotSent, refund.OutcomeRejected} {
		assert.Equal(t, stop, (&refund.Error{Outcome: o}).Advice(), "without a kind")
	}
	assert.Equal(t, refund.AdviceResolve, (&refund.Error{}).Advice())
}

func TestAdviceOf(t *testing.T) {
	locked := &refund.Error{Kind: refund.ErrLocked, Outcome: refund.OutcomeRejected}
	for name, tt := range map[string]struct {
		err  error
		want refund.Advice
	}{
		"nil":            {nil, refund.AdviceResolve},
		"foreign":        {errors.New("boom"), refund.AdviceResolve},
		"a bare kind":    {refund.ErrLocked, refund.AdviceResolve},
		"direct":         {locked, refund.AdviceWait},
		"wrapped":        {fmt.Errorf("shop: %w", locked), refund.AdviceWait},
		"joined":         {errors.Join(errors.New("not recorded"), locked), refund.AdviceWait},
		"outermost wins": {&refund.Error{Err: locked}, refund.AdviceResolve},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, refund.AdviceOf(tt.err))
		})
	}
}

// The words are stored by others, so a changed one must fail here.
func TestAdvices(t *testing.T) {
	for advice, word := range map[refund.Advice]string{
		refund.AdviceFix: "fix", refund.AdviceWait: "wait", refund.AdviceRetry: "retry", refund.AdviceResolve: "resolve", refund.AdviceStop: "stop",
	} {
		assert.Equal(t, word, string(advice))
	}
}

func TestOutcomeText(t *testing.T) {
	words := map[refund.Outcome]string{refund.OutcomeUnknown: "unknown", refund.OutcomeNotSent: "not_sent", refund.OutcomeRejected: "rejected"}
	for outcome, word := range words {
		assertText(t, outcome, word)
	}
	for _, unknown := range []string{"", "not sent", "Unknown", "REJECTED", "rejected ", "0", "Outcome(7)", "applied", strings.Repeat("x", 1<<20)} {
		o := refund.OutcomeRejected
		requireRefused(t, o.UnmarshalText([]byte(unknown)), refund.ErrInvalidRequest, "Outcome")
		assert.Equal(t, refund.OutcomeRejected, o, "what cannot be read leaves it as it was")
	}
	text, err := refund.Outcome(7).MarshalText()
	require.NoError(t, err)
	require.Error(t, new(refund.Outcome).UnmarshalText(text), "an outcome that nobody knows is not read back as one of ours")
}

// assertText checks that v is the word, alone, in JSON and as the key of a JSON object, and is read back.
func assertText[T interface {
	comparable
	encoding.TextMarshaler
}, P interface {
	*T
	encoding.TextUnmarshaler
}](t *testing.T, v T, word string) {
	t.Helper()
	text, err := v.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, word, string(text))
	var back T
	require.NoError(t, P(&back).UnmarshalText([]byte(word)))
	assert.Equal(t, v, back)

	written, err := json.Marshal(map[T][]T{v: {v}})
	require.NoError(t, err)
	assert.JSONEq(t, `{"`+word+`":["`+word+`"]}`, string(written))
	var read map[T][]T
	require.NoError(t, json.Unmarshal(written, &read))
	assert.Equal(t, map[T][]T{v: {v}}, read)
}

// fullError has every field set. What must not be printed contains "private".
func fullError() *refund.Error {
	return &refund.Error{
		Provider: "afterpay", Account: "shop-au", Op: "refund", Kind: refund.ErrUnavailable, Outcome: refund.OutcomeUnknown,
		Field: "Order.ID", Code: "internal_error", Message: "the connection was lost",
		HTTPStatus: 503, RequestID: "trace-7", IdempotencyKey: "key-1",
		RetryAfter: 90 * time.Second, Attempts: 3,
		Attempt: refund.Attempt{
			Request: refund.Request{
				IdempotencyKey: "key-1", Order: refund.Order{ID: "1001"}, Amount: refund.MustParseMoney("10.00", "AUD"),
				Reason: "private reason", Metadata: map[string]string{"private name": "private value"},
			},
			Tries: 3,
		},
		Raw: refund.Raw(`{"email":"private"}`),
		Err: fmt.Errorf("private words: %w", context.DeadlineExceeded),
	}
}

func TestErrorText(t *testing.T) {
	text := fullError().Error()
	for _, want := range []string{
		"afterpay", "shop-au", "refund", refund.OutcomeUnknown.String(), refund.ErrUnavailable.Error(), "Order.ID",
		"the connection was lost", "503", "internal_error", "key-1", "trace-7", "3", "1m30s",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "\n")
	assert.Equal(t, strings.Count(text, "("), strings.Count(text, ")"))
}

// Each detail is printed if it is set, and leaves no trace if it is not.
func TestErrorTextOfNone(t *testing.T) {
	t.Parallel()
	var none *refund.Error
	assert.NotPanics(t, func() { _ = none.Error() })
}

func TestErrorTextOfOneField(t *testing.T) {
	bare := (&refund.Error{}).Error()
	assert.Contains(t, bare, refund.OutcomeUnknown.String())
	for _, trace := range []string{refund.Kind(0).Error(), refund.ErrUnexpected.Error(), "HTTP", "code", "key", "request id", "attempts", "retry", "(", ")", ": :"} {
		assert.NotContains(t, bare, trace)
	}
	for name, tt := range map[string]struct {
		err  refund.Error
		want string
	}{
		"provider":    {refund.Error{Provider: "backd"}, "backd"},
		"account":     {refund.Error{Provider: "backd", Account: "shop-au"}, "shop-au"},
		"kind":        {refund.Error{Kind: refund.ErrLocked}, refund.ErrLocked.Error()},
		"op":          {refund.Error{Op: "retrieve payment"}, "retrieve payment"},
		"field":       {refund.Error{Field: "Order.ID"}, "Order.ID"},
		"message":     {refund.Error{Message: "no such thing"}, "no such thing"},
		"status":      {refund.Error{HTTPStatus: 418}, "418"},
		"code":        {refund.Error{Code: "some_code"}, "some_code"},
		"key":         {refund.Error{IdempotencyKey: "key-1"}, "key-1"},
		"request id":  {refund.Error{RequestID: "trace-7"}, "trace-7"},
		"attempts":    {refund.Error{Attempts: 17}, "17"},
		"retry after": {refund.Error{RetryAfter: 2 * time.Minute}, "2m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			text := tt.err.Error()
			assert.Contains(t, text, tt.want)
			assert.Equal(t, strings.Count(text, "("), strings.Count(text, ")"))
		})
	}
	assert.Equal(t, bare, (&refund.Error{Attempts: 1}).Error(), "one attempt is the rule and not worth a word")
}

// A code is the provider's, byte for byte, so it may hold anything; a log must stay one line for each error.
func TestErrorTextIsOneLine(t *testing.T) {
	for name, foreign := range map[string]string{
		"newline":  "a\nINFO all is well",
		"return":   "a\rb",
		"escape":   "a\x1b[31mb",
		"no UTF-8": "a\xffb",
		"long":     strings.Repeat("a", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			for _, err := range []*refund.Error{{Code: foreign}, {RequestID: foreign}} {
				text := err.Error()
				assert.NotContains(t, text, foreign)
				assert.NotContains(t, text, "\n")
				assert.Less(t, len(text), 300)
				assert.Contains(t, text, "a", "what can be shown is shown")
			}
		})
	}
	key := strings.Repeat("k", refund.MaxKeyLength)
	assert.Contains(t, (&refund.Error{IdempotencyKey: key}).Error(), key, "a valid key is never cut")
	for _, bad := range []string{"a\nINFO all is well", "4111 1111 1111 1111", key + "k", "é"} {
		assert.Equal(t, (&refund.Error{}).Error(), (&refund.Error{IdempotencyKey: bad}).Error(), "a malformed one may be anything")
	}
}

func TestErrorFormatting(t *testing.T) {
	err := fullError()
	copied := *err
	holder := struct {
		Err  *refund.Error
		Copy refund.Error
	}{err, copied}
	for name, value := range map[string]any{
		"error": err, "copy": copied, "as error": error(err), "wrapped": fmt.Errorf("job: %w", err), "field": holder,
		"pointer to a struct": &holder, "attempt": err.Attempt, "pointer to an attempt": &err.Attempt, "slice": []refund.Error{copied},
	} {
		for _, verb := range verbs {
			text := fmt.Sprintf(verb, value)
			assertPrivate(t, text, "private", "%s of %s", verb, name)
		}
	}
	hidden := struct{ err *refund.Error }{err} // where fmt asks no methods
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		assertPrivate(t, fmt.Sprintf(verb, hidden), "private", "%s of an unexported field", verb)
	}
	for _, verb := range []string{"%v", "%+v", "%s"} {
		assert.Equal(t, err.Error(), fmt.Sprintf(verb, err))
	}
	assert.Contains(t, fmt.Sprintf("%#v", err), "refund.Error")
	assert.Contains(t, fmt.Sprintf("%#v", err), "the connection was lost")

	written, jsonErr := json.Marshal(err)
	require.NoError(t, jsonErr)
	assertPrivate(t, string(written), "private", "JSON")
	assert.Contains(t, string(written), "internal_error")
}

func TestErrorUnwrap(t *testing.T) {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		err := error(&refund.Error{Kind: refund.ErrUnavailable, Err: fmt.Errorf("read: %w", cause)})
		require.ErrorIs(t, err, cause)
		require.ErrorIs(t, err, refund.ErrUnavailable, "the cause does not hide the kind")
	}
	assert.NoError(t, errors.Unwrap(&refund.Error{}))
}

func ExampleOutcomeOf() {
	// What a client returns if the answer was lost on the way.
	err := error(&refund.Error{Provider: "afterpay", Op: "refund", Kind: refund.ErrUnavailable, IdempotencyKey: "order-1001-1"})

	switch refund.OutcomeOf(err) {
	case refund.OutcomeNotSent, refund.OutcomeRejected:
		fmt.Println("nothing was paid:", err)
	case refund.OutcomeUnknown:
		fmt.Println("it may have been paid:", err)
	}
	// Output:
	// it may have been paid: afterpay: refund: outcome unknown: provider unavailable (key order-1001-1)
}
