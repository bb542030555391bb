package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// Decision is what a person has found out about a refund.
type Decision struct {
	Provider string
	Account  string
	Key      string
	// Verdict is VerdictApplied if the refund was made, VerdictNotApplied if it was not (the same key may then be sent
	// again), VerdictUndetermined to have the provider asked once more.
	Verdict refund.Verdict
	// Pending says, with VerdictApplied, that the provider has not carried it out yet: it is followed. It needs RefundID.
	Pending  bool
	RefundID string // the provider's id of the refund, with VerdictApplied; empty if it is not known
	// Force allows VerdictNotApplied earlier than Capabilities.AbsenceAfter after the refund was last sent: until then it may
	// still appear, and the key paid twice. And it allows it of a refund that is recorded as made: what a person has seen
	// may be older than the record.
	Force bool
	// Seen is when it was looked up at the provider; the zero time means now. VerdictNotApplied is about what was sent before:
	// somebody may have sent the refund again since.
	Seen time.Time
	Who  string // who decided; a staff id, no personal data. Required.
	Why  string // what the decision rests on. Required.
}

// check returns what is wrong with d.
func (d *Decision) check() error {
	switch {
	case d.Who == "":
		return fmt.Errorf("%w: Who is empty; it is who decided", ErrDecision)
	case d.Why == "":
		return fmt.Errorf("%w: Why is empty; it is what the decision rests on", ErrDecision)
	case d.Verdict != refund.VerdictApplied && (d.Pending || d.RefundID != ""):
		return fmt.Errorf("%w: Pending and RefundID go with VerdictApplied", ErrDecision)
	case d.Pending && d.RefundID == "":
		return fmt.Errorf("%w: RefundID is empty; without it a pending refund cannot be followed", ErrDecision)
	case d.Verdict != refund.VerdictApplied && d.Verdict != refund.VerdictNotApplied && d.Verdict != refund.VerdictUndetermined:
		return fmt.Errorf("%w: Verdict is %d; it is VerdictApplied, VerdictNotApplied or VerdictUndetermined", ErrDecision, d.Verdict)
	}
	return nil
}

// Decide makes an entry what a person has found out, whatever its state: VerdictApplied makes it succeeded or pending,
// VerdictNotApplied not sent, and VerdictUndetermined unknown again, to be resolved at once. It ends the entry's Attention. A
// refund that is not sent by decision is looked for like one that a look did not find. Who and Why are kept in the history.
//
// No client is needed, so that the order of a provider that is gone can be freed. While another call works on the entry it is
// ErrLeased, and ErrDecision if d is not complete, comes too early or is against the record, see Decision.Force.
func (j *Journal) Decide(ctx context.Context, d Decision) error {
	if err := d.check(); err != nil {
		return err
	}
	r := rules{backoff: j.opts.Backoff, poll: j.opts.Poll, absenceAfter: defaultAbsence, reads: true}
	j.mu.Lock()
	if c := j.clients[account{d.Provider, d.Account}]; c != nil {
		r = c.rules
	}
	j.mu.Unlock()
	for {
		now, err := j.clock.now(ctx)
		if err != nil {
			return err
		}
		known, err := j.store.Get(ctx, ID{d.Provider, d.Account, d.Key})
		if err != nil {
			return err
		}
		if known.leased(now) {
			return fmt.Errorf("%w, until %s at the latest", ErrLeased, known.Lease)
		}
		e := known
		if known.Step != StepIntent { // whoever died with a lease may have sent until it was over
			e = claimed(known, owner(), now, 0)
		}
		seen := now
		if !d.Seen.IsZero() {
			seen = earliest(now, j.clock.toStore(d.Seen))
		}
		if early := e.LastSent.Add(r.absenceAfter); d.Verdict == refund.VerdictNotApplied && seen.Before(early) && !d.Force {
			return fmt.Errorf("%w: the refund was last sent at %s and may appear until %s", ErrDecision, e.LastSent, early)
		}
		if d.Verdict == refund.VerdictNotApplied && live(known.State) && !d.Force {
			return fmt.Errorf("%w: the refund is recorded as %s", ErrDecision, known.State)
		}
		e = r.decided(e, now, &d)
		e.Owner, e.Updated = owner(), now
		if err := j.change(ctx, &known, e, d.Who).Err; !errors.Is(err, ErrStale) {
			return err
		}
	}
}
