package journaltest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// cases is the contract.
func cases() []testCase {
	return []testCase{
		{"insert and get every field", caseInsert},
		{"update and get every field", caseUpdate},
		{"amounts of every scale", caseAmounts},
		{"text of every kind", caseText},
		{"times to the microsecond", caseTimes},
		{"the key has an entry", caseExists},
		{"no such entry", caseNotFound},
		{"keys are told apart", caseKeys},
		{"accounts are told apart", caseAccounts},
		{"order busy for insert", caseBusyInsert},
		{"order busy for update", caseBusyUpdate},
		{"orders are told apart", caseOrders},
		{"update is compare-and-set", caseConflict},
		{"what never changes", caseImmutable},
		{"entries in order", caseOrder},
		{"entries by filter", caseFilter},
		{"entries are complete", caseComplete},
		{"many entries", caseMany},
		{"update while ranging", caseUpdateWhileRanging},
		{"range within range", caseNested},
		{"break", caseBreak},
		{"range twice", caseTwice},
		{"context over", caseContext},
		{"context over while ranging", caseContextRanging},
		{"one insert of a key wins", caseRaceKey},
		{"one insert on an order wins", caseRaceOrder},
		{"one update of a version wins", caseRaceVersion},
		{"one update on an order wins", caseRaceReopen},
	}
}

func openStates() []journal.State {
	return []journal.State{journal.StateSending, journal.StateUnknown, journal.StateNeedsReview}
}

func closedStates() []journal.State {
	return []journal.State{
		journal.StateSucceeded, journal.StatePending, journal.StateFailed, journal.StateCanceled, journal.StateExpired,
		journal.StateRejected, journal.StateNotSent,
	}
}

// full has a value in every field.
func (e *env) full() journal.Entry {
	day := func(n int) time.Time { return noon().AddDate(0, 0, n) }
	return e.with(func(entry *journal.Entry) {
		*entry = journal.Entry{
			Provider: entry.Provider, Account: "account-full", Key: entry.Key,
			Order:  refund.Order{ID: "order-full", MerchantID: "merchant-full", InvoiceID: "invoice-full"},
			Amount: aud(1099), Part: refund.PartShipping, Line: "line-1",
			State: journal.StateUnknown, Version: 1, Lease: day(1), Due: day(2), Checks: 3,
			Snapshot: `{"active":null}`, Answered: true, FirstSent: day(-2), LastSent: day(-1), Tries: 4, MissedAt: day(6),
			RefundID: "refund-1", Refunded: money(1098, "KWD"), ProviderStatus: "IN_LIMBO", RefundCreated: day(3), LocksAt: day(4),
			ExpiresAt: day(5), FailureReason: "BANK_SAYS_NO", Kind: refund.ErrUnavailable, Code: "code-7",
			Note: "nobody could tell", Created: day(-3), Updated: day(-4),
		}
	})
}

func caseInsert(e *env) {
	for _, entry := range []journal.Entry{
		e.full(),
		e.entry(),
		{Provider: "toy", Key: "nothing but a key"},
		{Provider: "toy", Account: "an-account", Key: "nothing but a key"},
		e.with(func(entry *journal.Entry) { entry.State, entry.Version = journal.StateSucceeded, 7 }), // brought from elsewhere
	} {
		e.insert(entry)
		e.stored("after Insert of "+entry.Key, entry)
	}
}

func caseUpdate(e *env) {
	before, after := e.entry(), e.full()
	after.Provider, after.Account, after.Key = before.Provider, before.Account, before.Key
	after.Order, after.Amount, after.Part, after.Line = before.Order, before.Amount, before.Part, before.Line
	after.Created, after.Version = before.Created, 2
	e.insert(before, e.entry())
	e.update(after)
	e.stored("after Update", after)
	empty := journal.Entry{
		Provider: before.Provider, Key: before.Key, Order: before.Order, Amount: before.Amount, Created: before.Created,
		State: journal.StateNotSent, Version: 3,
	}
	e.update(empty)
	e.stored("after Update to what is empty", empty)
}

