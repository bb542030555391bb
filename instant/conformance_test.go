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
		"success in a string":     func(_ *instant.Config, s *instanttest.Simulator) { s.SetSuccess("text/plain", `"Refunded"`) },
	} {
		t.Run(name, func(t *testing.T) {
			refundtest.Run(t, refundtest.Harness{
				NewSimulator: func() refundtest.Simulator { return instanttest.New() },
				NewClient: func(s refundtest.Simulator, opts refund.Options) (refund.Refunder, error) {
					sim := s.(*instanttest.Simulator)
					cfg := sim.Config()
					change(&cfg, sim)
					cfg.Options = opts
					return instant.New(cfg)
				},
			})
		})
	}
}
