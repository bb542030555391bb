package journaltest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund/journal"
)

func account(provider, name, target string) journal.Account {
	return journal.Account{Provider: provider, Name: name, Target: target}
}

// has checks the accounts.
func (e *env) has(what string, want ...journal.Account) {
	e.Helper()
	got, err := e.Accounts(context.Background())
	e.is(what+": Accounts", err, nil)
	if !slices.Equal(got, want) {
		e.Errorf("%s: the accounts are %+v, expected were %+v", what, got, want)
	}
}

func (e *env) add(a journal.Account, first bool, want error) {
	e.Helper()
	e.is(fmt.Sprintf("AddAccount of %+v, first %v", a, first), e.AddAccount(context.Background(), a, first), want)
}

func (e *env) rename(provider, from, to string, want error) {
	e.Helper()
	e.is(fmt.Sprintf("RenameAccount of %s from %q to %q", provider, from, to),
		e.RenameAccount(context.Background(), provider, from, to), want)
}

func caseAccounts(e *env) {
	e.has("an empty store")
	e.put(e.entry()) // which adds none
	e.has("a store that was told of none")
	want := []journal.Account{
		account("Toy", "z", "t1"), account("toy", "", "t2"), account("toy", "B", ""), account("toy", "a", "t4"), account("toy", "a-1", "t4"), account("toy", "Ä", "t5"), account("toy2", "", "t6"),
	}
	for i := range want { // neither in order nor in reverse
		e.add(want[(i*3+1)%len(want)], false, nil)
	}
	e.has("accounts", want...)
	want[3].Target = "another"
	e.add(want[3], false, nil)
	e.add(want[4], false, nil)
	e.has("after another target", want...)
}

func caseFirst(e *env) {
	toy, other := account("toy", "a", "t1"), account("other", "a", "t2")
	e.add(toy, true, nil)
	e.add(other, true, nil) // each provider has a first one
	for _, name := range []string{"b", "", "a"} {
		e.add(account("toy", name, "t3"), true, journal.ErrUnknownAccount)
	}
	e.has("after what was not the first", other, toy)
	e.add(account("toy", "b", "t3"), false, nil)
	e.has("after the second", other, toy, account("toy", "b", "t3"))
}

