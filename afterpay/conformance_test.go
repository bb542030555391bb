package afterpay_test

import (
	"testing"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

func TestConformance(t *testing.T) {
	refundtest.Run(t, refundtest.Harness{
		NewSimulator: func() refundtest.Simulator { return afterpaytest.New() },
		NewClient: func(o refund.Options) (refund.Refunder, error) {
			cfg := afterpaytest.New().Config()
			cfg.Options = o
			return afterpay.New(cfg)
		},
		Currency: "AUD",
		Secrets:  []string{afterpaytest.SecretKey},
	})
}
