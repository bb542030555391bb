package journal_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

func TestTwoAccountsOrderRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		simA, simB := orderrowstest.New(), orderrowstest.New()
		net := refundtest.NewNetwork(refundtest.InMemory(simA))
		cfgA, cfgB := simA.Config(), simB.Config()
		cfgA.Transport, cfgA.NoLookup, cfgB.NoLookup = net, true, true
		a, err := orderrows.New(cfgA)
		require.NoError(t, err)
		b, err := orderrows.New(cfgB)
		require.NoError(t, err)
		j := journal.New(journal.NewMemory(), journal.Options{})
		clientA, _ := j.Wrap(a), j.Wrap(b)
		amount := refund.MustParseMoney("10.00", "SEK")
		req := refund.Request{IdempotencyKey: "k", Order: simA.AddOrder(amount), Amount: amount}
		simB.AddOrder(amount)
		net.Inject(refundtest.LostAnswer)
		_, err = clientA.Refund(t.Context(), req)
		t.Log(err)
		for range 5 {
			<-time.After(10 * time.Minute)
			_, err := j.Recover(t.Context())
			t.Log(err)
		}
		_, err = clientA.Refund(t.Context(), req)
		t.Log(err)
		require.Len(t, simA.Ledger(req.Order), 1)
	})
}

func TestTwoAccountsDigitalRiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		simA, simB := digitalrivertest.New(), digitalrivertest.New()
		net := refundtest.NewNetwork(refundtest.InMemory(simA))
		cfgA, cfgB := simA.Config(), simB.Config()
		cfgA.Transport, cfgA.NoLookup, cfgB.NoLookup = net, true, true
		a, err := digitalriver.New(cfgA)
		require.NoError(t, err)
		b, err := digitalriver.New(cfgB)
		require.NoError(t, err)
		j := journal.New(journal.NewMemory(), journal.Options{})
		clientA, _ := j.Wrap(a), j.Wrap(b)
		amount := refund.MustParseMoney("10.00", "USD")
		req := refund.Request{IdempotencyKey: "k", Order: simA.AddOrder(refund.MustParseMoney("100.00", "USD")), Amount: amount}
		simB.AddOrder(refund.MustParseMoney("100.00", "USD"))
		net.Inject(refundtest.LostAnswer)
		_, err = clientA.Refund(t.Context(), req)
		t.Log(err)
		for range 5 {
			<-time.After(10 * time.Minute)
			_, err := j.Recover(t.Context())
			t.Log(err)
		}
		_, err = clientA.Refund(t.Context(), req)
		t.Log(err)
		require.Len(t, simA.Ledger(req.Order), 1)
	})
}
