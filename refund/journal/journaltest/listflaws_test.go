package journaltest

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund/journal"
)

// listing changes what is listed.
func listing(change func(journal.Filter, []journal.Entry) []journal.Entry) spoiler {
	return func(s journal.Store) journal.Store {
		return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
			return func(yield func(journal.Entry, error) bool) {
				var found []journal.Entry
				for e, err := range s.Entries(ctx, f) {
					if err != nil {
						yield(e, err)
						return
					}
					found = append(found, e)
				}
				yieldAll(ctx, change(f, found), yield)
			}
		}}
	}
}

// choosing changes which entries a filter selects, of those that it would if it had no more than from.
func choosing(from func(*journal.Filter), selected func(*journal.Filter, *journal.Entry) bool) spoiler {
	return func(s journal.Store) journal.Store {
		return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
			return func(yield func(journal.Entry, error) bool) {
				wider := f
				if from(&wider); !readable(&f) || !readable(&wider) {
					wider = f
				}
				for e, err := range s.Entries(ctx, wider) {
					if (err != nil || selected(&f, &e)) && !yield(e, err) {
						return
					}
				}
			}
		}}
	}
}

func always(*journal.Filter, *journal.Entry) bool { return true }

func listFlaws() map[string]flaw {
	anyAccount := func(f *journal.Filter) {
		f.Provider, f.Account = "", ""
		if f.OrderKey != "" {
			f.From, f.OrderKey = cmp.Or(f.From, time.Unix(0, 0)), ""
		}
	}
	otherwise := func(f *journal.Filter, e *journal.Entry) bool { return f.OrderKey == "" || f.OrderKey == e.OrderKey() }
	return map[string]flaw{
		"sorts by an alphabet": {
			spoil: listing(func(_ journal.Filter, found []journal.Entry) []journal.Entry {
				slices.SortStableFunc(found, func(a, b journal.Entry) int {
					return cmp.Or(a.Created.Compare(b.Created), strings.Compare(strings.ToLower(a.ID().String()), strings.ToLower(b.ID().String())))
				})
				return found
			}),
			caught: []string{"entries in order", "entries by filter"},
		},
		"sorts by the key before the account": {
			spoil: listing(func(_ journal.Filter, found []journal.Entry) []journal.Entry {
				slices.SortStableFunc(found, func(a, b journal.Entry) int {
					return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Key, b.Key))
				})
				return found
			}),
			caught: []string{"entries in order", "entries by filter", "many entries"},
		},
		"comes to the newest entry first": {
			spoil: listing(func(_ journal.Filter, found []journal.Entry) []journal.Entry {
				slices.SortStableFunc(found, func(a, b journal.Entry) int { return b.Created.Compare(a.Created) })
				return found
			}),
			caught: []string{"entries in order", "entries by filter", "many entries"},
		},
		"is from a moment later": {
			spoil:  choosing(func(*journal.Filter) {}, func(f *journal.Filter, e *journal.Entry) bool { return f.From.IsZero() || e.Created.After(f.From) }),
			caught: []string{"entries by filter", "many entries"},
		},
		"is before a moment later": {
			spoil: choosing(func(f *journal.Filter) {
				if !f.Before.IsZero() {
					f.Before = f.Before.Add(time.Microsecond)
				}
			}, always),
			caught: []string{"entries by filter"},
		},
		"does not filter by state": {
			spoil:  choosing(func(f *journal.Filter) { f.States = nil }, always),
			caught: []string{"entries by filter"},
		},
		"filters by one state": {
			spoil:  choosing(func(f *journal.Filter) { f.States = f.States[:min(1, len(f.States))] }, always),
			caught: []string{"entries by filter", "many entries"},
		},
		"takes no states for none": {
			spoil: choosing(func(*journal.Filter) {}, func(f *journal.Filter, _ *journal.Entry) bool {
				return f.States == nil || len(f.States) > 0
			}),
			caught: []string{"entries by filter"},
		},
		"does not filter by attention": {
			spoil:  choosing(func(f *journal.Filter) { f.Attention = false }, always),
			caught: []string{"entries by filter"},
		},
		"does not filter by order": {
			spoil:  choosing(func(f *journal.Filter) { f.OrderKey = "" }, always),
			caught: []string{"entries by filter"},
		},
		"does not filter by account": {
			spoil: choosing(anyAccount, func(f *journal.Filter, e *journal.Entry) bool {
				return otherwise(f, e) && (f.Provider == "" || f.Provider == e.Provider)
			}),
			caught: []string{"entries by filter", "accounts are told apart", "many entries"},
		},
		"takes the empty account for all": {
			spoil: choosing(anyAccount, func(f *journal.Filter, e *journal.Entry) bool {
				return otherwise(f, e) && (f.Provider == "" || f.Provider == e.Provider && (f.Account == "" || f.Account == e.Account))
			}),
			caught: []string{"entries by filter", "accounts are told apart", "many entries"},
		},
		"filters by an account of no provider": {
			spoil: choosing(func(*journal.Filter) {}, func(f *journal.Filter, e *journal.Entry) bool {
				return f.Provider != "" || f.Account == "" || f.Account == e.Account
			}),
			caught: []string{"entries by filter"},
		},
		"lists what it was": {
			spoil: func(s journal.Store) journal.Store {
				had := map[journal.ID]journal.Entry{}
				return &flawed{
					Store: s,
					write: func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
						if len(all) == 0 {
							return s.Write(ctx, all)
						}
						if e := all[0].Entry; e.Provider == "changing" && e.Version == 1 {
							had[e.ID()] = e
						}
						return s.Write(ctx, all)
					},
					entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
						return func(yield func(journal.Entry, error) bool) {
							for _, e := range had {
								if selects(&f, &e) && f.Provider == "changing" && !yield(e, nil) {
									return
								}
							}
							if len(had) == 0 {
								s.Entries(ctx, f)(yield)
							}
						}
					},
				}
			},
			caught: []string{"entries by filter"},
		},
		"reads nothing where it would read everything": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
					if readable(&f) {
						return s.Entries(ctx, f)
					}
					return func(func(journal.Entry, error) bool) {}
				}}
			},
			caught: []string{"filters that would read everything"},
		},
		"looks for an order at every provider": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
					if f.OrderKey != "" && f.Provider == "" {
						f.From, f.OrderKey = time.Unix(0, 0), ""
					}
					return s.Entries(ctx, f)
				}}
			},
			caught: []string{"filters that would read everything"},
		},
		"lists without what is long": {
			spoil: listing(func(_ journal.Filter, found []journal.Entry) []journal.Entry {
				for i := range found {
					found[i].Snapshot = ""
				}
				return found
			}),
			caught:  []string{"entries are complete", "a thousand changes"},
			perhaps: []string{"rename an account"},
		},
		"loses what is alike between pages": {
			spoil: listing(func(_ journal.Filter, found []journal.Entry) []journal.Entry {
				if len(found) > 1100 && found[0].Order.ID == "popular" {
					found = slices.Delete(found, 499, 501)
				}
				return found
			}),
			caught: []string{"many entries"},
		},
		"reads one page": {
			spoil: listing(func(_ journal.Filter, found []journal.Entry) []journal.Entry {
				return found[:min(len(found), 1000)]
			}),
			caught:  []string{"many entries"},
			perhaps: []string{"all or nothing"},
		},
		"holds a lock while the caller works": {
			spoil: func(s journal.Store) journal.Store {
				var mu sync.Mutex
				return &flawed{
					Store: s,
					write: func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
						mu.Lock()
						defer mu.Unlock()
						return s.Write(ctx, all)
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
			caught: []string{"work while ranging over entries"},
		},
		"keeps its lock after a break": {
			spoil: func(s journal.Store) journal.Store {
				var mu sync.RWMutex
				return &flawed{
					Store: s,
					write: func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
						mu.Lock()
						defer mu.Unlock()
						return s.Write(ctx, all)
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
			caught: []string{"entries again after a break", "work while ranging over entries"},
		},
		"lists once": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
					used := 0
					return func(yield func(journal.Entry, error) bool) {
						if used++; used <= 100 {
							s.Entries(ctx, f)(yield)
						}
					}
				}}
			},
			caught: []string{"entries again after a break"},
		},
		"lists what was there when it was asked": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
					var found []journal.Entry
					for e, err := range s.Entries(ctx, f) {
						if err != nil {
							return s.Entries(ctx, f)
						}
						found = append(found, e)
					}
					return func(yield func(journal.Entry, error) bool) {
						for _, e := range found {
							if !yield(e, nil) {
								return
							}
						}
					}
				}}
			},
			caught: []string{"entries again after a break"},
		},
		"goes on after an error": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
					return func(yield func(journal.Entry, error) bool) {
						for e, err := range s.Entries(ctx, f) {
							if !yield(e, cmp.Or(err, ctx.Err())) {
								return
							}
						}
					}
				}}
			},
			caught: []string{"context over while ranging over entries"},
		},
		"ends without an error": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
					return func(yield func(journal.Entry, error) bool) {
						for e, err := range s.Entries(ctx, f) {
							if !yield(e, err) || ctx.Err() != nil {
								return
							}
						}
					}
				}}
			},
			caught: []string{"context over while ranging over entries"},
		},
	}
}
