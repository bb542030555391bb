package simulators_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
	"github.com/multirefund/refund-go/simulators"
)

func TestNamesAreUniqueAndSorted(t *testing.T) {
	var names []string
	for _, sim := range simulators.All() {
		names = append(names, sim.Provider())
	}
	assert.NotEmpty(t, names)
	assert.IsIncreasing(t, names)
}

// TestClients: every simulator makes clients that are who they say, and that can do what they say.
func TestClients(t *testing.T) {
	for _, sim := range simulators.All() {
		t.Run(sim.Provider(), func(t *testing.T) {
			client, err := sim.Refunder(refund.Options{Account: "shop-7"})
			require.NoError(t, err)
			require.NoError(t, refund.CheckAbilities(client))
			caps := client.Capabilities()
			assert.Equal(t, sim.Provider(), caps.Provider)
			assert.Equal(t, "shop-7", caps.Account)
			assert.NotEmpty(t, caps.Target)
			assert.True(t, caps.Currencies == nil || slices.Contains(caps.Currencies, sim.Currency()))
			assert.NotEmpty(t, sim.Secrets())
			assert.NotContains(t, sim.Secrets(), "")
		})
	}
}

// TestAllAreOwnProviders: each list is of new simulators, without orders in common.
func TestAllAreOwnProviders(t *testing.T) {
	for i, sim := range simulators.All() {
		amount, err := refund.MoneyFromMinor(1000, sim.Currency())
		require.NoError(t, err)
		order := sim.AddOrder(amount)
		client, err := sim.Refunder(refund.Options{})
		require.NoError(t, err)
		_, err = client.Refund(t.Context(), refund.Request{IdempotencyKey: "k", Order: order, Amount: amount})
		require.NoError(t, err, sim.Provider())
		assert.Len(t, sim.Ledger(order), 1)
		assert.Empty(t, simulators.All()[i].Ledger(order))
	}
}

// TestServed: every simulator can be reached over TLS too.
func TestServed(t *testing.T) {
	for _, sim := range simulators.All() {
		t.Run(sim.Provider(), func(t *testing.T) {
			opts, stop := refundtest.Serve(sim)
			defer stop()
			client, err := sim.Refunder(opts)
			require.NoError(t, err)
			amount, err := refund.MoneyFromMinor(1000, sim.Currency())
			require.NoError(t, err)
			order := sim.AddOrder(amount)
			_, err = client.Refund(t.Context(), refund.Request{IdempotencyKey: "k", Order: order, Amount: amount})
			require.NoError(t, err)
			assert.Len(t, sim.Ledger(order), 1)
		})
	}
}
