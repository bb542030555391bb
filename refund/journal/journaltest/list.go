package journaltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/multirefund/refund-go/refund/journal"
)

// assorted puts entries that differ in all that Filter and the order go by, and returns them in order.
func (e *env) assorted() []journal.Entry {
	var all []journal.Entry
	for i := range 66 {
		all = append(all, e.with(func(entry *journal.Entry) {
			entry.State = states()[i%len(states())]
			entry.Provider = []string{"toy", "Zoo", "abc"}[i%3]
			entry.Account = []string{"", "b", "B"}[i/12%3]
			entry.Key = fmt.Sprintf("%c-%d", []rune("aBcÄ~_")[i%6], 97-i) // by bytes, not by an alphabet
			entry.Created = noon().Add(time.Duration(i*7%5/3) * time.Microsecond)
			if i%2 == 0 {
				entry.Order.ID = "popular"
			}
			if i%5 < 2 {
				entry.Attention = journal.AttentionStuck
			}
		}))
	}
	for i := range all { // neither in order nor in reverse
		e.put(all[i*37%len(all)])
	}
	sortEntries(all)
	return all
}

// selects is what Filter's documentation says.
func selects(f *journal.Filter, e *journal.Entry) bool {
	return (f.Provider == "" || f.Provider == e.Provider && f.Account == e.Account) &&
		(f.OrderKey == "" || f.OrderKey == e.OrderKey()) &&
		(len(f.States) == 0 || slices.Contains(f.States, e.State)) &&
		(!f.Attention || e.Attention != "") &&
		!e.Created.Before(f.From) &&
		(f.Before.IsZero() || e.Created.Before(f.Before))
}

// readable is what Filter's documentation says of filters that would read everything.
func readable(f *journal.Filter) bool {
	if f.OrderKey != "" {
		return f.Provider != ""
	}
	ended := slices.ContainsFunc(f.States, func(s journal.State) bool { return !slices.Contains(unfinished(), s) })
	return f.Attention || !f.From.IsZero() || len(f.States) > 0 && !ended
}

// filters are those that are readable, or those that are not.
func filters(ok bool) []journal.Filter {
	times := []time.Time{{}, noon(), noon().Add(time.Microsecond).In(time.FixedZone("west", -5*3600))}
	var found []journal.Filter
	for _, account := range [][2]string{{}, {"", "b"}, {"toy", ""}, {"toy", "b"}, {"toy", "nobody"}} {
		for _, order := range []string{"", "popular", "nothing"} {
			for _, states := range [][]journal.State{
				nil,
				{},
				{journal.StatePending},
				{journal.StateSending, journal.StateUnknown},
				{journal.StateFailed},
				{journal.StateFailed, journal.StateSending},
				unfinished(),
			} {
				for i := range 2 * len(times) * len(times) {
					f := journal.Filter{
						Provider: account[0], Account: account[1], OrderKey: order, States: states,
						Attention: i%2 == 1, From: times[i/2%3], Before: times[i/6],
					}
					if readable(&f) == ok {
						found = append(found, f)
					}
				}
			}
		}
	}
	return found
}

func caseOrder(e *env) {
	want := e.assorted()
	e.same("all entries", e.list(all()), want)
}

func caseFilter(e *env) {
	all := e.assorted()
	for _, f := range filters(true) {
		var want []journal.Entry
		for _, entry := range all {
			if selects(&f, &entry) {
				want = append(want, entry)
			}
		}
		e.same(fmt.Sprintf("%+v", f), e.list(f), want)
	}
	// It goes by what is there now.
	entry := e.with(func(entry *journal.Entry) {
		entry.State, entry.Attention = journal.StatePending, journal.AttentionStuck
	})
	entry.Provider = "changing"
	e.put(entry)
	changed := next(entry, func(entry *journal.Entry) { entry.State, entry.Attention = journal.StateSucceeded, "" })
	e.put(changed)
	e.same("what was pending", e.list(journal.Filter{Provider: "changing", States: unfinished()}), nil)
	e.same("what had attention", e.list(journal.Filter{Provider: "changing", Attention: true}), nil)
	e.same("what has succeeded", e.list(journal.Filter{Provider: "changing", From: noon()}), []journal.Entry{changed})
}

