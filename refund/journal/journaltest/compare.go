package journaltest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

func aud(minor int64) refund.Money { return money(minor, "AUD") }

func money(minor int64, currency string) refund.Money {
	m, err := refund.MoneyFromMinor(minor, currency)
	if err != nil {
		panic(err)
	}
	return m
}

func orderID(id string) refund.Order { return refund.Order{ID: id} }

func changes(entries ...journal.Entry) []journal.Change {
	all := make([]journal.Change, len(entries))
	for i := range entries {
		all[i].Entry = entries[i]
	}
	return all
}

// write writes, and returns an answer for each change.
func (e *env) write(all ...journal.Change) []journal.Result {
	e.Helper()
	results, err := e.Write(context.Background(), all)
	if err != nil {
		e.Errorf("Write: %v", err)
	} else if len(results) != len(all) {
		e.Errorf("Write has %d results for %d changes", len(results), len(all))
	}
	return append(results, make([]journal.Result, max(0, len(all)-len(results)))...)
}

// put writes entries that nothing is in the way of, new ones or what follows on those that are there.
func (e *env) put(entries ...journal.Entry) {
	e.Helper()
	for i, r := range e.write(changes(entries...)...) {
		e.is(fmt.Sprintf("Write of %s, version %d", entries[i].ID(), entries[i].Version), r.Err, nil)
	}
}

// refused writes a change that inTheWay is in the way of; nil if nothing is there.
func (e *env) refused(what string, entry journal.Entry, want error, inTheWay *journal.Entry) {
	e.Helper()
	e.answer(what, e.write(changes(entry)...)[0], want, inTheWay)
}

// answer checks what became of a change.
func (e *env) answer(what string, r journal.Result, want error, inTheWay *journal.Entry) {
	e.Helper()
	e.is(what, r.Err, want)
	if inTheWay == nil {
		inTheWay = &journal.Entry{}
	}
	if d := difference(*inTheWay, r.Entry); d != "" {
		e.Errorf("%s: the entry in the way: %s", what, d)
	}
}

// is checks an error.
func (e *env) is(what string, err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("%s: got the error %v, expected was %v", what, err, want)
	}
}

// stored checks what the store has.
func (e *env) stored(what string, want journal.Entry) {
	e.Helper()
	got, err := e.Get(context.Background(), want.ID())
	if err != nil {
		e.Errorf("%s: Get of %s: %v", what, want.ID(), err)
		return
	}
	if d := difference(want, got); d != "" {
		e.Errorf("%s: %s", what, d)
	}
}

// missing checks that the store has no such entry.
func (e *env) missing(what string, id journal.ID) {
	e.Helper()
	_, err := e.Get(context.Background(), id)
	e.is(fmt.Sprintf("%s: Get of %s", what, id), err, journal.ErrNoEntry)
}

// difference returns how got differs from want beyond the precision that a store keeps.
func difference(want, got journal.Entry) string {
	return differ("Entry", reflect.ValueOf(want), reflect.ValueOf(got))
}

func differ(name string, want, got reflect.Value) string {
	if w, ok := reflect.TypeAssert[time.Time](want); ok {
		g, _ := reflect.TypeAssert[time.Time](got)
		if w.IsZero() != g.IsZero() || w.Sub(g).Abs() >= time.Microsecond {
			return fmt.Sprintf("%s is %v, expected was %v", name, g, w)
		}
		return ""
	}
	if want.Kind() == reflect.Struct && want.Type() != reflect.TypeFor[refund.Money]() {
		for i := range want.NumField() {
			if d := differ(name+"."+want.Type().Field(i).Name, want.Field(i), got.Field(i)); d != "" {
				return d
			}
		}
		return ""
	}
	if w, g := want.Interface(), got.Interface(); w != g {
		return fmt.Sprintf("%s is %.200q, expected was %.200q", name, fmt.Sprint(g), fmt.Sprint(w))
	}
	return ""
}

// field is a part of a struct that is stored by itself.
type field struct {
	name  string
	value reflect.Value
}

// fields returns those of what p points to, down to times, amounts and words.
func fields(name string, p reflect.Value) []field {
	v := p.Elem()
	_, isTime := reflect.TypeAssert[time.Time](v)
	_, isMoney := reflect.TypeAssert[refund.Money](v)
	if v.Kind() != reflect.Struct || isTime || isMoney {
		return []field{{name, v}}
	}
	var all []field
	for i := range v.NumField() {
		all = append(all, fields(name+"."+v.Type().Field(i).Name, v.Field(i).Addr())...)
	}
	return all
}

