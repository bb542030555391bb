package journaltest

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/multirefund/refund-go/refund/journal"
)

// adding replaces AddAccount.
func adding(add func(context.Context, journal.Store, journal.Account, bool) error) spoiler {
	return func(s journal.Store) journal.Store {
		return &flawed{Store: s, add: func(ctx context.Context, a journal.Account, first bool) error { return add(ctx, s, a, first) }}
	}
}

// renaming replaces RenameAccount.
func renaming(rename func(ctx context.Context, s journal.Store, provider, from, to string) error) spoiler {
	return func(s journal.Store) journal.Store {
		return &flawed{Store: s, rename: func(ctx context.Context, provider, from, to string) error { return rename(ctx, s, provider, from, to) }}
	}
}

// counting changes the statistics.
func counting(change func(*journal.Stats)) spoiler {
	return func(s journal.Store) journal.Store {
		return &flawed{Store: s, stats: func(ctx context.Context) (journal.Stats, error) {
			stats, err := s.Stats(ctx)
			change(&stats)
			return stats, err
		}}
	}
}

func accountFlaws() map[string]flaw {
	return map[string]flaw{
		"keeps the first target": {
			spoil: adding(func(ctx context.Context, s journal.Store, a journal.Account, first bool) error {
				known, err := s.Accounts(ctx)
				for _, other := range known {
					if err == nil && other.Provider == a.Provider && other.Name == a.Name && !first {
						return nil
					}
				}
				return s.AddAccount(ctx, a, first)
			}),
			caught: []string{"accounts"},
		},
		"sorts accounts by an alphabet": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, accounts: func(ctx context.Context) ([]journal.Account, error) {
					found, err := s.Accounts(ctx)
					slices.SortStableFunc(found, func(a, b journal.Account) int {
						return cmp.Compare(strings.ToLower(a.Provider+" "+a.Name), strings.ToLower(b.Provider+" "+b.Name))
					})
					return found, err
				}}
			},
			caught: []string{"accounts"},
		},
		"adds the accounts of entries": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				results, err := s.Write(ctx, all)
				if err == nil && len(all) == 1 && all[0].Entry.Account == "" {
					err = s.AddAccount(ctx, account(all[0].Entry.Provider, "", "of an entry"), true)
					if errors.Is(err, journal.ErrUnknownAccount) {
						err = nil
					}
				}
				return results, err
			}),
			caught: []string{"accounts"},
		},
		"has one first account for all providers": {
			spoil: adding(func(ctx context.Context, s journal.Store, a journal.Account, first bool) error {
				known, err := s.Accounts(ctx)
				if first && err == nil && len(known) > 0 {
					return journal.ErrUnknownAccount
				}
				return s.AddAccount(ctx, a, first)
			}),
			caught: []string{"first account"},
		},
		"takes whoever says that he is the first": {
			spoil: adding(func(ctx context.Context, s journal.Store, a journal.Account, first bool) error {
				return s.AddAccount(ctx, a, first && a.Name != "")
			}),
			caught: []string{"first account"},
		},
		"takes the first account again": {
			spoil: adding(func(ctx context.Context, s journal.Store, a journal.Account, first bool) error {
				known, err := s.Accounts(ctx)
				for _, other := range known {
					if err == nil && other.Provider == a.Provider && other.Name == a.Name {
						first = false
					}
				}
				return s.AddAccount(ctx, a, first)
			}),
			caught: []string{"first account"},
		},
		"renames without the entries": {
			spoil: func(s journal.Store) journal.Store {
				gone := map[journal.Account]bool{}
				return &flawed{
					Store: s,
					rename: func(ctx context.Context, provider, from, to string) error {
						known, err := s.Accounts(ctx)
						for _, other := range known {
							if err == nil && other.Provider == provider && other.Name == from && to == "c" {
								gone[other] = true
								other.Name = to
								return s.AddAccount(ctx, other, false)
							}
						}
						return s.RenameAccount(ctx, provider, from, to)
					},
					accounts: func(ctx context.Context) ([]journal.Account, error) {
						known, err := s.Accounts(ctx)
						return slices.DeleteFunc(known, func(a journal.Account) bool { return gone[a] }), err
					},
				}
			},
			caught: []string{"rename an account"},
		},
		"renames without the history": {
			spoil: func(s journal.Store) journal.Store {
				renamed := false
				old := reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
					for i := range found {
						if renamed && found[i].Account == "c" {
							found[i].Account = "a"
						}
					}
					return by(f, found)
				})(s).(*flawed)
				old.rename = func(ctx context.Context, provider, from, to string) error {
					err := s.RenameAccount(ctx, provider, from, to)
					renamed = renamed || err == nil
					return err
				}
				return old
			},
			caught: []string{"rename an account"},
		},
		"renames at all providers": {
			spoil: renaming(func(ctx context.Context, s journal.Store, provider, from, to string) error {
				known, err := s.Accounts(ctx)
				for _, other := range known {
					if err == nil && other.Name == from && other.Provider != provider && to == "c" {
						err = s.RenameAccount(ctx, other.Provider, from, to)
					}
				}
				return cmp.Or(s.RenameAccount(ctx, provider, from, to), err)
			}),
			caught: []string{"rename an account"},
		},
		"renames what is not there": {
			spoil: renaming(func(ctx context.Context, s journal.Store, provider, from, to string) error {
				if err := s.RenameAccount(ctx, provider, from, to); provider != "nobody" {
					return err
				}
				return nil
			}),
			caught: []string{"rename an account"},
		},
		"takes the empty name for none": {
			spoil: renaming(func(ctx context.Context, s journal.Store, provider, from, to string) error {
				if from == "" {
					return journal.ErrUnknownAccount
				}
				return s.RenameAccount(ctx, provider, from, to)
			}),
			caught: []string{"rename an account"},
		},
		"makes one account of two": {
			spoil: renaming(func(ctx context.Context, s journal.Store, provider, from, to string) error {
				if err := s.RenameAccount(ctx, provider, from, to); from != "a" || to != "b" || err != nil && ctx.Err() != nil {
					return err
				}
				return nil
			}),
			caught: []string{"rename onto other entries", "rename an account"},
		},
		"counts what is finished": {
			spoil: counting(func(s *journal.Stats) {
				if len(s.States) > 0 && len(s.States) < 10_000 && s.States[0].Count < 10 {
					stat := s.States[len(s.States)-1]
					stat.State = journal.StateSucceeded
					s.States = append(s.States, stat)
				}
			}),
			caught: []string{"statistics"},
		},
		"counts accounts together": {
			spoil: counting(func(s *journal.Stats) {
				for i := range s.Attention {
					s.Attention[i].Account = ""
				}
			}),
			caught: []string{"statistics"},
		},
		"lists what there is not": {
			spoil: counting(func(s *journal.Stats) {
				if len(s.States) == 0 {
					s.States = append(s.States, journal.Stat{State: journal.StateSending})
				}
			}),
			caught: []string{"statistics"},
		},
		"has the newest": {
			spoil: counting(func(s *journal.Stats) {
				for i := range s.States {
					if s.States[i].Count == 2 {
						s.States[i].Oldest = s.States[i].Oldest.Add(time.Microsecond)
					}
				}
			}),
			caught: []string{"statistics"},
		},
		"sorts statistics by the number": {
			spoil: counting(func(s *journal.Stats) {
				slices.SortStableFunc(s.States, func(a, b journal.Stat) int { return cmp.Compare(b.Count, a.Count) })
			}),
			caught: []string{"statistics"},
		},
		"counts all": {
			spoil: counting(func(s *journal.Stats) {
				for i := range s.States {
					if s.States[i].Count == journal.MaxCount {
						s.States[i].Count += 2
					}
				}
			}),
			caught: []string{"statistics of very many"},
		},
		"has the oldest of those that it counts": {
			spoil: counting(func(s *journal.Stats) {
				for i := range s.Attention {
					if s.Attention[i].Count == journal.MaxCount {
						s.Attention[i].Oldest = s.Attention[i].Oldest.Add(2 * time.Second)
					}
				}
			}),
			caught: []string{"statistics of very many"},
		},
	}
}

