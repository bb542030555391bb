package journal_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// seller is a provider with its simulator, and how its client is made.
type seller struct {
	newSimulator func() refundtest.Simulator
	newClient    func(sim refundtest.Simulator, opts refund.Options) (refund.Refunder, error)
}

// simulated makes the clients as the simulator does.
func simulated(newSimulator func() refundtest.Simulator) seller {
	return seller{newSimulator, refundtest.Simulator.Refunder}
}

// sellers are the five providers, and those that look for the key before they send once more without that: it is what
// their Config offers to those who use a journal.
func sellers() map[string]seller {
	return map[string]seller{
		"afterpay":                    simulated(func() refundtest.Simulator { return afterpaytest.New() }),
		"backd":                       simulated(func() refundtest.Simulator { return backdtest.New() }),
		"digitalriver":                simulated(func() refundtest.Simulator { return digitalrivertest.New() }),
		"digitalriver without lookup": digitalRiverWithoutLookup(),
		"instant":                     simulated(func() refundtest.Simulator { return instanttest.New() }),
		"orderrows":                   simulated(func() refundtest.Simulator { return orderrowstest.New() }),
		"orderrows without lookup":    orderRowsWithoutLookup(),
	}
}

func orderRowsWithoutLookup() seller {
	sim := func() refundtest.Simulator { return orderrowstest.New() }
	return seller{sim, func(sim refundtest.Simulator, opts refund.Options) (refund.Refunder, error) {
		cfg := orderrowstest.New().Config()
		cfg.Options, cfg.NoLookup = refundtest.Connect(sim, opts), true
		return orderrows.New(cfg)
	}}
}

func digitalRiverWithoutLookup() seller {
	sim := func() refundtest.Simulator { return digitalrivertest.New() }
	return seller{sim, func(sim refundtest.Simulator, opts refund.Options) (refund.Refunder, error) {
		cfg := digitalrivertest.New().Config()
		cfg.Options, cfg.NoLookup = refundtest.Connect(sim, opts), true
		return digitalriver.New(cfg)
	}}
}

// shop is one account: the provider as it is there, the network to it, and its client in the journal.
type shop struct {
	account string
	sim     refundtest.Simulator
	net     *refundtest.Network
	bare    refund.Refunder
	client  refund.Refunder
	req     refund.Request
}

// chain is two accounts of one provider, in one journal on one store. Their keys and the ids of their orders are the same.
type chain struct {
	store   journal.Store
	journal *journal.Journal
	shops   [2]*shop
}

// newChain wraps the accounts in this order or in the other: the last one must not win.
func newChain(t *testing.T, s seller, reversed bool) *chain {
	t.Helper()
	c := &chain{store: journal.NewMemory()}
	for i, account := range []string{"a", ""} { // the empty name is one too
		at := &shop{account: account, sim: s.newSimulator()}
		at.net = refundtest.NewNetwork(refundtest.InMemory(at.sim))
		var err error
		at.bare, err = s.newClient(at.sim, refund.Options{
			Account: account, Transport: at.net, Retry: refund.RetryPolicy{MaxAttempts: 1},
		})
		require.NoError(t, err)
		money := func(amount string) refund.Money { return refund.MustParseMoney(amount, at.sim.Currency()) }
		at.req = refund.Request{IdempotencyKey: "k", Order: at.sim.AddOrder(money("100.00")), Amount: money("10.00")}
		c.shops[i] = at
	}
	for _, at := range c.shops {
		caps := at.bare.Capabilities()
		account := journal.Account{Provider: caps.Provider, Name: at.account, Target: caps.Target}
		require.NoError(t, journal.New(c.store, journal.Options{}).AddAccount(t.Context(), account))
	}
	require.Equal(t, c.shops[0].req, c.shops[1].req, "nothing but the account tells the two apart")
	c.start(t, reversed)
	return c
}

// start is a process that begins.
func (c *chain) start(t *testing.T, reversed bool) {
	t.Helper()
	c.journal = journal.New(c.store, journal.Options{})
	order := slices.Clone(c.shops[:])
	if reversed {
		slices.Reverse(order)
	}
	for _, at := range order {
		at.client = wrap(t, c.journal, at.bare)
	}
}

// entry is what the journal says of the account's refund.
func (c *chain) entry(t *testing.T, at *shop) journal.Entry {
	t.Helper()
	e, err := c.journal.Get(t.Context(), journal.ID{Provider: at.sim.Provider(), Account: at.account, Key: "k"})
	require.NoError(t, err)
	return e
}

