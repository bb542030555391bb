package journal_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// observed is what an Observer has heard.
type observed struct {
	mu    sync.Mutex
	lines []string
}

type spanKey struct{}

func (o *observed) add(ctx context.Context, what, rest string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	span, _ := ctx.Value(spanKey{}).(string)
	o.lines = append(o.lines, what+" "+rest+" in "+span)
}

// take returns what was heard since the last time.
func (o *observed) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := o.lines
	o.lines = nil
	return lines
}

func (o *observed) observer() journal.Observer {
	return journal.Observer{
		Start: func(ctx context.Context, op journal.Operation) context.Context {
			o.add(ctx, "start", op.Name+" "+op.ID.String())
			return context.WithValue(ctx, spanKey{}, op.Name)
		},
		Attempt: func(ctx context.Context, op journal.Operation) { o.add(ctx, "attempt", op.Name+" "+op.ID.String()) },
		End: func(ctx context.Context, op journal.Operation, err error) {
			line := op.Name + " " + op.ID.String()
			if err != nil {
				line += " " + refund.OutcomeOf(err).String()
			}
			o.add(ctx, "end", line)
		},
		Transition: func(ctx context.Context, tr journal.Transition) {
			o.add(ctx, "move", string(tr.From)+">"+string(tr.Entry.State)+" "+string(tr.Entry.Attention))
		},
	}
}

// TestObserver hears what is done, in order, within the context that its Start has made.
func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &able{fake: &fake{refund: lose, resolve: func(_ context.Context, a refund.Attempt) (refund.Resolution, error) {
			return refund.Resolution{Verdict: refund.VerdictApplied, Refund: made(a.Request, refund.StatusPending)}, nil
		}}}
		a.get = func(context.Context, refund.Ref) (*refund.Refund, error) {
			return made(request("k"), refund.StatusPending), nil
		}
		a.cancel = func(context.Context, refund.Ref) (*refund.Refund, error) {
			return made(request("k"), refund.StatusCanceled), nil
		}
		b := newBenchOf(t, a.fake, a)
		var o observed
		b.opts.Observer = o.observer()
		b.wrap(t, a)

		_, err := b.ask(t, "k")
		requireErrorIs(t, err, errWire)
		assert.Equal(t, []string{
			"start refund fake//k in ", "move >sending  in refund", "attempt refund fake//k in refund", "move sending>unknown  in refund",
			"end refund fake//k unknown in refund",
		}, o.take())

		b.due(t, "k")
		b.round(t)
		assert.Equal(t, []string{
			"start resolve fake//k in ", "attempt resolve fake//k in resolve", "end resolve fake//k in resolve", "move unknown>pending  in ",
		}, o.take())

		_, err = b.ask(t, "k")
		require.NoError(t, err)
		assert.Equal(t, []string{"start refund fake//k in ", "end refund fake//k in refund"}, o.take(), "nobody was asked")

		b.due(t, "k")
		b.round(t)
		assert.Equal(t, []string{"start poll fake//k in ", "attempt poll fake//k in poll", "end poll fake//k in poll"}, o.take())

		pass(7 * 24 * time.Hour)
		b.round(t)
		assert.Contains(t, o.take(), "move pending>pending stuck in poll", "only the attention is another")

		canceler, ok := refund.As[refund.Canceler](b.client)
		require.True(t, ok)
		_, err = canceler.CancelRefund(t.Context(), refOf("k"))
		require.NoError(t, err)
		assert.Equal(t, []string{
			"start cancel refund fake//k in ", "attempt cancel refund fake//k in cancel refund", "move pending>canceled stuck in cancel refund",
			"end cancel refund fake//k in cancel refund",
		}, o.take())

		_, err = b.ask(t, "late")
		requireErrorIs(t, err, errWire)
		b.lose(t, "late")
		o.take()
		a.resolve = absent
		b.due(t, "late")
		b.round(t)
		assert.Equal(t, []string{"start look fake//late in ", "attempt look fake//late in look", "end look fake//late in look"}, o.take())

		_, err = b.client.Refund(t.Context(), request(""))
		require.Error(t, err)
		assert.Empty(t, o.take(), "there is nothing that this could be the operation of")
	})
}

// TestObserverOfACrash: what was not recorded is not told, and a call that goes on without its caller has ended for him.
func TestObserverOfACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{})
		var o observed
		b.opts.Observer = o.observer()
		b.wrap(t, b.fake)
		b.crash(t, "k")
		assert.Equal(t, []string{
			"start refund fake//k in ", "move >sending  in refund", "attempt refund fake//k in refund", "end refund fake//k unknown in refund",
		}, o.take())
	})
}