func caseAmounts(e *env) {
	for _, m := range []refund.Money{
		{},
		aud(0), aud(1), aud(-1), aud(1099), aud(math.MaxInt64), aud(math.MinInt64), aud(1<<53 + 1),
		money(1099, "JPY"), money(1099, "KWD"), money(1099, "CLF"), money(1099, "MRU"),
	} {
		entry := e.with(func(entry *journal.Entry) { entry.Amount, entry.Refunded = m, m })
		e.insert(entry)
		e.stored("an amount of "+m.String(), entry)
		entry = next(entry, journal.StateSucceeded)
		e.update(entry)
		e.stored("an updated amount of "+m.String(), entry)
	}
}

func caseText(e *env) {
	for _, text := range []string{
		" leading and trailing ", "two\nlines\r\n\ttab", `quotes ' " and \ and % and ?`, "$1 ?1 :a @b", "NULL", "null", "0", "1e3", "true",
		"Ærøskøbing, 東京, עברית, 👩‍👩‍👧, e\u0301 and é", strings.Repeat("long ", 4000), "'; DROP TABLE refund_journal; --",
	} {
		entry := e.with(func(entry *journal.Entry) {
			entry.Order = refund.Order{ID: text, MerchantID: text, InvoiceID: text}
			entry.Part, entry.Line, entry.Snapshot = refund.Part(text), text, refund.Snapshot(text)
			entry.RefundID, entry.ProviderStatus, entry.FailureReason, entry.Code, entry.Note = text, text, text, text, text
			if len(text) > 1000 {
				entry.Order = orderID("of reasonable length") // it is in an index
			}
		})
		e.insert(entry)
		e.stored("text", entry)
		entry = next(entry, journal.StateSucceeded)
		entry.Note = text + text
		e.update(entry)
		e.stored("updated text", entry)
	}
}

func caseTimes(e *env) {
	east := time.FixedZone("east", 5*3600+1800)
	for _, at := range []time.Time{
		{},
		time.Unix(0, 0), noon(), noon().Add(time.Microsecond), noon().In(east), noon().Add(789), time.Now(),
		time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(2999, 12, 31, 23, 59, 59, 999999000, east),
	} {
		entry := e.with(func(entry *journal.Entry) {
			entry.Lease, entry.Due, entry.FirstSent, entry.LastSent, entry.MissedAt = at, at, at, at, at
			entry.RefundCreated, entry.LocksAt, entry.ExpiresAt, entry.Created, entry.Updated = at, at, at, at, at
		})
		e.insert(entry)
		e.stored("a time", entry)
		entry.Version++
		e.update(entry)
		e.stored("an updated time", entry)
	}
}

func caseExists(e *env) {
	ctx := context.Background()
	for _, state := range append(openStates(), closedStates()...) {
		first := e.with(func(entry *journal.Entry) { entry.State = state })
		e.insert(first)
		e.is("Insert again", e.Insert(ctx, first), journal.ErrKeyExists)
		other := e.entry()
		other.Key = first.Key
		e.is("Insert of the key with another order", e.Insert(ctx, other), journal.ErrKeyExists)
		e.stored("after Insert of a key that has an entry", first)
	}
	// Who asks again for what is finished gets that, whatever else happens on the order.
	finished := e.with(func(entry *journal.Entry) { entry.State = journal.StateSucceeded })
	inTheWay := e.entry()
	inTheWay.Order = finished.Order
	e.insert(finished, inTheWay)
	finished.State = journal.StateSending
	e.is("Insert of a key that has an entry, on a busy order", e.Insert(ctx, finished), journal.ErrKeyExists)
}

