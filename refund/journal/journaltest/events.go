package journaltest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/multirefund/refund-go/refund/journal"
)

// tell makes a change with an event.
func (e *env) tell(entry journal.Entry) journal.Change {
	e.n++
	return journal.Change{Entry: entry, Event: &journal.Event{
		Provider: entry.Provider, Account: entry.Account, Key: entry.Key, Version: entry.Version,
		At: entry.Updated, To: entry.State, Note: fmt.Sprintf("event %d", e.n),
	}}
}

// writeAll writes changes that nothing is in the way of, one by one, and returns their events.
func (e *env) writeAll(all ...journal.Change) []journal.Event {
	e.Helper()
	var events []journal.Event
	for _, c := range all {
		e.is("Write with an event", e.write(c)[0].Err, nil)
		events = append(events, *c.Event)
	}
	return events
}

// caseEvent: an event has every field, and whose it is, is the entry's to say.
func caseEvent(e *env) {
	entry := e.full()
	var whole journal.Event
	for i, f := range fields("Event", reflect.ValueOf(&whole)) {
		f.fill(i + 1)
	}
	e.is("Write", e.write(journal.Change{Entry: entry, Event: &whole})[0].Err, nil)
	whole.Provider, whole.Account, whole.Key, whole.Version = entry.Provider, entry.Account, entry.Key, entry.Version
	want := []journal.Event{whole}
	for i, f := range fields("Event", reflect.ValueOf(new(journal.Event))) {
		event := journal.Event{To: journal.StateSending, At: noon()}
		one := fields("Event", reflect.ValueOf(&event))[i]
		one.fill(i + 1)
		entry = next(entry, note("with one field of its event: "+f.name))
		e.is("Write", e.write(journal.Change{Entry: entry, Event: &event})[0].Err, nil)
		event.Provider, event.Account, event.Key, event.Version = entry.Provider, entry.Account, entry.Key, entry.Version
		want = append(want, event)
	}
	e.told("events", journal.EventFilter{ID: entry.ID()}, want)
}