func caseRaceFirst(e *env) {
	var mu sync.Mutex
	var added []journal.Account
	parallel(racers, func(worker int) {
		a := account("toy", fmt.Sprintf("a-%d", worker), "t")
		err := e.AddAccount(context.Background(), a, true)
		if err != nil {
			e.is("AddAccount of a first one", err, journal.ErrUnknownAccount)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		added = append(added, a)
	})
	if len(added) != 1 {
		e.Errorf("%d accounts were the first", len(added))
	}
	e.has("after many first ones", added...)
}

// caseRename: an account's entries and their history go with it, and nothing else does.
func caseRename(e *env) {
	ctx := context.Background()
	a, b := account("toy", "a", "t1"), account("toy", "b", "t2")
	other, unnamed := account("other", "a", "t3"), account("toy", "", "t4")
	for _, account := range []journal.Account{a, b, other, unnamed} {
		e.add(account, false, nil)
	}
	var entries []journal.Entry
	for _, account := range []journal.Account{a, a, b, other, unnamed} {
		entry := e.full()
		entry.Provider, entry.Account, entry.Due, entry.Lease = account.Provider, account.Name, e.now().Add(-time.Hour), time.Time{}
		entries = append(entries, entry)
	}
	entries[1].Lease = e.now().Add(time.Hour)
	var events []journal.Event
	for i := range entries {
		events = append(events, e.writeAll(e.tell(entries[i]))...)
	}
	cursors := e.told("before the renaming", journal.EventFilter{}, events)
	e.rename("toy", "a", "b", journal.ErrUnknownAccount)
	e.rename("toy", "c", "d", journal.ErrUnknownAccount)
	e.rename("nobody", "a", "d", journal.ErrUnknownAccount)
	e.has("after what was not renamed", other, unnamed, a, b)
	for i := range entries {
		e.stored("after what was not renamed", entries[i])
	}
	e.rename("toy", "a", "c", nil)
	a.Name = "c"
	e.has("after the renaming", other, unnamed, b, a)
	for i := range entries[:2] {
		old := entries[i].ID()
		e.missing("after the renaming", old)
		entries[i].Account, events[i].Account = "c", "c"
		e.told("the history of the old name", journal.EventFilter{ID: old}, nil)
		e.told("the history of the new name", journal.EventFilter{ID: entries[i].ID()}, events[i:i+1])
	}
	for i := range entries {
		e.stored("after the renaming", entries[i])
	}
	if got := e.told("after the renaming", journal.EventFilter{}, events); len(got) == len(cursors) {
		for i := range got {
			if got[i].Cursor != cursors[i].Cursor {
				e.Errorf("an event has another cursor after the renaming")
			}
		}
	}
	// The order's lock, the key and what is due are the new name's.
	f := journal.Filter{Provider: "toy", Account: "c", OrderKey: entries[0].OrderKey()}
	e.same("the entries of the order", e.list(f), entries[:1])
	e.refused("a key of the new name", entries[0], journal.ErrKeyExists, &entries[0])
	another := e.locking("")
	another.Account, another.Order = "c", entries[0].Order
	e.refused("an order of the new name", another, journal.ErrOrderBusy, &entries[0])
	another.Account = "a"
	e.put(another)
	c := claim(10)
	c.Account = "c"
	e.claimed("what is due at the new name", e.claim(c), entries[:1])
	e.add(account("toy", "a", "t5"), true, journal.ErrUnknownAccount)
	e.rename("toy", "", "named", nil) // no name is a name
	_, err := e.Get(ctx, journal.ID{Provider: "toy", Account: "named", Key: entries[4].Key})
	e.is("Get of what was without a name", err, nil)
}

// caseRenameOnto: no entry is lost to one that gets its name, even if nobody has told the store of its account, and no
// order gets two locks.
func caseRenameOnto(e *env) {
	e.add(account("toy", "a", "t"), false, nil)
	more := e.with(func(entry *journal.Entry) { entry.Account = "a" })
	e.put(more)
	for _, same := range []string{"key", "order"} {
		mine, yours := e.locking("order"), e.locking("order")
		mine.Account, yours.Account = "a", "b"
		if same == "key" {
			yours.Key, yours.Order, mine.Order = mine.Key, orderID("yours"), orderID("mine")
		}
		e.put(mine, yours)
		if err := e.RenameAccount(context.Background(), "toy", "a", "b"); err == nil {
			e.Errorf("an account was given the name of another, which has an entry with the same %s", same)
		}
		for _, entry := range []journal.Entry{mine, more, yours} {
			e.stored("after what was not renamed", entry)
		}
		e.has("after what was not renamed", account("toy", "a", "t"))
		e.put(next(mine, unlock), next(yours, unlock))
	}
}

func caseStats(e *env) {
	stats := func(what string, want journal.Stats) {
		e.Helper()
		got, err := e.Stats(context.Background())
		e.is(what+": Stats", err, nil)
		if !sameStats(got.States, want.States) {
			e.Errorf("%s: the states are %+v, expected were %+v", what, got.States, want.States)
		}
		if !sameStats(got.Attention, want.Attention) {
			e.Errorf("%s: the attention is %+v, expected was %+v", what, got.Attention, want.Attention)
		}
	}
	stats("an empty store", journal.Stats{})
	var entries []journal.Entry
	for i, account := range [][2]string{{"toy", "b"}, {"toy", ""}, {"Toy", "b"}, {"toy", "B"}} {
		for j, state := range states() {
			for k := range (i + j) % 4 { // of some there are none
				entries = append(entries, e.with(func(entry *journal.Entry) {
					entry.Provider, entry.Account, entry.State = account[0], account[1], state
					entry.Created = noon().Add(time.Duration(i*100+j*10+(k+1)%3) * time.Microsecond)
					if i != 1 && k%2 == 0 {
						entry.Attention = []journal.Attention{journal.AttentionStuck, journal.AttentionReview}[j%2]
					}
				}))
			}
		}
	}
	e.put(entries...)
	stats("entries", counted(entries))
	// What is finished and seen to is not counted.
	for i := range entries {
		entries[i] = next(entries[i], func(entry *journal.Entry) { entry.State, entry.Attention = journal.StateSucceeded, "" })
	}
	e.put(entries...)
	stats("entries that are finished", journal.Stats{})
}

// counted is what Stats' documentation says.
func counted(entries []journal.Entry) journal.Stats {
	count := func(counts func(*journal.Entry) bool, by func(*journal.Entry) journal.Stat) []journal.Stat {
		found := map[journal.Stat]journal.Stat{}
		for i := range entries {
			if entry := &entries[i]; counts(entry) {
				stat, ok := found[by(entry)]
				if !ok {
					stat = by(entry)
				}
				if stat.Count++; stat.Oldest.IsZero() || entry.Created.Before(stat.Oldest) {
					stat.Oldest = entry.Created
				}
				found[by(entry)] = stat
			}
		}
		return slices.SortedFunc(maps.Values(found), func(a, b journal.Stat) int { // by bytes
			return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Account, b.Account), cmp.Compare(a.State, b.State))
		})
	}
	return journal.Stats{
		States: count(
			func(entry *journal.Entry) bool { return slices.Contains(unfinished(), entry.State) },
			func(entry *journal.Entry) journal.Stat {
				return journal.Stat{Provider: entry.Provider, Account: entry.Account, State: entry.State}
			}),
		Attention: count(
			func(entry *journal.Entry) bool { return entry.Attention != "" },
			func(entry *journal.Entry) journal.Stat {
				return journal.Stat{Provider: entry.Provider, Account: entry.Account}
			}),
	}
}

