package journal

import (
	"context"
	"errors"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// CancelRefund implements refund.Canceler, through the journal: it claims the entry of the pending refund, asks the provider,
// and records the result. A refund that the journal does not have is refused without asking (ErrOrderNotFound). After an
// error the entry stays pending, and Sync reads what became of it.
func (c canceling) CancelRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	entry, err := c.pending(ctx, ref)
	if err != nil {
		return nil, err
	}
	next, now := entry, time.Now()
	if entry.Lease.After(now) {
		return nil, c.notCanceled(&entry, refund.ErrInFlight, errors.New("another call works on this refund"))
	}
	next.Lease = now.Add(c.journal.opts.Lease)
	next.Due = next.Lease // if this process dies, Sync looks then
	claimed, err := c.journal.update(ctx, &entry, next)
	switch {
	case errors.Is(err, ErrStale):
		return nil, c.notCanceled(&entry, refund.ErrInFlight, err)
	case err != nil:
		return nil, c.notCanceled(&entry, refund.ErrUnavailable, err)
	}
	callCtx, cancel := context.WithDeadline(ctx, claimed.Lease.Add(-c.margin()))
	defer cancel()
	canceler, _ := refund.As[refund.Canceler](c.inner) // Wrap has found it
	got, err := canceler.CancelRefund(callCtx, refund.Ref{Order: entry.Order, ID: entry.RefundID})
	if err == nil && got == nil {
		err = &refund.Error{
			Provider: c.caps.Provider, Account: c.caps.Account, Op: opCancel, Kind: refund.ErrUnexpected, IdempotencyKey: entry.Key,
			Message: "the client returned neither a refund nor an error",
		}
	}

	finishCtx, stop := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer stop()
	next, now = claimed, time.Now()
	next.Lease, next.Due = time.Time{}, now
	if err == nil {
		got.IdempotencyKey = entry.Key // not every provider writes it on the refund
		next.record(got)
		next.Due = c.poll(next.State, now)
	}
	if _, storeErr := c.journal.move(finishCtx, &claimed, next); storeErr != nil {
		return got, &refund.Error{
			Provider: c.caps.Provider, Account: c.caps.Account, Op: opCancel, Kind: refund.ErrUnavailable, IdempotencyKey: entry.Key,
			Message: "what became of the cancellation is not recorded: " + storeErr.Error(), Err: errors.Join(ErrNotRecorded, storeErr, err),
		}
	}
	return got, err
}

const opCancel = "cancel refund"

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

// notCanceled is the error of a cancellation that was not sent.
func (c canceling) notCanceled(e *Entry, kind refund.Kind, cause error) *refund.Error {
	return &refund.Error{
		Provider: c.caps.Provider, Account: c.caps.Account, Op: opCancel, Kind: kind, Outcome: refund.OutcomeNotSent,
		IdempotencyKey: e.Key, Message: cause.Error(), Err: cause,
	}
}