// caseEventCommit: a change that is made has its event, and no other has.
func caseEventCommit(e *env) {
	known, holder := e.entry(), e.locking("order")
	e.put(known, holder) // without
	for range 3 {
		created, changed := e.entry(), next(known, note("changed"))
		stale := next(next(holder, unlock), unlock)
		batch := []journal.Change{
			e.tell(known), e.tell(created), e.tell(e.locking("order")), e.tell(changed), e.tell(stale), e.tell(e.entry()), {Entry: e.entry()},
		}
		var want []string
		for i, r := range e.write(batch...) {
			if r.Err == nil && batch[i].Event != nil {
				want = append(want, batch[i].Event.Note)
			}
		}
		if len(want) != 3 {
			e.Errorf("%d changes were made, expected were 3", len(want))
		}
		e.writeAll(e.tell(e.entry())) // what is not in sight when this one is, never comes
		var got []string
		for _, event := range e.history(journal.EventFilter{}, 4) {
			if slices.ContainsFunc(batch, func(c journal.Change) bool { return c.Event != nil && c.Event.Note == event.Note }) {
				got = append(got, event.Note)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			e.Errorf("the changes %q were made, and %q have events", want, got)
		}
		known = changed
	}
}

// caseEventOrder: what is written after another is listed after it, and After goes on from any of them.
func caseEventOrder(e *env) {
	var want []journal.Event
	entry := e.entry()
	for i := range 12 { // more than one digit
		other := e.entry()
		other.Key = fmt.Sprintf("key-%d", 50-i) // not the order of the keys, nor that of the times
		other.Updated = noon().AddDate(0, 0, -i)
		want = append(want, e.writeAll(e.tell(entry), e.tell(other))...)
		entry = next(entry, note("changed"))
	}
	got := e.told("events", journal.EventFilter{}, want)
	for i := range got {
		e.told(fmt.Sprintf("events after the one at %d", i), journal.EventFilter{After: got[i].Cursor}, want[i+1:])
	}
	if again := e.read(journal.EventFilter{}); !slices.Equal(again, got) {
		e.Errorf("events are not the same again")
	}
}

// caseEventFilter: the history of one entry is that of no other.
func caseEventFilter(e *env) {
	var entries []journal.Entry
	for _, id := range []journal.ID{
		{Provider: "toy", Key: "k"},
		{Provider: "toy", Account: "a", Key: "k"},
		{Provider: "toy", Account: "A", Key: "k"},
		{Provider: "other", Key: "k"},
		{Provider: "toy", Key: "K"},
		{Provider: "to", Account: "y", Key: "k"},
	} {
		entries = append(entries, e.with(func(entry *journal.Entry) {
			entry.Provider, entry.Account, entry.Key = id.Provider, id.Account, id.Key
		}))
	}
	var want []journal.Event
	for range 4 {
		for i := range entries {
			want = append(want, e.writeAll(e.tell(entries[i]))...)
			entries[i] = next(entries[i], note("changed"))
		}
	}
	got := e.told("events of all", journal.EventFilter{}, want)
	if len(got) != len(want) {
		return
	}
	for i := range entries {
		var own []journal.Event
		for _, event := range want {
			if event.ID() == entries[i].ID() {
				own = append(own, event)
			}
		}
		f := journal.EventFilter{ID: entries[i].ID()}
		e.told("events of one entry", f, own)
		f.After = got[i].Cursor // its own first
		e.told("events of one entry after its first", f, own[1:])
		f.After = got[len(entries)].Cursor // the second of the first entry
		after := own[1:]
		if i == 0 {
			after = own[2:]
		}
		e.told("events of one entry after that of another", f, after)
	}
	for _, id := range []journal.ID{{Provider: "toy"}, {Key: "k"}, {Provider: "toy", Account: "b", Key: "k"}, {Account: "a"}} {
		e.told("events of nobody", journal.EventFilter{ID: id}, nil)
	}
}

// caseEventPages has more events than a page.
func caseEventPages(e *env) {
	const n, writes = 1200, 3
	for range writes {
		batch := make([]journal.Change, n/writes)
		for i := range batch {
			batch[i] = e.tell(e.entry())
		}
		for _, r := range e.write(batch...) {
			e.is("Write with an event", r.Err, nil)
		}
	}
	got := e.history(journal.EventFilter{}, n)
	seen, keys := map[string]bool{}, map[string]bool{}
	for i := range got {
		seen[got[i].Cursor], keys[got[i].Key] = true, true
	}
	if len(got) != n || len(seen) != n || len(keys) != n {
		e.Errorf("%d events are of %d entries and have %d cursors, expected were %d", len(got), len(keys), len(seen), n)
		return
	}
	for _, i := range []int{0, 98, 99, 100, 499, 500, 511, 998, 999, 1000, n - 2, n - 1} {
		if after := e.read(journal.EventFilter{After: got[i].Cursor}); !slices.Equal(after, got[i+1:]) {
			e.Errorf("%d events come after the one at %d of %d", len(after), i, n)
		}
	}
}

// caseEventTail: who reads on from the last cursor that he has seen misses nothing of what is written meanwhile.
func caseEventTail(e *env) {
	const writers, each, batch = 8, 25, 3
	written := make(chan struct{})
	var tail []journal.Event
	var reader sync.WaitGroup
	read := func() {
		after := ""
		if len(tail) > 0 {
			after = tail[len(tail)-1].Cursor
		}
		tail = append(tail, e.read(journal.EventFilter{After: after})...)
	}
	reader.Go(func() {
		for {
			select {
			case <-written:
				return
			default:
				read()
			}
		}
	})
	all := make([]journal.Change, writers*each*batch)
	for i := range all {
		all[i] = e.tell(e.entry())
	}
	parallel(writers, func(worker int) {
		for i := range each {
			from := (worker*each + i) * batch
			for _, r := range e.write(all[from : from+batch]...) {
				e.is("Write with an event", r.Err, nil)
			}
		}
	})
	close(written)
	reader.Wait()
	e.eventually(func() bool {
		read()
		return len(tail) >= len(all)
	})
	got := e.history(journal.EventFilter{}, len(all))
	if len(got) != len(all) {
		e.Errorf("there are %d events, expected were %d", len(got), len(all))
	}
	if !slices.Equal(tail, got) {
		e.Errorf("who read on from cursor to cursor saw %d events, and there are %d, or they are in another order", len(tail), len(got))
	}
	// Each of the writers has waited for one Write before the next.
	place := map[string]int{}
	for i := range got {
		place[got[i].Key] = i
	}
	for i := batch; i < len(all); i++ {
		first, second := i/batch*batch-batch, i
		if first/(each*batch) == second/(each*batch) && place[all[first].Entry.Key] > place[all[second].Entry.Key] {
			e.Errorf("an event is listed before one that was written before it")
			return
		}
	}
}

// caseEventContext: what was read before may still come, but nothing after an error.
func caseEventContext(e *env) {
	e.writeAll(e.tell(e.entry()), e.tell(e.entry()), e.tell(e.entry()))
	e.history(journal.EventFilter{}, 3)
	cutOff(e, "Events", func(ctx context.Context) func(func(error) bool) {
		return func(yield func(error) bool) {
			for _, err := range e.Events(ctx, journal.EventFilter{}) {
				if !yield(err) {
					return
				}
			}
		}
	})
}

func caseEventRanging(e *env) {
	e.writeAll(e.tell(e.entry()), e.tell(e.entry()), e.tell(e.entry()))
	e.history(journal.EventFilter{}, 3)
	e.unblocked("work while ranging over Events", func() {
		n := 0
		for event, err := range e.Events(context.Background(), journal.EventFilter{}) {
			e.is("Events", err, nil)
			if strings.HasPrefix(event.Key, "new") { // it may come
				continue
			}
			n++
			entry, err := e.Get(context.Background(), event.ID())
			e.is("Get while ranging", err, nil)
			e.put(next(entry, note("changed while ranging")))
			added := e.entry()
			added.Key = "new-" + added.Key
			e.writeAll(e.tell(added))
			e.read(journal.EventFilter{})
			e.list(all())
			e.claim(claim(1))
		}
		if n != 3 {
			e.Errorf("got %d events, expected were 3", n)
		}
	})
}

func caseEventBreak(e *env) {
	e.writeAll(e.tell(e.entry()), e.tell(e.entry()), e.tell(e.entry()))
	want := e.history(journal.EventFilter{}, 3)
	events := e.Events(context.Background(), journal.EventFilter{})
	ended := e.unblocked("breaks", func() {
		for range 100 { // more often than a store has connections
			for event, err := range events {
				e.is("Events", err, nil)
				if event != want[0] {
					e.Errorf("Events begins elsewhere when it is ranged over again")
				}
				break
			}
		}
		e.writeAll(e.tell(e.entry()))
	})
	if !ended {
		return
	}
	for range 2 {
		n := 0
		for _, err := range events {
			e.is("Events", err, nil)
			n++
		}
		if n < 3 {
			e.Errorf("Events has %d when it is ranged over again", n)
		}
	}
}
