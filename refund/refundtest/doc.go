// Package refundtest is the definition of a correct refund.Refunder, as a test suite, and the kit that it is made of: what
// simulators of providers have in common, and a network that fails on purpose.
//
//	func TestConformance(t *testing.T) {
//		refundtest.Run(t, refundtest.Harness{
//			NewSimulator: func() refundtest.Simulator { return afterpaytest.New() },
//		})
//	}
//
// Every case runs twice: over an in-memory transport, and over HTTP and TLS as net/http speaks them. Time is that of
// testing/synctest, so that real back-off and deadlines cost nothing. After every case the simulator's ledger is
// compared with what the client said:
//
//   - no key was refunded twice;
//   - every error is a *refund.Error that names the provider, the account, the operation and the key;
//   - if money moved during a call, the call succeeded or its outcome is unknown;
//   - a success has moved its amount, and names the key, the order and the account;
//   - an unknown outcome is resolved as the ledger has it, and absence is believed neither at the first look nor before
//     Capabilities.AbsenceAfter;
//   - no credential and no personal datum is in any error, log record, print or JSON of the client.
//
// A simulator is an http.Handler that embeds a Clock and has a ledger: see Simulator. A user's own tests can use
// Network, InMemory and Serve with any simulator of this module.
package refundtest
