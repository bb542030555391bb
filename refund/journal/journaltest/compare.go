package journaltest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
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

// insert adds an entry that nothing is in the way of.
func (e *env) insert(entries ...journal.Entry) {
	e.Helper()
	for i := range entries {
		if err := e.Insert(context.Background(), entries[i]); err != nil {
			e.Errorf("Insert of %s, %s: %v", entries[i].Key, entries[i].State, err)
		}
	}
}

// update changes an entry that nothing is in the way of.
func (e *env) update(entry journal.Entry) {
	e.Helper()
	if err := e.Update(context.Background(), entry); err != nil {
		e.Errorf("Update of %s to %s: %v", entry.Key, entry.State, err)
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
		e.Errorf("%s: Get: %v", what, err)
		return
	}
	if d := difference(want, got); d != "" {
		e.Errorf("%s: %s", what, d)
	}
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
