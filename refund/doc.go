// Package refund is the common language of the module: one small interface, Refunder, that five very
// different providers implement, and the types that it speaks in.
//
//	client, err := afterpay.New(afterpay.Config{ ... })
//	...
//	got, err := client.Refund(ctx, refund.Request{
//		IdempotencyKey: key, // made with NewIdempotencyKey and stored before this call
//		Order:          refund.Order{ID: "100101768366"},
//		Amount:         refund.MustParseMoney("10.00", "AUD"),
//	})
//
// # Errors
//
// Every error is an *Error, and its Outcome answers the question that matters about money:
//
//	OutcomeNotSent   nothing moved: the provider was not asked. Try again with the same key.
//	OutcomeRejected  nothing moved: the provider refused. Error.Kind and Error.Code say why.
//	OutcomeUnknown   money may have moved. Do not report a failure, do not use a new key: Resolve.
//
// Error.Advice condenses both into one word. What an error is, portably, is its Kind: use errors.Is with
// ErrOrderNotFound, ErrAmountExceeded and the like.
//
// # Lost answers
//
// When the answer of a provider is lost, nobody can know from the exchange alone what happened. The error is
// then OutcomeUnknown and carries its Attempt. A client that implements Resolver finds out:
//
//	var e *refund.Error
//	if errors.As(err, &e) && e.Outcome == refund.OutcomeUnknown {
//		if resolver, ok := refund.As[refund.Resolver](client); ok {
//			resolution, err := resolver.Resolve(ctx, e.Attempt)
//			...
//		}
//	}
//
// Resolve may send the same request again where that cannot pay twice, unless Attempt.LookOnly. Whoever knows the order's other
// refunds says so in Attempt.Known: then a refund is not believed to be absent while one is there that nobody knows. A
// Resolution with Duplicates was paid more than once.
//
// # Keys
//
// The same idempotency key means the same refund, forever. Make the key when the refund is decided, store it,
// then call; after a crash call again with the stored key. What a repeat does at each provider is said by
// Capabilities.Repeat.
package refund
