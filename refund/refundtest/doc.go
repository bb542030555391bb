// Package refundtest is the definition of a correct refund.Refunder, as a test suite, and the tools it is made of: a
// contract for stateful provider simulators, and a network that fails on purpose.
//
//	func TestConformance(t *testing.T) {
//		refundtest.Run(t, refundtest.Harness{
//			NewSimulator: func() refundtest.Simulator { return afterpaytest.New() },
//			NewClient: func(o refund.Options) (refund.Refunder, error) { ... },
//			Currency: "AUD",
//		})
//	}
//
// Every case runs twice: over an in-memory transport, and over HTTP and TLS as net/http speaks them. Time is that of
// testing/synctest, so that real back-off and deadlines cost nothing. After every case the simulator's ledger is
// compared with what the client said:
//
//   - no key was refunded twice;
//   - every error is a *refund.Error;
//   - if money moved during a call, the call succeeded or its outcome is unknown;
//   - a success has moved its amount;
//   - no credential and no personal datum is in any error, log record or print of the client.
//
// A user's own tests can use Network and InMemory with any simulator of this module.
package refundtest
