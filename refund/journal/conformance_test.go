package journal_test

import (
	"testing"

	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// TestConformance: a journalled client is a Refunder like any other.
func TestConformance(t *testing.T) {
	refundtest.Run(t, refundtest.Harness{
		NewSimulator: func() refundtest.Simulator { return afterpaytest.New() },
		NewClient: func(sim refundtest.Simulator, opts refund.Options) (refund.Refunder, error) {
			client, err := sim.Refunder(opts)
			if err != nil {
				return nil, err
			}
			return journal.New(journal.NewMemory(), journal.Options{}).Wrap(client)
		},
		Skip: map[string]string{
			"looking sends nothing":            "the journal resolves its own entries, and does not pass on yet what an Attempt forbids",
			"paid twice":                       "what is paid twice is a person's, in the journal",
			"markers that are lost or changed": "the journal does not say yet which refunds it knows",
		},
	})
}
