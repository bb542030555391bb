package journaltest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund/journal"
)

// asking changes what is claimed.
func asking(change func(*journal.Claim)) spoiler {
	return func(s journal.Store) journal.Store {
		return &flawed{Store: s, claim: func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
			change(&c)
			return s.Claim(ctx, c)
		}}
	}
}

// handing changes the order of what was claimed, and its number.
func handing(change func([]journal.Entry) []journal.Entry) spoiler {
	return func(s journal.Store) journal.Store {
		return &flawed{Store: s, claim: func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
			claimed, err := s.Claim(ctx, c)
			return change(claimed), err
		}}
	}
}

// claiming changes what a claim makes of an entry; Get has it then as well.
func claiming(change func(before, after *journal.Entry)) spoiler {
	return func(s journal.Store) journal.Store {
		var mu sync.Mutex
		changed := map[journal.ID]journal.Entry{}
		return &flawed{
			Store: s,
			claim: func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
				before := map[journal.ID]journal.Entry{}
				for _, e := range everything(ctx, s) {
					before[e.ID()] = e
				}
				claimed, err := s.Claim(ctx, c)
				mu.Lock()
				defer mu.Unlock()
				for i := range claimed {
					known := before[claimed[i].ID()]
					change(&known, &claimed[i])
					changed[known.ID()] = claimed[i]
				}
				return claimed, err
			},
			get: func(ctx context.Context, id journal.ID) (journal.Entry, error) {
				e, err := s.Get(ctx, id)
				mu.Lock()
				defer mu.Unlock()
				if c, ok := changed[id]; ok && c.Version == e.Version {
					return c, err
				}
				return e, err
			},
		}
	}
}

