package journal_test

import (
	"context"
	"sync"
	"testing"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/journaltest"
	"github.com/multirefund/refund-go/refund/refundtest"
	"github.com/multirefund/refund-go/simulators"
)

// TestMemoryConformance: the Store for tests keeps to the contract of those for money.
func TestMemoryConformance(t *testing.T) {
	journaltest.RunStore(t, func(*testing.T) journal.Store { return journal.NewMemory() })
}

// TestConformance: a journalled client is a Refunder like any other.
func TestConformance(t *testing.T) {
	for _, sim := range simulators.All() {
		t.Run(sim.Provider(), func(t *testing.T) {
			var journals sync.Map // by client
			refundtest.Run(t, refundtest.Harness{
				NewSimulator: func() refundtest.Simulator { return newSimulator(t, sim.Provider()) },
				NewClient: func(sim refundtest.Simulator, opts refund.Options) (refund.Refunder, error) {
					client, err := sim.Refunder(opts)
					if err != nil {
						return nil, err
					}
					j := journal.New(journal.NewMemory(), journal.Options{})
					client, err = j.Wrap(client)
					journals.Store(client, j)
					return client, err
				},
				Skip: map[string]string{
					"paid twice": "the journal records it, as Attention and as a Warning of the refund",
				},
				Shutdown: func(client refund.Refunder) error {
					j, _ := journals.LoadAndDelete(client)
					return j.(*journal.Journal).Shutdown(context.Background())
				},
			})
		})
	}
}

func newSimulator(t *testing.T, provider string) refundtest.Simulator {
	t.Helper()
	for _, sim := range simulators.All() {
		if sim.Provider() == provider {
			return sim
		}
	}
	t.Fatalf("there is no simulator of %s", provider)
	return nil
}
