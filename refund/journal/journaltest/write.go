package journaltest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

func caseExists(e *env) {
	for _, state := range states() {
		first := e.with(func(entry *journal.Entry) { entry.State = state })
		e.put(first)
		e.refused("the same again", first, journal.ErrKeyExists, &first)
		other := e.full()
		other.Provider, other.Account, other.Key = first.Provider, first.Account, first.Key
		e.refused("the key with everything else", other, journal.ErrKeyExists, &first)
		e.stored("after a key that has an entry", first)
		second := next(first, note("second"))
		e.put(second)
		e.refused("the first again", first, journal.ErrKeyExists, &second)
		elsewhere := first
		elsewhere.Account = "other"
		e.put(elsewhere)
	}
	// Who asks again for what is finished gets that, whatever else happens on the order.
	finished, inTheWay := e.entry(), e.locking("popular")
	finished.Order = inTheWay.Order
	e.put(finished, inTheWay)
	again := finished
	again.OrderLock = true
	e.refused("a key that has an entry, on a busy order", again, journal.ErrKeyExists, &finished)
}

func caseVersion(e *env) {
	entry := e.entry()
	for _, version := range []int64{0, 2, 3} {
		entry.Version = version
		e.refused(fmt.Sprintf("version %d of nothing", version), entry, journal.ErrStale, nil)
		e.missing("after a change of nothing", entry.ID())
	}
	entry.Version = 1
	second := next(entry, note("second"))
	e.put(entry)
	e.put(second)
	e.stored("after a change", second)
	for _, version := range []int64{0, 2, 4, 5} {
		stale := next(entry, note("stale"))
		stale.Version = version
		e.refused(fmt.Sprintf("version %d upon version 2", version), stale, journal.ErrStale, &second)
		e.stored("after a stale change", second)
	}
	other := next(second, note("other"))
	other.Provider = "other"
	e.refused("change of another provider's key", other, journal.ErrStale, nil)
	other.Provider, other.Account = second.Provider, "other"
	e.refused("change of another account's key", other, journal.ErrStale, nil)
	e.stored("after a change of another's key", second)
	// Who is stale is told so, whatever else happens on the order.
	inTheWay, stale := e.locking(entry.Order.ID), next(entry, lock)
	e.put(inTheWay)
	e.refused("a stale change on a busy order", stale, journal.ErrStale, &second)
}

func caseFixed(e *env) {
	entry := e.full()
	e.put(entry)
	changed := next(entry, func(c *journal.Entry) {
		c.Order = refund.Order{ID: "another", MerchantID: "another", InvoiceID: "another"}
		c.Amount, c.Part, c.Line, c.Created = aud(1), refund.PartTax, "another", noon().AddDate(1, 0, 0)
		c.Note = "changed"
	})
	e.put(changed)
	want := changed
	keep(&want, &entry)
	e.stored("after a change of what never changes", want)
	if got := e.list(journal.Filter{Provider: entry.Provider, Account: entry.Account, OrderKey: "another"}); len(got) != 0 {
		e.Errorf("a change has moved an entry to another order")
	}
	// It locks the order that it was made for, and no other.
	other := e.with(func(other *journal.Entry) {
		other.Provider, other.Account, other.Order, other.OrderLock = entry.Provider, entry.Account, changed.Order, true
	})
	e.put(other)
	again := next(want, func(c *journal.Entry) { c.Order = changed.Order })
	e.put(again)
	other.Key, other.Order = "another key", entry.Order
	want = next(want, note("changed"))
	e.refused("an order whose entry was changed", other, journal.ErrOrderBusy, &want)
}

