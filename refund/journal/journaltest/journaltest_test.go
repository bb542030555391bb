package journaltest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

func TestMemory(t *testing.T) {
	RunStore(t, func(*testing.T) journal.Store { return journal.NewMemory() })
}

// A field that is added to Entry is a field that a store has to keep.
func TestFullHasEveryField(t *testing.T) {
	var empty func(name string, v reflect.Value) []string
	empty = func(name string, v reflect.Value) (found []string) {
		if v.IsZero() {
			return []string{name}
		}
		_, isTime := reflect.TypeAssert[time.Time](v)
		_, isMoney := reflect.TypeAssert[refund.Money](v)
		if v.Kind() == reflect.Struct && !isTime && !isMoney {
			for i := range v.NumField() {
				found = append(found, empty(name+"."+v.Type().Field(i).Name, v.Field(i))...)
			}
		}
		return found
	}
	assert.Empty(t, empty("Entry", reflect.ValueOf((&env{}).full())))
}

// flawed is a store whose methods can be replaced.
type flawed struct {
	journal.Store
	insert  func(context.Context, journal.Entry) error
	update  func(context.Context, journal.Entry) error
	get     func(context.Context, journal.ID) (journal.Entry, error)
	entries func(context.Context, journal.Filter) iter.Seq2[journal.Entry, error]
}

func (s *flawed) Insert(ctx context.Context, e journal.Entry) error {
	if s.insert != nil {
		return s.insert(ctx, e)
	}
	return s.Store.Insert(ctx, e)
}

func (s *flawed) Update(ctx context.Context, e journal.Entry) error {
	if s.update != nil {
		return s.update(ctx, e)
	}
	return s.Store.Update(ctx, e)
}

func (s *flawed) Get(ctx context.Context, id journal.ID) (journal.Entry, error) {
	if s.get != nil {
		return s.get(ctx, id)
	}
	return s.Store.Get(ctx, id)
}

func (s *flawed) Entries(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
	if s.entries != nil {
		return s.entries(ctx, f)
	}
	return s.Store.Entries(ctx, f)
}

// racy checks the rules first and then writes, as one does who has not heard of atomicity.
type racy struct {
	mu  sync.Mutex
	all map[journal.ID]journal.Entry
}

func newRacy() *racy { return &racy{all: map[journal.ID]journal.Entry{}} }

func (r *racy) Get(ctx context.Context, id journal.ID) (journal.Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.all[id]
	if !ok {
		return e, journal.ErrNoEntry
	}
	return e, ctx.Err()
}

func (r *racy) put(ctx context.Context, e journal.Entry) error {
	r.mu.Lock()
	busy := false
	for _, o := range r.all {
		busy = busy || e.State.Open() && o.State.Open() && o.ID() != e.ID() &&
			o.Provider == e.Provider && o.Account == e.Account && o.OrderKey() == e.OrderKey()
	}
	r.mu.Unlock()
	if busy {
		return journal.ErrOrderBusy
	}
	<-time.After(5 * time.Millisecond) // the gap that everybody else falls into
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[e.ID()] = e
	return ctx.Err()
}

func (r *racy) Insert(ctx context.Context, e journal.Entry) error {
	if _, err := r.Get(ctx, e.ID()); err == nil {
		return journal.ErrKeyExists
	}
	return r.put(ctx, e)
}

func (r *racy) Update(ctx context.Context, e journal.Entry) error {
	known, err := r.Get(ctx, e.ID())
	if err != nil || known.Version != e.Version-1 {
		return journal.ErrStale
	}
	return r.put(ctx, e)
}

func (r *racy) Entries(_ context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
	return func(yield func(journal.Entry, error) bool) {
		r.mu.Lock()
		var all []journal.Entry
		for _, e := range r.all {
			if selects(&f, &e) {
				all = append(all, e)
			}
		}
		r.mu.Unlock()
		sortEntries(all)
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// flaw is one way to get a store wrong, and the cases that must notice.
type flaw struct {
	spoil  func(journal.Store) journal.Store
	caught []string
}

// keeping changes what is written.
func keeping(change func(*journal.Entry)) func(journal.Store) journal.Store {
	return func(s journal.Store) journal.Store {
		return &flawed{
			Store: s,
			insert: func(ctx context.Context, e journal.Entry) error {
				change(&e)
				return s.Insert(ctx, e)
			},
			update: func(ctx context.Context, e journal.Entry) error {
				change(&e)
				return s.Update(ctx, e)
			},
		}
	}
}

// listing changes what is listed.
func listing(change func(journal.Filter, []journal.Entry) []journal.Entry) func(journal.Store) journal.Store {
	return func(s journal.Store) journal.Store {
		return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
			return func(yield func(journal.Entry, error) bool) {
				var all []journal.Entry
				for e, err := range s.Entries(ctx, journal.Filter{}) {
					if err != nil {
						yield(e, err)
						return
					}
					all = append(all, e)
				}
				for _, e := range change(f, all) {
					if selects(&f, &e) && !yield(e, nil) {
						return
					}
				}
			}
		}}
	}
}

