package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

var errDown = errors.New("the store is down")

// slow is a store whose commits take a second each.
type slow struct {
	Store

	mu     sync.Mutex
	groups [][]string // the keys of each commit
	before func(keys []string) error
	after  func(keys []string) error
}

func (s *slow) Write(ctx context.Context, changes []Change) ([]Result, error) {
	var keys []string
	for _, c := range changes {
		keys = append(keys, c.Entry.Key)
	}
	s.mu.Lock()
	s.groups = append(s.groups, keys)
	s.mu.Unlock()
	<-time.After(time.Second)
	if s.before != nil {
		if err := s.before(keys); err != nil {
			return nil, err
		}
	}
	results, err := s.Store.Write(ctx, changes)
	if err == nil && s.after != nil {
		err = s.after(keys)
	}
	return results, err
}

func inserting(key, order string) Change {
	req := &refund.Request{IdempotencyKey: key, Order: refund.Order{ID: order}, Amount: refund.MustParseMoney("10.00", "AUD")}
	return Change{Entry: fresh(ID{"fake", "", key}, req, owner(), noon(), noon().Add(time.Hour), StepSending)}
}

// all writes changes at once and returns what became of them.
func all(ctx context.Context, c *committer, changes ...Change) []error {
	errs := make([]error, len(changes))
	var wg sync.WaitGroup
	for i := range changes {
		wg.Go(func() { errs[i] = c.write(ctx, changes[i]).Err })
	}
	wg.Wait()
	return errs
}

func TestChangesShareACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: NewMemory()}
		c := newCommitter(s)
		var changes []Change
		for i := range 1300 {
			changes = append(changes, inserting(fmt.Sprint("k", i), fmt.Sprint("o", i)))
		}
		began := time.Now()
		for _, err := range all(t.Context(), c, changes...) {
			require.NoError(t, err)
		}
		var sizes []int
		for _, g := range s.groups {
			sizes = append(sizes, len(g))
		}
		assert.Equal(t, []int{1, maxGroup, maxGroup, 1300 - 1 - 2*maxGroup}, sizes, "the first waits for nobody, the rest goes together")
		assert.Equal(t, 4*time.Second, time.Since(began))
		assert.Equal(t, 1, c.free)
	})
}

// A key is in a commit once, and so is an order that is to be locked; the answers are those of one after the other.
func TestGroupsHaveNoConflicts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: NewMemory()}
		c := newCommitter(s)
		errs := all(t.Context(), c, inserting("first", "first"), inserting("a", "1"), inserting("a", "1"), inserting("b", "1"), inserting("c", "2"))
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
			}
		}
		assert.Equal(t, 3, made, "first, c, and one of those of order 1: %v", errs)
		for _, group := range s.groups {
			seen := map[string]bool{}
			for _, key := range group {
				order := map[string]string{"a": "1", "b": "1", "c": "2", "first": "first"}[key]
				assert.False(t, seen[order], "%v", s.groups)
				seen[order] = true
			}
		}
	})
}

// A caller who leaves while his change waits has not written it; once it is taken he hears what became of it.
func TestLeavingTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: NewMemory()}
		c := newCommitter(s)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		taken := make(chan error, 1)
		go func() { taken <- c.write(ctx, inserting("taken", "1")).Err }()
		synctest.Wait()
		err := c.write(ctx, inserting("waiting", "2")).Err
		var certain notWrittenError
		require.ErrorAs(t, err, &certain)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, <-taken, "it was on its way")
		_, err = s.Get(t.Context(), ID{"fake", "", "waiting"})
		require.ErrorIs(t, err, ErrNoEntry)
		require.NoError(t, c.write(t.Context(), inserting("next", "3")).Err)
	})
}

