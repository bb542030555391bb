package journal_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// elsewhere starts a process whose client asks another account: it has the same name, and perhaps another target.
func (s *scene) elsewhere(t *testing.T, opts refund.Options) *instance {
	t.Helper()
	other := s.vendor.simulator()
	opts.Transport, opts.Retry = refundtest.InMemory(other), refund.RetryPolicy{MaxAttempts: 1}
	client, err := s.vendor.client(other, opts)
	require.NoError(t, err)
	return s.startWith(t, client)
}

// TestSandboxAtALiveStore (3): a deployment with the credentials of a sandbox starts at the store of a live shop. It is refused,
// and nothing is judged.
func TestSandboxAtALiveStore(t *testing.T) {
	onStage(t, allVendors(), func(t *testing.T, s *scene) {
		s.net.Inject(refundtest.LostAnswer)
		s.unclear(t)
		before := s.entry(t)
		live := s.processes[0]
		s.only(s.elsewhere(t, refund.Options{BaseURL: "https://sandbox.example"}))
		for range 30 {
			pass(6 * time.Minute)
			_, err := s.processes[0].journal.Round(t.Context())
			require.ErrorIs(t, err, journal.ErrUnknownAccount)
		}
		_, err := s.refund(t)
		require.ErrorIs(t, err, journal.ErrUnknownAccount)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		assert.Equal(t, before, s.entry(t), "nothing was judged")
		s.only(live)
		s.work(t, 9*24*time.Hour)
		assert.Equal(t, 1, s.paid())
		s.honest(t)
	})
}

// TestOrderOfAnotherAccount (3): the credentials are those of another account, which nothing tells but that the order is not
// there. That is no evidence of absence.
func TestOrderOfAnotherAccount(t *testing.T) {
	onStage(t, readableVendors(), func(t *testing.T, s *scene) {
		s.net.Inject(refundtest.LostAnswer)
		s.unclear(t)
		own := s.processes[0]
		s.only(s.elsewhere(t, refund.Options{}))
		for range 9 * 24 {
			s.work(t, time.Hour)
			assert.NotContains(t, []journal.State{journal.StateNotFound, journal.StateNotSent, journal.StateRejected}, s.entry(t).State)
			_, err := s.refund(t)
			assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "%v", err)
		}
		s.only(own)
		s.work(t, 9*24*time.Hour)
		assert.Equal(t, 1, s.paid())
		s.honest(t)
	})
}

// TestRenamedAccount (3): a name that has changed would let every key be paid again. It is refused until it is said that the
// account has that name now.
func TestRenamedAccount(t *testing.T) {
	onStage(t, allVendors(), func(t *testing.T, s *scene) {
		_, err := s.refund(t)
		require.NoError(t, err)
		renamed := s.startWith(t, s.bare(t, refund.Options{Account: "au"}))
		s.only(renamed)
		_, err = s.refund(t)
		require.ErrorIs(t, err, journal.ErrUnknownAccount)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		require.NoError(t, renamed.journal.RenameAccount(t.Context(), s.sim.Provider(), "", "au"))
		got, err := s.refund(t)
		require.NoError(t, err)
		assert.True(t, got.Replayed)
		assert.Equal(t, 1, s.paid())
	})
}

// TestTwoAccountsOfAProvider (3): the lost refund of one is looked for there, and the same key is another refund at the other.
func TestTwoAccountsOfAProvider(t *testing.T) {
	for name, reversed := range map[string]bool{"wrapped first": false, "wrapped last": true} {
		t.Run(name, func(t *testing.T) {
			onStage(t, allVendors(), func(t *testing.T, s *scene) {
				other := s.vendor.simulator()
				require.Equal(t, s.req.Order, other.AddOrder(s.money("100.00")), "nothing but the account tells them apart")
				second, err := s.vendor.client(other, refund.Options{Account: "nz", Transport: refundtest.InMemory(other)})
				require.NoError(t, err)
				target := second.Capabilities().Target
				require.NoError(t, s.processes[0].journal.AddAccount(t.Context(), journal.Account{Provider: s.sim.Provider(), Target: target}))
				require.NoError(t, s.processes[0].journal.AddAccount(t.Context(), journal.Account{Provider: s.sim.Provider(), Name: "nz", Target: target}))
				p := &instance{journal: journal.New(s.store, journal.Options{})}
				if reversed {
					second = wrap(t, p.journal, second)
				}
				p.client = wrap(t, p.journal, s.bare(t, refund.Options{}))
				if !reversed {
					second = wrap(t, p.journal, second)
				}
				s.only(p)

				s.net.Inject(refundtest.LostAnswer)
				s.unclear(t)
				s.work(t, 9*24*time.Hour)
				s.honest(t)
				assert.Equal(t, 1, s.paid())
				assert.Empty(t, other.Ledger(s.req.Order))
				got, err := second.Refund(t.Context(), s.req)
				require.NoError(t, err)
				assert.False(t, got.Replayed)
				assert.Equal(t, "nz", got.Account)
				assert.Len(t, other.Ledger(s.req.Order), 1)
				assert.Equal(t, 1, s.paid())
			})
		})
	}
}

// TestSecondClientOfAnAccount (3): it would replace the first one without a word.
func TestSecondClientOfAnAccount(t *testing.T) {
	j := journal.New(journal.NewMemory(), journal.Options{})
	wrap(t, j, &fake{})
	_, err := j.Wrap(&fake{})
	require.ErrorIs(t, err, journal.ErrWrapped)
	_, err = j.Wrap(wrap(t, j, &fake{account: "b"}))
	require.ErrorIs(t, err, journal.ErrWrapped, "nor can a journalled client be journalled")
}

// TestNobodyHasAClient (18): the entry of a provider that is gone calls for a person, who frees the order without a client.
func TestNobodyHasAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{})
		b.crash(t, "k")
		b.journal = journal.New(b.store, journal.Options{})
		b.client = wrap(t, b.journal, &fake{name: "another"})
		for range 3 * 24 {
			pass(time.Hour)
			b.round(t)
		}
		assert.Equal(t, journal.AttentionNoClient, b.attention(t, "k"))
		require.NoError(t, b.decide("k", refund.VerdictNotApplied))
		e := b.entry(t, "k")
		assert.False(t, e.OrderLock)
		assert.Empty(t, e.Attention)
	})
}
