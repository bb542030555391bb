package journaltest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund/journal"
)

// due makes a new entry that has been due since then.
func (e *env) due(since time.Time) journal.Entry {
	return e.with(func(entry *journal.Entry) { entry.Due = since })
}

func claim(limit int) journal.Claim {
	return journal.Claim{Provider: "toy", Owner: "claimer", Lease: time.Hour, Limit: limit}
}

// claim claims what is due.
func (e *env) claim(c journal.Claim) []journal.Entry {
	e.Helper()
	claimed, err := e.Claim(context.Background(), c)
	e.is("Claim", err, nil)
	return claimed
}

// claimed checks what was claimed, which is otherwise what was there before.
func (e *env) claimed(what string, got, before []journal.Entry) {
	e.Helper()
	if len(got) != len(before) {
		e.Errorf("%s: got %d entries, expected were %d", what, len(got), len(before))
		return
	}
	for i := range before {
		want := before[i]
		want.Version++
		want.Owner, want.Lease, want.Updated = got[i].Owner, got[i].Lease, got[i].Updated // caseClaim and caseClaimLease look at them
		if want.Lease.IsZero() {
			e.Errorf("%s: entry %d has no lease", what, i)
		}
		if want.LastSent.Before(before[i].Lease) {
			want.LastSent = before[i].Lease
		}
		if d := difference(want, got[i]); d != "" {
			e.Errorf("%s: entry %d: %s", what, i, d)
			continue
		}
		e.stored(what, got[i])
	}
}

func caseNow(e *env) {
	first := e.now()
	last := first
	moved := e.eventually(func() bool {
		now := e.now()
		if now.Before(last) {
			e.Errorf("the clock has gone from %v back to %v", last, now)
		}
		last = now
		return now.Sub(first) >= 2*time.Millisecond
	})
	if !moved {
		e.Errorf("the clock stands still at %v", first)
	}
}

// caseClaim: a claimed entry is as it was, but for Owner, Lease and Version.
func caseClaim(e *env) {
	now := e.now()
	before := []journal.Entry{e.full(), e.full(), e.due(now.Add(-time.Minute))}
	for i := range before[:2] {
		before[i].Provider, before[i].Account, before[i].State = "toy", "", states()[i*6]
		before[i].Due, before[i].Lease = now.Add(time.Duration(i-4)*time.Minute), time.Time{}
	}
	e.put(before...)
	got := e.claim(claim(10))
	e.claimed("Claim", got, before)
	for i := range got {
		if got[i].Owner != "claimer" {
			e.Errorf("Claim: the owner is %q", got[i].Owner)
		}
	}
	other := e.locking("")
	other.Order = before[0].Order
	if len(got) == len(before) {
		e.refused("an order whose entry is claimed", other, journal.ErrOrderBusy, &got[0])
		e.put(next(got[0], unlock)) // who has a claim goes on from it
	}
	e.told("Claim has no event", journal.EventFilter{}, e.writeAll(e.tell(e.entry())))
}

// caseClaimDue: only what is due, not leased, and of that account, the earliest first.
func caseClaimDue(e *env) {
	now := e.now()
	if got := e.claim(claim(10)); len(got) != 0 {
		e.Errorf("Claim has found %d entries in an empty store", len(got))
	}
	want := []journal.Entry{
		e.due(time.Unix(-1, 0)),
		e.due(now.Add(-3 * time.Hour)),
		e.due(now.Add(-3*time.Hour + time.Microsecond)),
		e.due(now.Add(-2 * time.Hour)), // after a lease
		e.due(now.Add(-time.Hour)),
		e.due(now.Add(-time.Millisecond)),
	}
	want[3].Lease = now.Add(-time.Minute)
	leased, elsewhere, other := e.due(now.Add(-time.Hour)), e.due(now.Add(-time.Hour)), e.due(now.Add(-time.Hour))
	leased.Lease, elsewhere.Account, other.Provider = now.Add(time.Hour), "other", "other"
	left := []journal.Entry{e.due(now.Add(time.Hour)), e.entry(), leased, elsewhere, other}
	for i := range left {
		e.put(left[i])
	}
	for i := range want { // neither in order nor in reverse
		e.put(want[(i*5+2)%len(want)])
	}
	e.claimed("what is due", e.claim(claim(100)), want)
	for i := range left {
		e.stored("after Claim of others", left[i])
	}
	c := claim(100)
	c.Account = "other"
	e.claimed("what is due at another account", e.claim(c), []journal.Entry{elsewhere})
	c.Provider, c.Account = "other", ""
	e.claimed("what is due at another provider", e.claim(c), []journal.Entry{other})
	if got := e.claim(claim(100)); len(got) != 0 {
		e.Errorf("%d entries were claimed twice", len(got))
	}
}

func caseClaimLimit(e *env) {
	now := e.now()
	var want []journal.Entry
	for i := range 7 {
		want = append(want, e.due(now.Add(time.Duration(i-10)*time.Minute)))
	}
	e.put(want...)
	e.claimed("Claim of none", e.claim(claim(0)), nil)
	e.claimed("Claim of the first", e.claim(claim(2)), want[:2])
	e.claimed("Claim of the next", e.claim(claim(4)), want[2:6])
	e.claimed("Claim of the rest", e.claim(claim(4)), want[6:])
}

