package journaltest

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// flaw is one way to get a store wrong, the cases that must notice, and those that notice if the moment is right.
type flaw struct {
	spoil           func(journal.Store) journal.Store
	caught, perhaps []string
}

// flaws are by the method that is wrong.
func flaws() map[string]flaw {
	all := map[string]flaw{}
	for _, some := range []map[string]flaw{keepFlaws(), writeFlaws(), raceFlaws(), eventFlaws(), claimFlaws(), listFlaws(), accountFlaws(), contextFlaws()} {
		maps.Copy(all, some)
	}
	return all
}

type spoiler = func(journal.Store) journal.Store

var errBroken = errors.New("it broke")

// writing replaces Write.
func writing(write func(context.Context, journal.Store, []journal.Change) ([]journal.Result, error)) spoiler {
	return func(s journal.Store) journal.Store {
		return &flawed{Store: s, write: func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
			return write(ctx, s, slices.Clone(all))
		}}
	}
}

// keeping changes the entries that are written.
func keeping(change func(*journal.Entry)) spoiler {
	return writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
		for i := range all {
			change(&all[i].Entry)
		}
		return s.Write(ctx, all)
	})
}

// upon changes the entries that replace others.
func upon(change func(known, e *journal.Entry)) spoiler {
	return writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
		for i := range all {
			if known, err := s.Get(ctx, all[i].Entry.ID()); err == nil && known.Version == all[i].Entry.Version-1 {
				change(&known, &all[i].Entry)
			}
		}
		return s.Write(ctx, all)
	})
}

// telling changes the events that are written.
func telling(change func(*journal.Event)) spoiler {
	return writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
		for i := range all {
			if all[i].Event != nil {
				event := *all[i].Event
				change(&event)
				all[i].Event = &event
			}
		}
		return s.Write(ctx, all)
	})
}

// refusing refuses new entries, or changes, before the store is asked.
func refusing(refuse func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool)) spoiler {
	return writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
		results := make([]journal.Result, len(all))
		var left []journal.Change
		var places []int
		for i := range all {
			if r, refused := refuse(ctx, s, &all[i].Entry); refused && ctx.Err() == nil {
				results[i] = r
				continue
			}
			left, places = append(left, all[i]), append(places, i)
		}
		made, err := s.Write(ctx, left)
		for i := range made {
			results[places[i]] = made[i]
		}
		return results, err
	})
}

// answering changes the answers.
func answering(change func(ctx context.Context, s journal.Store, c journal.Change, r *journal.Result)) spoiler {
	return writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
		results, err := s.Write(ctx, all)
		for i := range results {
			if err == nil {
				change(ctx, s, all[i], &results[i])
			}
		}
		return results, err
	})
}

// everything returns all entries that the suite has given a Created.
func everything(ctx context.Context, s journal.Store) []journal.Entry {
	var found []journal.Entry
	for e, err := range s.Entries(ctx, all()) {
		if err == nil {
			found = append(found, e)
		}
	}
	return found
}

// holder returns another entry than e that matches.
func holder(ctx context.Context, s journal.Store, e *journal.Entry, matches func(*journal.Entry) bool) (journal.Entry, bool) {
	for _, other := range everything(ctx, s) {
		if other.ID() != e.ID() && matches(&other) {
			return other, true
		}
	}
	return journal.Entry{}, false
}

