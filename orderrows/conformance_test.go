package orderrows_test

import (
	"testing"

	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

func TestConformance(t *testing.T) {
	refundtest.Run(t, refundtest.Harness{
		NewSimulator: func() refundtest.Simulator { return orderrowstest.New() },
		NewClient: func(o refund.Options) (refund.Refunder, error) {
			cfg := orderrowstest.New().Config()
			cfg.Options = o
			return orderrows.New(cfg)
		},
		Currency: "SEK",
		Secrets:  []string{orderrowstest.Password, orderrowstest.APIKey},
	})
}
