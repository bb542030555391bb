package journal_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// claiming is a client that says more of itself than it can do.
type claiming struct {
	refund.Refunder
	caps refund.Capabilities
}

func (c claiming) Capabilities() refund.Capabilities { return c.caps }

// TestWrapNamesTheMissingAbility: a wrapper that hides abilities is such a client, too.
func TestWrapNamesTheMissingAbility(t *testing.T) {
	hidden := func(change func(*refund.Capabilities)) refund.Refunder {
		a := &able{fake: &fake{}}
		c := claiming{Refunder: a, caps: a.fake.Capabilities()} // an interface embedded hides all but its own methods
		c.caps.ResolvedBy = refund.ResolvedByPerson
		change(&c.caps)
		return c
	}
	j := journal.New(journal.NewMemory(), journal.Options{})
	for field, r := range map[string]refund.Refunder{
		"Capabilities.ResolvedBy": hidden(func(c *refund.Capabilities) { c.ResolvedBy = refund.ResolvedByMarker }),
		"Capabilities.Reads":      hidden(func(c *refund.Capabilities) { c.Reads = true }),
		"Capabilities.Lists":      hidden(func(c *refund.Capabilities) { c.Lists = refund.ListsByOrder }),
		"Capabilities.Cancels":    hidden(func(c *refund.Capabilities) { c.Cancels = true }),
		"Capabilities.Snapshots":  hidden(func(c *refund.Capabilities) { c.Snapshots = true }),
	} {
		client, err := j.Wrap(r)
		assert.Nil(t, client, field)
		re := errorOf(t, err, refund.OutcomeNotSent)
		assert.Equal(t, []any{refund.ErrInvalidRequest, field}, []any{re.Kind, re.Field})
		require.NotErrorIs(t, err, journal.ErrWrapped)
	}
	wrap(t, j, hidden(func(*refund.Capabilities) {})) // what was refused has not taken the account
}

// TestWrapRefuses what would make the journal ask the wrong client, or itself.
func TestWrapRefuses(t *testing.T) {
	f := &fake{account: "au"}
	b := newBench(t, f)
	other := journal.New(journal.NewMemory(), journal.Options{})
	over := traced{Refunder: b.client, calls: new(int)}
	for name, again := range map[string]func() (refund.Refunder, error){
		"the same client":                func() (refund.Refunder, error) { return b.journal.Wrap(f) },
		"a second client of the account": func() (refund.Refunder, error) { return b.journal.Wrap(&fake{account: "au"}) },
		"its own client":                 func() (refund.Refunder, error) { return b.journal.Wrap(b.client) },
		"another journal's client":       func() (refund.Refunder, error) { return other.Wrap(b.client) },
		"one behind a wrapper":           func() (refund.Refunder, error) { return other.Wrap(over) },
		"one behind two":                 func() (refund.Refunder, error) { return other.Wrap(traced{Refunder: over, calls: new(int)}) },
	} {
		client, err := again()
		assert.Nil(t, client, name)
		require.ErrorIs(t, err, journal.ErrWrapped, name)
	}
	for name, r := range map[string]refund.Refunder{
		"nothing":                   nil,
		"a client without provider": claiming{f, refund.Capabilities{Account: "au", ResolvedBy: refund.ResolvedByPerson}},
	} {
		client, err := b.journal.Wrap(r)
		assert.Nil(t, client, name)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, journal.ErrWrapped, name)
	}

	wrap(t, b.journal, &fake{})                             // the empty name is another name
	wrap(t, b.journal, &fake{name: "other", account: "au"}) // and an account of another provider is another account
	wrap(t, other, f)                                       // what was refused has not taken the account
	_, err := b.ask(t, "k")
	require.NoError(t, err)
	assert.Equal(t, 1, f.sent(), "the first client is still the account's")
}

