package journal_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal"
)

// TestUnimplementedStore: a Store that does not know a method says so.
func TestUnimplementedStore(t *testing.T) {
	var store journal.Store = struct{ journal.UnimplementedStore }{}
	ctx := t.Context()
	_, now := store.Now(ctx)
	_, write := store.Write(ctx, nil)
	_, claim := store.Claim(ctx, journal.Claim{})
	_, get := store.Get(ctx, journal.ID{})
	_, stats := store.Stats(ctx)
	_, accounts := store.Accounts(ctx)
	all := []error{now, write, claim, get, stats, accounts, store.AddAccount(ctx, journal.Account{}, true), store.RenameAccount(ctx, "", "", "")}
	for _, err := range store.Entries(ctx, journal.Filter{}) {
		all = append(all, err)
	}
	for _, err := range store.Events(ctx, journal.EventFilter{}) {
		all = append(all, err)
	}
	assert.Len(t, all, 10)
	for _, err := range all {
		require.ErrorIs(t, err, journal.ErrUnimplemented)
	}
	assert.Equal(t, 1, store.Writers())
}

// TestMemoryContext: a context that is over is an error of every method.
func TestMemoryContext(t *testing.T) {
	ctx := over(t)
	store := journal.NewMemory()
	_, now := store.Now(ctx)
	_, write := store.Write(ctx, nil)
	_, claim := store.Claim(ctx, journal.Claim{})
	_, get := store.Get(ctx, journal.ID{})
	_, stats := store.Stats(ctx)
	_, accounts := store.Accounts(ctx)
	for i, err := range []error{
		now, write, claim, get, stats, accounts, store.AddAccount(ctx, journal.Account{}, true), store.RenameAccount(ctx, "", "", ""),
	} {
		require.ErrorIs(t, err, ctx.Err(), i)
	}
}