func keepFlaws() map[string]flaw {
	return map[string]flaw{
		"fills a column from the next": {
			spoil: keeping(func(e *journal.Entry) {
				if e.ProviderStatus == "" && e.Version == 1 {
					e.ProviderStatus = e.FailureReason
				}
			}),
			caught: []string{"new entry with every field"},
		},
		"takes one flag for another": {
			spoil: keeping(func(e *journal.Entry) {
				e.Answered = e.Answered || e.OrderLock && e.Order.ID == "" && e.Line == "" && e.Amount.IsZero() && e.Version == 1
			}),
			caught: []string{"new entry with every field"},
		},
		"does not change everything": {
			spoil:  upon(func(known, e *journal.Entry) { e.Snapshot = known.Snapshot }),
			caught: []string{"changed entry with every field"},
		},
		"cannot take anything back": {
			spoil: upon(func(known, e *journal.Entry) {
				if e.LocksAt.IsZero() {
					e.LocksAt = known.LocksAt
				}
			}),
			caught: []string{"changed entry with every field"},
		},
		"has two decimals": {
			spoil: keeping(func(e *journal.Entry) {
				if e.Refunded == money(1099, "KWD") {
					e.Refunded = money(e.Refunded.Minor()/10*10, "KWD")
				}
			}),
			caught: []string{"amounts of every scale"},
		},
		"makes no amount of zero": {
			spoil: keeping(func(e *journal.Entry) {
				if e.Refunded.Sign() == 0 {
					e.Refunded = refund.Money{}
				}
			}),
			caught: []string{"amounts of every scale"},
		},
		"counts in floats": {
			spoil: keeping(func(e *journal.Entry) {
				if minor := e.Refunded.Minor(); minor > 1<<53 {
					e.Refunded = money(minor&^1023, e.Refunded.Currency())
				}
			}),
			caught: []string{"amounts of every scale"},
		},
		"trims text":       {spoil: keeping(func(e *journal.Entry) { e.Code = strings.TrimSpace(e.Code) }), caught: []string{"text of every kind"}},
		"has VARCHAR(255)": {spoil: keeping(func(e *journal.Entry) { e.Note = e.Note[:min(len(e.Note), 255)] }), caught: []string{"text of every kind"}},
		"normalises text":  {spoil: keeping(func(e *journal.Entry) { e.Code = strings.ReplaceAll(e.Code, "e\u0301", "é") }), caught: []string{"text of every kind"}},
		"has VARCHAR(255) in the history": {
			spoil:  telling(func(e *journal.Event) { e.Note = e.Note[:min(len(e.Note), 255)] }),
			caught: []string{"text of every kind"},
		},
		"refuses NUL": {
			spoil: refusing(func(_ context.Context, _ journal.Store, e *journal.Entry) (journal.Result, bool) {
				return journal.Result{Err: errBroken}, strings.Contains(e.FailureReason, "\x00")
			}),
			caught: []string{"text of others"},
		},
		"fails at what is no UTF-8": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				for i := range all {
					if event := all[i].Event; event != nil && !utf8.ValidString(event.Note) {
						return nil, errBroken
					}
				}
				return s.Write(ctx, all)
			}),
			caught: []string{"text of others"},
		},
		"ends text at NUL":   {spoil: keeping(func(e *journal.Entry) { e.Code, _, _ = strings.Cut(e.Code, "\x00") }), caught: []string{"text of others"}},
		"ends events at NUL": {spoil: telling(func(e *journal.Event) { e.RefundID, _, _ = strings.Cut(e.RefundID, "\x00") }), caught: []string{"text of others"}},
		"makes text unreadable": {
			spoil: keeping(func(e *journal.Entry) {
				if !utf8.ValidString(e.Note) {
					e.Note = base64.StdEncoding.EncodeToString([]byte(e.Note))
				}
			}),
			caught: []string{"text of others"},
		},
		"keeps milliseconds": {
			spoil: keeping(func(e *journal.Entry) {
				if e.MissedAt.Equal(e.LocksAt) {
					e.MissedAt = e.MissedAt.Truncate(time.Millisecond)
				}
			}),
			caught: []string{"times to the microsecond"},
		},
		"forgets the zone": {
			spoil: keeping(func(e *journal.Entry) {
				e.FirstSent = time.Date(e.FirstSent.Year(), e.FirstSent.Month(), e.FirstSent.Day(), e.FirstSent.Hour(), e.FirstSent.Minute(),
					e.FirstSent.Second(), e.FirstSent.Nanosecond(), time.UTC)
			}),
			caught: []string{"times to the microsecond"},
		},
		"takes 1970 for never": {
			spoil: keeping(func(e *journal.Entry) {
				if e.ExpiresAt.Unix() == 0 {
					e.ExpiresAt = time.Time{}
				}
			}),
			caught: []string{"times to the microsecond"},
		},
		"has nanoseconds in an int64": {
			spoil:  telling(func(e *journal.Event) { e.At = time.Unix(0, e.At.UnixNano()) }),
			caught: []string{"times to the microsecond"},
		},
		"finds what there is not": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, get: func(ctx context.Context, id journal.ID) (journal.Entry, error) {
					e, err := s.Get(ctx, id)
					if id.Key == "" {
						err = nil
					}
					return e, err
				}}
			},
			caught: []string{"no such entry"},
		},
		"ignores the case of keys": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				known, err := s.Get(ctx, journal.ID{Provider: e.Provider, Account: e.Account, Key: strings.ToLower(e.Key)})
				return journal.Result{Err: journal.ErrKeyExists, Entry: known}, err == nil && e.Version == 1
			}),
			caught: []string{"keys are told apart", "events by entry"},
		},
		"trims keys": {
			spoil:  keeping(func(e *journal.Entry) { e.Key = strings.TrimSpace(e.Key) }),
			caught: []string{"keys are told apart"},
		},
		"takes a key once for all accounts": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				known, ok := holder(ctx, s, e, func(other *journal.Entry) bool { return other.Provider == e.Provider && other.Key == e.Key })
				return journal.Result{Err: journal.ErrKeyExists, Entry: known}, ok && e.Version == 1
			}),
			caught: []string{"accounts are told apart", "the key has an entry", "events by entry"},
		},
		"gets the entry of any account": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, get: func(ctx context.Context, id journal.ID) (journal.Entry, error) {
					e, err := s.Get(ctx, id)
					for _, other := range everything(context.WithoutCancel(ctx), s) {
						if errors.Is(err, journal.ErrNoEntry) && other.Provider == id.Provider && other.Key == id.Key {
							return other, nil
						}
					}
					return e, err
				}}
			},
			caught: []string{"accounts are told apart", "no such entry", "rename an account"},
		},
		"ignores the case of accounts": {
			spoil: keeping(func(e *journal.Entry) {
				if e.Account == "NZ" {
					e.Account = "nz"
				}
			}),
			caught: []string{"accounts are told apart"},
		},
		"writes the ID as one word": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				word := func(e *journal.Entry) string { return e.Provider + e.Account + e.Key }
				known, ok := holder(ctx, s, e, func(other *journal.Entry) bool { return word(other) == word(e) })
				return journal.Result{Err: journal.ErrKeyExists, Entry: known}, ok && e.Version == 1
			}),
			caught: []string{"accounts are told apart", "events by entry"},
		},
		"has locks for all accounts": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				known, ok := holder(ctx, s, e, func(other *journal.Entry) bool {
					return e.OrderLock && other.OrderLock && other.Provider == e.Provider && other.OrderKey() == e.OrderKey() && other.Account != e.Account
				})
				return journal.Result{Err: journal.ErrOrderBusy, Entry: known}, ok && e.Version == 1
			}),
			caught: []string{"accounts are told apart", "order busy for a new entry", "rename an account"},
		},
		"has locks for all accounts upon a change": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				known, ok := holder(ctx, s, e, func(other *journal.Entry) bool {
					return e.OrderLock && other.OrderLock && other.Provider == e.Provider && other.OrderKey() == e.OrderKey() && other.Account != e.Account
				})
				return journal.Result{Err: journal.ErrOrderBusy, Entry: known}, ok && e.Version > 1
			}),
			caught: []string{"accounts are told apart", "order busy for a change"},
		},
		"has no locks at named accounts": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				for i := range all {
					if e := &all[i].Entry; strings.HasPrefix(e.Account, "nz") {
						e.OrderLock = false
					}
				}
				return s.Write(ctx, all)
			}),
			caught: []string{"accounts are told apart"},
		},
	}
}

