package journal_test

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// What must hold in every execution. As long as the world keeps to what is assumed of it nothing is paid twice and nobody is
// told what is not so; beyond that it must at least come out.

// sent is a request that goes out now.
func (w *world) sent(ctx context.Context, p *process, req *refund.Request, again bool) *sentRequest {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq++
	s := &sentRequest{process: p, key: req.IdempotencyKey, seq: w.seq}
	e, err := w.store.Get(ctx, journal.ID{Provider: w.name, Key: s.key})
	switch {
	case err != nil:
		w.wrong("%s is sent, and not recorded", s.key)
	case e.State == journal.StateSending && e.Step == journal.StepSending, again && (e.State == journal.StateSending || e.State == journal.StateUnknown):
		if !time.Now().Before(e.Lease) {
			w.wrong("%s is sent, and its lease is over", s.key)
		}
		if w.holders[s.key] != p {
			w.wrong("%s is sent by %s, and another has it", s.key, p.name)
		}
	default:
		w.wrong("%s is sent, and recorded as %s %s", s.key, e.State, e.Step)
	}
	for _, other := range w.requests {
		settled := w.dedups > 0 && len(w.provider.paid(other.key, time.Now())) > 0 // it will only be recognised
		if !other.done && other.key != s.key && !w.broken && !settled {
			w.wrong("%s is sent while %s is under way", s.key, other.key)
		}
	}
	w.requests = append(w.requests, s)
	return s
}

func (w *world) arrived(s *sentRequest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.done = true
}

// delayed is a request that takes d to arrive.
func (w *world) delayed(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d+w.maxLag >= w.absence {
		w.broken = true
	}
}

// doubled is a request that arrives twice.
func (w *world) doubled(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.twice[key] = w.dedups == 0
}

// paid is money that moves now. w.mu is held.
func (w *world) paid(l *payment) {
	w.seq++
	if w.broken {
		return
	}
	for _, c := range w.nothing {
		if c.covers(l) {
			w.wrong("%s was told %s of %s, and it is paid later", c.process.name, c.what, l.key)
		}
	}
	if !w.twice[l.key] && len(w.provider.paid(l.key, time.Now())) > 1 {
		w.wrong("%s is paid twice", l.key)
	}
}

// confused reports whether an entry may be taken for paid by something that is not its refund: because a person has said so,
// or because it was found by comparing, and what arrived later than is assumed is another key's. w.mu is held.
func (w *world) confused() bool { return w.lied || w.broken && w.single }

// covers reports whether c says that l is not there. What others have sent while the call was under way may have come after
// it was decided.
func (c *claim) covers(l *payment) bool {
	own := l.by.process == c.process && !c.process.world.shared && l.by.seq < c.seq
	return l.key == c.key && (l.by.seq <= c.since || own)
}

// now is a moment, for calls.
func (w *world) now() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq++
	return w.seq
}

// heard is what a caller was told whose call began at since.
func (w *world) heard(p *process, since int, key string, got *refund.Refund, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq++
	who, said := p.name, claim{p, key, "", since, w.seq}
	stands := slices.ContainsFunc(w.provider.paid(key, time.Now()), said.covers)
	there := w.provider.has(key)
	if got != nil {
		w.tell("     %s hears of %s: %s %s", who, key, got.ID, got.Status)
		switch got.Status {
		case refund.StatusSucceeded, refund.StatusPending:
			if !there && !w.confused() {
				w.wrong("%s was told that %s is %s, and nobody has it", who, key, got.Status)
			}
		default:
			if stands && !w.broken {
				w.wrong("%s was told that %s is %s, and it is paid", who, key, got.Status)
			}
		}
	}
	if err == nil {
		return
	}
	w.tell("     %s hears of %s: %v", who, key, err)
	if o := refund.OutcomeOf(err); o == refund.OutcomeNotSent || o == refund.OutcomeRejected {
		if stands && !w.broken {
			w.wrong("%s was told %s of %s, and it is paid", who, o, key)
		}
		said.what = o.String()
		w.nothing = append(w.nothing, said)
	}
}

// resolved is what somebody was told who has asked.
func (w *world) resolved(p *process, since int, key string, seen *refund.Resolution) {
	switch seen.Verdict {
	case refund.VerdictApplied:
		w.heard(p, since, key, seen.Refund, nil)
	case refund.VerdictNotApplied:
		w.heard(p, since, key, nil, &refund.Error{Outcome: refund.OutcomeNotSent, Message: "not applied: " + seen.Why})
	case refund.VerdictUndetermined:
	}
}

// answer is what the provider has told a sender.
type answer struct {
	process *process
	key, id string
}