func caseErrFilter(e *env) {
	e.put(e.entry())
	for _, f := range filters(false) {
		var errs []error
		for _, err := range e.Entries(context.Background(), f) {
			errs = append(errs, err)
		}
		if len(errs) != 1 || !errors.Is(errs[0], journal.ErrFilter) {
			e.Errorf("%+v: got %v, expected was one %v", f, errs, journal.ErrFilter)
		}
	}
}

func caseComplete(e *env) {
	full := []journal.Entry{e.full(), e.full()}
	e.put(full...)
	e.same("entries with everything", e.list(all()), full)
}

// casePages has more entries than a page, and so many alike that a page ends among them.
func casePages(e *env) {
	const n = 1200
	entries := make([]journal.Entry, n)
	for i := range entries {
		entries[i] = e.with(func(entry *journal.Entry) {
			entry.Key = fmt.Sprintf("key-%d", i*7919%n)
			entry.Created = noon().Add(time.Duration(i/900) * time.Second)
			entry.Order.ID = "popular"
			entry.State = []journal.State{journal.StatePending, journal.StateUnknown, journal.StateSucceeded}[i%3]
			if i%2 == 0 {
				entry.Account = "other"
			}
			if i%5 < 4 {
				entry.Attention = journal.AttentionReview
			}
		})
	}
	e.put(entries...)
	sortEntries(entries)
	for _, f := range []journal.Filter{
		all(),
		{Attention: true},
		{States: unfinished()},
		{Provider: "toy", OrderKey: "popular"},
		{Provider: "toy", Account: "other", From: noon(), Before: noon().Add(time.Second)},
	} {
		var want []journal.Entry
		for i := range entries {
			if selects(&f, &entries[i]) {
				want = append(want, entries[i])
			}
		}
		e.same(fmt.Sprintf("many entries of %+v", f), e.list(f), want)
	}
}

func caseRanging(e *env) {
	entries := []journal.Entry{e.entry(), e.entry(), e.entry()}
	e.put(entries...)
	e.unblocked("work while ranging over Entries", func() {
		n := 0
		for entry, err := range e.Entries(context.Background(), all()) {
			e.is("Entries", err, nil)
			if entry.Provider == "new" { // it may come
				continue
			}
			n++
			e.stored("while ranging", entry)
			changed := next(entry, note("changed while ranging"))
			e.put(changed, e.with(func(added *journal.Entry) { added.Provider = "new" }))
			e.stored("after a change while ranging", changed)
			e.list(all())
			e.read(journal.EventFilter{})
			e.claim(claim(1))
		}
		if n != len(entries) {
			e.Errorf("got %d entries, expected were %d", n, len(entries))
		}
	})
}

func caseBreak(e *env) {
	want := []journal.Entry{e.entry(), e.entry(), e.entry()}
	e.put(want...)
	entries := e.Entries(context.Background(), all())
	ended := e.unblocked("breaks", func() {
		for range 100 { // more often than a store has connections
			for entry, err := range entries {
				e.is("Entries", err, nil)
				e.same("the first after a break", []journal.Entry{entry}, want[:1])
				break
			}
		}
		want[0] = next(want[0], note("changed"))
		e.put(want[0])
	})
	if !ended {
		return
	}
	for range 2 { // and it tells what is there now
		var got []journal.Entry
		for entry, err := range entries {
			e.is("Entries", err, nil)
			got = append(got, entry)
		}
		e.same("ranged over again", got, want)
	}
}

// caseContextRanging: what was read before may still come, but nothing after an error.
func caseContextRanging(e *env) {
	e.put(e.entry(), e.entry(), e.entry())
	cutOff(e, "Entries", func(ctx context.Context) func(func(error) bool) {
		return func(yield func(error) bool) {
			for _, err := range e.Entries(ctx, all()) {
				if !yield(err) {
					return
				}
			}
		}
	})
}

// cutOff ranges under a context that is over after the first of three.
func cutOff(e *env, what string, seq func(context.Context) func(func(error) bool)) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n, failed := 0, false
	for err := range seq(ctx) {
		cancel()
		if n++; failed {
			e.Errorf("%s goes on after an error", what)
			return
		}
		if err != nil {
			e.is(what, err, context.Canceled)
			failed = true
		}
	}
	if n == 0 || n < 3 && !failed {
		e.Errorf("%s has left out %d without an error", what, 3-n)
	}
	e.unblocked(what+" after a context that is over", func() { e.put(e.entry()) })
}