func caseNotFound(e *env) {
	ctx := context.Background()
	_, err := e.Get(ctx, journal.ID{Provider: "toy", Key: "key-1"})
	e.is("Get from an empty store", err, journal.ErrNoEntry)
	e.insert(e.entry())
	for _, id := range []journal.ID{
		{Provider: "toy", Key: "key-2"},
		{Provider: "other", Key: "key-1"},
		{Provider: "toy", Account: "other", Key: "key-1"},
		{Provider: "toy"},
		{Key: "key-1"},
		{},
	} {
		_, err := e.Get(ctx, id)
		e.is(fmt.Sprintf("Get of %q", id), err, journal.ErrNoEntry)
	}
	e.same("entries of an unknown provider", e.list(journal.Filter{Provider: "other"}), nil)
}

func caseKeys(e *env) {
	var all []journal.Entry
	for _, provider := range []string{"toy", "Toy", "toy2"} {
		for _, key := range []string{"a-1", "A-1", "a-10", "a.1", "a_1", "a%1", "a:1"} {
			all = append(all, e.with(func(entry *journal.Entry) { entry.Provider, entry.Key = provider, key }))
		}
	}
	e.insert(all...)
	for _, entry := range all {
		e.stored("keys that are alike", entry)
	}
}

// caseAccounts: the same key, and the same order, at another account are another refund.
func caseAccounts(e *env) {
	ctx := context.Background()
	var all []journal.Entry
	for _, account := range []string{"", "nz", "NZ", "nz-1", "nz.1", "nz_1", "nz:1", "0"} {
		all = append(all, e.with(func(entry *journal.Entry) {
			entry.Account, entry.Key, entry.Order, entry.Note = account, "key", orderID("order"), "of "+account
		}))
	}
	for i := range all {
		_, err := e.Get(ctx, all[i].ID())
		e.is("Get of a key that another account has", err, journal.ErrNoEntry)
		e.is("Update of a key that another account has", e.Update(ctx, next(all[i], journal.StateUnknown)), journal.ErrStale)
		e.insert(all[i])
		e.is("Insert again", e.Insert(ctx, all[i]), journal.ErrKeyExists)
		other := all[i]
		other.Key = "other"
		e.is("Insert on an order that is busy at this account", e.Insert(ctx, other), journal.ErrOrderBusy)
	}
	for i := range all {
		all[i] = next(all[i], journal.StateUnknown)
		e.update(all[i])
		for _, entry := range all {
			e.stored("accounts that are alike", entry)
		}
		e.same("the entries of an account", e.list(journal.Filter{Provider: "toy", Account: all[i].Account}), all[i:i+1])
	}
	// Neither name runs into the next.
	together := []journal.ID{
		{Provider: "to", Key: "yk"},
		{Provider: "to", Account: "y", Key: "k"},
		{Provider: "toy", Key: "k"},
		{Provider: "to", Account: "yk"},
		{Provider: "to/y", Key: "k"},
		{Provider: "to", Account: "y/k"},
		{Provider: "to", Account: "y:k", Key: "z"},
		{Provider: "to:y", Account: "k", Key: "z"},
	}
	for _, id := range together {
		e.insert(e.with(func(entry *journal.Entry) {
			entry.Provider, entry.Account, entry.Key, entry.Order, entry.Note = id.Provider, id.Account, id.Key, orderID("one"), id.String()
		}))
	}
	for _, id := range together {
		if got, err := e.Get(ctx, id); err != nil || got.Note != id.String() {
			e.Errorf("Get of %q: got %q and the error %v", id, got.Note, err)
		}
	}
}

func caseBusyInsert(e *env) {
	ctx := context.Background()
	for _, open := range openStates() {
		first := e.with(func(entry *journal.Entry) { entry.State = open })
		e.insert(first)
		for _, state := range openStates() {
			second := e.with(func(entry *journal.Entry) { entry.State, entry.Order = state, first.Order })
			e.is(fmt.Sprintf("Insert of a %s entry on an order with a %s one", state, open), e.Insert(ctx, second), journal.ErrOrderBusy)
			_, err := e.Get(ctx, second.ID())
			e.is("Get of what was not inserted", err, journal.ErrNoEntry)
		}
		for _, state := range closedStates() {
			e.insert(e.with(func(entry *journal.Entry) { entry.State, entry.Order = state, first.Order }))
		}
		e.insert(
			e.with(func(entry *journal.Entry) { entry.Provider, entry.Order = "other", first.Order }),
			e.with(func(entry *journal.Entry) { entry.Account, entry.Order = "other", first.Order }),
			e.with(func(entry *journal.Entry) { entry.State = open }),
		)
	}
	for _, closed := range closedStates() {
		first := e.with(func(entry *journal.Entry) { entry.State = closed })
		second := e.with(func(entry *journal.Entry) { entry.Order = first.Order })
		e.insert(first, second)
		e.update(next(second, closed))
		e.insert(e.with(func(entry *journal.Entry) { entry.Order = first.Order }))
	}
}