func (w *world) answered(p *process, got *refund.Refund) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := ""
	for _, l := range w.provider.ledger {
		if l.id == got.ID {
			key = l.key
		}
	}
	w.answers = append(w.answers, answer{p, key, got.ID})
}

// checkAnswers: what the provider has told a process that lives on is recorded, whatever others have thought meanwhile.
func (w *world) checkAnswers() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.answers {
		id := journal.ID{Provider: w.name, Key: a.key}
		e, err := w.store.Get(context.Background(), id)
		known := err == nil && (e.RefundID == a.id || strings.Contains(e.Note, a.id))
		for event, err := range w.store.Events(context.Background(), journal.EventFilter{ID: id}) {
			known = known || err == nil && (event.RefundID == a.id || strings.Contains(event.Note, a.id))
		}
		if !known && !a.process.dead {
			w.wrong("%s was told that %s is %s, and it is not recorded", a.process.name, a.key, a.id)
		}
	}
}

// check is what must hold when nothing is due any more.
func (w *world) check() {
	for _, key := range w.keys {
		e, err := w.store.Get(context.Background(), journal.ID{Provider: w.name, Key: key})
		w.mu.Lock()
		switch {
		case err == nil:
			w.checkEntry(&e)
		case w.provider.has(key):
			w.wrong("%s is paid, and not recorded", key)
		}
		w.mu.Unlock()
	}
}

func (w *world) attempted(key string) bool {
	return slices.ContainsFunc(w.requests, func(s *sentRequest) bool { return s.key == key })
}

func (w *world) checkEntry(e *journal.Entry) {
	now := time.Now()
	paid := w.provider.paid(e.Key, now)
	w.tell("at the end %s is %s %s %s, due %s, attention %q: %q; paid %d times", e.Key, e.State, e.Step, e.RefundID, e.Due, e.Attention, e.Note, len(paid))
	announced := w.checkEvents(e, paid)
	switch {
	case !e.Due.IsZero() && e.Due.Before(now):
		w.wrong("%s is stuck: due and not worked on", e.Key)
	case e.State == journal.StateSending, e.State == journal.StateUnknown:
		w.wrong("%s is %s for ever", e.Key, e.State)
	// Comparing cannot tell whose a refund is that comes later than anybody thought.
	case e.State == journal.StateNeedsReview && w.single && !w.resolves && !w.attempted(e.Key) && (!w.wild || w.by != refund.ResolvedBySnapshot):
		w.wrong("%s needs review, and nothing was ever sent", e.Key)
	case e.State == journal.StateNeedsReview && e.Attention == "":
		w.wrong("%s needs review, and nobody is called", e.Key)
	}
	unreadable := w.by == refund.ResolvedByPerson
	if len(paid) > 1 && !w.twice[e.Key] {
		switch {
		case !w.broken:
			w.wrong("%s is paid twice", e.Key)
		case !announced && !unreadable && e.State != journal.StateNeedsReview:
			w.wrong("%s is paid twice, and nobody is told", e.Key)
		}
	}
	switch e.State {
	case journal.StateNotFound, journal.StateNotSent, journal.StateRejected, journal.StateFailed, journal.StateCanceled, journal.StateExpired:
		if len(paid) > 0 && (!w.broken || !unreadable && e.Attention == "") {
			w.wrong("%s is %s, and paid", e.Key, e.State)
		}
	case journal.StateSucceeded, journal.StatePending:
		if len(paid) == 0 && !w.confused() {
			w.wrong("%s is %s, and not paid", e.Key, e.State)
		}
	case journal.StateSending, journal.StateUnknown, journal.StateNeedsReview:
	}
}

// checkEvents folds the history, which must lead to the entry. The result says whether somebody was
// told that it is paid twice.
func (w *world) checkEvents(e *journal.Entry, paid []*payment) (announced bool) {
	var last journal.Event
	for event, err := range w.store.Events(context.Background(), journal.EventFilter{ID: e.ID()}) {
		switch {
		case err != nil:
			w.wrong("the history cannot be read: %v", err)
		case event.From != last.To || event.Version <= last.Version:
			w.wrong("%s: the history goes from %s to %s, and then from %s", e.Key, last.From, last.To, event.From)
		case event.From == event.To && event.Attention == last.Attention:
			w.wrong("%s: an event without a change", e.Key)
		}
		w.tell("        event v%d: %s > %s %s %s", event.Version, event.From, event.To, event.Attention, event.Note)
		second := len(paid) > 1 && event.At.After(paid[1].at)
		announced = announced || event.Attention == journal.AttentionPaidTwice || event.Attention == journal.AttentionReview && second
		last = event
	}
	if last.To != e.State || last.Attention != e.Attention {
		w.wrong("%s is %s %q, and its history says %s %q", e.Key, e.State, e.Attention, last.To, last.Attention)
	}
	return announced
}
