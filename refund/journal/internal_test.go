package journal

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTransitions is the diagram of the package comment: all that may follow, and nothing else.
func TestTransitions(t *testing.T) {
	all := []State{Sending, Succeeded, Pending, Failed, Canceled, Expired, Rejected, NotSent, Unknown, NeedsReview}
	legal := map[State][]State{
		Sending:     {Succeeded, Pending, Failed, Canceled, Expired, Rejected, NotSent, Unknown},
		Unknown:     {Succeeded, Pending, Failed, Canceled, Expired, Rejected, NotSent, Unknown, NeedsReview},
		Pending:     {Pending, Succeeded, Failed, Canceled, Expired},
		Rejected:    {Sending},
		NotSent:     {Sending},
		NeedsReview: {Succeeded, NotSent, Unknown},
	}
	for _, from := range all {
		for _, to := range all {
			j := New(NewMemory(), Options{})
			e := Entry{Provider: "p", Key: "k", State: from, Version: 1}
			require.NoError(t, j.store.Insert(t.Context(), e))
			next := e
			next.State = to
			moved, err := j.move(t.Context(), &e, next)
			stored, getErr := j.store.Get(t.Context(), "p", "k")
			require.NoError(t, getErr)
			if assert.Equal(t, slices.Contains(legal[from], to), err == nil, "%s > %s", from, to); err == nil {
				assert.Equal(t, to, moved.State)
				assert.Equal(t, to, stored.State)
				continue
			}
			require.ErrorIs(t, err, ErrIllegalTransition)
			assert.Equal(t, e, stored, "%s > %s", from, to)
		}
	}
}

func TestWhatStatesMean(t *testing.T) {
	for s, want := range map[State][2]bool{ // open, reserves
		Sending: {true, true}, Unknown: {true, true}, NeedsReview: {true, true},
		Pending: {false, true}, Succeeded: {false, true},
		Failed: {}, Canceled: {}, Expired: {}, Rejected: {}, NotSent: {}, "": {},
	} {
		assert.Equal(t, want, [2]bool{s.Open(), s.Reserves()}, s)
	}
}