// settle lets time pass until nothing is unknown any more, and checks after every step that the journal says nothing else
// than the ledgers.
func (c *chain) settle(t *testing.T) {
	t.Helper()
	for range 100 {
		_, err := c.journal.Round(t.Context())
		require.NoError(t, err)
		var due []time.Time
		for _, at := range c.shops {
			e, err := c.journal.Get(t.Context(), journal.ID{Provider: at.sim.Provider(), Account: at.account, Key: "k"})
			if err != nil { // never asked
				continue
			}
			c.truthful(t, at, &e)
			if e.State == journal.StateUnknown {
				due = append(due, e.Due)
			}
		}
		if len(due) == 0 {
			return
		}
		pass(time.Until(slices.MinFunc(due, time.Time.Compare)))
	}
	require.Fail(t, "the journal does not come to an end")
}

// truthful compares an entry with what really moved at its account.
func (c *chain) truthful(t *testing.T, at *shop, e *journal.Entry) {
	t.Helper()
	moved := len(at.sim.Ledger(at.req.Order))
	require.LessOrEqual(t, moved, 1, "paid twice at %q", at.account)
	switch e.State { // the others say that nothing has moved
	case journal.StateSending, journal.StateUnknown, journal.StateNeedsReview:
	case journal.StatePending, journal.StateSucceeded:
		require.Equal(t, 1, moved, "the journal says %s, but account %q has moved nothing", e.State, at.account)
	default:
		require.Zero(t, moved, "the journal says %s, but account %q has moved money", e.State, at.account)
	}
}

// review is what a person does who looks at the dashboard of the account.
func (c *chain) review(t *testing.T) {
	t.Helper()
	for e, err := range c.journal.Entries(t.Context(), journal.Filter{States: []journal.State{journal.StateNeedsReview}}) {
		require.NoError(t, err)
		for _, at := range c.shops {
			if at.account != e.Account {
				continue
			}
			d := journal.Decision{
				Provider: e.Provider, Account: e.Account, Key: e.Key, Verdict: refund.VerdictNotApplied,
				Who: "staff-7", Why: "the dashboard", Force: true,
			}
			if len(at.sim.Ledger(at.req.Order)) > 0 {
				d.Verdict = refund.VerdictApplied
			}
			require.NoError(t, c.journal.Decide(t.Context(), d))
		}
	}
}

// again asks every account with the same key once more, and expects that each has then paid once.
func (c *chain) again(t *testing.T) {
	t.Helper()
	for _, at := range c.shops {
		got, err := at.client.Refund(t.Context(), at.req)
		require.NoError(t, err, "account %q", at.account)
		assert.Equal(t, []any{at.account, "k", at.req.Order}, []any{got.Account, got.IdempotencyKey, got.Order})
	}
	c.paidOnce(t)
}

func (c *chain) paidOnce(t *testing.T) {
	t.Helper()
	for _, at := range c.shops {
		assert.Equal(t, []refund.Money{at.req.Amount}, at.sim.Ledger(at.req.Order), "account %q", at.account)
		e := c.entry(t, at)
		c.truthful(t, at, &e)
		assert.Contains(t, []journal.State{journal.StatePending, journal.StateSucceeded}, e.State, "account %q", at.account)
		assert.Empty(t, e.Attention)
	}
}

// bothWays runs a test for both orders of the two Wrap calls.
func bothWays(t *testing.T, s seller, test func(t *testing.T, c *chain)) {
	t.Helper()
	for name, reversed := range map[string]bool{"wrapped first": false, "wrapped last": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newChain(t, s, reversed)) })
		})
	}
}

// lostAtOne loses the response of one account's refund, lets the journal find out, and sends the key again. The other
// account has the order and no refund of it.
func lostAtOne(t *testing.T, c *chain) {
	t.Helper()
	a, other := c.shops[0], c.shops[1]
	a.net.Inject(refundtest.LostAnswer)
	_, err := a.client.Refund(t.Context(), a.req)
	require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
	require.Len(t, a.sim.Ledger(a.req.Order), 1)
	c.settle(t)
	state := c.entry(t, a).State
	assert.Contains(t, []journal.State{journal.StatePending, journal.StateSucceeded}, state, "money moved")

	got, err := a.client.Refund(t.Context(), a.req)
	require.NoError(t, err)
	assert.Equal(t, []any{"a", true}, []any{got.Account, got.Replayed})
	assert.Len(t, a.sim.Ledger(a.req.Order), 1, "paid twice")
	assert.Empty(t, other.net.Requests(), "the other account has nothing to do with it")
	assert.Empty(t, other.sim.Ledger(other.req.Order))
	c.again(t)
}

// TestTwoOrderRowsAccounts: with one client for the provider, recovery asked the other account, called the refund not sent,
// and the same key paid a second time.
func TestTwoOrderRowsAccounts(t *testing.T) { bothWays(t, orderRowsWithoutLookup(), lostAtOne) }

// TestTwoDigitalRiverAccounts is the same there.
func TestTwoDigitalRiverAccounts(t *testing.T) { bothWays(t, digitalRiverWithoutLookup(), lostAtOne) }

// TestTwoDigitalRiverAccountsWithLookup: the lookup kept the second payment away, but not the journal from saying that
// nothing was sent.
func TestTwoDigitalRiverAccountsWithLookup(t *testing.T) {
	bothWays(t, sellers()["digitalriver"], lostAtOne)
}

