//go:build unix

package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// theatre is a run with one provider and one journal in a file, for processes that are stopped.
type theatre struct {
	*run
	provider *provider
	sim      refundtest.Simulator
	store    journal.Store
	order    refund.Order
}

func newTheatre(t *testing.T, p *provider) *theatre {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	dsn := filepath.Join(t.TempDir(), "journal.db")
	store, err := openStore(t.Context(), "sqlite", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	require.NoError(t, store.Migrate(t.Context()))
	all, err := providers()
	require.NoError(t, err)
	r := &run{client: clientJournal, store: "sqlite", dsn: dsn, self: self, sims: map[string]refundtest.Simulator{}, urls: map[string]string{}}
	for i := range all {
		sim := all[i].simulator()
		server := httptest.NewServer(sim)
		t.Cleanup(server.Close)
		r.sims[all[i].name], r.urls[all[i].name] = sim, server.URL
	}
	sim := r.sims[p.name]
	return &theatre{r, p, sim, store, sim.AddOrder(refund.MustParseMoney("100.00", p.currency))}
}

// shop starts a process that refunds, and is stopped with the request in its hands.
func (th *theatre) shop(t *testing.T, o order, at point) *process {
	t.Helper()
	o.Store, o.DSN, o.URLs = th.run.store, th.dsn, th.urls
	p, err := th.start(t.Context(), o)
	require.NoError(t, err)
	_, err = p.in.Write(encode(task{
		ID: 1, Provider: th.provider.name, Order: th.order, Key: "k", Amount: "10.00", Currency: th.provider.currency, Client: clientJournal, Stop: at,
	}))
	require.NoError(t, err)
	if at != "" {
		require.Equal(t, saidStopped, th.heard(t, p).Said)
	}
	return p
}

func (*theatre) heard(t *testing.T, p *process) answer {
	t.Helper()
	require.True(t, p.out.Scan(), "the process has ended")
	var a answer
	require.NoError(t, json.Unmarshal(p.out.Bytes(), &a))
	return a
}

// end lets a process go on and returns what it has heard in the end.
func (th *theatre) end(t *testing.T, p *process) answer {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGCONT))
	a := th.heard(t, p)
	require.NoError(t, p.in.Close())
	require.NoError(t, p.cmd.Wait())
	return a
}

// settled lets time pass until everything is known, and returns the entry.
func (th *theatre) settled(t *testing.T) journal.Entry {
	t.Helper()
	require.NoError(t, th.settle(t.Context()))
	e, err := th.store.Get(t.Context(), journal.ID{Provider: th.provider.name, Key: "k"})
	require.NoError(t, err)
	return e
}

// eachProvider runs a test for each provider, at the same time.
func eachProvider(t *testing.T, test func(t *testing.T, p *provider)) {
	t.Helper()
	all, err := providers()
	require.NoError(t, err)
	for i := range all {
		t.Run(all[i].name, func(t *testing.T) {
			t.Parallel()
			test(t, &all[i])
		})
	}
}

// A process that is stopped (SIGSTOP) past its lease, with the request in its hands, sends nothing when it goes on: what others
// have found out meanwhile is the truth.
func TestStoppedPastTheLease(t *testing.T) {
	eachProvider(t, func(t *testing.T, p *provider) {
		th := newTheatre(t, p)
		const lease = time.Second
		stopped := th.shop(t, order{Lease: lease, AttemptTimeout: lease}, beforeSend)
		<-time.After(2 * lease)
		settled := th.settled(t)
		said := th.end(t, stopped)
		if p.name == "afterpay" { // there it is found out by sending the key again, and that is what is told
			assert.Equal(t, saidPaid, said.Said)
			assert.Equal(t, journal.StateSucceeded, settled.State)
			assert.Len(t, th.sim.Ledger(th.order), 1)
			return
		}
		assert.NotEqual(t, saidPaid, said.Said)
		assert.Empty(t, th.sim.Ledger(th.order))
		want := journal.StateNotSent
		if p.name == "instant" {
			want = journal.StateNeedsReview
		}
		assert.Equal(t, want, settled.State)
		assert.Equal(t, want, th.settled(t).State)
	})
}

// A machine that is suspended just before the request, for hours, sends it when it goes on: its own clocks have not moved. Here
// the others' time is made to pass instead. What is paid then is recorded, and a second payment is announced.
func TestSuspendedMachine(t *testing.T) {
	eachProvider(t, func(t *testing.T, p *provider) {
		for _, repeated := range []bool{false, true} {
			th := newTheatre(t, p)
			suspended := th.shop(t, order{Lease: time.Hour, AttemptTimeout: time.Minute}, beforeSend)
			before := th.settled(t)
			if repeated {
				th.end(t, th.shop(t, order{}, ""))
			}
			said := th.end(t, suspended)
			e := th.settled(t)
			switch paid := len(th.sim.Ledger(th.order)); {
			case paid > 1:
				assert.True(t, repeated)
				assert.Equal(t, journal.AttentionPaidTwice, e.Attention)
				assert.NotContains(t, []string{"afterpay", "backd"}, p.name, "it can be prevented there")
			case paid == 1 && p.name == "instant" && e.State == journal.StateNeedsReview: // nobody can tell
			case paid == 1:
				assert.Contains(t, []journal.State{journal.StateSucceeded, journal.StatePending}, e.State)
				if !repeated && before.State == journal.StateNotSent {
					assert.Equal(t, journal.AttentionFoundLate, e.Attention, "it was thought not to have been made")
				}
			default:
				assert.Fail(t, "the suspended request was to be sent", "%s: %s", said.Said, said.Text)
			}
		}
	})
}
