package journal

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTransitions is the diagram of the package comment: all that may follow, and nothing else.
func TestTransitions(t *testing.T) {
	ends := []State{StateSucceeded, StatePending, StateFailed, StateCanceled, StateExpired, StateRejected, StateNotSent}
	all := append([]State{StateSending, StateUnknown, StateNeedsReview}, ends...)
	legal := map[State][]State{
		StateSending:     append([]State{StateUnknown}, ends...),
		StateUnknown:     append([]State{StateUnknown, StateNeedsReview}, ends...),
		StatePending:     {StatePending, StateSucceeded, StateFailed, StateCanceled, StateExpired},
		StateRejected:    {StateSending},
		StateNotSent:     {StateSending},
		StateNeedsReview: {StateSucceeded, StateNotSent, StateUnknown},
	}
	for _, from := range all {
		for _, to := range all {
			j := New(NewMemory(), Options{})
			e := Entry{Provider: "p", Account: "a", Key: "k", State: from, Version: 1}
			require.NoError(t, j.store.Insert(t.Context(), e))
			next := e
			next.State = to
			moved, err := j.move(t.Context(), &e, next)
			stored, getErr := j.store.Get(t.Context(), e.ID())
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
		StateSending: {true, true}, StateUnknown: {true, true}, StateNeedsReview: {true, true},
		StatePending: {false, true}, StateSucceeded: {false, true},
		StateFailed: {}, StateCanceled: {}, StateExpired: {}, StateRejected: {}, StateNotSent: {}, "": {},
	} {
		assert.Equal(t, want, [2]bool{s.Open(), s.Reserves()}, s)
	}
}