// TestWrapperInBetween: whatever a user puts between the journal and the client, its abilities are found and used.
func TestWrapperInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		a := &able{fake: &fake{refund: lose, resolve: func(_ context.Context, a refund.Attempt) (refund.Resolution, error) {
			return refund.Resolution{Verdict: refund.VerdictApplied, Refund: made(a.Request, refund.StatusPending)}, nil
		}}}
		reads := 0
		a.get = func(_ context.Context, ref refund.Ref) (*refund.Refund, error) {
			assert.Equal(t, "r-k", ref.ID)
			reads++
			return made(request("k"), refund.StatusPending), nil
		}
		a.cancel = func(context.Context, refund.Ref) (*refund.Refund, error) {
			return made(request("k"), refund.StatusCanceled), nil
		}
		b := newBenchOf(t, a.fake, traced{Refunder: a, calls: &calls})
		require.NoError(t, refund.CheckAbilities(b.client))

		_, err := b.ask(t, "k")
		requireErrorIs(t, err, errWire)
		assert.Equal(t, 1, calls, "the wrapper is not led around")
		assert.Equal(t, refund.Snapshot("before"), b.entry(t, "k").Snapshot)
		pass(time.Minute)
		assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
		assert.Len(t, a.asked(), 1)
		pass(time.Hour)
		assert.Equal(t, []any{journal.Summary{Waiting: 1}, 1}, []any{b.round(t), reads})

		getter, ok := refund.As[refund.Getter](b.client)
		require.True(t, ok)
		_, err = getter.GetRefund(t.Context(), refund.Ref{ID: "r-k"})
		require.NoError(t, err)
		lister, ok := refund.As[refund.Lister](b.client)
		require.True(t, ok)
		for _, err := range lister.Refunds(t.Context(), refund.Query{}) {
			require.ErrorIs(t, err, errWire)
		}
		snapshotter, ok := refund.As[refund.Snapshotter](b.client)
		require.True(t, ok)
		taken, err := snapshotter.Snapshot(t.Context(), request("k"))
		require.NoError(t, err)
		assert.Equal(t, refund.Snapshot("before"), taken)
		native, ok := refund.As[*able](b.client)
		require.True(t, ok)
		assert.Same(t, a, native)

		// What changes money is the journal's own, also for those who wrap the journal's client once more.
		over := traced{Refunder: b.client, calls: new(int)}
		resolver, ok := refund.As[refund.Resolver](over)
		require.True(t, ok)
		got, err := resolver.Resolve(t.Context(), refund.Attempt{Request: request("k")})
		require.NoError(t, err)
		assert.True(t, got.Refund.Replayed)
		assert.Len(t, a.asked(), 1, "the record answers")
		canceler, ok := refund.As[refund.Canceler](over)
		require.True(t, ok)
		_, err = canceler.CancelRefund(t.Context(), refund.Ref{Order: request("k").Order})
		require.NoError(t, err)
		assert.Equal(t, journal.StateCanceled, b.entry(t, "k").State)
	})
}

// TestAbilitiesOfAPlainClient: the journal adds Resolve, and nothing that the provider cannot do.
func TestAbilitiesOfAPlainClient(t *testing.T) {
	client := newBenchOf(t, &fake{}, struct{ refund.Refunder }{&fake{resolvedBy: refund.ResolvedByPerson}}).client
	_, ok := refund.As[refund.Resolver](client)
	assert.True(t, ok)
	_, ok = refund.As[refund.Getter](client)
	assert.False(t, ok)
	_, ok = refund.As[refund.Lister](client)
	assert.False(t, ok)
	_, ok = refund.As[refund.Canceler](client)
	assert.False(t, ok)
	_, ok = refund.As[refund.Snapshotter](client)
	assert.False(t, ok)
}

// accounts are three clients of one provider in one journal.
type accounts struct {
	*bench
	fakes   map[string]*fake
	clients map[string]refund.Refunder
}

func newAccounts(t *testing.T) *accounts {
	t.Helper()
	a := &accounts{fakes: map[string]*fake{}, clients: map[string]refund.Refunder{}}
	for _, account := range []string{"", "au", "nz"} {
		f := &fake{account: account}
		a.fakes[account] = f
		if account == "" {
			a.bench = newBench(t, f)
			a.clients[account] = a.client
			require.NoError(t, a.journal.AddAccount(t.Context(), journal.Account{Provider: "fake"}))
			continue
		}
		require.NoError(t, a.journal.AddAccount(t.Context(), journal.Account{Provider: "fake", Name: account}))
		a.clients[account] = wrap(t, a.journal, f)
	}
	return a
}

// each asks every account for the same refund of the same order.
func (a *accounts) each(t *testing.T, key string, check func(account string, got *refund.Refund, err error)) {
	t.Helper()
	for account, client := range a.clients {
		got, err := client.Refund(t.Context(), request(key))
		check(account, got, err)
	}
}