func caseBusyInsert(e *env) {
	for _, state := range states() { // no state locks an order, and none does not: the journal says which
		order := "order of " + string(state)
		first, second := e.locking(order), e.locking(order)
		first.State, second.State = state, state
		e.put(first)
		e.refused("new entry on a busy order", second, journal.ErrOrderBusy, &first)
		e.missing("after a new entry on a busy order", second.ID())
		free := second
		free.OrderLock = false
		e.put(free) // a lock keeps out locks only
		elsewhere := []journal.Entry{e.locking(order), e.locking(order), e.locking("other " + order)}
		elsewhere[0].Provider, elsewhere[1].Account = "other", "other"
		e.put(elsewhere...)
		e.put(next(first, unlock))
		third := e.locking(order)
		e.put(third)
		e.refused("new entry on an order that is busy again", e.locking(order), journal.ErrOrderBusy, &third)
	}
}

func caseBusyUpdate(e *env) {
	first, second := e.entry(), e.locking("order")
	first.Order = second.Order
	e.put(first, second)
	e.refused("a lock on a busy order", next(first, lock), journal.ErrOrderBusy, &second)
	e.stored("after a lock on a busy order", first)
	for _, elsewhere := range []journal.ID{{Provider: "other"}, {Provider: "toy", Account: "other"}} {
		entry := e.entry()
		entry.Provider, entry.Account, entry.Order = elsewhere.Provider, elsewhere.Account, second.Order
		e.put(entry)
		e.put(next(entry, lock))
	}
	second = next(second, note("its own lock is not in its way"))
	e.put(second)
	e.refused("a lock on an order that is still busy", next(first, lock), journal.ErrOrderBusy, &second)
	first = next(first, note("nor is that of another in the way of one without"))
	e.put(first)
	e.put(next(second, unlock))
	first = next(first, lock)
	e.put(first)
	e.refused("a lock on an order that is busy again", next(next(second, unlock), lock), journal.ErrOrderBusy, &first)
}

func caseOrders(e *env) {
	for name, o := range map[string]refund.Order{
		"by the provider's id": {ID: "x", MerchantID: "m1", InvoiceID: "i1"},
		"by the invoice":       {InvoiceID: "x", MerchantID: "m2"},
		"by the merchant's id": {MerchantID: "x"},
		"by another id":        {ID: "X"},
		"by nothing":           {},
	} {
		first, second := e.locking(""), e.locking("")
		first.Order, second.Order = o, o
		if o.ID != "" || o.InvoiceID != "" {
			second.Order.MerchantID = "another"
		}
		e.put(first)
		e.refused("new entry on an order known "+name, second, journal.ErrOrderBusy, &first)
		e.same("an order known "+name, e.list(journal.Filter{Provider: "toy", OrderKey: second.OrderKey()}), []journal.Entry{first})
	}
}

func caseNoChanges(e *env) {
	for _, none := range [][]journal.Change{nil, {}} {
		if results := e.write(none...); len(results) != 0 {
			e.Errorf("no changes have %d results", len(results))
		}
	}
}

// caseEach: one change of each kind, and each of these refused, again and again.
func caseEach(e *env) {
	var batch []journal.Change
	var check []func(journal.Result)
	add := func(what string, entry journal.Entry, want error, inTheWay *journal.Entry) {
		batch = append(batch, journal.Change{Entry: entry})
		check = append(check, func(r journal.Result) {
			e.answer(what, r, want, inTheWay)
			if want == nil {
				e.stored(what, entry)
			}
		})
	}
	for i := range 10 {
		order := fmt.Sprintf("busy-%d", i)
		known, holder, changed, waiting := e.entry(), e.locking(order), e.entry(), e.entry()
		waiting.Order = holder.Order
		e.put(known, holder, changed, waiting)
		add("a key that has an entry", known, journal.ErrKeyExists, &known)
		add("a new entry", e.entry(), nil, nil)
		add("a new entry on a busy order", e.locking(order), journal.ErrOrderBusy, &holder)
		add("a change", next(changed, note("changed")), nil, nil)
		stale := next(known, note("stale"))
		stale.Account = "other"
		add("a change of nothing", stale, journal.ErrStale, nil)
		add("a new lock", e.locking(order+" of another"), nil, nil)
		stale = next(next(next(holder, unlock), unlock), unlock)
		add("a stale change", stale, journal.ErrStale, &holder)
		add("a lock on a busy order", next(waiting, lock), journal.ErrOrderBusy, &holder)
	}
	for i, r := range e.write(batch...) {
		check[i](r)
	}
	if n := len(e.list(all())); n != 10*(4+2) {
		e.Errorf("there are %d entries, expected were the 40 from before and 20 new ones", n)
	}
}