func caseClaimOverdue(e *env) {
	now := e.now()
	want := []journal.Entry{e.due(now.Add(-3 * time.Hour)), e.due(now.Add(-2 * time.Hour)), e.due(now.Add(-time.Hour))}
	e.put(want...)
	c := claim(10)
	c.Overdue = 4 * time.Hour
	e.claimed("overdue for 4 hours", e.claim(c), nil)
	c.Overdue = 2*time.Hour - time.Minute
	e.claimed("overdue for 2 hours", e.claim(c), want[:2])
	c.Overdue = 0
	e.claimed("due", e.claim(c), want[2:])
}

// caseClaimLease: a lease is as long as was asked, by the clock that Now has.
func caseClaimLease(e *env) {
	for _, lease := range []time.Duration{time.Minute, 90 * time.Minute, 1500 * time.Millisecond} {
		entry := e.due(e.now().Add(-time.Minute))
		e.put(entry)
		c := claim(1)
		c.Lease = lease
		from := e.now().Add(lease - time.Microsecond)
		got := e.claim(c)
		to := e.now().Add(lease + time.Microsecond)
		if len(got) != 1 {
			e.Errorf("Claim has found %d entries, expected was one", len(got))
			return
		}
		if got[0].Lease.Before(from) || got[0].Lease.After(to) {
			e.Errorf("a lease of %v ends at %v, expected was between %v and %v", lease, got[0].Lease, from, to)
		}
		if u := got[0].Updated; !u.Equal(noon()) && (u.Before(from.Add(-lease)) || u.After(to.Add(-lease))) {
			e.Errorf("a claimed entry was changed at %v", u)
		}
	}
}

// caseClaimLastSent: a lease that ended without a word may have been used to its end.
func caseClaimLastSent(e *env) {
	now := e.now()
	var want []journal.Entry
	for i, times := range [][2]time.Duration{ // before now: the end of the lease, and the last sending; 0 for none
		{0, 0},
		{0, time.Hour},
		{time.Minute, 0},
		{time.Minute, time.Hour},
		{time.Hour, time.Minute}, // a provider may have said so
		{time.Hour, time.Hour},
	} {
		entry := e.due(now.Add(time.Duration(i-10) * time.Hour))
		if times[0] != 0 {
			entry.Lease = now.Add(-times[0])
		}
		if times[1] != 0 {
			entry.LastSent = now.Add(-times[1])
		}
		want = append(want, entry)
	}
	e.put(want...)
	e.claimed("Claim after a lease", e.claim(claim(10)), want)
}

// caseClaimAgain: who has a lease has the entry, until it is over or he says so.
func caseClaimAgain(e *env) {
	held, entry := e.due(e.now().Add(-time.Hour)), e.due(e.now().Add(-time.Minute))
	e.put(held, entry)
	e.claimed("a long claim", e.claim(claim(1)), []journal.Entry{held})
	short := claim(10)
	short.Lease = 5 * time.Millisecond
	first := e.claim(short)
	e.claimed("a claim beside it", first, []journal.Entry{entry})
	if len(first) != 1 {
		return
	}
	if !e.eventually(func() bool { return e.now().After(first[0].Lease) }) {
		e.Errorf("the clock does not reach the end of the lease")
	}
	second := e.claim(claim(10))
	e.claimed("the claim after the lease", second, first)
	if len(second) != 1 {
		return
	}
	e.refused("the late word of the former owner", next(first[0], note("late")), journal.ErrStale, &second[0])
	e.stored("after the former owner", second[0])
	given := next(second[0], func(entry *journal.Entry) { entry.Lease = time.Time{} })
	e.put(given)
	e.claimed("the claim of what was given back", e.claim(claim(10)), []journal.Entry{given})
}

// caseClaimOnce: of many who claim at once, each gets entries of his own, and together they get all.
func caseClaimOnce(e *env) {
	const n, claimers = 300, 16
	now := e.now()
	var entries []journal.Entry
	for i := range n {
		entries = append(entries, e.due(now.Add(time.Duration(i-n)*time.Minute)))
	}
	e.put(entries...)
	var mu sync.Mutex
	claims := map[string]int{}
	parallel(claimers, func(worker int) {
		c := claim(1 + worker)
		c.Owner = fmt.Sprintf("claimer-%d", worker)
		e.eventually(func() bool {
			got := e.claim(c)
			mu.Lock()
			defer mu.Unlock()
			if len(got) > c.Limit {
				e.Errorf("got %d entries with a limit of %d", len(got), c.Limit)
			}
			for i := range got {
				claims[got[i].Key]++
				if got[i].Owner != c.Owner || got[i].Version != 2 {
					e.Errorf("%s got version %d of %s", c.Owner, got[i].Version, got[i].Owner)
				}
			}
			return len(claims) == n
		})
	})
	for key, times := range claims {
		if times != 1 {
			e.Errorf("%s was claimed %d times", key, times)
		}
	}
	if len(claims) != n {
		e.Errorf("%d of %d entries were claimed", len(claims), n)
	}
}
