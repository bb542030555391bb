package instant_test

import (
	"testing"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

func TestConformance(t *testing.T) {
	for name, change := range map[string]func(*instant.Config, *instanttest.Simulator){
		"default":                 func(*instant.Config, *instanttest.Simulator) {},
		"without idempotency key": func(cfg *instant.Config, _ *instanttest.Simulator) { cfg.NoIdempotencyKey = true },
		"resend to resolve":       func(cfg *instant.Config, _ *instanttest.Simulator) { cfg.ResendToResolve = true },
		"success in JSON":         func(_ *instant.Config, s *instanttest.Simulator) { s.SetSuccess("application/json", `{"ok":true}`) },
		"success in text":         func(_ *instant.Config, s *instanttest.Simulator) { s.SetSuccess("text/plain", "Refunded") },
	} {
		t.Run(name, func(t *testing.T) {
			refundtest.Run(t, refundtest.Harness{
				NewSimulator: func() refundtest.Simulator {
					sim := instanttest.New()
					change(&instant.Config{}, sim)
					return sim
				},
				NewClient: func(o refund.Options) (refund.Refunder, error) {
					sim := instanttest.New()
					cfg := sim.Config()
					change(&cfg, sim)
					cfg.Options = o
					return instant.New(cfg)
				},
				Currency: "AUD",
				Secrets:  []string{instanttest.AppAuth},
			})
		})
	}
}
