package journaltest

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/multirefund/refund-go/refund/journal"
)

func TestMemory(t *testing.T) {
	RunStore(t, func(*testing.T) journal.Store { return journal.NewMemory() })
}

// A field that is added to Entry or Event is a field that a store has to keep.
func TestEveryFieldIsFilled(t *testing.T) {
	var entry journal.Entry
	var event journal.Event
	for i, f := range append(fields("Entry", reflect.ValueOf(&entry)), fields("Event", reflect.ValueOf(&event))...) {
		f.fill(i + 1)
		assert.False(t, f.value.IsZero(), f.name)
	}
	var empty func(name string, v reflect.Value)
	empty = func(name string, v reflect.Value) {
		assert.False(t, v.IsZero(), name)
		if v.Kind() == reflect.Struct && v.NumField() > 0 && v.Field(0).CanInterface() {
			for i := range v.NumField() {
				empty(name+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	}
	empty("Entry", reflect.ValueOf(entry))
	empty("Event", reflect.ValueOf(event))
}

// flawed is a store whose methods can be replaced.
type flawed struct {
	journal.Store
	now      func(context.Context) (time.Time, error)
	write    func(context.Context, []journal.Change) ([]journal.Result, error)
	claim    func(context.Context, journal.Claim) ([]journal.Entry, error)
	get      func(context.Context, journal.ID) (journal.Entry, error)
	entries  func(context.Context, journal.Filter) iter.Seq2[journal.Entry, error]
	events   func(context.Context, journal.EventFilter) iter.Seq2[journal.Event, error]
	stats    func(context.Context) (journal.Stats, error)
	accounts func(context.Context) ([]journal.Account, error)
	add      func(context.Context, journal.Account, bool) error
	rename   func(ctx context.Context, provider, from, to string) error
	writers  func() int
}

func (s *flawed) Now(ctx context.Context) (time.Time, error) {
	if s.now != nil {
		return s.now(ctx)
	}
	return s.Store.Now(ctx)
}

func (s *flawed) Write(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
	if s.write != nil {
		return s.write(ctx, all)
	}
	return s.Store.Write(ctx, all)
}

func (s *flawed) Claim(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
	if s.claim != nil {
		return s.claim(ctx, c)
	}
	return s.Store.Claim(ctx, c)
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

func (s *flawed) Events(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
	if s.events != nil {
		return s.events(ctx, f)
	}
	return s.Store.Events(ctx, f)
}

func (s *flawed) Stats(ctx context.Context) (journal.Stats, error) {
	if s.stats != nil {
		return s.stats(ctx)
	}
	return s.Store.Stats(ctx)
}

func (s *flawed) Accounts(ctx context.Context) ([]journal.Account, error) {
	if s.accounts != nil {
		return s.accounts(ctx)
	}
	return s.Store.Accounts(ctx)
}

func (s *flawed) AddAccount(ctx context.Context, a journal.Account, first bool) error {
	if s.add != nil {
		return s.add(ctx, a, first)
	}
	return s.Store.AddAccount(ctx, a, first)
}

func (s *flawed) RenameAccount(ctx context.Context, provider, from, to string) error {
	if s.rename != nil {
		return s.rename(ctx, provider, from, to)
	}
	return s.Store.RenameAccount(ctx, provider, from, to)
}

func (s *flawed) Writers() int {
	if s.writers != nil {
		return s.writers()
	}
	return s.Store.Writers()
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

// catches runs the case on a flawed store, and returns what it found. A case that does not end has found something.
func (c testCase) catches(f flaw) []string {
	var r recorder
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.run(&env{reporter: &r, Store: f.spoil(journal.NewMemory()), patience: 200 * time.Millisecond})
	}()
	select {
	case <-done:
		return r.found()
	case <-time.After(20 * time.Second):
		return []string{"it does not end"}
	}
}

// large are the cases that take long.
func large() []string {
	return []string{
		"a thousand changes", "all or nothing", "one of many takes an order with a change", "many events", "events from cursor to cursor",
		"many claim at once", "entries by filter", "many entries", "statistics of very many",
	}
}

// Every flaw is caught by the cases that it has, and by no others: what a failing case says is what is wrong.
func TestFlawsAreCaught(t *testing.T) {
	for name, f := range flaws() {
		for _, c := range append(slices.Clone(f.caught), f.perhaps...) {
			assert.True(t, slices.ContainsFunc(cases(), func(other testCase) bool { return other.name == c }), "no case is %q", c)
		}
		for _, c := range cases() {
			if slices.Contains(f.perhaps, c.name) || !slices.Contains(f.caught, c.name) && (testing.Short() || slices.Contains(large(), c.name)) {
				continue
			}
			t.Run(name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				if found := c.catches(f); slices.Contains(f.caught, c.name) {
					assert.NotEmpty(t, found)
				} else {
					assert.Empty(t, found)
				}
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
