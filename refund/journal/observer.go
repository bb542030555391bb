package journal

import (
	"context"
)

// Observer is told what the journal does. Any of its functions may be nil. They must be quick and safe for concurrent use;
// one that panics is ignored.
type Observer struct {
	// Start is called before an operation, and may return a context for it, with a span for example.
	Start func(context.Context, Operation) context.Context
	// Attempt is called before the provider is asked.
	Attempt func(context.Context, Operation)
	// End is called after an operation that was started, with its error.
	End func(context.Context, Operation, error)
	// Transition is called after a change of an entry's state or Attention was written. A process that ends in between does
	// not call it: Events has every change.
	Transition func(context.Context, Transition)
}

// Operation is one thing that the journal does.
type Operation struct {
	Name string // "refund", "cancel refund", "resolve", "look" or "poll"
	ID   ID
}

// The names of operations.
const (
	opRefund  = "refund"
	opCancel  = "cancel refund"
	opResolve = "resolve"
	opLook    = "look"
	opPoll    = "poll"
)

// Transition is a recorded change of an entry's state, or of its Attention.
type Transition struct {
	From  State // "" for a new entry
	Entry Entry // as it is now
}

func (o *Observer) start(ctx context.Context, op Operation) context.Context {
	if o.Start != nil {
		safely(func() {
			if own := o.Start(ctx, op); own != nil {
				ctx = own
			}
		})
	}
	return ctx
}

func (o *Observer) attempt(ctx context.Context, op Operation) {
	if o.Attempt != nil {
		safely(func() { o.Attempt(ctx, op) })
	}
}

func (o *Observer) end(ctx context.Context, op Operation, err error) {
	if o.End != nil {
		safely(func() { o.End(ctx, op, err) })
	}
}

func (o *Observer) transition(ctx context.Context, from *Entry, to *Entry) {
	if o.Transition != nil {
		safely(func() { o.Transition(ctx, Transition{From: from.State, Entry: *to}) })
	}
}

func safely(f func()) {
	defer func() { _ = recover() }() //nolint:errcheck // see Observer
	f()
}

// guarded runs f, and makes a panic of it an error.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{r}
		}
	}()
	return f()
}

// panicked is the panic of a client.
type panicked struct{ value any }

// Error does not show the value: it may have anything in it.
func (*panicked) Error() string { return "the client panicked" }