func claimFlaws() map[string]flaw {
	return map[string]flaw{
		"has a clock that stands still": {
			spoil: func(s journal.Store) journal.Store {
				start := time.Now()
				return &flawed{Store: s, now: func(ctx context.Context) (time.Time, error) { return start, ctx.Err() }}
			},
			caught:  []string{"clock", "claim until the lease is over"},
			perhaps: []string{"lease by the clock"},
		},
		"has a clock that goes back": {
			spoil: func(s journal.Store) journal.Store {
				n := 0
				return &flawed{Store: s, now: func(ctx context.Context) (time.Time, error) {
					now, err := s.Now(ctx)
					if n++; n%2 == 0 {
						now = now.Add(-time.Second)
					}
					return now, err
				}}
			},
			caught:  []string{"clock"},
			perhaps: []string{"lease by the clock", "claim until the lease is over"},
		},
		"has a clock of seconds": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, now: func(ctx context.Context) (time.Time, error) {
					now, err := s.Now(ctx)
					return now.Truncate(time.Second), err
				}}
			},
			caught:  []string{"lease by the clock"},
			perhaps: []string{"clock", "claim until the lease is over"},
		},
		"does not say who claimed": {
			spoil:  claiming(func(before, after *journal.Entry) { after.Owner = before.Owner }),
			caught: []string{"claimed entry", "many claim at once"},
		},
		"hands out what was there before": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, claim: func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
					before := map[journal.ID]journal.Entry{}
					for _, e := range everything(ctx, s) {
						before[e.ID()] = e
					}
					claimed, err := s.Claim(ctx, c)
					for i := range claimed {
						claimed[i] = before[claimed[i].ID()]
					}
					return claimed, err
				}}
			},
			caught: []string{
				"claimed entry", "claim what is due", "claim so many", "claim what is overdue", "lease by the clock", "claim after a lease without a word",
				"claim until the lease is over", "many claim at once", "rename an account",
			},
			perhaps: []string{"work while ranging over events", "work while ranging over entries"},
		},
		"counts a claim as a try": {
			spoil:  claiming(func(_, after *journal.Entry) { after.Checks++ }),
			caught: []string{"claimed entry", "claim what is due", "claim so many", "claim what is overdue", "claim after a lease without a word", "claim until the lease is over", "rename an account"},
		},
		"forgets the flags of what is claimed": {
			spoil:  claiming(func(_, after *journal.Entry) { after.Answered = false }),
			caught: []string{"claimed entry", "rename an account"},
		},
		"has events of claims": {
			spoil: func(s journal.Store) journal.Store {
				h := haunt(s)
				h.claim = func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
					claimed, err := s.Claim(ctx, c)
					for i := range claimed {
						h.tell(journal.Event{Provider: claimed[i].Provider, Key: claimed[i].Key})
					}
					return claimed, err
				}
				return h
			},
			caught: []string{"claimed entry"},
		},
		"claims only what is unfinished": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, claim: func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
					claimed, err := s.Claim(ctx, c)
					return slices.DeleteFunc(claimed, func(e journal.Entry) bool { return !slices.Contains(unfinished(), e.State) }), err
				}}
			},
			caught:  []string{"claimed entry"},
			perhaps: []string{"rename an account"},
		},
		"claims what is not due yet": {
			spoil:  asking(func(c *journal.Claim) { c.Overdue -= 2 * time.Hour }),
			caught: []string{"claim what is due", "claim what is overdue"},
		},
		"claims what is leased": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, claim: func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
					claimed, err := s.Claim(ctx, c)
					for _, e := range everything(ctx, s) {
						if len(claimed) < c.Limit && e.Provider == c.Provider && e.Account == c.Account && !e.Due.IsZero() && e.Lease.After(time.Now().Add(time.Minute)) && e.Owner != c.Owner {
							claimed = append(claimed, e)
						}
					}
					return claimed, err
				}}
			},
			caught:  []string{"claim what is due", "rename an account"},
			perhaps: []string{"many claim at once"},
		},
		"claims again what it has claimed": {
			spoil: func(s journal.Store) journal.Store {
				var last []journal.Entry
				return &flawed{Store: s, claim: func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
					claimed, err := s.Claim(ctx, c)
					if len(claimed) == 0 && c.Limit > 10 && c.Overdue == 0 {
						return last, err
					}
					last = claimed
					return claimed, err
				}}
			},
			caught: []string{"claim what is due"},
		},
		"claims for all accounts": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, claim: func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
					claimed, err := s.Claim(ctx, c)
					other := c
					if other.Account = "other"; c.Account == "" && err == nil {
						more, err := s.Claim(ctx, other)
						return append(claimed, more...), err
					}
					return claimed, err
				}}
			},
			caught: []string{"claim what is due"},
		},
		"claims in the order of the keys": {
			spoil: handing(func(claimed []journal.Entry) []journal.Entry {
				slices.SortFunc(claimed, func(a, b journal.Entry) int { return cmp.Compare(b.Key, a.Key) })
				return claimed
			}),
			caught: []string{"claim what is due", "claim so many", "claim what is overdue", "claim after a lease without a word", "claimed entry"},
		},
		"claims the latest first": {
			spoil:  handing(func(claimed []journal.Entry) []journal.Entry { slices.Reverse(claimed); return claimed }),
			caught: []string{"claim what is due", "claim so many", "claim what is overdue", "claim after a lease without a word", "claimed entry"},
		},
		"takes no limit for none": {
			spoil: asking(func(c *journal.Claim) {
				if c.Limit == 0 {
					c.Limit = 1000
				}
			}),
			caught: []string{"claim so many"},
		},
		"claims one more": {
			spoil:  asking(func(c *journal.Claim) { c.Limit++ }),
			caught: []string{"claim so many", "claim until the lease is over", "many claim at once"},
		},
		"claims one at a time": {
			spoil: asking(func(c *journal.Claim) {
				if c.Limit == 4 {
					c.Limit = 1
				}
			}),
			caught: []string{"claim so many"},
		},
		"does not wait until it is overdue": {
			spoil:  asking(func(c *journal.Claim) { c.Overdue = 0 }),
			caught: []string{"claim what is overdue"},
		},
		"leases from when it was due": {
			spoil:   claiming(func(_, after *journal.Entry) { after.Lease = after.Due.Add(time.Hour) }),
			caught:  []string{"lease by the clock", "claimed entry"},
			perhaps: []string{"claim until the lease is over"},
		},
		"leases by a clock of its own": {
			spoil:   claiming(func(_, after *journal.Entry) { after.Lease = after.Lease.Add(time.Second) }),
			caught:  []string{"lease by the clock", "claimed entry"},
			perhaps: []string{"claim until the lease is over"},
		},
		"leases for whole seconds": {
			spoil: asking(func(c *journal.Claim) {
				if c.Lease > time.Second {
					c.Lease = c.Lease.Truncate(time.Second)
				}
			}),
			caught: []string{"lease by the clock"},
		},
		"takes what is over for not sent": {
			spoil:  claiming(func(before, after *journal.Entry) { after.LastSent = before.LastSent }),
			caught: []string{"claim after a lease without a word", "claim what is due", "claim until the lease is over"},
		},
		"takes what was never leased for sent": {
			spoil: claiming(func(before, after *journal.Entry) {
				if before.Lease.IsZero() && before.LastSent.IsZero() && strings.HasPrefix(before.Order.ID, "order-1") && before.Due.Before(time.Now().Add(-5*time.Hour)) {
					after.LastSent = before.Due
				}
			}),
			caught:  []string{"claim after a lease without a word"},
			perhaps: []string{"claim what is due"},
		},
		"sends last when the lease was over": {
			spoil: claiming(func(before, after *journal.Entry) {
				if !before.Lease.IsZero() && !before.LastSent.IsZero() {
					after.LastSent = before.Lease
				}
			}),
			caught:  []string{"claim after a lease without a word"},
			perhaps: []string{"claim until the lease is over"},
		},
		"claims once for ever": {
			spoil: func(s journal.Store) journal.Store {
				var mu sync.Mutex
				gone := map[journal.ID]bool{}
				return &flawed{Store: s, claim: func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
					claimed, err := s.Claim(ctx, c)
					mu.Lock()
					defer mu.Unlock()
					return slices.DeleteFunc(claimed, func(e journal.Entry) bool {
						known := gone[e.ID()]
						gone[e.ID()] = true
						return known
					}), err
				}}
			},
			caught: []string{"claim until the lease is over"},
		},
		"lets the former owner speak": {
			spoil: answering(func(_ context.Context, _ journal.Store, c journal.Change, r *journal.Result) {
				if errors.Is(r.Err, journal.ErrStale) && c.Entry.Owner == r.Entry.Owner && c.Entry.Owner == "claimer" {
					*r = journal.Result{}
				}
			}),
			caught: []string{"claim until the lease is over"},
		},
		"gives the same to two": {
			spoil: func(s journal.Store) journal.Store {
				var mu sync.Mutex
				var last []journal.Entry
				return &flawed{Store: s, claim: func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
					first := mu.TryLock()
					if !first {
						mu.Lock() // and gets what the one before got
					}
					defer mu.Unlock()
					if !first && len(last) > 0 {
						shared := last
						last = nil
						for i := range shared {
							shared[i].Owner = c.Owner
						}
						return shared[:min(len(shared), c.Limit)], nil
					}
					<-time.After(100 * time.Microsecond)
					claimed, err := s.Claim(ctx, c)
					last = slices.Clone(claimed)
					return claimed, err
				}}
			},
			caught: []string{"many claim at once"},
		},
		"loses what two wanted": {
			spoil: func(s journal.Store) journal.Store {
				var mu sync.Mutex
				return &flawed{Store: s, claim: func(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
					claimed, err := s.Claim(ctx, c)
					if !mu.TryLock() {
						return nil, err
					}
					defer mu.Unlock()
					<-time.After(100 * time.Microsecond)
					return claimed, err
				}}
			},
			caught: []string{"many claim at once"},
		},
	}
}