func (a *accounts) of(t *testing.T, account, key string) journal.Entry {
	t.Helper()
	e, err := a.journal.Get(t.Context(), journal.ID{Provider: "fake", Account: account, Key: key})
	require.NoError(t, err)
	assert.Equal(t, account, e.Account)
	return e
}

// TestAccounts: the same key and the same order at another account are another refund, and each account is asked about its
// own.
func TestAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccounts(t)
		for account, resolve := range map[string]func(context.Context, refund.Attempt) (refund.Resolution, error){
			"": absent, "au": applied, "nz": answers(refund.Resolution{Why: "look"}),
		} {
			a.fakes[account].refund, a.fakes[account].resolve = lose, resolve
		}
		a.each(t, "k", func(account string, _ *refund.Refund, err error) {
			requireErrorIs(t, err, errWire)
			assert.Equal(t, 1, a.fakes[account].sent(), account)
			assert.Equal(t, journal.StateUnknown, a.of(t, account, "k").State)
		})
		a.each(t, "other", func(account string, _ *refund.Refund, err error) {
			re := errorOf(t, err, refund.OutcomeNotSent)
			require.ErrorIs(t, err, journal.ErrOrderBusy, "at this account")
			assert.Equal(t, account, re.Account)
		})

		pass(time.Hour)
		assert.Equal(t, journal.Summary{Settled: 1, Waiting: 1, Attention: 1}, a.round(t))
		pass(time.Minute)
		assert.Equal(t, journal.Summary{Waiting: 1}, a.round(t))
		for account, state := range map[string]journal.State{
			"": journal.StateNotFound, "au": journal.StateSucceeded, "nz": journal.StateNeedsReview,
		} {
			assert.Equal(t, state, a.of(t, account, "k").State, account)
			assert.Len(t, a.fakes[account].asked(), map[string]int{"": 2, "au": 1, "nz": 1}[account], account)
			a.fakes[account].refund = nil
		}

		a.each(t, "k", func(account string, got *refund.Refund, err error) {
			if account == "nz" {
				requireErrorIs(t, err, journal.ErrNeedsReview)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []any{account, account == "au"}, []any{got.Account, got.Replayed})
		})
		assert.Equal(t, []int{2, 1, 1}, []int{a.fakes[""].sent(), a.fakes["au"].sent(), a.fakes["nz"].sent()})

		d := decision("k", refund.VerdictNotApplied)
		d.Account = "nz"
		require.NoError(t, a.journal.Decide(t.Context(), d))
		assert.Equal(t, journal.StateNotSent, a.of(t, "nz", "k").State)
		assert.Equal(t, journal.StateSucceeded, a.of(t, "", "k").State, "that of the empty name is another")

		for account := range a.clients {
			var got []string
			for e, err := range a.journal.Entries(t.Context(), journal.Filter{Provider: "fake", Account: account, OrderKey: "1"}) {
				require.NoError(t, err)
				got = append(got, e.Account+" "+e.Key)
			}
			assert.Equal(t, []string{account + " k"}, got)
		}
	})
}

// TestAccountsAtOnce: one account's call is not in another's way.
func TestAccountsAtOnce(t *testing.T) {
	a := newAccounts(t)
	a.fakes["au"].refund = func(ctx context.Context, req refund.Request) (*refund.Refund, error) {
		_, err := a.clients["nz"].Refund(ctx, req)
		require.NoError(t, err)
		_, err = a.clients["au"].Refund(ctx, req)
		require.ErrorIs(t, err, refund.ErrInFlight)
		return made(req, refund.StatusSucceeded), nil
	}
	_, err := a.clients["au"].Refund(t.Context(), request("k"))
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 1}, []int{a.fakes[""].sent(), a.fakes["au"].sent(), a.fakes["nz"].sent()})
}

// TestAccountsKeysAreTheirOwn: a key that is used for another refund elsewhere is not used.
func TestAccountsKeysAreTheirOwn(t *testing.T) {
	a := newAccounts(t)
	_, err := a.clients["au"].Refund(t.Context(), request("k"))
	require.NoError(t, err)
	other := request("k")
	other.Order.ID, other.Amount = "2", refund.MustParseMoney("5.00", "AUD")
	_, err = a.clients["nz"].Refund(t.Context(), other)
	require.NoError(t, err)
	_, err = a.clients["au"].Refund(t.Context(), other)
	requireKeyReused(t, err)
}