// filtering changes the filter.
func filtering(change func(*journal.Filter)) func(journal.Store) journal.Store {
	return func(s journal.Store) journal.Store {
		return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
			change(&f)
			return s.Entries(ctx, f)
		}}
	}
}

// ofAccount changes which account's entries a filter selects.
func ofAccount(selected func(*journal.Filter, *journal.Entry) bool) func(journal.Store) journal.Store {
	return func(s journal.Store) journal.Store {
		return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
			return func(yield func(journal.Entry, error) bool) {
				all := f
				all.Provider, all.Account = "", ""
				for e, err := range s.Entries(ctx, all) {
					if (err != nil || selected(&f, &e)) && !yield(e, err) {
						return
					}
				}
			}
		}}
	}
}

// busy reports whether s has another open entry of e's order among those that count.
func busy(ctx context.Context, s journal.Store, e *journal.Entry, counts func(*journal.Entry) bool) bool {
	for o, err := range s.Entries(ctx, journal.Filter{OrderKey: e.OrderKey(), States: openStates()}) {
		if err == nil && o.ID() != e.ID() && counts(&o) {
			return true
		}
	}
	return false
}

// anyAccount is Get for those who do not look at the account.
func anyAccount(ctx context.Context, s journal.Store, id journal.ID) (journal.Entry, error) {
	if e, err := s.Get(ctx, id); err == nil {
		return e, nil
	}
	for e, err := range s.Entries(ctx, journal.Filter{}) {
		if err != nil {
			return e, err
		}
		if e.Provider == id.Provider && e.Key == id.Key {
			return e, nil
		}
	}
	return journal.Entry{}, journal.ErrNoEntry
}

