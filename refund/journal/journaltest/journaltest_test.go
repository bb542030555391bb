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
	get     func(ctx context.Context, provider, key string) (journal.Entry, error)
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

func (s *flawed) Get(ctx context.Context, provider, key string) (journal.Entry, error) {
	if s.get != nil {
		return s.get(ctx, provider, key)
	}
	return s.Store.Get(ctx, provider, key)
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
	all map[[2]string]journal.Entry
}

func newRacy() *racy { return &racy{all: map[[2]string]journal.Entry{}} }

func (r *racy) Get(ctx context.Context, provider, key string) (journal.Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.all[[2]string{provider, key}]
	if !ok {
		return e, journal.ErrNotFound
	}
	return e, ctx.Err()
}

func (r *racy) put(ctx context.Context, e journal.Entry) error {
	r.mu.Lock()
	busy := false
	for _, o := range r.all {
		busy = busy || e.State.Open() && o.State.Open() && o.Key != e.Key && o.Provider == e.Provider && o.OrderKey() == e.OrderKey()
	}
	r.mu.Unlock()
	if busy {
		return journal.ErrOrderBusy
	}
	<-time.After(5 * time.Millisecond) // the gap that everybody else falls into
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[[2]string{e.Provider, e.Key}] = e
	return ctx.Err()
}

func (r *racy) Insert(ctx context.Context, e journal.Entry) error {
	if _, err := r.Get(ctx, e.Provider, e.Key); err == nil {
		return journal.ErrExists
	}
	return r.put(ctx, e)
}

func (r *racy) Update(ctx context.Context, e journal.Entry) error {
	known, err := r.Get(ctx, e.Provider, e.Key)
	if err != nil || known.Version != e.Version-1 {
		return journal.ErrConflict
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
					if known, err := s.Get(ctx, e.Provider, e.Key); err == nil {
						e.Baseline = known.Baseline
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
					if known, err := s.Get(ctx, e.Provider, e.Key); err == nil {
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
					for o, err := range s.Entries(ctx, journal.Filter{Provider: e.Provider, OrderKey: e.OrderKey(), States: openStates()}) {
						if err == nil && o.Key != e.Key && e.State.Open() {
							return journal.ErrOrderBusy
						}
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
					for o, err := range s.Entries(ctx, journal.Filter{OrderKey: e.OrderKey(), States: openStates()}) {
						if err == nil && o.Key != e.Key && e.State.Open() {
							return journal.ErrOrderBusy
						}
					}
					return s.Insert(ctx, e)
				}}
			},
			caught: []string{"order busy for insert"},
		},
		"lets what needs review pass": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, insert: func(ctx context.Context, e journal.Entry) error {
					if e.State == journal.NeedsReview {
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
					if known, err := s.Get(ctx, e.Provider, e.Key); err == nil {
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
					if _, err := s.Get(ctx, e.Provider, e.Key); err != nil {
						return s.Insert(ctx, e)
					}
					return s.Update(ctx, e)
				}}
			},
			caught: []string{"update is compare-and-set"},
		},
		"finds what there is not": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, get: func(ctx context.Context, provider, key string) (journal.Entry, error) {
					e, err := s.Get(ctx, provider, key)
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
					return strings.Compare(strings.ToLower(a.Provider+a.Key), strings.ToLower(b.Provider+b.Key))
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