// contextFlaws: each method that ignores its context.
func contextFlaws() map[string]flaw {
	alive := context.WithoutCancel
	all := map[string]flaw{}
	for method, spoil := range map[string]func(s journal.Store) *flawed{
		"Now": func(s journal.Store) *flawed {
			return &flawed{now: func(ctx context.Context) (time.Time, error) { return s.Now(alive(ctx)) }}
		},
		"Write": func(s journal.Store) *flawed {
			return &flawed{write: func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
				if len(all) == 40 {
					return s.Write(ctx, all)
				}
				return s.Write(alive(ctx), all)
			}}
		},
		"Write, and tells": func(s journal.Store) *flawed {
			return &flawed{write: func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
				results, err := s.Write(alive(ctx), all)
				if len(all) == 40 {
					err = nil
				}
				return results, cmp.Or(err, ctx.Err())
			}}
		},
		"Write of nothing": func(s journal.Store) *flawed {
			return &flawed{write: func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
				if len(all) == 0 {
					return nil, nil
				}
				return s.Write(ctx, all)
			}}
		},
		"Claim": func(s journal.Store) *flawed {
			return &flawed{claim: func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) { return s.Claim(alive(ctx), c) }}
		},
		"Get": func(s journal.Store) *flawed {
			return &flawed{get: func(ctx context.Context, id journal.ID) (journal.Entry, error) { return s.Get(alive(ctx), id) }}
		},
		"Entries": func(s journal.Store) *flawed {
			return &flawed{entries: func(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
				return s.Entries(alive(ctx), f)
			}}
		},
		"Events": func(s journal.Store) *flawed {
			return &flawed{events: func(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
				return s.Events(alive(ctx), f)
			}}
		},
		"Stats": func(s journal.Store) *flawed {
			return &flawed{stats: func(ctx context.Context) (journal.Stats, error) { return s.Stats(alive(ctx)) }}
		},
		"Accounts": func(s journal.Store) *flawed {
			return &flawed{accounts: func(ctx context.Context) ([]journal.Account, error) { return s.Accounts(alive(ctx)) }}
		},
		"AddAccount": func(s journal.Store) *flawed {
			return &flawed{add: func(ctx context.Context, a journal.Account, first bool) error {
				return s.AddAccount(alive(ctx), a, first)
			}}
		},
		"RenameAccount": func(s journal.Store) *flawed {
			return &flawed{rename: func(ctx context.Context, provider, from, to string) error {
				return s.RenameAccount(alive(ctx), provider, from, to)
			}}
		},
	} {
		all["ignores the context of "+method] = flaw{
			spoil: func(s journal.Store) journal.Store {
				f := spoil(s)
				f.Store = s
				return f
			},
			caught: []string{"context over"},
		}
	}
	return all
}
