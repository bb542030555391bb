package sqlstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// A provider's text must not keep a refund from being recorded.
func TestTextThatNoDatabaseTakes(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			s := database.store(t)
			e := journal.Entry{Provider: "toy", Key: "k", Order: refund.Order{ID: "o"}, State: journal.StateSending, Version: 1, Created: time.Now()}
			require.NoError(t, s.Insert(t.Context(), e))
			const odd = "a\x00b\xffc"
			e.State, e.Version = journal.StateSucceeded, 2
			e.RefundID, e.ProviderStatus, e.FailureReason, e.Code, e.Note = odd, odd, odd, odd, odd
			require.NoError(t, s.Update(t.Context(), e))
			got, err := s.Get(t.Context(), e.ID())
			require.NoError(t, err)
			for _, text := range []string{got.RefundID, got.ProviderStatus, got.FailureReason, got.Code, got.Note} {
				assert.Equal(t, strings.NewReplacer("\x00", "\uFFFD", "\xff", "\uFFFD").Replace(odd), text)
			}
		})
	}
}

// A row that was changed by hand is an error, not another amount.
func TestImpossibleRow(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			s := database.store(t)
			require.NoError(t, s.Insert(t.Context(), journal.Entry{
				Provider: "toy", Key: "k", Amount: refund.MustParseMoney("1.00", "AUD"), Version: 1,
			}))
			execute(t, s.DB(), "UPDATE refund_journal SET currency = 'XXX'")
			_, err := s.Get(t.Context(), journal.ID{Provider: "toy", Key: "k"})
			require.ErrorIs(t, err, refund.ErrInvalidRequest)
			for _, err := range s.Entries(t.Context(), journal.Filter{}) {
				require.ErrorIs(t, err, refund.ErrInvalidRequest)
			}
		})
	}
}