// caseFreed: a lock that a Write frees is free for its other changes, wherever they stand.
func caseFreed(e *env) {
	for _, order := range []string{"freed first", "taken first"} {
		for _, taker := range []string{"new", "known"} {
			holder := e.locking(order + " by " + taker)
			taken := e.entry()
			taken.Order = holder.Order
			e.put(holder)
			if taker == "known" {
				e.put(taken)
				taken.Version++
			}
			taken.OrderLock = true
			freed := next(holder, unlock)
			pair := []journal.Entry{freed, taken}
			if order == "taken first" {
				slices.Reverse(pair)
			}
			e.put(pair...)
			e.stored("who freed the order", freed)
			e.stored("who took it", taken)
			e.refused("who comes after", e.locking(holder.Order.ID), journal.ErrOrderBusy, &taken)
		}
	}
	// What is refused frees nothing.
	holder := e.locking("not freed")
	e.put(holder)
	results := e.write(changes(e.locking("not freed"), next(next(holder, unlock), unlock))...)
	e.answer("an order that was not freed", results[0], journal.ErrOrderBusy, &holder)
	e.answer("who did not free it", results[1], journal.ErrStale, &holder)
	// What is freed is taken once.
	takers := []journal.Entry{e.locking("not freed"), e.locking("not freed")}
	results = e.write(changes(takers[0], next(holder, unlock), takers[1])...)
	e.is("who freed the order", results[1].Err, nil)
	winner, loser := 0, 2
	if results[0].Err != nil {
		winner, loser = 2, 0
	}
	e.answer("one of two who take an order", results[winner], nil, nil)
	e.answer("the other of two who take an order", results[loser], journal.ErrOrderBusy, &takers[winner/2])
}

// caseThousand has more changes than a statement has room for.
func caseThousand(e *env) {
	const n = 1000
	entries := make([]journal.Entry, n)
	for i := range entries {
		entries[i] = e.full()
		entries[i].Note, entries[i].OrderLock = strconv.Itoa(i), i%20 == 0
	}
	e.put(entries...)
	refused := 0
	for i := range entries {
		entries[i] = next(entries[i], func(entry *journal.Entry) {
			entry.Note += " changed"
			if i%10 == 0 {
				entry.Version++
			}
		})
	}
	for i, r := range e.write(changes(entries...)...) {
		if i%10 == 0 {
			refused++
			e.is("a stale change of a thousand", r.Err, journal.ErrStale)
			if r.Entry.Key != entries[i].Key {
				e.Errorf("change %d is answered with the entry of another", i)
			}
			continue
		}
		e.is("a change of a thousand", r.Err, nil)
	}
	got := map[string]journal.Entry{}
	for _, entry := range e.list(all()) {
		got[entry.Key] = entry
	}
	for i := range entries {
		if i%10 == 0 {
			entries[i].Version, entries[i].Note, entries[i].Updated = 1, strconv.Itoa(i), entries[i].Updated.Add(-time.Second)
		}
		if d := difference(entries[i], got[entries[i].Key]); d != "" {
			e.Errorf("a thousand changes: %s", d)
			return
		}
	}
}

