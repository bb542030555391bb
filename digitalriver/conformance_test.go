package digitalriver_test

import (
	"testing"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

func TestConformance(t *testing.T) {
	refundtest.Run(t, refundtest.Harness{
		NewSimulator: func() refundtest.Simulator { return digitalrivertest.New() },
		NewClient: func(o refund.Options) (refund.Refunder, error) {
			cfg := digitalrivertest.New().Config()
			cfg.Options = o
			return digitalriver.New(cfg)
		},
		Currency: "USD",
		Secrets:  []string{digitalrivertest.APIKey},
	})
}
