package backd_test

import (
	"testing"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

func TestConformance(t *testing.T) {
	refundtest.Run(t, refundtest.Harness{
		NewSimulator: func() refundtest.Simulator { return backdtest.New() },
		NewClient: func(o refund.Options) (refund.Refunder, error) {
			cfg := backdtest.New().Config()
			cfg.Options = o
			return backd.New(cfg)
		},
		Currency: "USD",
		Secrets:  []string{backdtest.SecretKey},
	})
}
