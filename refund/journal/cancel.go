package journal

import (
	"context"
	"errors"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// CancelRefund implements refund.Canceler, through the journal: it claims the entry of the pending refund, asks the provider,
// and records the result. A refund that the journal does not have is refused without asking (ErrOrderNotFound). After an
// error the entry stays pending, and Round reads what became of it.
func (c canceling) CancelRefund(ctx context.Context, ref refund.Ref) (got *refund.Refund, err error) {
	entry, err := c.pending(ctx, ref)
	if err != nil {
		return nil, err
	}
	op := Operation{opCancel, entry.ID()}
	ctx = c.journal.opts.Observer.start(ctx, op)
	defer func() { c.journal.opts.Observer.end(ctx, op, err) }()
	done, open := c.journal.begin()
	if !open {
		return nil, c.notCanceled(&entry, refund.ErrUnavailable, ErrClosed)
	}
	defer done()
	now, err := c.ready(ctx)
	if err != nil {
		return nil, c.notCanceled(&entry, refund.ErrUnavailable, err)
	}
	if entry.leased(now) {
		return nil, c.notCanceled(&entry, refund.ErrInFlight, ErrLeased)
	}
	due := entry
	due.Due = now // if this process dies, Round looks when the lease is over
	held, err := c.claim(ctx, &due, now)
	switch {
	case errors.Is(err, ErrStale):
		return nil, c.notCanceled(&entry, refund.ErrInFlight, err)
	case err != nil:
		return nil, c.notCanceled(&entry, refund.ErrUnavailable, err)
	}
	canceled, told := outlive(ctx, c.journal, func(ctx context.Context, tell func(outcome)) { tell(c.cancel(ctx, held)) })
	if !told {
		return nil, c.of(&entry, &refund.Error{Kind: refund.ErrInFlight, Message: "the call goes on without its caller", Err: ctx.Err()})
	}
	return canceled.got, canceled.err
}

// cancel takes back the refund that held is of, and records what became of it.
func (c canceling) cancel(ctx context.Context, held hold) outcome {
	entry := &held.entry
	callCtx, cancel := context.WithDeadline(ctx, held.until)
	defer cancel()
	canceler, _ := refund.As[refund.Canceler](c.inner) // Wrap has found it
	c.journal.opts.Observer.attempt(ctx, Operation{opCancel, entry.ID()})
	var got *refund.Refund
	err := guarded(func() (err error) {
		got, err = canceler.CancelRefund(callCtx, refund.Ref{Order: entry.Order, ID: entry.RefundID})
		return err
	})
	var re *refund.Error
	if err == nil && got == nil {
		err = errors.New("the client returned neither a refund nor an error")
	}
	if err != nil && !errors.As(err, &re) {
		err = c.of(entry, &refund.Error{Kind: refund.ErrUnexpected, Message: err.Error(), Err: err})
	}
	_, storeErr := c.note(ctx, *entry, func(known Entry, held bool, now time.Time) (Entry, bool) {
		if err == nil {
			return c.rules.shown(known, now, got), true
		}
		return c.rules.rest(known, now, now), held
	})
	if storeErr != nil {
		return outcome{got, c.of(entry, &refund.Error{
			Kind: refund.ErrUnavailable, Message: "what became of the cancellation is not recorded: " + storeErr.Error(), Err: errors.Join(ErrNotRecorded, storeErr, err),
		})}
	}
	if err == nil {
		got.IdempotencyKey = entry.Key // not every provider writes it on the refund
	}
	return outcome{got, err}
}

// pending finds the entry of a refund that can be taken back.
func (c canceling) pending(ctx context.Context, ref refund.Ref) (Entry, error) {
	wanted := Entry{Provider: c.caps.Provider, Account: c.caps.Account, Order: ref.Order}
	var found []Entry
	for e, err := range c.journal.store.Entries(ctx, Filter{
		Provider: wanted.Provider, Account: wanted.Account, OrderKey: wanted.OrderKey(), States: []State{StatePending},
	}) {
		if err != nil {
			return Entry{}, c.notCanceled(&wanted, refund.ErrUnavailable, err)
		}
		if ref.ID == "" || ref.ID == e.RefundID {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return Entry{}, c.notCanceled(&wanted, refund.ErrOrderNotFound, ErrNoEntry)
	case 1:
		return found[0], nil
	}
	err := c.notCanceled(&wanted, refund.ErrInvalidRequest, errors.New("the order has several pending refunds; name one"))
	err.Field = "ID"
	return Entry{}, err
}

// of makes re an error of a cancellation whose outcome is unknown.
func (c canceling) of(e *Entry, re *refund.Error) *refund.Error {
	re.Provider, re.Account, re.Op, re.IdempotencyKey = c.caps.Provider, c.caps.Account, opCancel, e.Key
	return re
}

// notCanceled is the error of a cancellation that was not sent.
func (c canceling) notCanceled(e *Entry, kind refund.Kind, cause error) *refund.Error {
	return c.of(e, &refund.Error{Kind: kind, Outcome: refund.OutcomeNotSent, Message: cause.Error(), Err: cause})
}