func caseBusyUpdate(e *env) {
	ctx := context.Background()
	for _, state := range openStates() {
		first := e.with(func(entry *journal.Entry) { entry.State = journal.StateNotSent })
		second := e.with(func(entry *journal.Entry) { entry.Order = first.Order })
		e.insert(first, second)
		e.is(fmt.Sprintf("Update to %s on a busy order", state), e.Update(ctx, next(first, state)), journal.ErrOrderBusy)
		e.stored("after an Update on a busy order", first)
		elsewhere := e.with(func(entry *journal.Entry) {
			entry.Account, entry.Order, entry.State = "other", first.Order, journal.StateNotSent
		})
		e.insert(elsewhere)
		e.update(next(elsewhere, state))   // the order of another account is another order
		for _, own := range openStates() { // its own key is not in its way
			second = next(second, own)
			e.update(second)
		}
		e.update(next(first, journal.StateRejected)) // nor an open one in the way of one that is not
		e.update(next(second, journal.StateSucceeded))
		e.update(next(next(first, journal.StateRejected), state))
	}
}

func caseOrders(e *env) {
	ctx := context.Background()
	for name, o := range map[string]refund.Order{
		"by the provider's id": {ID: "x", MerchantID: "m1", InvoiceID: "i1"},
		"by the invoice":       {InvoiceID: "x", MerchantID: "m2"},
		"by the merchant's id": {MerchantID: "x"},
		"by another id":        {ID: "X"},
	} {
		e.insert(e.with(func(entry *journal.Entry) { entry.Order = o }))
		same := e.with(func(entry *journal.Entry) { entry.Order = o })
		if o.ID != "" || o.InvoiceID != "" {
			same.Order.MerchantID = "another"
		}
		e.is("Insert on an order known "+name, e.Insert(ctx, same), journal.ErrOrderBusy)
		if got := e.list(journal.Filter{OrderKey: same.OrderKey()}); len(got) != 1 {
			e.Errorf("an order known %s has %d entries, not 1", name, len(got))
		}
	}
}

func caseConflict(e *env) {
	ctx := context.Background()
	entry := e.entry()
	for _, version := range []int64{1, 2, 3} {
		entry.Version = version
		e.is(fmt.Sprintf("Update to version %d of nothing", version), e.Update(ctx, entry), journal.ErrStale)
		_, err := e.Get(ctx, entry.ID())
		e.is("Get after an Update of nothing", err, journal.ErrNoEntry)
	}
	entry.Version = 1
	e.insert(entry, e.with(func(other *journal.Entry) { other.Version = 4 }))
	second := next(entry, journal.StateUnknown)
	e.update(second)
	for _, version := range []int64{0, 1, 2, 4, 5} {
		stale := next(entry, journal.StateSucceeded)
		stale.Version = version
		e.is(fmt.Sprintf("Update of version 2 to %d", version), e.Update(ctx, stale), journal.ErrStale)
		e.stored("after a stale Update", second)
	}
	other := next(second, journal.StateSucceeded)
	other.Provider = "other"
	e.is("Update of another provider's key", e.Update(ctx, other), journal.ErrStale)
	e.stored("after an Update of another provider's key", second)
	other.Provider, other.Account = second.Provider, "other"
	e.is("Update of another account's key", e.Update(ctx, other), journal.ErrStale)
	e.stored("after an Update of another account's key", second)
}

