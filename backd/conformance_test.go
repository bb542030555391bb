package backd_test

import (
	"testing"

	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/refund/refundtest"
)

func TestConformance(t *testing.T) {
	refundtest.Run(t, refundtest.Harness{NewSimulator: func() refundtest.Simulator { return backdtest.New() }})
}