// A change that cannot be written keeps back no other, and a commit that did not say so is recognised.
func TestCommitsThatFail(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(s *slow, fail func([]string) error){
		"before": func(s *slow, fail func([]string) error) { s.before = fail },
		"after":  func(s *slow, fail func([]string) error) { s.after = fail },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &slow{Store: NewMemory()}
				broken(s, func(keys []string) error {
					if slices.Contains(keys, "k13") {
						return errDown
					}
					return nil
				})
				c := newCommitter(s)
				var changes []Change
				for i := range 40 {
					changes = append(changes, inserting(fmt.Sprint("k", i), fmt.Sprint("o", i)))
				}
				for i, err := range all(t.Context(), c, changes...) {
					if i == 13 {
						require.ErrorIs(t, err, errDown)
						continue
					}
					require.NoError(t, err, i)
				}
				s.before, s.after = nil, nil
				require.NoError(t, c.write(t.Context(), changes[13]).Err, "the same change again is the same change")
				require.ErrorIs(t, c.write(t.Context(), inserting("k13", "o13")).Err, ErrKeyExists, "another's is not")
			})
		})
	}
}

// A store that hangs is left after a while, and one that panics keeps nobody waiting behind it.
func TestCommitsThatHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCommitter(hanging{NewMemory()})
		began := time.Now()
		err := c.write(t.Context(), inserting("k", "1")).Err
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var certain notWrittenError
		assert.NotErrorAs(t, err, &certain, "it may have been written")
		assert.Equal(t, commitTimeout, time.Since(began))
		assert.Equal(t, 1, c.free)
	})
}

// A store that panics keeps nobody waiting behind it.
func TestCommitsThatPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: NewMemory()}
		s.before = func(keys []string) error {
			if len(keys) > 1 {
				panic("broken")
			}
			return nil
		}
		c := newCommitter(s)
		errs := make(chan error, 5)
		for i := range 5 {
			go func() {
				defer func() { _ = recover() }() //nolint:errcheck // the leader's
				errs <- c.write(t.Context(), inserting(fmt.Sprint("k", i), fmt.Sprint("o", i))).Err
			}()
		}
		<-time.After(time.Minute)
		synctest.Wait()
		close(errs)
		failed := 0
		for err := range errs {
			if err != nil {
				require.ErrorIs(t, err, errNoResult)
				failed++
			}
		}
		assert.Equal(t, 3, failed, "one went alone, and one led the others")
		assert.Equal(t, 1, c.free)
	})
}

type hanging struct{ Store }

func (hanging) Write(ctx context.Context, _ []Change) ([]Result, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hanging) Writers() int { return 0 } // is taken for one

// short is a Store that does not answer every change.
type short struct{ Store }

func (s short) Write(ctx context.Context, changes []Change) ([]Result, error) {
	results, err := s.Store.Write(ctx, changes)
	return results[1:], err
}

func TestStoreThatDoesNotAnswer(t *testing.T) {
	require.ErrorIs(t, newCommitter(short{NewMemory()}).write(t.Context(), inserting("k", "1")).Err, errNoResult)
}

// TestMine: an entry of my owner is what I have written, unless it is what I had written before that.
func TestMine(t *testing.T) {
	e := Entry{Key: "k", State: StateUnknown, Version: 3, Owner: "me"}
	for name, tt := range map[string]struct {
		change func(*Entry)
		mine   bool
	}{
		"mine":             {func(*Entry) {}, true},
		"another's":        {func(e *Entry) { e.Owner = "you" }, false},
		"an earlier one":   {func(e *Entry) { e.Version = 2 }, false},
		"a later one":      {func(e *Entry) { e.Version = 4 }, false},
		"the step before":  {func(e *Entry) { e.State, e.Step = StateSending, StepSending }, false},
		"of another state": {func(e *Entry) { e.State = StatePending }, false},
	} {
		for _, err := range []error{ErrKeyExists, ErrStale, ErrOrderBusy} {
			known := e
			tt.change(&known)
			got := mine(&e, Result{err, known})
			assert.Equal(t, tt.mine && !errors.Is(err, ErrOrderBusy), got.Err == nil, "%s, %v", name, err)
			if got.Err != nil {
				assert.Equal(t, Result{err, known}, got)
			}
		}
	}
}