func writeFlaws() map[string]flaw {
	force := func(ctx context.Context, s journal.Store, c journal.Change, known journal.Entry) journal.Result {
		c.Entry.Version = known.Version + 1
		results, err := s.Write(ctx, []journal.Change{c})
		if err != nil {
			return journal.Result{Err: err}
		}
		return results[0]
	}
	return map[string]flaw{
		"overwrites": {
			spoil: answering(func(ctx context.Context, s journal.Store, c journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrKeyExists) && c.Entry.State == journal.StateExpired {
					*r = force(ctx, s, c, r.Entry)
				}
			}),
			caught: []string{"the key has an entry", "rename an account"},
		},
		"does not say which entry has the key": {
			spoil: answering(func(_ context.Context, _ journal.Store, _ journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrKeyExists) {
					r.Entry = journal.Entry{Provider: r.Entry.Provider, Account: r.Entry.Account, Key: r.Entry.Key}
				}
			}),
			caught: []string{
				"the key has an entry", "accounts are told apart", "many changes, each by itself", "one of many inserts a key", "rename an account",
			},
		},
		"takes every refusal for the order": {
			spoil: answering(func(_ context.Context, _ journal.Store, _ journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrKeyExists) && r.Entry.State == journal.StatePending {
					r.Err = journal.ErrOrderBusy
				}
			}),
			caught: []string{"the key has an entry"},
		},
		"looks at the order before the key": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				_, err := s.Get(ctx, e.ID())
				known, ok := holder(ctx, s, e, func(other *journal.Entry) bool {
					return e.OrderLock && other.OrderLock && other.Provider == e.Provider && other.Account == e.Account && other.OrderKey() == e.OrderKey()
				})
				return journal.Result{Err: journal.ErrOrderBusy, Entry: known}, ok && e.Version == 1 && err == nil
			}),
			caught: []string{"the key has an entry"},
		},
		"looks at the order before the version": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				own, err := s.Get(ctx, e.ID())
				known, ok := holder(ctx, s, e, func(other *journal.Entry) bool {
					return e.OrderLock && other.OrderLock && other.Provider == e.Provider && other.Account == e.Account && other.OrderKey() == e.OrderKey()
				})
				return journal.Result{Err: journal.ErrOrderBusy, Entry: known}, ok && e.Version > 1 && err == nil && own.Version != e.Version-1
			}),
			caught: []string{"change by version"},
		},
		"changes any version": {
			spoil: answering(func(ctx context.Context, s journal.Store, c journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrStale) && r.Entry.Version == 2 {
					*r = force(ctx, s, c, r.Entry)
				}
			}),
			caught: []string{"change by version", "one of many changes a version"},
		},
		"changes any later version": {
			spoil: answering(func(ctx context.Context, s journal.Store, c journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrStale) && c.Entry.Version > r.Entry.Version+2 && r.Entry.Version > 0 {
					*r = force(ctx, s, c, r.Entry)
				}
			}),
			caught: []string{"change by version", "many changes, each by itself"},
		},
		"inserts what is not there": {
			spoil: answering(func(ctx context.Context, s journal.Store, c journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrStale) && r.Entry.Version == 0 && c.Entry.Account == "" {
					*r = force(ctx, s, c, r.Entry)
				}
			}),
			caught: []string{"change by version", "accounts are told apart"},
		},
		"does not say what is newer": {
			spoil: answering(func(_ context.Context, _ journal.Store, _ journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrStale) {
					r.Entry = journal.Entry{}
				}
			}),
			caught: []string{
				"change by version", "many changes, each by itself", "freed and taken in one Write", "a thousand changes",
				"one of many changes a version", "claim until the lease is over",
			},
		},
		"says that what is refused is newer": {
			spoil: answering(func(_ context.Context, _ journal.Store, c journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrStale) && r.Entry.Version == 0 {
					r.Entry = c.Entry
				}
			}),
			caught: []string{"change by version", "accounts are told apart", "many changes, each by itself"},
		},
		"locks the order that a change names": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				known, ok := holder(ctx, s, e, func(other *journal.Entry) bool {
					return e.OrderLock && other.OrderLock && other.Provider == e.Provider && other.Account == e.Account && other.Order.ID == e.Order.ID
				})
				return journal.Result{Err: journal.ErrOrderBusy, Entry: known}, ok && e.Version > 1 && e.Order.ID == "another"
			}),
			caught: []string{"what never changes"},
		},
		"changes what never changes": {
			spoil: func(s journal.Store) journal.Store {
				amounts := map[journal.ID]refund.Money{}
				return &flawed{
					Store: s,
					write: func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
						if len(all) == 1 && all[0].Entry.Line == "another" {
							amounts[all[0].Entry.ID()] = all[0].Entry.Amount
						}
						return s.Write(ctx, all)
					},
					get: func(ctx context.Context, id journal.ID) (journal.Entry, error) {
						e, err := s.Get(ctx, id)
						if amount, ok := amounts[id]; ok {
							e.Amount = amount
						}
						return e, err
					},
				}
			},
			caught: []string{"what never changes"},
		},
		"has no locks for new entries": {
			spoil: answering(func(_ context.Context, _ journal.Store, c journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrOrderBusy) && c.Entry.Version == 1 && c.Entry.State == journal.StatePending {
					r.Err = nil
				}
			}),
			caught: []string{"order busy for a new entry"},
		},
		"has no locks for changes": {
			spoil: answering(func(_ context.Context, _ journal.Store, c journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrOrderBusy) && c.Entry.Version > 1 {
					r.Err = nil
				}
			}),
			caught: []string{"order busy for a change", "many changes, each by itself", "one of many takes an order with a change"},
		},
		"locks by the state": {
			spoil:  keeping(func(e *journal.Entry) { e.OrderLock = e.OrderLock && slices.Contains(unfinished(), e.State) }),
			caught: []string{"order busy for a new entry"},
			perhaps: []string{ // whose entries have any state
				"new entry with every field", "changed entry with every field", "what never changes", "a thousand changes", "rename an account",
				"claimed entry", "entries are complete",
			},
		},
		"does not say who has the order": {
			spoil: answering(func(_ context.Context, _ journal.Store, _ journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrOrderBusy) {
					r.Entry = journal.Entry{}
				}
			}),
			caught: []string{
				"accounts are told apart", "what never changes", "order busy for a new entry", "order busy for a change", "orders are told apart",
				"many changes, each by itself", "freed and taken in one Write", "one of many takes an order with a new entry",
				"one of many takes an order with a change", "claimed entry", "rename an account",
			},
		},
		"has locks for all providers": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				known, ok := holder(ctx, s, e, func(other *journal.Entry) bool {
					return e.OrderLock && other.OrderLock && other.Provider != e.Provider && other.Account == e.Account && other.OrderKey() == e.OrderKey()
				})
				return journal.Result{Err: journal.ErrOrderBusy, Entry: known}, ok
			}),
			caught: []string{"order busy for a new entry", "order busy for a change"},
		},
		"keeps out those without a lock": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				known, ok := holder(ctx, s, e, func(other *journal.Entry) bool {
					return !e.OrderLock && other.OrderLock && other.Provider == e.Provider && other.Account == e.Account && other.OrderKey() == e.OrderKey()
				})
				return journal.Result{Err: journal.ErrOrderBusy, Entry: known}, ok && e.State == journal.StateExpired
			}),
			caught: []string{"order busy for a new entry"},
		},
		"keeps out changes without a lock": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				known, ok := holder(ctx, s, e, func(other *journal.Entry) bool {
					return !e.OrderLock && other.OrderLock && other.Provider == e.Provider && other.Account == e.Account && other.OrderKey() == e.OrderKey()
				})
				return journal.Result{Err: journal.ErrOrderBusy, Entry: known}, ok && e.Version > 1
			}),
			caught: []string{"order busy for a change"},
		},
		"is in its own way": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				known, err := s.Get(ctx, e.ID())
				return journal.Result{Err: journal.ErrOrderBusy, Entry: known},
					err == nil && known.OrderLock && e.OrderLock && e.Version == known.Version+1 && e.Order.ID == "order" && e.Account == ""
			}),
			caught: []string{"order busy for a change", "accounts are told apart"},
		},
		"never frees an order": {
			spoil: upon(func(known, e *journal.Entry) {
				e.OrderLock = e.OrderLock || known.OrderLock && strings.HasPrefix(e.Order.ID, "order")
			}),
			caught: []string{"order busy for a new entry", "order busy for a change"},
		},
		"knows an order by every id": {
			spoil: answering(func(_ context.Context, _ journal.Store, c journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrOrderBusy) && c.Entry.Order != r.Entry.Order {
					r.Err = nil
				}
			}),
			caught: []string{"orders are told apart"},
		},
		"knows no order without an id": {
			spoil: answering(func(_ context.Context, _ journal.Store, c journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrOrderBusy) && c.Entry.Order.ID == "" {
					r.Err = nil
				}
			}),
			caught: []string{"orders are told apart"},
		},
		"takes an invoice for an order": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				known, ok := holder(ctx, s, e, func(other *journal.Entry) bool {
					return e.OrderLock && other.OrderLock && (e.Order.InvoiceID == "x" && other.Order.ID == "x" || e.Order.ID == "x" && other.Order.InvoiceID == "x")
				})
				return journal.Result{Err: journal.ErrOrderBusy, Entry: known}, ok
			}),
			caught: []string{"orders are told apart"},
		},
		"cannot write nothing": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				if len(all) == 0 && ctx.Err() == nil {
					return nil, errBroken
				}
				return s.Write(ctx, all)
			}),
			caught: []string{"no changes"},
		},
		"is held back by what is refused": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				results := make([]journal.Result, len(all))
				for i := range all { // the order of locks is not what is wrong here
					if known, err := s.Get(ctx, all[i].Entry.ID()); err == nil && all[i].Entry.Version == 1 {
						results[i] = journal.Result{Err: journal.ErrKeyExists, Entry: known}
						for j := range results {
							results[j] = cmp.Or(results[j], results[i])
						}
						return results, ctx.Err()
					}
				}
				return s.Write(ctx, all)
			}),
			caught: []string{"many changes, each by itself", "events of what was made"},
		},
		"fails with what is refused": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				results, err := s.Write(ctx, all)
				for _, r := range results {
					if len(all) > 1 && r.Err != nil {
						err = cmp.Or(err, r.Err)
					}
				}
				return results, err
			}),
			caught: []string{"many changes, each by itself", "freed and taken in one Write", "a thousand changes", "events of what was made"},
		},
		"answers for others": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				results, err := s.Write(ctx, all)
				if len(results) > 70 && len(results) < 100 {
					results[3], results[4] = results[4], results[3]
				}
				return results, err
			}),
			caught: []string{"many changes, each by itself"},
		},
		"answers too little": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				results, err := s.Write(ctx, all)
				return slices.DeleteFunc(results, func(r journal.Result) bool { return errors.Is(r.Err, journal.ErrStale) && len(results) == 80 }), err
			}),
			caught: []string{"many changes, each by itself"},
		},
		"goes by the order of the changes": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				var results []journal.Result
				for i := range all {
					some, err := s.Write(context.WithoutCancel(ctx), all[i:i+1])
					if err != nil || ctx.Err() != nil {
						return nil, cmp.Or(err, ctx.Err())
					}
					results = append(results, some...)
				}
				return results, ctx.Err()
			}),
			caught:  []string{"freed and taken in one Write", "context over"},
			perhaps: []string{"all or nothing"},
		},
		"inserts before it changes": {
			spoil: refusing(func(ctx context.Context, s journal.Store, e *journal.Entry) (journal.Result, bool) {
				known, ok := holder(ctx, s, e, func(other *journal.Entry) bool {
					return e.OrderLock && other.OrderLock && other.Provider == e.Provider && other.Account == e.Account && other.OrderKey() == e.OrderKey()
				})
				_, err := s.Get(ctx, e.ID())
				return journal.Result{Err: journal.ErrOrderBusy, Entry: known}, ok && e.Version == 1 && err != nil
			}),
			caught: []string{"freed and taken in one Write"},
		},
		"frees with what is refused": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				results, err := s.Write(ctx, all)
				for i := range results {
					for j := range results {
						if errors.Is(results[i].Err, journal.ErrOrderBusy) && errors.Is(results[j].Err, journal.ErrStale) && len(all) == 2 {
							results[i] = journal.Result{}
						}
					}
				}
				return results, err
			}),
			caught: []string{"freed and taken in one Write"},
		},
		"frees an order for two": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				results, err := s.Write(ctx, all)
				if len(all) == 3 && errors.Is(results[2].Err, journal.ErrOrderBusy) {
					results[2] = journal.Result{}
				}
				return results, err
			}),
			caught: []string{"freed and taken in one Write"},
		},
		"has room for so many": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				if len(all) < 1000 || all[0].Entry.Line == "" {
					return s.Write(ctx, all)
				}
				results, err := s.Write(ctx, all[:999])
				return append(results, journal.Result{}), err
			}),
			caught: []string{"a thousand changes"},
		},
		"answers the second statement first": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				results, err := s.Write(ctx, all)
				if len(results) == 1000 {
					results = append(results[503:], results[:503]...)
				}
				return results, err
			}),
			caught: []string{"a thousand changes"},
		},
		"commits one by one": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				if len(all) != 40 {
					return s.Write(ctx, all)
				}
				var results []journal.Result
				for i := range all {
					some, err := s.Write(ctx, all[i:i+1])
					if err != nil {
						return nil, err
					}
					results = append(results, some...)
					<-time.After(50 * time.Microsecond)
				}
				return results, nil
			}),
			caught: []string{"all or nothing"},
		},
		"writes the history later": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				if len(all) != 40 {
					return s.Write(ctx, all)
				}
				told := slices.Clone(all)
				for i := range all {
					all[i].Event, all[i].Entry.Version = nil, 1
					told[i].Entry.Version = 2
				}
				if results, err := s.Write(ctx, all); err != nil {
					return results, err
				}
				select {
				case <-ctx.Done():
					return nil, ctx.Err()
				case <-time.After(10 * time.Millisecond):
				}
				return s.Write(context.WithoutCancel(ctx), told)
			}),
			caught: []string{"all or nothing"},
		},
		"has no writers": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, writers: func() int { return 0 }}
			},
			caught: []string{"writers"},
		},
		"refuses one writer more": {
			spoil: func(s journal.Store) journal.Store {
				var mu sync.Mutex
				return &flawed{Store: s, write: func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
					if !mu.TryLock() {
						return nil, errBroken
					}
					defer mu.Unlock()
					if len(all) == 1 && !all[0].Entry.OrderLock && all[0].Event == nil {
						<-time.After(5 * time.Millisecond)
					}
					return s.Write(ctx, all)
				}}
			},
			caught: []string{"writers", "one of many inserts a key", "one of many changes a version"},
			perhaps: []string{
				"one of many takes an order with a new entry", "one of many takes an order with a change", "events from cursor to cursor", "no changes",
			},
		},
	}
}

