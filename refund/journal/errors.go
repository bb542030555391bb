package journal

import (
	"cmp"
	"errors"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// mostRetryAfter is the longest that a caller is told to wait for a call that is in flight: most end long before their lease.
const mostRetryAfter = 30 * time.Second

// attempt is what Resolve needs, by the store's clock.
func (e *Entry) attempt() refund.Attempt {
	return refund.Attempt{
		Request: refund.Request{
			IdempotencyKey: e.Key, Order: e.Order, Amount: e.Amount, Part: e.Part, Line: e.Line,
		},
		Snapshot: e.Snapshot, Answered: e.Answered, FirstSent: e.FirstSent, LastSent: e.LastSent, Tries: max(e.Tries, 1),
		MissedAt: e.MissedAt,
	}
}

func (c *client) inStoreTime(a refund.Attempt) refund.Attempt {
	to := c.journal.clock.toStore
	a.FirstSent, a.LastSent, a.MissedAt = to(a.FirstSent), to(a.LastSent), to(a.MissedAt)
	return a
}

func (c *client) inWallTime(a refund.Attempt) refund.Attempt {
	to := c.journal.clock.toWall
	a.FirstSent, a.LastSent, a.MissedAt = to(a.FirstSent), to(a.LastSent), to(a.MissedAt)
	return a
}

// refund is the result as it was recorded.
func (e *Entry) refund() *refund.Refund {
	status := map[State]refund.Status{
		StateSucceeded: refund.StatusSucceeded, StatePending: refund.StatusPending, StateFailed: refund.StatusFailed,
		StateCanceled: refund.StatusCanceled, StateExpired: refund.StatusExpired,
	}[e.State]
	got := &refund.Refund{
		ID: e.RefundID, IdempotencyKey: e.Key, Provider: e.Provider, Account: e.Account, Order: e.Order, Amount: e.Refunded, Status: status,
		ProviderStatus: e.ProviderStatus, CreatedAt: e.RefundCreated, LocksAt: e.LocksAt, ExpiresAt: e.ExpiresAt,
		FailureReason: e.FailureReason, Replayed: true,
	}
	if e.Attention == AttentionPaidTwice {
		got.Warnings = []string{e.Note}
	}
	return got
}

// refuse is the error of a call that sent nothing, and whose key has no entry that could have.
func (c *client) refuse(req *refund.Request, kind refund.Kind, cause error) *refund.Error {
	return &refund.Error{
		Provider: c.caps.Provider, Account: c.caps.Account, Op: opRefund, Kind: kind, Outcome: refund.OutcomeNotSent,
		IdempotencyKey: req.IdempotencyKey, Message: cause.Error(), Err: cause,
	}
}

// orderBusy is the error of a key that was not sent because of another one's entry.
func (c *client) orderBusy(req *refund.Request, other *Entry) *refund.Error {
	re := c.refuse(req, refund.ErrConflict, ErrOrderBusy)
	re.Message, re.RetryAfter = busyMessage(other), c.wait(other)
	return re
}

func busyMessage(other *Entry) string {
	return ErrOrderBusy.Error() + ": key " + other.Key + ", " + string(other.State)
}

// wait is when to ask again about an entry that something is going on with.
func (c *client) wait(e *Entry) time.Duration {
	now := c.journal.clock.estimate()
	switch {
	case e.leased(now):
		return min(e.Lease.Sub(now), mostRetryAfter)
	case e.State == StatePending && e.LocksAt.After(now):
		return e.LocksAt.Sub(now)
	}
	return max(e.Due.Sub(now), 0)
}

// keyReused is the error of a key that has an entry for another refund. What became of that one is not said, so the outcome
// is unknown; this one needs a key of its own.
func (c *client) keyReused(req *refund.Request) *refund.Error {
	return &refund.Error{
		Provider: c.caps.Provider, Account: c.caps.Account, Op: opRefund, Kind: refund.ErrKeyReused,
		IdempotencyKey: req.IdempotencyKey, Field: "IdempotencyKey",
		Message: "was used before for another order, amount, part or line; nothing was sent, a new refund needs a new key",
	}
}

// blind is the error of a call that sent nothing because the store could not be asked. The outcome is unknown all the
// same: an earlier call with the key may have sent it. Calling again with the key tells.
func (c *client) blind(req *refund.Request, kind refund.Kind, cause error) *refund.Error {
	now := time.Now()
	message := "the journal was not asked: " + cause.Error()
	return c.complete(&Entry{
		Key: req.IdempotencyKey, Order: req.Order, Amount: req.Amount, Part: req.Part, Line: req.Line, FirstSent: now, LastSent: now,
	}, &refund.Error{Kind: kind, Message: message, Err: cause})
}

// inFlight is the error of a key that a call works on, this one or another.
func (c *client) inFlight(e *Entry, cause error) *refund.Error {
	message := "another call works on this refund"
	if cause != nil {
		message = "the call goes on without its caller: " + cause.Error()
	}
	return c.complete(e, &refund.Error{Kind: refund.ErrInFlight, Message: message, RetryAfter: c.wait(e), Err: cause})
}

// notClaimed is the error of a caller who could not work on the key's entry.
func (c *client) notClaimed(e *Entry, err error) *refund.Error {
	if errors.Is(err, ErrStale) {
		return c.inFlight(e, nil)
	}
	return c.unknown(e, err)
}

// unknown is the error of an entry that could not be resolved yet.
func (c *client) unknown(e *Entry, cause error) *refund.Error {
	if e.leased(c.journal.clock.estimate()) && cause == nil {
		return c.inFlight(e, nil)
	}
	message := cmp.Or(e.Note, "it is not known yet what became of it")
	switch {
	case errors.Is(cause, ErrNeedsReview):
		message = cause.Error() + ": " + message // where to look
	case cause != nil:
		message = cause.Error()
	}
	return c.complete(e, &refund.Error{Kind: e.Kind, Message: message, RetryAfter: c.wait(e), Err: cause})
}

// notRecorded is the error of a result that could not be written yet; err is the call's own. Whatever the provider said, the
// outcome is open again: if this process ends before it is written, the entry is that of a refund that is being sent.
func (c *client) notRecorded(e *Entry, err, storeErr error) *refund.Error {
	re := &refund.Error{Kind: refund.ErrUnavailable, Message: "the refund was made"}
	var own *refund.Error
	if errors.As(err, &own) {
		*re = *own
	}
	re.Message += "; and this is not recorded: " + storeErr.Error()
	re.Err = errors.Join(ErrNotRecorded, storeErr, err)
	return c.complete(e, re)
}

// signed is a client's error as the journal's promise is: of the very type, and with all that Resolve needs. Most are so already.
func (c *client) signed(e *Entry, err error) *refund.Error {
	var re *refund.Error
	if !errors.As(err, &re) {
		return c.justSent(e, &refund.Error{Kind: refund.ErrUnexpected, Err: err, Message: err.Error()})
	}
	attempted := re.Outcome != refund.OutcomeUnknown || re.Attempt.Tries > 0
	if error(re) == err && attempted && re.Provider != "" && re.IdempotencyKey != "" { //nolint:errorlint // the very value
		return re
	}
	own := *re
	own.Err = err
	if !attempted {
		return c.justSent(e, &own)
	}
	own.Provider, own.Account, own.Op, own.IdempotencyKey = c.caps.Provider, c.caps.Account, opRefund, e.Key
	return &own
}

// justSent is complete for a request that may have gone out until now, and not when e was last sent before.
func (c *client) justSent(e *Entry, re *refund.Error) *refund.Error {
	re = c.complete(e, re)
	re.Attempt.LastSent = time.Now()
	return re
}

// complete makes re an unknown outcome of e.
func (c *client) complete(e *Entry, re *refund.Error) *refund.Error {
	re.Provider, re.Account, re.Op, re.Outcome = c.caps.Provider, c.caps.Account, opRefund, refund.OutcomeUnknown
	re.IdempotencyKey, re.Code = e.Key, cmp.Or(re.Code, e.Code)
	re.Attempt = c.inWallTime(e.attempt())
	re.Attempt.LastSent = cmp.Or(re.Attempt.LastSent, time.Now())
	return re
}