// TestObserverMayBeAnything: it is ignored if it panics, and if it is not there.
func TestObserverMayBeAnything(t *testing.T) {
	for name, observer := range map[string]journal.Observer{
		"nothing": {},
		"no context": {
			Start: func(context.Context, journal.Operation) context.Context { return nil },
		},
		"panics": {
			Start:      func(context.Context, journal.Operation) context.Context { panic("start") },
			Attempt:    func(context.Context, journal.Operation) { panic("attempt") },
			End:        func(context.Context, journal.Operation, error) { panic("end") },
			Transition: func(context.Context, journal.Transition) { panic("transition") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, &fake{})
				b.opts.Observer = observer
				b.wrap(t, b.fake)
				got, err := b.ask(t, "k")
				require.NoError(t, err)
				assert.Equal(t, refund.StatusSucceeded, got.Status)
				b.refund, b.resolve = lose, applied
				_, err = b.ask(t, "lost")
				requireErrorIs(t, err, errWire)
				b.due(t, "lost")
				assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
			})
		})
	}
}

// TestEvents: the history has every change of a state or of an Attention, in order, and can be read on from where one was.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose, resolve: answers(refund.Resolution{Why: "look"})})
		began := time.Now()
		b.try(t, "k")
		pass(time.Hour)
		assert.Equal(t, journal.Summary{Attention: 1}, b.round(t))
		d := decision("k", refund.VerdictApplied)
		d.RefundID = "r-1"
		require.NoError(t, b.journal.Decide(t.Context(), d))
		b.refund = nil
		b.try(t, "other")

		want := []journal.Event{
			{Key: "k", Version: 1, At: began, To: journal.StateSending},
			{Key: "k", Version: 2, At: began, From: journal.StateSending, To: journal.StateUnknown},
			{
				Key: "k", Version: 4, At: began.Add(time.Hour), From: journal.StateUnknown, To: journal.StateNeedsReview,
				Attention: journal.AttentionReview, Note: "look",
			},
			{
				Key: "k", Version: 5, At: began.Add(time.Hour), From: journal.StateNeedsReview, To: journal.StateSucceeded, RefundID: "r-1",
				Note: "see ticket 12", By: "staff-7",
			},
			{Key: "other", Version: 1, At: began.Add(time.Hour), To: journal.StateSending},
			{Key: "other", Version: 2, At: began.Add(time.Hour), From: journal.StateSending, To: journal.StateSucceeded, RefundID: "r-other"},
		}
		all := b.events(t)
		require.Len(t, all, len(want))
		cursors := map[string]bool{}
		for i, event := range all {
			cursors[event.Cursor] = true
			want[i].Cursor, want[i].Provider = event.Cursor, "fake"
		}
		assert.Len(t, cursors, len(want))
		assert.Equal(t, want, all)

		read := func(f journal.EventFilter) (got []journal.Event) {
			for event, err := range b.journal.Events(t.Context(), f) {
				require.NoError(t, err)
				got = append(got, event)
			}
			return got
		}
		assert.Equal(t, all[4:], read(journal.EventFilter{ID: idOf("other")}))
		for i, event := range all {
			assert.Len(t, read(journal.EventFilter{After: event.Cursor}), len(all)-i-1)
		}
		assert.Equal(t, all[2:4], read(journal.EventFilter{ID: idOf("k"), After: all[1].Cursor}))
		assert.Empty(t, read(journal.EventFilter{ID: idOf("nobody's")}))
		for event, err := range b.journal.Events(t.Context(), journal.EventFilter{}) {
			require.NoError(t, err)
			assert.Equal(t, all[0], event)
			break
		}
	})
}

// TestStats counts what is not finished, and what somebody should look at.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose, resolve: answers(refund.Resolution{Why: "look"})})
		began := time.Now()
		for i, key := range []string{"a", "b", "c"} {
			if i == 2 {
				b.refund = nil
			}
			_, err := b.client.Refund(t.Context(), ofOrder(key, key))
			require.True(t, err == nil || errors.Is(err, errWire))
			pass(time.Second)
		}
		b.due(t, "a")
		b.round(t)
		got, err := b.journal.Stats(t.Context())
		require.NoError(t, err)
		assert.Equal(t, journal.Stats{
			States: []journal.Stat{
				{Provider: "fake", State: journal.StateNeedsReview, Count: 1, Oldest: began},
				{Provider: "fake", State: journal.StateUnknown, Count: 1, Oldest: began.Add(time.Second)},
			},
			Attention: []journal.Stat{{Provider: "fake", Count: 1, Oldest: began}},
		}, got)
	})
}