func sameStats(got, want []journal.Stat) bool {
	return slices.EqualFunc(got, want, func(g, w journal.Stat) bool {
		at := g.Oldest.Equal(w.Oldest)
		g.Oldest, w.Oldest = time.Time{}, time.Time{}
		return at && g == w
	})
}

// caseStatsMany: there are more than are counted, and the oldest comes last.
func caseStatsMany(e *env) {
	const n = journal.MaxCount + 2
	for done := 0; done < n; {
		batch := make([]journal.Entry, min(1000, n-done))
		for i := range batch {
			batch[i] = e.with(func(entry *journal.Entry) {
				entry.State, entry.Attention = journal.StatePending, journal.AttentionStuck
				entry.Created = noon().Add(-time.Duration(done+i) * time.Second)
			})
		}
		e.put(batch...)
		done += len(batch)
	}
	got, err := e.Stats(context.Background())
	e.is("Stats", err, nil)
	stat := journal.Stat{Provider: "toy", Count: journal.MaxCount, Oldest: noon().Add(-(n - 1) * time.Second)}
	if !sameStats(got.Attention, []journal.Stat{stat}) {
		e.Errorf("the attention is %+v, expected was %+v", got.Attention, stat)
	}
	stat.State = journal.StatePending
	if !sameStats(got.States, []journal.Stat{stat}) {
		e.Errorf("the states are %+v, expected were %+v", got.States, stat)
	}
}

// caseContext: a context that is over is an error of every method, and nothing is written.
func caseContext(e *env) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	expired, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancel()
	known, unknown := e.due(e.now().Add(-time.Hour)), e.entry()
	toy := account("toy", "a", "t")
	e.add(toy, false, nil)
	e.put(known)
	for ctx, want := range map[context.Context]error{canceled: context.Canceled, expired: context.DeadlineExceeded} {
		for method, call := range map[string]func() error{
			"Now": func() error {
				_, err := e.Now(ctx)
				return err
			},
			"Write of a new entry": func() error {
				_, err := e.Write(ctx, []journal.Change{e.tell(unknown)})
				return err
			},
			"Write of a change": func() error {
				_, err := e.Write(ctx, []journal.Change{e.tell(next(known, note("changed")))})
				return err
			},
			"Write of nothing": func() error {
				_, err := e.Write(ctx, nil)
				return err
			},
			"Claim": func() error {
				_, err := e.Claim(ctx, claim(1))
				return err
			},
			"Get": func() error {
				_, err := e.Get(ctx, known.ID())
				return err
			},
			"Get of nothing": func() error {
				_, err := e.Get(ctx, unknown.ID())
				return err
			},
			"Entries": func() error {
				var errs []error
				for _, err := range e.Entries(ctx, all()) {
					errs = append(errs, err)
				}
				return one(errs)
			},
			"Events": func() error {
				var errs []error
				for _, err := range e.Events(ctx, journal.EventFilter{}) {
					errs = append(errs, err)
				}
				return one(errs)
			},
			"Stats": func() error {
				_, err := e.Stats(ctx)
				return err
			},
			"Accounts": func() error {
				_, err := e.Accounts(ctx)
				return err
			},
			"AddAccount":          func() error { return e.AddAccount(ctx, account("toy", "a", "changed"), false) },
			"AddAccount of a new": func() error { return e.AddAccount(ctx, account("other", "a", "t"), true) },
			"RenameAccount":       func() error { return e.RenameAccount(ctx, "toy", "a", "b") },
		} {
			e.is(method, call(), want)
		}
	}
	e.missing("after a context that is over", unknown.ID())
	e.stored("after a context that is over", known)
	e.has("after a context that is over", toy)
	marker := e.tell(e.entry())
	e.told("after a context that is over", journal.EventFilter{}, e.writeAll(marker))
}

// one returns the only error of a sequence.
func one(errs []error) error {
	if len(errs) != 1 {
		return fmt.Errorf("%d elements, expected was one error: %w", len(errs), errors.Join(errs...))
	}
	return errs[0]
}
