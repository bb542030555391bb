package orderrows_test

import (
	"testing"

	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund/refundtest"
)

var _ refundtest.Informant = (*orderrowstest.Simulator)(nil)

func TestConformance(t *testing.T) {
	refundtest.Run(t, refundtest.Harness{
		NewSimulator: func() refundtest.Simulator { return orderrowstest.New() },
	})
}