// fill gives the field a value, which is another one for every n.
func (f field) fill(n int) {
	switch f.value.Interface().(type) {
	case time.Time:
		f.value.Set(reflect.ValueOf(noon().AddDate(0, 0, n)))
	case refund.Money:
		f.value.Set(reflect.ValueOf(money(int64(1000+n), "KWD")))
	case refund.Kind:
		f.value.Set(reflect.ValueOf(refund.ErrUnavailable))
	case refund.Part:
		f.value.Set(reflect.ValueOf(refund.PartShipping))
	case journal.State:
		f.value.Set(reflect.ValueOf(states()[n%len(states())]))
	case journal.Step:
		f.value.Set(reflect.ValueOf(journal.StepSending))
	case journal.Attention:
		f.value.Set(reflect.ValueOf(journal.AttentionPaidTwice))
	default:
		switch {
		case f.value.Kind() == reflect.String:
			f.value.SetString(fmt.Sprintf("%s-%d", f.name, n))
		case f.value.Kind() == reflect.Bool:
			f.value.SetBool(true)
		case f.value.CanInt():
			f.value.SetInt(int64(n))
		default:
			panic("journaltest knows no value for " + f.name)
		}
	}
}

// full has a value in every field.
func (e *env) full() journal.Entry {
	var entry journal.Entry
	for i, f := range fields("Entry", reflect.ValueOf(&entry)) {
		f.fill(i + 1)
	}
	e.n++
	entry.Key, entry.Order.ID, entry.Version = fmt.Sprintf("key-%d", e.n), fmt.Sprintf("order-%d", e.n), 1
	return entry
}

func unfinished() []journal.State {
	return []journal.State{
		journal.StateSending, journal.StateUnknown, journal.StateNeedsReview, journal.StateNotFound, journal.StatePending,
	}
}

func states() []journal.State {
	return append(unfinished(), journal.StateNotSent, journal.StateRejected, journal.StateSucceeded, journal.StateFailed,
		journal.StateCanceled, journal.StateExpired)
}

// list ranges over Entries.
func (e *env) list(f journal.Filter) []journal.Entry {
	e.Helper()
	var found []journal.Entry
	for entry, err := range e.Entries(context.Background(), f) {
		if err != nil {
			e.Errorf("Entries of %+v: %v", f, err)
			return found
		}
		found = append(found, entry)
	}
	return found
}

// all selects every entry of the suite that has Created, by an index.
func all() journal.Filter { return journal.Filter{From: time.Unix(0, 0)} }

// same checks a listing.
func (e *env) same(what string, got, want []journal.Entry) {
	e.Helper()
	if len(got) != len(want) {
		e.Errorf("%s: got %d entries, expected were %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if d := difference(want[i], got[i]); d != "" {
			e.Errorf("%s: entry %d: %s", what, i, d)
			return
		}
	}
}

func sortEntries(all []journal.Entry) {
	slices.SortFunc(all, func(a, b journal.Entry) int {
		return cmp.Or(a.Created.Compare(b.Created), compareIDs(a.ID(), b.ID()))
	})
}

func compareIDs(a, b journal.ID) int {
	return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Key, b.Key))
}

// read ranges over Events.
func (e *env) read(f journal.EventFilter) []journal.Event {
	e.Helper()
	var found []journal.Event
	for event, err := range e.Events(context.Background(), f) {
		if err != nil {
			e.Errorf("Events of %+v: %v", f, err)
			return found
		}
		found = append(found, event)
	}
	return found
}

// history reads events until there are n, for an event may come into sight a moment after its Write.
func (e *env) history(f journal.EventFilter, n int) []journal.Event {
	e.Helper()
	var found []journal.Event
	e.eventually(func() bool {
		found = e.read(f)
		return len(found) >= n
	})
	return found
}

// told checks the history; cursors are the store's, but there must be one.
func (e *env) told(what string, f journal.EventFilter, want []journal.Event) []journal.Event {
	e.Helper()
	got := e.history(f, len(want))
	if len(got) != len(want) {
		e.Errorf("%s: got %d events, expected were %d", what, len(got), len(want))
		return got
	}
	for i := range want {
		w := want[i]
		w.Cursor = got[i].Cursor
		if d := differ("Event", reflect.ValueOf(w), reflect.ValueOf(got[i])); d != "" {
			e.Errorf("%s: event %d: %s", what, i, d)
		}
		if w.Cursor == "" {
			e.Errorf("%s: event %d has no cursor", what, i)
		}
	}
	return got
}

// eventually waits until done is.
func (e *env) eventually(done func() bool) bool {
	end := time.Now().Add(e.patience)
	for !done() {
		if time.Now().After(end) {
			return false
		}
		<-time.After(time.Millisecond)
	}
	return true
}

// now is the store's clock.
func (e *env) now() time.Time {
	e.Helper()
	now, err := e.Now(context.Background())
	e.is("Now", err, nil)
	return now
}

// unblocked does work, which must not be in its own way, and reports whether it has ended.
func (e *env) unblocked(what string, work func()) bool {
	e.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	select {
	case <-done:
		return true
	case <-time.After(e.patience):
		e.Errorf("%s blocks", what)
		return false
	}
}

// parallel does work n times at the same moment.
func parallel(n int, work func(worker int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			work(i)
		})
	}
	close(start)
	wg.Wait()
}
