// Package simulators lists the simulators of all providers, for programs and tests that stand above them.
package simulators

import (
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// All makes one simulator of each provider, in alphabetical order.
func All() []refundtest.Simulator {
	return []refundtest.Simulator{
		afterpaytest.New(), backdtest.New(), digitalrivertest.New(), instanttest.New(), orderrowstest.New(),
	}
}