// caseAtomic: a Write that is cut off has made all changes or none, with their events.
func caseAtomic(e *env) {
	const n, tries = 40, 30
	attempt := func(ctx context.Context, provider string) error {
		var batch []journal.Change
		for range n {
			entry := e.with(func(entry *journal.Entry) { entry.Provider = provider })
			batch = append(batch, journal.Change{Entry: entry, Event: &journal.Event{At: noon(), To: entry.State}})
		}
		_, err := e.Write(ctx, batch)
		return err
	}
	whole := time.Hour
	for range 5 { // the first may be slow
		start := time.Now()
		e.is("Write", attempt(context.Background(), "whole"), nil)
		whole = min(whole, time.Since(start))
	}
	for i := range tries {
		provider := fmt.Sprintf("cut-%d", i)
		ctx, cancel := context.WithTimeout(context.Background(), whole*time.Duration(i)/(tries-5))
		err := attempt(ctx, provider)
		cancel()
		var entries, events int
		consistent := e.eventually(func() bool { // what was under way may come in a moment later, but whole
			events = 0
			for _, event := range e.read(journal.EventFilter{}) {
				if event.Provider == provider {
					events++
				}
			}
			entries = len(e.list(journal.Filter{Provider: provider, From: noon()}))
			return entries == events && (entries == n || entries == 0 && err != nil)
		})
		if !consistent {
			e.Errorf("a Write that ended with %v has made %d of %d changes, with %d events", err, entries, n, events)
			return
		}
	}
}

// racers is how many do the same at once.
const racers = 200

// race lets racers write at the same moment, of whom one must win; the others are told that it is in the way.
func (e *env) race(what string, entries [racers]journal.Entry, loss error) {
	e.Helper()
	var mu sync.Mutex
	winner, lost := -1, map[int]journal.Result{}
	parallel(racers, func(worker int) {
		r := e.write(changes(entries[worker])...)[0]
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.Err != nil:
			lost[worker] = r
		case winner >= 0:
			e.Errorf("%s: more than one has won", what)
		default:
			winner = worker
		}
	})
	if winner < 0 {
		e.Errorf("%s: nobody has won", what)
		return
	}
	for _, r := range lost {
		e.answer(what, r, loss, &entries[winner])
	}
	e.stored(what+": the winner's", entries[winner])
}

func caseRaceKey(e *env) {
	var entries [racers]journal.Entry
	entry := e.entry()
	for i := range entries {
		entries[i] = entry
		entries[i].Note = strconv.Itoa(i)
	}
	e.race("a key", entries, journal.ErrKeyExists)
}

func caseRaceOrder(e *env) {
	var entries [racers]journal.Entry
	for i := range entries {
		entries[i] = e.locking("order")
	}
	e.race("an order", entries, journal.ErrOrderBusy)
	if got := e.list(journal.Filter{Provider: "toy", OrderKey: "order"}); len(got) != 1 {
		e.Errorf("the order has %d entries, expected was 1", len(got))
	}
}

func caseRaceLock(e *env) {
	var entries [racers]journal.Entry
	for i := range entries {
		entries[i] = e.with(func(entry *journal.Entry) { entry.Order = orderID("order") })
	}
	e.put(entries[:]...)
	for i := range entries {
		entries[i] = next(entries[i], lock)
	}
	e.race("an order", entries, journal.ErrOrderBusy)
	locked := 0
	for _, entry := range e.list(journal.Filter{Provider: "toy", OrderKey: "order"}) {
		if entry.OrderLock {
			locked++
		}
	}
	if locked != 1 {
		e.Errorf("%d entries lock the order, expected was 1", locked)
	}
}

func caseRaceVersion(e *env) {
	var entries [racers]journal.Entry
	entry := e.entry()
	e.put(entry)
	for i := range entries {
		entries[i] = next(entry, note(strconv.Itoa(i)))
	}
	e.race("a version", entries, journal.ErrStale)
}

func caseWriters(e *env) {
	n := e.Writers()
	if n < 1 {
		e.Errorf("there are %d writers, expected was one at least", n)
	}
	entries := make([]journal.Entry, 2*max(n, 1)) // more are allowed
	for i := range entries {
		entries[i] = e.entry()
	}
	parallel(len(entries), func(worker int) { e.put(entries[worker]) })
}