func caseImmutable(e *env) {
	entry := e.full()
	e.insert(entry)
	changed := next(entry, journal.StateSucceeded)
	changed.Order, changed.Amount, changed.Part = refund.Order{ID: "another"}, aud(1), refund.PartTax
	changed.Line, changed.Created = "another", noon().AddDate(1, 0, 0)
	e.update(changed)
	e.stored("after an Update of what never changes", next(entry, journal.StateSucceeded))
	if got := e.list(journal.Filter{OrderKey: "another"}); len(got) != 0 {
		e.Errorf("an Update has moved an entry to another order")
	}
	// Nor does another order's entry come in the way.
	e.insert(e.with(func(other *journal.Entry) { other.Order.ID = "another" }))
	reopened := next(next(entry, journal.StateSucceeded), journal.StateUnknown)
	reopened.Order.ID = "another"
	e.update(reopened)
}

// assorted inserts entries that differ in all that Filter and the order go by, and returns them in order.
func (e *env) assorted() []journal.Entry {
	var all []journal.Entry
	states := append(openStates(), closedStates()...)
	for i := range 60 {
		all = append(all, e.with(func(entry *journal.Entry) {
			entry.State = states[i%len(states)]
			entry.Provider = []string{"toy", "Zoo", "abc"}[i%3]
			entry.Account = []string{"", "b", "B"}[i/12%3]
			entry.Key = fmt.Sprintf("%c-%d", "aBcÄ~_"[i%5], 97-i) // by bytes, not by an alphabet
			entry.Due = noon().Add(time.Duration(i%4-1) * time.Microsecond)
			if i%4 == 0 {
				entry.Due = time.Time{}
			}
			entry.Created = noon().Add(time.Duration(i*7%5/3) * time.Microsecond)
			if !entry.State.Open() {
				entry.Order.ID = "popular"
			}
		}))
	}
	for i := range all { // neither in order nor in reverse
		e.insert(all[i*37%len(all)])
	}
	sortEntries(all)
	return all
}

func sortEntries(all []journal.Entry) {
	slices.SortFunc(all, func(a, b journal.Entry) int {
		return cmp.Or(a.Due.Compare(b.Due), a.Created.Compare(b.Created),
			cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Key, b.Key))
	})
}

func caseOrder(e *env) {
	all := e.assorted()
	e.same("all entries", e.list(journal.Filter{}), all)
}

func caseFilter(e *env) {
	all := e.assorted()
	times := []time.Time{{}, noon(), noon().Add(2 * time.Microsecond)}
	for _, account := range [][2]string{{}, {"", "b"}, {"toy", ""}, {"toy", "b"}, {"toy", "nobody"}, {"nobody", ""}} {
		for _, order := range []string{"", "popular", "order-2", "nothing"} {
			for _, states := range [][]journal.State{
				nil,
				{},
				{journal.StatePending},
				{journal.StateNeedsReview},
				{journal.StateSending, journal.StateUnknown},
				{journal.StateFailed, journal.StateSending},
				{"none"},
			} {
				for _, dueBy := range times {
					for _, before := range times {
						f := journal.Filter{
							Provider: account[0], Account: account[1], OrderKey: order, States: states, DueBy: dueBy, Before: before,
						}
						var want []journal.Entry
						for _, entry := range all {
							if selects(&f, &entry) {
								want = append(want, entry)
							}
						}
						e.same(fmt.Sprintf("%+v", f), e.list(f), want)
					}
				}
			}
		}
	}
}

// selects is what Filter's documentation says.
func selects(f *journal.Filter, e *journal.Entry) bool {
	switch {
	case f.Provider != "" && (f.Provider != e.Provider || f.Account != e.Account),
		f.OrderKey != "" && f.OrderKey != e.OrderKey(),
		len(f.States) > 0 && !slices.Contains(f.States, e.State),
		!f.DueBy.IsZero() && (e.Due.IsZero() || e.Due.After(f.DueBy)),
		!f.Before.IsZero() && !e.Created.Before(f.Before):
		return false
	}
	return true
}

