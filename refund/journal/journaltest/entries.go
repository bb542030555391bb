package journaltest

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// ofOneField returns entries with nothing but a name and one of the fields, so that no field is taken for another.
func (e *env) ofOneField() []journal.Entry {
	var found []journal.Entry
	for i := range fields("Entry", reflect.ValueOf(new(journal.Entry))) {
		e.n++
		entry := journal.Entry{Provider: "toy", Key: fmt.Sprintf("key-%d", e.n), State: journal.StateNotSent}
		f := fields("Entry", reflect.ValueOf(&entry))[i]
		f.fill(i + 1)
		entry.Version = 1
		found = append(found, entry)
	}
	return found
}

func caseInsert(e *env) {
	all := append(e.ofOneField(), e.full(), e.entry(), journal.Entry{Provider: "toy", Key: "k", State: journal.StateNotSent, Version: 1})
	e.put(all...)
	for i := range all {
		e.stored("a new entry", all[i])
	}
}

func caseUpdate(e *env) {
	ones := e.ofOneField()
	e.put(ones...)
	full := e.full()
	for i := range ones {
		after := full
		keep(&after, &ones[i])
		after.Version = 2
		after.OrderLock = false
		e.put(after)
		e.stored("an entry that got everything", after)
		ones[i].Version = 3
		e.put(ones[i])
		e.stored("an entry that lost everything", ones[i])
	}
	e.put(full)
	full.Version = 2
	e.put(full)
	e.stored("an entry that keeps everything", full)
}

// keep gives entry what never changes.
func keep(entry, from *journal.Entry) {
	entry.Provider, entry.Account, entry.Key = from.Provider, from.Account, from.Key
	entry.Order, entry.Amount, entry.Part, entry.Line, entry.Created = from.Order, from.Amount, from.Part, from.Line, from.Created
}

func caseAmounts(e *env) {
	for _, m := range []refund.Money{
		{},
		aud(0), aud(1), aud(-1), aud(1099), aud(math.MaxInt64), aud(math.MinInt64), aud(1<<53 + 1),
		money(1099, "JPY"), money(1099, "KWD"), money(1099, "CLF"), money(1099, "MRU"),
	} {
		entry := e.with(func(entry *journal.Entry) { entry.Amount, entry.Refunded = m, m })
		e.put(entry)
		e.stored("an amount of "+m.String(), entry)
		entry = next(entry, note("changed"))
		e.put(entry)
		e.stored("a changed amount of "+m.String(), entry)
	}
}

func caseText(e *env) {
	for _, text := range []string{
		" leading and trailing ", "two\nlines\r\n\ttab", `quotes ' " and \ and % and ?`, `{a,"b"}`, "$1 ?1 :a @b", "NULL", "null", "0", "1e3", "true",
		"Ærøskøbing, 東京, עברית, 👩‍👩‍👧, e\u0301 and é, \uFFFD", strings.Repeat("long ", 4000), "'; DROP TABLE refund_entries; --",
	} {
		entry := e.with(func(entry *journal.Entry) {
			entry.Line, entry.Snapshot, entry.Owner = text, refund.Snapshot(text), text
			entry.RefundID, entry.ProviderStatus, entry.FailureReason, entry.Code, entry.Note = text, text, text, text, text
			if len(text) < 1000 { // it is in an index
				entry.Order = refund.Order{ID: text, MerchantID: text, InvoiceID: text}
			}
		})
		event := journal.Event{
			Provider: entry.Provider, Key: entry.Key, Version: 1, At: noon(), To: entry.State, RefundID: text, Note: text, By: text,
		}
		e.is("Write of text", e.write(journal.Change{Entry: entry, Event: &event})[0].Err, nil)
		e.stored("text", entry)
		e.told("text", journal.EventFilter{ID: entry.ID()}, []journal.Event{event})
		entry = next(entry, note(text+text))
		e.put(entry)
		e.stored("changed text", entry)
	}
}

// caseForeignText: what a provider says must not keep a refund from being recorded, whatever bytes it has.
func caseForeignText(e *env) {
	for name, bad := range map[string]string{"NUL": "\x00", "invalid UTF-8": "\xff\xc3", "a surrogate": "\xed\xa0\x80"} {
		text := "before" + bad + "after"
		entry := e.with(func(entry *journal.Entry) {
			entry.RefundID, entry.ProviderStatus, entry.FailureReason, entry.Code, entry.Note = text, text, text, text, text
		})
		event := &journal.Event{At: noon(), To: entry.State, RefundID: text, Note: text}
		e.is("Write of "+name, e.write(journal.Change{Entry: entry, Event: event})[0].Err, nil)
		entry.Version++
		e.is("Write of "+name+" again", e.write(journal.Change{Entry: entry, Event: event})[0].Err, nil)
		got, err := e.Get(context.Background(), entry.ID())
		e.is("Get of "+name, err, nil)
		found := map[string]string{
			"RefundID": got.RefundID, "ProviderStatus": got.ProviderStatus, "FailureReason": got.FailureReason, "Code": got.Code, "Note": got.Note,
		}
		for i, event := range e.history(journal.EventFilter{ID: entry.ID()}, 2) {
			found[fmt.Sprintf("RefundID of event %d", i)], found[fmt.Sprintf("Note of event %d", i)] = event.RefundID, event.Note
		}
		if len(found) != 9 {
			e.Errorf("%s: the events are not there", name)
		}
		for field, text := range found {
			if !strings.HasPrefix(text, "before") || !strings.HasSuffix(text, "after") {
				e.Errorf("%s with %s has become %q", field, name, text)
			}
		}
	}
}

