package refund_test

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

var (
	_ encoding.TextMarshaler   = refund.Kind(0)
	_ encoding.TextUnmarshaler = (*refund.Kind)(nil)
	_ error                    = refund.Kind(0)
)

// kinds repeats the numbers and the words on purpose: they may be stored by others, so a changed one must fail here.
var kinds = []struct {
	number int
	kind   refund.Kind
	word   string
}{
	{1, refund.ErrInvalidRequest, "invalid_request"},
	{2, refund.ErrUnauthorized, "unauthorized"},
	{3, refund.ErrForbidden, "forbidden"},
	{4, refund.ErrOrderNotFound, "order_not_found"},
	{5, refund.ErrNotRefundable, "not_refundable"},
	{6, refund.ErrAmountExceeded, "amount_exceeded"},
	{7, refund.ErrCurrencyMismatch, "currency_mismatch"},
	{8, refund.ErrWindowExpired, "window_expired"},
	{9, refund.ErrDuplicate, "duplicate"},
	{10, refund.ErrConflict, "conflict"},
	{11, refund.ErrLocked, "locked"},
	{12, refund.ErrInFlight, "in_flight"},
	{13, refund.ErrRateLimited, "rate_limited"},
	{14, refund.ErrUnavailable, "unavailable"},
	{15, refund.ErrUnexpected, "unexpected"},
	{16, refund.ErrKeyReused, "key_reused"},
}

func TestKinds(t *testing.T) {
	texts := map[string]bool{refund.Kind(0).Error(): true}
	for i, tt := range kinds {
		t.Run(tt.word, func(t *testing.T) {
			assert.Equal(t, i+1, tt.number, "the table has no gaps, and 0 is none")
			assert.Equal(t, tt.number, int(tt.kind))
			assert.NotEmpty(t, tt.kind.Error())
			assert.NotContains(t, texts, tt.kind.Error(), "words of its own for each")
			texts[tt.kind.Error()] = true

			err := fmt.Errorf("wrapped: %w", &refund.Error{Kind: tt.kind})
			for _, other := range kinds {
				assert.Equal(t, other.kind == tt.kind, errors.Is(err, other.kind), "errors.Is %v", other.kind)
			}
			require.NotErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, refund.Kind(0))

			var kind refund.Kind
			require.NotErrorAs(t, err, &kind, "a Kind is compared with, not returned")
		})
	}
}

// Kind 0 is none: an error without a kind must not pass for one that somebody compares with by mistake.
func TestNoKind(t *testing.T) {
	require.NotErrorIs(t, &refund.Error{}, refund.Kind(0))
	for _, k := range kinds {
		require.NotErrorIs(t, &refund.Error{}, k.kind)
	}
	assert.NotEmpty(t, refund.Kind(0).Error())
}

// A number that a newer version stored must still be usable.
func TestKindOutOfRange(t *testing.T) {
	for _, number := range []int{-1, len(kinds) + 1, 1000} {
		k := refund.Kind(number)
		assert.Contains(t, k.Error(), strconv.Itoa(number))
		require.ErrorIs(t, &refund.Error{Kind: k}, k)
		require.NotErrorIs(t, &refund.Error{Kind: k}, refund.ErrUnexpected)
		assert.Equal(t, refund.AdviceStop, (&refund.Error{Kind: k, Outcome: refund.OutcomeRejected}).Advice())
		assert.Equal(t, refund.AdviceResolve, (&refund.Error{Kind: k}).Advice())

		text, err := k.MarshalText()
		require.NoError(t, err)
		require.Error(t, new(refund.Kind).UnmarshalText(text), "a kind that nobody knows is not read back as one of ours")
	}
}

func TestKindText(t *testing.T) {
	assertText(t, refund.Kind(0), "none")
	for _, k := range kinds {
		assertText(t, k.kind, k.word)
	}
	for _, unknown := range []string{
		"", "None", "ORDER_NOT_FOUND", "order not found", "order_not_found ", "order", "4", "kind 17", "error", "\x00", strings.Repeat("x", 1<<20),
	} {
		k := refund.ErrLocked
		requireRefused(t, k.UnmarshalText([]byte(unknown)), refund.ErrInvalidRequest, "Kind")
		assert.Equal(t, refund.ErrLocked, k, "what cannot be read leaves it as it was")
	}
}

func TestKindOf(t *testing.T) {
	locked := &refund.Error{Kind: refund.ErrLocked}
	for name, tt := range map[string]struct {
		err  error
		want refund.Kind
	}{
		"nil":            {nil, 0},
		"foreign":        {errors.New("boom"), 0},
		"context":        {context.Canceled, 0},
		"a bare kind":    {refund.ErrLocked, 0},
		"none":           {&refund.Error{}, 0},
		"direct":         {locked, refund.ErrLocked},
		"wrapped":        {fmt.Errorf("shop: %w", fmt.Errorf("job: %w", locked)), refund.ErrLocked},
		"joined":         {errors.Join(errors.New("not recorded"), locked), refund.ErrLocked},
		"outermost wins": {&refund.Error{Kind: refund.ErrConflict, Err: locked}, refund.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, refund.KindOf(tt.err))
		})
	}
}