func caseComplete(e *env) {
	full := e.full()
	e.insert(full)
	e.same("an entry with everything", e.list(journal.Filter{}), []journal.Entry{full})
}

// caseMany has more entries than any page, and so many alike that a page ends among them.
func caseMany(e *env) {
	const n = 2000
	all := make([]journal.Entry, n)
	for i := range all {
		all[i] = e.with(func(entry *journal.Entry) {
			entry.Key = fmt.Sprintf("key-%d", i*7919%n)
			entry.Due = noon()
			if i%2 == 0 {
				entry.State, entry.Due = journal.StateSucceeded, time.Time{}
			}
			if i%5 == 0 {
				entry.Provider = "other"
			}
			if i%3 == 0 {
				entry.Account = "other"
			}
		})
	}
	errs := parallel(racers, func(worker int) error {
		for i := worker; i < n; i += racers {
			if err := e.Insert(context.Background(), all[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		e.Errorf("Insert: %v", err)
	}
	sortEntries(all)
	e.same("many entries", e.list(journal.Filter{}), all)
	e.same("many entries that are due", e.list(journal.Filter{DueBy: noon()}), slices.DeleteFunc(slices.Clone(all), func(entry journal.Entry) bool {
		return entry.Due.IsZero()
	}))
}

// unblocked does work, which must not be in its own way.
func (e *env) unblocked(what string, work func()) {
	e.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	select {
	case <-done:
	case <-time.After(e.patience):
		e.Errorf("%s blocks", what)
	}
}

func caseUpdateWhileRanging(e *env) {
	all := []journal.Entry{e.entry(), e.entry(), e.entry()}
	e.insert(all...)
	e.unblocked("Update while ranging over Entries", func() {
		n := 0
		for entry, err := range e.Entries(context.Background(), journal.Filter{DueBy: noon().Add(time.Hour)}) {
			if err != nil {
				e.Errorf("Entries: %v", err)
				return
			}
			n++
			e.stored("while ranging", entry)
			done := next(entry, journal.StateSucceeded)
			e.update(done)
			e.stored("after Update while ranging", done)
			e.insert(journal.Entry{Provider: "new", Key: entry.Key, State: journal.StateSucceeded, Version: 1})
		}
		if n != len(all) {
			e.Errorf("got %d entries, expected were %d", n, len(all))
		}
	})
}

func caseNested(e *env) {
	e.insert(e.entry(), e.entry(), e.entry())
	e.unblocked("Entries within Entries", func() {
		n := 0
		for _, err := range e.Entries(context.Background(), journal.Filter{}) {
			e.is("Entries", err, nil)
			n += len(e.list(journal.Filter{}))
		}
		if n != 9 {
			e.Errorf("got 3 times %d entries, expected were 3 times 3", n/3)
		}
	})
}

func caseBreak(e *env) {
	e.insert(e.entry(), e.entry(), e.entry())
	for range 100 { // more often than a store has connections
		for _, err := range e.Entries(context.Background(), journal.Filter{}) {
			e.is("Entries", err, nil)
			break
		}
	}
	e.unblocked("Update after a break", func() {
		entry := e.entry()
		e.insert(entry)
		e.update(next(entry, journal.StateSucceeded))
	})
}

func caseTwice(e *env) {
	all := []journal.Entry{e.entry(), e.entry(), e.entry()}
	e.insert(all...)
	entries := e.Entries(context.Background(), journal.Filter{})
	for _, what := range []string{"first", "second"} {
		var got []journal.Entry
		for entry, err := range entries {
			if err != nil {
				e.Errorf("Entries: %v", err)
			}
			got = append(got, entry)
		}
		e.same(what+" range", got, all)
	}
}

func caseContext(e *env) {
	ctx, cancel := context.WithCancel(context.Background())
	known, unknown := e.entry(), e.entry()
	e.insert(known)
	cancel()
	e.is("Insert", e.Insert(ctx, unknown), context.Canceled)
	e.is("Update", e.Update(ctx, next(known, journal.StateSucceeded)), context.Canceled)
	_, err := e.Get(ctx, known.ID())
	e.is("Get", err, context.Canceled)
	n := 0
	for _, err := range e.Entries(ctx, journal.Filter{}) {
		e.is("Entries", err, context.Canceled)
		n++
	}
	if n != 1 {
		e.Errorf("Entries came to %d, expected was one error", n)
	}
	_, err = e.Get(context.Background(), unknown.ID())
	e.is("Get of what was not inserted", err, journal.ErrNoEntry)
	e.stored("after an Update that was not", known)
}

// caseContextRanging: what was read before may still come, but nothing after an error.
func caseContextRanging(e *env) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e.insert(e.entry(), e.entry(), e.entry())
	failed := false
	for _, err := range e.Entries(ctx, journal.Filter{}) {
		cancel()
		if failed {
			e.Errorf("Entries goes on after an error")
			return
		}
		if err != nil {
			e.is("Entries", err, context.Canceled)
			failed = true
		}
	}
	e.same("after a context that is over", e.list(journal.Filter{}), e.list(journal.Filter{Provider: "toy"}))
}

// racers is how many do the same at once.
const racers = 32

// parallel does work n times at the same moment.
func parallel(n int, work func(worker int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = work(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// race lets racers do work at the same moment, of which one must win and the others get loss. It returns who won.
func (e *env) race(what string, work func(worker int) error, loss error) (winner int) {
	e.Helper()
	winner = -1
	for i, err := range parallel(racers, work) {
		switch {
		case err != nil:
			e.is(what, err, loss)
		case winner >= 0:
			e.Errorf("%s: more than one has won", what)
		default:
			winner = i
		}
	}
	if winner < 0 {
		e.Errorf("%s: nobody has won", what)
	}
	return winner
}

const rounds = 4

func caseRaceKey(e *env) {
	for range rounds {
		entry := e.entry()
		with := func(worker int) journal.Entry {
			entry := entry
			entry.Note = strconv.Itoa(worker)
			return entry
		}
		winner := e.race("Insert of the same key", func(worker int) error {
			return e.Insert(context.Background(), with(worker))
		}, journal.ErrKeyExists)
		e.stored("the winner's entry", with(winner))
	}
}

func caseRaceOrder(e *env) {
	for range rounds {
		entry := e.entry()
		with := func(worker int) journal.Entry {
			entry := entry
			entry.Key = fmt.Sprintf("%s-%d", entry.Key, worker)
			return entry
		}
		winner := e.race("Insert on the same order", func(worker int) error {
			return e.Insert(context.Background(), with(worker))
		}, journal.ErrOrderBusy)
		e.same("the entries of the order", e.list(journal.Filter{OrderKey: entry.OrderKey()}), []journal.Entry{with(winner)})
	}
}

func caseRaceVersion(e *env) {
	entry := e.entry()
	e.insert(entry)
	for range rounds {
		with := func(worker int) journal.Entry {
			entry := next(entry, journal.StateUnknown)
			entry.Note = strconv.Itoa(worker)
			return entry
		}
		winner := e.race("Update of the same version", func(worker int) error {
			return e.Update(context.Background(), with(worker))
		}, journal.ErrStale)
		entry = with(winner)
		e.stored("the winner's entry", entry)
	}
}

func caseRaceReopen(e *env) {
	for range rounds {
		var entries []journal.Entry
		order := e.entry().Order
		for range racers {
			entries = append(entries, e.with(func(entry *journal.Entry) { entry.Order, entry.State = order, journal.StateNotSent }))
		}
		e.insert(entries...)
		winner := e.race("Update on the same order", func(worker int) error {
			return e.Update(context.Background(), next(entries[worker], journal.StateSending))
		}, journal.ErrOrderBusy)
		open := e.list(journal.Filter{OrderKey: entries[0].OrderKey(), States: openStates()})
		if winner >= 0 {
			e.same("the open entries of the order", open, []journal.Entry{next(entries[winner], journal.StateSending)})
		}
	}
}
