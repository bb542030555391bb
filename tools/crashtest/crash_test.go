package main

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) != "" {
		os.Exit(workerMain(context.Background()))
	}
	os.Exit(m.Run())
}

// TestCrashes is a small run of the suite: every intent's entry is compared with the ledger. Seeds that once failed stay
// in the list.
func TestCrashes(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for _, store := range []string{"sqlite", "postgres"} {
		for _, seed := range []uint64{1, 2} {
			t.Run(store, func(t *testing.T) {
				rep, err := onStore(t.Context(), self, store, 400, seed)
				if reason, ok := unavailable(err); ok {
					if os.Getenv("CI") == "true" {
						t.Fatal(reason)
					}
					t.Skip(reason)
				}
				require.NoError(t, err)
				rep.print(t.Output(), 0)
				assert.Positive(t, rep.kills, "nobody died")
				assert.Empty(t, rep.findings)
				for name, line := range rep.rows {
					assert.InDelta(t, 400/len(rep.rows), line.intents, 1, name)
					assert.Positive(t, line.faults, name)
					assert.Zero(t, line.twice, name)
					assert.Zero(t, line.falseFailed, name)
					assert.Zero(t, line.falsePaid, name)
					if name != "instant" {
						assert.Zero(t, line.forPerson, name)
					}
				}
			})
		}
	}
}

// TestNaiveClientsDoNotComeThrough: otherwise the script would be too kind to prove anything.
func TestNaiveClientsDoNotComeThrough(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for _, client := range naiveClients() {
		t.Run(client, func(t *testing.T) {
			rep, err := withoutJournal(t.Context(), self, client, 400, 1)
			require.NoError(t, err)
			rep.print(t.Output(), 0)
			assert.Positive(t, rep.bad())
		})
	}
}

// TestTheCarefulClientOnlyAsksPeople: it says nothing wrong, at a price.
func TestTheCarefulClientOnlyAsksPeople(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	rep, err := withoutJournal(t.Context(), self, clientCareful, 400, 1)
	require.NoError(t, err)
	rep.print(t.Output(), 0)
	assert.Zero(t, rep.bad(), rep.findings)
	for name, line := range rep.rows {
		assert.Positive(t, line.forPerson, name)
		assert.Less(t, line.forPerson, line.intents, name)
	}
}

// TestVoidRows: a client with a wrong path is never caught paying twice.
func TestVoidRows(t *testing.T) {
	rep := &report{client: clientPlain, rows: map[string]*row{"afterpay": {intents: 80, moved: 1}, "backd": {intents: 80}}}
	require.ErrorContains(t, rep.void(), "never moved money at backd")
	rep.rows["backd"].moved = 1
	assert.NoError(t, rep.void())
}