func flaws() map[string]flaw {
	return map[string]flaw{
		"is not atomic": {
			spoil:  func(journal.Store) journal.Store { return newRacy() },
			caught: []string{"one insert of a key wins", "one insert on an order wins", "one update of a version wins", "one update on an order wins", "what never changes"},
		},
		"keeps seconds": {
			spoil: keeping(func(e *journal.Entry) {
				e.Due, e.Created, e.LastSent = e.Due.Truncate(time.Second), e.Created.Truncate(time.Second), e.LastSent.Truncate(time.Second)
			}),
			caught: []string{"times to the microsecond", "insert and get every field", "entries by filter"},
		},
		"keeps milliseconds": {
			spoil:  keeping(func(e *journal.Entry) { e.LocksAt = e.LocksAt.Truncate(time.Millisecond) }),
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
		"has a column too few": {
			spoil:  keeping(func(e *journal.Entry) { e.ProviderStatus = "" }),
			caught: []string{"insert and get every field", "update and get every field", "entries are complete"},
		},
		"does not update everything": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, update: func(ctx context.Context, e journal.Entry) error {
					if known, err := s.Get(ctx, e.ID()); err == nil {
						e.Snapshot = known.Snapshot
					}
					return s.Update(ctx, e)
				}}
			},
			caught: []string{"update and get every field"},
		},
		"has two decimals": {
			spoil: keeping(func(e *journal.Entry) {
				if e.Refunded.Currency() == "KWD" {
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
		"trims text":       {spoil: keeping(func(e *journal.Entry) { e.Note = strings.TrimSpace(e.Note) }), caught: []string{"text of every kind"}},
		"has VARCHAR(255)": {spoil: keeping(func(e *journal.Entry) { e.Note = e.Note[:min(len(e.Note), 255)] }), caught: []string{"text of every kind"}},
		"normalises text":  {spoil: keeping(func(e *journal.Entry) { e.Code = strings.ReplaceAll(e.Code, "e\u0301", "é") }), caught: []string{"text of every kind"}},
		"ignores case": {
			spoil:  keeping(func(e *journal.Entry) { e.Key = strings.ToLower(e.Key) }),
			caught: []string{"keys are told apart"},
		},
		"overwrites": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, insert: func(ctx context.Context, e journal.Entry) error {
					if known, err := s.Get(ctx, e.ID()); err == nil {
						e.Version = known.Version + 1
						return s.Update(ctx, e)
					}
					return s.Insert(ctx, e)
				}}
			},
			caught: []string{"the key has an entry", "one insert of a key wins"},
		},
		"takes every refusal for the order": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, insert: func(ctx context.Context, e journal.Entry) error {
					if err := s.Insert(ctx, e); err == nil || ctx.Err() != nil {
						return err
					}
					return journal.ErrOrderBusy
				}}
			},
			caught: []string{"the key has an entry"},
		},
		"looks at the order before the key": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, insert: func(ctx context.Context, e journal.Entry) error {
					account := func(o *journal.Entry) bool { return o.Provider == e.Provider && o.Account == e.Account }
					if e.State.Open() && busy(ctx, s, &e, account) {
						return journal.ErrOrderBusy
					}
					return s.Insert(ctx, e)
				}}
			},
			caught: []string{"the key has an entry"},
		},
		"has no order exclusion": {
			spoil: func(s journal.Store) journal.Store {
				alone := func(e journal.Entry) journal.Entry {
					e.Order.ID += e.Key
					return e
				}
				return &flawed{
					Store:  s,
					insert: func(ctx context.Context, e journal.Entry) error { return s.Insert(ctx, alone(e)) },
					update: func(ctx context.Context, e journal.Entry) error { return s.Update(ctx, alone(e)) },
				}
			},
			caught: []string{"order busy for insert", "order busy for update", "orders are told apart", "one insert on an order wins", "one update on an order wins"},
		},
		"excludes across providers": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, insert: func(ctx context.Context, e journal.Entry) error {
					if e.State.Open() && busy(ctx, s, &e, func(o *journal.Entry) bool { return o.Account == e.Account }) {
						return journal.ErrOrderBusy
					}
					return s.Insert(ctx, e)
				}}
			},
			caught: []string{"order busy for insert"},
		},
		"excludes across accounts": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, insert: func(ctx context.Context, e journal.Entry) error {
					if e.State.Open() && busy(ctx, s, &e, func(o *journal.Entry) bool { return o.Provider == e.Provider }) {
						return journal.ErrOrderBusy
					}
					return s.Insert(ctx, e)
				}}
			},
			caught: []string{"order busy for insert", "accounts are told apart"},
		},
		"excludes updates across accounts": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, update: func(ctx context.Context, e journal.Entry) error {
					if e.State.Open() && busy(ctx, s, &e, func(o *journal.Entry) bool { return o.Provider == e.Provider }) {
						return journal.ErrOrderBusy
					}
					return s.Update(ctx, e)
				}}
			},
			caught: []string{"order busy for update", "accounts are told apart"},
		},
		"has no order exclusion at named accounts": {
			spoil: keeping(func(e *journal.Entry) {
				if e.Account != "" {
					e.Order.ID += e.Key
				}
			}),
			caught: []string{"accounts are told apart"},
		},
		"forgets the account": {
			spoil:  keeping(func(e *journal.Entry) { e.Account = "" }),
			caught: []string{"accounts are told apart", "insert and get every field", "entries in order"},
		},
		"ignores the case of accounts": {
			spoil:  keeping(func(e *journal.Entry) { e.Account = strings.ToLower(e.Account) }),
			caught: []string{"accounts are told apart"},
		},
		"takes a key once for all accounts": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, insert: func(ctx context.Context, e journal.Entry) error {
					if _, err := anyAccount(ctx, s, e.ID()); err == nil {
						return journal.ErrKeyExists
					}
					return s.Insert(ctx, e)
				}}
			},
			caught: []string{"accounts are told apart", "insert and get every field"},
		},
		"gets the entry of any account": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, get: func(ctx context.Context, id journal.ID) (journal.Entry, error) { return anyAccount(ctx, s, id) }}
			},
			caught: []string{"accounts are told apart", "no such entry"},
		},
		"updates the entry of any account": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, update: func(ctx context.Context, e journal.Entry) error {
					if known, err := anyAccount(ctx, s, e.ID()); err == nil {
						e.Account = known.Account
					}
					return s.Update(ctx, e)
				}}
			},
			caught: []string{"accounts are told apart", "update is compare-and-set"},
		},
		"writes the ID as one word": {
			spoil:  keeping(func(e *journal.Entry) { e.Key, e.Account, e.Provider = e.Provider+e.Account+e.Key, "", "" }),
			caught: []string{"accounts are told apart"},
		},
		"forgets that somebody answered": {
			spoil:  keeping(func(e *journal.Entry) { e.Answered = false }),
			caught: []string{"insert and get every field", "update and get every field", "entries are complete"},
		},
		"forgets the first miss": {
			spoil:  keeping(func(e *journal.Entry) { e.MissedAt = time.Time{} }),
			caught: []string{"insert and get every field", "update and get every field", "times to the microsecond"},
		},
		"never forgets a miss": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, update: func(ctx context.Context, e journal.Entry) error {
					if known, err := s.Get(ctx, e.ID()); err == nil && e.MissedAt.IsZero() {
						e.MissedAt = known.MissedAt
					}
					return s.Update(ctx, e)
				}}
			},
			caught: []string{"update and get every field"},
		},
		"lets what needs review pass": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, insert: func(ctx context.Context, e journal.Entry) error {
					if e.State == journal.StateNeedsReview {
						e.Order.ID += e.Key
					}
					return s.Insert(ctx, e)
				}}
			},
			caught: []string{"order busy for insert"},
		},
		"has no compare-and-set": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, update: func(ctx context.Context, e journal.Entry) error {
					if known, err := s.Get(ctx, e.ID()); err == nil {
						e.Version = known.Version + 1
					}
					return s.Update(ctx, e)
				}}
			},
			caught: []string{"update is compare-and-set", "one update of a version wins"},
		},
		"inserts what it should update": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, update: func(ctx context.Context, e journal.Entry) error {
					if _, err := s.Get(ctx, e.ID()); err != nil {
						return s.Insert(ctx, e)
					}
					return s.Update(ctx, e)
				}}
			},
			caught: []string{"update is compare-and-set"},
		},
		"finds what there is not": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, get: func(ctx context.Context, id journal.ID) (journal.Entry, error) {
					e, err := s.Get(ctx, id)
					if ctx.Err() == nil {
						err = nil
					}
					return e, err
				}}
			},
			caught: []string{"no such entry"},
		},
		"sorts by an alphabet": {
			spoil: listing(func(_ journal.Filter, all []journal.Entry) []journal.Entry {
				slices.SortStableFunc(all, func(a, b journal.Entry) int {
					if !a.Due.Equal(b.Due) || !a.Created.Equal(b.Created) {
						return 0
					}
					return strings.Compare(strings.ToLower(a.ID().String()), strings.ToLower(b.ID().String()))
				})
				return all
			}),
			caught: []string{"entries in order"},
		},
		"sorts by the key before the account": {
			spoil: listing(func(_ journal.Filter, all []journal.Entry) []journal.Entry {
				slices.SortStableFunc(all, func(a, b journal.Entry) int {
					return cmp.Or(a.Due.Compare(b.Due), a.Created.Compare(b.Created),
						cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Key, b.Key))
				})
				return all
			}),
			caught: []string{"entries in order"},
		},
		"lists what is never due last": {
			spoil: listing(func(_ journal.Filter, all []journal.Entry) []journal.Entry {
				never := slices.DeleteFunc(slices.Clone(all), func(e journal.Entry) bool { return !e.Due.IsZero() })
				return append(slices.DeleteFunc(all, func(e journal.Entry) bool { return e.Due.IsZero() }), never...)
			}),
			caught: []string{"entries in order"},
		},
		"takes never for due": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
					return func(yield func(journal.Entry, error) bool) {
						by := f.DueBy
						f.DueBy = time.Time{}
						for e, err := range s.Entries(ctx, f) {
							if (by.IsZero() || !e.Due.After(by)) && !yield(e, err) {
								return
							}
						}
					}
				}}
			},
			caught: []string{"entries by filter"},
		},
		"is due a moment later":       {spoil: filtering(func(f *journal.Filter) { f.DueBy = later(f.DueBy, -time.Microsecond) }), caught: []string{"entries by filter"}},
		"is before a moment later":    {spoil: filtering(func(f *journal.Filter) { f.Before = later(f.Before, time.Microsecond) }), caught: []string{"entries by filter"}},
		"does not filter by state":    {spoil: filtering(func(f *journal.Filter) { f.States = nil }), caught: []string{"entries by filter"}},
		"filters by one state":        {spoil: filtering(func(f *journal.Filter) { f.States = f.States[:min(1, len(f.States))] }), caught: []string{"entries by filter"}},
		"does not filter by order":    {spoil: filtering(func(f *journal.Filter) { f.OrderKey = "" }), caught: []string{"entries by filter", "orders are told apart"}},
		"does not filter by provider": {spoil: filtering(func(f *journal.Filter) { f.Provider = "" }), caught: []string{"entries by filter", "no such entry"}},
		"does not filter by account": {
			spoil:  ofAccount(func(f *journal.Filter, e *journal.Entry) bool { return f.Provider == "" || f.Provider == e.Provider }),
			caught: []string{"entries by filter", "accounts are told apart"},
		},
		"takes the empty account for all": {
			spoil: ofAccount(func(f *journal.Filter, e *journal.Entry) bool {
				return f.Provider == "" || f.Provider == e.Provider && (f.Account == "" || f.Account == e.Account)
			}),
			caught: []string{"entries by filter", "accounts are told apart"},
		},
		"filters by an account of no provider": {
			spoil: ofAccount(func(f *journal.Filter, e *journal.Entry) bool {
				return (f.Provider == "" || f.Provider == e.Provider) && (f.Provider == "" && f.Account == "" || f.Account == e.Account)
			}),
			caught: []string{"entries by filter"},
		},
		"loses what is alike between pages": {
			spoil: listing(func(_ journal.Filter, all []journal.Entry) []journal.Entry {
				if len(all) > 1000 {
					all = slices.Delete(all, 999, 1001)
				}
				return all
			}),
			caught: []string{"many entries"},
		},
		"reads one page": {
			spoil:  listing(func(_ journal.Filter, all []journal.Entry) []journal.Entry { return all[:min(len(all), 100)] }),
			caught: []string{"many entries"},
		},
		"holds a lock while the caller works": {
			spoil: func(s journal.Store) journal.Store {
				var mu sync.Mutex
				return &flawed{
					Store: s,
					update: func(ctx context.Context, e journal.Entry) error {
						mu.Lock()
						defer mu.Unlock()
						return s.Update(ctx, e)
					},
					entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
						return func(yield func(journal.Entry, error) bool) {
							mu.Lock()
							defer mu.Unlock()
							s.Entries(ctx, f)(yield)
						}
					},
				}
			},
			caught: []string{"update while ranging", "range within range"},
		},
		"keeps its lock after a break": {
			spoil: func(s journal.Store) journal.Store {
				var mu sync.RWMutex
				return &flawed{
					Store: s,
					update: func(ctx context.Context, e journal.Entry) error {
						mu.Lock()
						defer mu.Unlock()
						return s.Update(ctx, e)
					},
					entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
						return func(yield func(journal.Entry, error) bool) {
							mu.RLock()
							for e, err := range s.Entries(ctx, f) {
								if !yield(e, err) {
									return
								}
							}
							mu.RUnlock()
						}
					},
				}
			},
			caught: []string{"break"},
		},
		"lists once": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
					used := false
					return func(yield func(journal.Entry, error) bool) {
						if !used {
							used = true
							s.Entries(ctx, f)(yield)
						}
					}
				}}
			},
			caught: []string{"range twice"},
		},
		"ignores the context": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{
					Store:  s,
					insert: func(ctx context.Context, e journal.Entry) error { return s.Insert(context.WithoutCancel(ctx), e) },
				}
			},
			caught: []string{"context over"},
		},
		"goes on after an error": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
					return func(yield func(journal.Entry, error) bool) {
						for e, err := range s.Entries(context.WithoutCancel(ctx), f) {
							if !yield(e, cmp.Or(err, ctx.Err())) {
								return
							}
						}
					}
				}}
			},
			caught: []string{"context over while ranging"},
		},
	}
}

func later(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(d)
}

// recorder is a reporter that keeps the failures to itself.
type recorder struct {
	mu       sync.Mutex
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) found() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.failures)
}

func TestFlawsAreCaught(t *testing.T) {
	for name, f := range flaws() {
		for _, c := range f.caught {
			t.Run(name+"/"+c, func(t *testing.T) {
				t.Parallel()
				i := slices.IndexFunc(cases(), func(other testCase) bool { return other.name == c })
				if i < 0 {
					t.Fatal("no such case")
				}
				var r recorder
				cases()[i].run(&env{reporter: &r, Store: f.spoil(journal.NewMemory()), patience: 200 * time.Millisecond})
				assert.NotEmpty(t, r.found())
			})
		}
	}
}

// Every case must be able to fail.
func TestEveryCaseCatchesAFlaw(t *testing.T) {
	caught := map[string]bool{}
	for _, f := range flaws() {
		for _, c := range f.caught {
			caught[c] = true
		}
	}
	for _, c := range cases() {
		assert.True(t, caught[c.name], c.name)
	}
}