// TestTwoInstantStores: the second store was told that its refund had succeeded, because the first one's had.
func TestTwoInstantStores(t *testing.T) {
	bothWays(t, sellers()["instant"], func(t *testing.T, c *chain) {
		for _, at := range c.shops {
			got, err := at.client.Refund(t.Context(), at.req)
			require.NoError(t, err)
			assert.Equal(t, []any{at.account, refund.StatusSucceeded, false}, []any{got.Account, got.Status, got.Replayed})
			assert.Len(t, at.sim.Ledger(at.req.Order), 1, "store %q was told that it has paid", at.account)
		}
		c.again(t)
	})
}

// TestAccountsOfEveryProvider: whatever each account's network does, in the end each has paid once for the key.
func TestAccountsOfEveryProvider(t *testing.T) {
	for name, s := range sellers() {
		for _, faults := range [][2]refundtest.Fault{
			{"", ""},
			{refundtest.LostAnswer, ""},
			{"", refundtest.LostAnswer},
			{refundtest.LostAnswer, refundtest.LostAnswer},
			{refundtest.LostAnswer, refundtest.HTMLBlockPage}, // the one has moved money, the other has not, both are unknown
			{refundtest.HTMLBlockPage, refundtest.LostAnswer},
			{refundtest.LostAnswer, refundtest.DialError},
			{refundtest.ServerErrorAfterCommit, refundtest.ServerErrorBeforeCommit},
		} {
			t.Run(name+"/"+string(faults[0])+", "+string(faults[1]), func(t *testing.T) {
				bothWays(t, s, func(t *testing.T, c *chain) {
					for i, at := range c.shops {
						at.net.Inject(faults[i])
						_, err := at.client.Refund(t.Context(), at.req)
						assert.Equal(t, faults[i] == "", err == nil, "%v", err)
					}
					c.settle(t)
					c.review(t)
					c.again(t)
					c.start(t, true) // the next process says the same
					c.again(t)
				})
			})
		}
	}
}

// TestDeadProcessWithTwoAccounts: the one that died while it sent is resolved at the account that it sent to.
func TestDeadProcessWithTwoAccounts(t *testing.T) {
	for name, s := range sellers() {
		t.Run(name, func(t *testing.T) {
			bothWays(t, s, func(t *testing.T, c *chain) {
				for _, at := range c.shops {
					dying := &dying{at.bare}
					j := journal.New(c.store, journal.Options{})
					client := wrap(t, j, dying)
					_, err := client.Refund(t.Context(), at.req)
					require.ErrorIs(t, err, refund.ErrInFlight)
				}
				pass(15 * time.Minute)
				c.start(t, false)
				c.settle(t)
				c.review(t)
				c.again(t)
			})
		})
	}
}

// dying kills its process when the provider has answered.
type dying struct{ refund.Refunder }

func (d *dying) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	_, _ = d.Refunder.Refund(ctx, req) //nolint:errcheck // nobody lives to see it
	runtime.Goexit()
	return nil, nil //nolint:nilnil // not reached
}

func (d *dying) Unwrap() refund.Refunder { return d.Refunder }

// TestCancelAtOneAccount: the pending refund of the other one, which has the same key, order and id, stays.
func TestCancelAtOneAccount(t *testing.T) {
	bothWays(t, sellers()["backd"], func(t *testing.T, c *chain) {
		for _, at := range c.shops {
			got, err := at.client.Refund(t.Context(), at.req)
			require.NoError(t, err)
			require.Equal(t, refund.StatusPending, got.Status)
		}
		a, other := c.shops[0], c.shops[1]
		before := len(other.net.Requests())
		canceler, ok := refund.As[refund.Canceler](a.client)
		require.True(t, ok)
		got, err := canceler.CancelRefund(t.Context(), refund.Ref{Order: a.req.Order})
		require.NoError(t, err)
		assert.Equal(t, []any{"a", "k", refund.StatusCanceled}, []any{got.Account, got.IdempotencyKey, got.Status})
		assert.Equal(t, journal.StateCanceled, c.entry(t, a).State)
		assert.Empty(t, a.sim.Ledger(a.req.Order))
		assert.Equal(t, journal.StatePending, c.entry(t, other).State)
		assert.Len(t, other.sim.Ledger(other.req.Order), 1)
		assert.Len(t, other.net.Requests(), before)

		// The order is free for the next refund, which has a key of its own.
		next := a.req
		next.IdempotencyKey = "next"
		_, err = a.client.Refund(t.Context(), next)
		require.NoError(t, err)
		assert.Len(t, a.sim.Ledger(a.req.Order), 1)
		again, err := a.client.Refund(t.Context(), a.req)
		require.NoError(t, err)
		assert.Equal(t, refund.StatusCanceled, again.Status)
	})
}