func caseTimes(e *env) {
	east := time.FixedZone("east", 5*3600+1800)
	for _, at := range []time.Time{
		{},
		time.Unix(0, 0), noon(), noon().Add(time.Microsecond), noon().In(east), noon().Add(789), time.Now(),
		time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(2999, 12, 31, 23, 59, 59, 999999000, east),
	} {
		var times journal.Entry
		for _, f := range fields("Entry", reflect.ValueOf(&times)) {
			if f.value.Type() == reflect.TypeFor[time.Time]() {
				f.value.Set(reflect.ValueOf(at))
			}
		}
		entry := e.entry()
		times.Provider, times.Key, times.Order, times.State, times.Version = entry.Provider, entry.Key, entry.Order, entry.State, 1
		event := journal.Event{Provider: times.Provider, Key: times.Key, Version: 1, At: at, To: times.State}
		e.is("Write of a time", e.write(journal.Change{Entry: times, Event: &event})[0].Err, nil)
		e.stored("a time", times)
		e.told("a time", journal.EventFilter{ID: times.ID()}, []journal.Event{event})
		times.Version++
		e.put(times)
		e.stored("a changed time", times)
	}
}

func caseNoEntry(e *env) {
	e.missing("an empty store", journal.ID{Provider: "toy", Key: "key-1"})
	e.put(e.entry())
	for _, id := range []journal.ID{
		{Provider: "toy", Key: "key-2"},
		{Provider: "other", Key: "key-1"},
		{Provider: "toy", Account: "other", Key: "key-1"},
		{Provider: "toy"},
		{Key: "key-1"},
		{},
	} {
		e.missing("another entry's store", id)
	}
}

func caseKeys(e *env) {
	var all []journal.Entry
	for _, provider := range []string{"toy", "Toy", "toy2"} {
		for _, key := range []string{"a-1", "A-1", "a-10", "a.1", "a_1", "a%1", "a:1", "a-1 ", " a-1", "é", "e\u0301"} {
			all = append(all, e.with(func(entry *journal.Entry) { entry.Provider, entry.Key = provider, key }))
		}
	}
	for _, entry := range all {
		e.put(entry)
	}
	for _, entry := range all {
		e.stored("keys that are alike", entry)
	}
}

// caseAccountsApart: the same key, and the same order, at another account are another refund.
func caseAccountsApart(e *env) {
	var all []journal.Entry
	for _, account := range []string{"", "nz", "NZ", "nz-1", "nz.1", "nz_1", "nz:1", "0", "nz "} {
		entry := e.locking("order")
		entry.Account, entry.Key, entry.Note = account, "key", "of "+account
		all = append(all, entry)
	}
	for i := range all {
		e.missing("a key that another account has", all[i].ID())
		e.refused("change of a key that another account has", next(all[i], unlock), journal.ErrStale, nil)
		e.put(all[i])
		e.refused("a key that this account has", all[i], journal.ErrKeyExists, &all[i])
		other := all[i]
		other.Key = "other"
		e.refused("an order that this account has locked", other, journal.ErrOrderBusy, &all[i])
	}
	for i := range all {
		all[i] = next(all[i], note("changed"))
		e.put(all[i])
		for _, entry := range all {
			e.stored("accounts that are alike", entry)
		}
		f := journal.Filter{Provider: "toy", Account: all[i].Account, OrderKey: "order"}
		e.same("the entries of an account", e.list(f), all[i:i+1])
	}
	// Neither name runs into the next.
	for _, id := range []journal.ID{
		{Provider: "to", Key: "yk"},
		{Provider: "to", Account: "y", Key: "k"},
		{Provider: "toy", Key: "k"},
		{Provider: "to", Account: "yk"},
		{Provider: "to/y", Key: "k"},
		{Provider: "to", Account: "y/k"},
		{Provider: "to", Account: "y:k", Key: "z"},
		{Provider: "to:y", Account: "k", Key: "z"},
	} {
		entry := e.entry()
		entry.Provider, entry.Account, entry.Key, entry.Note = id.Provider, id.Account, id.Key, id.String()
		e.put(entry)
		e.stored("names that are alike together", entry)
	}
}