// TestAccountsHaveRefundsOfTheirOwn: the ids that two accounts give may be the same.
func TestAccountsHaveRefundsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccounts(t)
		for _, account := range []string{"", "au"} {
			_, err := a.clients[account].Refund(t.Context(), request("a"))
			require.NoError(t, err)
		}
		ask := func(account, key string) error {
			f := a.fakes[account]
			f.refund, f.resolve = lose, answers(refund.Resolution{
				Verdict: refund.VerdictApplied, Refund: made(request("a"), refund.StatusSucceeded), // with the id of those two
			})
			_, err := a.clients[account].Refund(t.Context(), request(key))
			requireErrorIs(t, err, errWire)
			pass(time.Hour)
			_, err = a.clients[account].Refund(t.Context(), request(key))
			return err
		}
		require.NoError(t, ask("nz", "b"))
		assert.Equal(t, journal.StateSucceeded, a.of(t, "nz", "b").State)
		requireErrorIs(t, ask("au", "b"), journal.ErrNeedsReview) // there it is that of another key
		requireErrorIs(t, ask("nz", "c"), journal.ErrNeedsReview)
	})
}

// TestPollOfAccounts reads each pending refund at its own account.
func TestPollOfAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{store: newFlaky(), ctx: t.Context()}
		b.journal = journal.New(b.store, b.opts)
		states := map[string]refund.Status{"": refund.StatusFailed, "au": refund.StatusSucceeded, "nz": refund.StatusCanceled}
		for account, status := range states {
			r := &readable{fake: &fake{account: account, refund: pending}}
			r.get = func(_ context.Context, ref refund.Ref) (*refund.Refund, error) {
				assert.Equal(t, refund.Ref{Order: request("k").Order, ID: "r-k"}, ref)
				return made(request("k"), status), nil
			}
			require.NoError(t, b.journal.AddAccount(t.Context(), journal.Account{Provider: "fake", Name: account}))
			_, err := wrap(t, b.journal, r).Refund(t.Context(), request("k"))
			require.NoError(t, err)
		}
		pass(time.Hour)
		assert.Equal(t, journal.Summary{Settled: 3}, b.round(t))
		for account, status := range states {
			e, err := b.journal.Get(t.Context(), journal.ID{Provider: "fake", Account: account, Key: "k"})
			require.NoError(t, err)
			assert.Equal(t, string(status), string(e.State))
		}
	})
}

// TestAccountWithoutClient: asking another account would find nothing, and call it not sent.
func TestAccountWithoutClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccounts(t)
		for _, f := range a.fakes {
			f.refund, f.resolve = lose, absent
		}
		a.each(t, "k", func(_ string, _ *refund.Refund, err error) { requireErrorIs(t, err, errWire) })
		_, err := a.clients["au"].Refund(t.Context(), request("k"))
		require.Error(t, err)

		a.wrap(t, &fake{account: "nz", resolve: applied}) // the new process has one of them
		pass(time.Hour)
		assert.Equal(t, journal.Summary{Settled: 1}, a.round(t))
		for account, state := range map[string]journal.State{
			"": journal.StateUnknown, "au": journal.StateUnknown, "nz": journal.StateSucceeded,
		} {
			assert.Equal(t, state, a.of(t, account, "k").State, account)
		}
	})
}

// TestMisuse: what was put together wrongly is refused at once, and never in the middle of a refund.
func TestMisuse(t *testing.T) {
	assert.Panics(t, func() { journal.New(nil, journal.Options{}) })
	b := &bench{store: newFlaky()}
	b.journal = journal.New(b.store, b.opts)
	for name, r := range map[string]refund.Refunder{"nil": nil, "a nil pointer": (*fake)(nil)} {
		_, err := b.journal.Wrap(r)
		require.Error(t, err, name)
	}
	provider := &fake{}
	client, err := b.journal.Wrap(provider)
	require.NoError(t, err)
	_, err = client.Refund(nil, request("k")) //nolint:staticcheck // that is the misuse
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
	requireError(t, err, refund.OutcomeUnknown) // of an earlier call nothing is known
	assert.Zero(t, provider.sent())
}