// late looks first and writes then, as one does who has not heard of atomicity: whoever has come between is not noticed.
func late(loss error, applies func(*journal.Entry) bool) spoiler {
	return writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
		if len(all) != 1 || !applies(&all[0].Entry) {
			return s.Write(ctx, all)
		}
		e := &all[0].Entry
		_, busy := holder(ctx, s, e, func(other *journal.Entry) bool {
			return e.OrderLock && other.OrderLock && other.Provider == e.Provider && other.Account == e.Account && other.OrderKey() == e.OrderKey()
		})
		known, err := s.Get(ctx, e.ID())
		free := !busy && (err != nil && e.Version == 1 || err == nil && known.Version == e.Version-1)
		if free {
			<-time.After(10 * time.Millisecond) // the gap that everybody else falls into
		}
		results, err := s.Write(ctx, all)
		if err == nil && free && errors.Is(results[0].Err, loss) {
			results[0] = journal.Result{}
		}
		return results, err
	})
}

func raceFlaws() map[string]flaw {
	return map[string]flaw{
		"looks for the key first": {
			spoil:  late(journal.ErrKeyExists, func(e *journal.Entry) bool { return e.Version == 1 }),
			caught: []string{"one of many inserts a key"},
		},
		"looks for the order first": {
			spoil:  late(journal.ErrOrderBusy, func(e *journal.Entry) bool { return e.Version == 1 && e.OrderLock }),
			caught: []string{"one of many takes an order with a new entry"},
		},
		"looks for the order first upon a change": {
			spoil:  late(journal.ErrOrderBusy, func(e *journal.Entry) bool { return e.Version > 1 && e.OrderLock }),
			caught: []string{"one of many takes an order with a change"},
		},
		"looks for the version first": {
			spoil:  late(journal.ErrStale, func(e *journal.Entry) bool { return e.Version > 1 }),
			caught: []string{"one of many changes a version"},
		},
		"is the first account twice": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, add: func(ctx context.Context, a journal.Account, first bool) error {
					known, err := s.Accounts(ctx)
					free := err == nil && !slices.ContainsFunc(known, func(other journal.Account) bool { return other.Provider == a.Provider })
					<-time.After(100 * time.Millisecond)
					return s.AddAccount(ctx, a, first && !free)
				}}
			},
			caught: []string{"one of many is the first account"},
		},
	}
}
