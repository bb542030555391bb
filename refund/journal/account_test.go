package journal_test

import (
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// requireUnknownAccount: nothing was sent, nothing was recorded, and of earlier calls nothing is known.
func requireUnknownAccount(t *testing.T, b *bench, f *fake, client refund.Refunder) {
	t.Helper()
	sent := f.sent()
	_, err := client.Refund(t.Context(), request("new"))
	requireErrorIs(t, err, journal.ErrUnknownAccount)
	assert.Equal(t, sent, f.sent())
	_, err = b.journal.Get(t.Context(), journal.ID{Provider: "fake", Account: f.account, Key: "new"})
	require.ErrorIs(t, err, journal.ErrNoEntry)
}

// TestFirstAccount enters itself, with its target. Every other name is refused until somebody has said that it is right: it may be
// a name that was only misspelled, and every key would be paid again.
func TestFirstAccount(t *testing.T) {
	b := newBench(t, &fake{account: "au", target: "live"})
	_, err := b.ask(t, "k")
	require.NoError(t, err)
	accounts := func() []journal.Account {
		all, err := b.journal.Accounts(t.Context())
		require.NoError(t, err)
		return all
	}
	au := journal.Account{Provider: "fake", Name: "au", Target: "live"}
	assert.Equal(t, []journal.Account{au}, accounts())

	f := &fake{account: "nz", target: "live"}
	client := wrap(t, b.journal, f)
	requireUnknownAccount(t, b, f, client)
	resolver, ok := refund.As[refund.Resolver](client)
	require.True(t, ok)
	_, err = resolver.Resolve(t.Context(), refund.Attempt{Request: request("k"), FirstSent: time.Now(), LastSent: time.Now(), Tries: 1})
	requireErrorIs(t, err, journal.ErrUnknownAccount)
	_, err = b.journal.Round(t.Context())
	require.ErrorIs(t, err, journal.ErrUnknownAccount)

	nz := journal.Account{Provider: "fake", Name: "nz", Target: "live"}
	require.NoError(t, b.journal.AddAccount(t.Context(), nz))
	require.Error(t, b.journal.AddAccount(t.Context(), journal.Account{Name: "nz"}))
	_, err = client.Refund(t.Context(), request("k"))
	require.NoError(t, err)
	assert.Equal(t, []journal.Account{au, nz}, accounts())

	other := wrap(t, b.journal, &fake{name: "other", account: "x"})
	_, err = other.Refund(t.Context(), request("k"))
	require.NoError(t, err, "the first of another provider")
	assert.Len(t, accounts(), 3)
}

// TestFirstAccountAtOnce: two processes that begin on an empty store do not keep each other out, if they mean the same account.
func TestFirstAccountAtOnce(t *testing.T) {
	for name, want := range map[string]int{"au": 2, "nz": 1} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, &fake{account: "au"})
			b.store.hook = func(op string) {
				if op == "add account" { // both have seen that there is none
					pass(time.Second)
				}
			}
			errs := make([]error, 2)
			clients := []refund.Refunder{b.client, wrap(t, journal.New(b.store, b.opts), &fake{account: name})}
			var wg sync.WaitGroup
			for i, client := range clients {
				wg.Go(func() { _, errs[i] = client.Refund(t.Context(), ofOrder(strconv.Itoa(i), strconv.Itoa(i))) })
			}
			wg.Wait()
			refunded := 0
			for _, err := range errs {
				if err == nil {
					refunded++
					continue
				}
				requireErrorIs(t, err, journal.ErrUnknownAccount)
			}
			assert.Equal(t, want, refunded)
		})
	}
}

// TestAnotherTarget: a sandbox shows none of the live refunds. With its credentials at a live store they would be taken for absent.
func TestAnotherTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{target: "live", refund: lose})
		b.try(t, "k")
		before := b.entry(t, "k")
		pass(2 * time.Hour)

		sandbox := &fake{target: "sandbox", resolve: absent}
		b.wrap(t, sandbox)
		requireUnknownAccount(t, b, sandbox, b.client)
		_, err := b.journal.Round(t.Context())
		require.ErrorIs(t, err, journal.ErrUnknownAccount)
		_, err = b.ask(t, "k")
		requireErrorIs(t, err, journal.ErrUnknownAccount)
		assert.Empty(t, sandbox.asked())
		assert.Equal(t, before, b.entry(t, "k"))

		require.NoError(t, b.journal.AddAccount(t.Context(), journal.Account{Provider: "fake", Target: "sandbox"}))
		b.round(t)
		assert.Len(t, sandbox.asked(), 1)
		b.wrap(t, b.fake)
		requireUnknownAccount(t, b, b.fake, b.client)
	})
}

// TestAccountIsAskedAboutAgain: a process that runs on hears of a change within a minute.
func TestAccountIsAskedAboutAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{target: "live"})
		b.try(t, "k")
		require.NoError(t, b.journal.AddAccount(t.Context(), journal.Account{Provider: "fake", Target: "moved"}))
		pass(time.Minute)
		requireUnknownAccount(t, b, b.fake, b.client)
	})
}

// TestRenameAccount moves its entries and their history: the paid keys stay paid.
func TestRenameAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{account: "old"})
		paid, err := b.ask(t, "k")
		require.NoError(t, err)
		history := b.events(t)
		require.NoError(t, b.journal.AddAccount(t.Context(), journal.Account{Provider: "fake", Name: "taken"}))
		for _, names := range [][2]string{{"nobody", "new"}, {"old", "taken"}, {"old", "old"}} {
			require.ErrorIs(t, b.journal.RenameAccount(t.Context(), "fake", names[0], names[1]), journal.ErrUnknownAccount)
		}
		require.NoError(t, b.journal.RenameAccount(t.Context(), "fake", "old", "new"))

		renamed := &fake{account: "new"}
		client := wrap(t, b.journal, renamed)
		got, err := client.Refund(t.Context(), request("k"))
		require.NoError(t, err)
		paid.Replayed, paid.Account = true, "new"
		assert.Equal(t, paid, got)
		assert.Zero(t, renamed.sent())
		_, err = b.journal.Get(t.Context(), journal.ID{Provider: "fake", Account: "old", Key: "k"})
		require.ErrorIs(t, err, journal.ErrNoEntry)
		for i := range history {
			history[i].Account = "new"
		}
		assert.Equal(t, history, b.events(t))

		pass(time.Minute)
		requireUnknownAccount(t, b, b.fake, b.client)
	})
}

// TestAccountsWithoutTheStore: what the store cannot say is not known.
func TestAccountsWithoutTheStore(t *testing.T) {
	b := newBench(t, &fake{})
	for _, op := range []string{"accounts", "add account"} {
		b.store.breaks(op)
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, errStore)
		assert.Zero(t, b.sent())
	}
	b.store.breaks()
	_, err := b.ask(t, "k")
	require.NoError(t, err)
}
