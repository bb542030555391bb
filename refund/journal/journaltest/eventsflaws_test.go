package journaltest

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund/journal"
)

// reading changes what Events yields, before After is looked at.
func reading(change func(journal.EventFilter, []journal.Event) []journal.Event) spoiler {
	return func(s journal.Store) journal.Store {
		return &flawed{Store: s, events: func(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
			return func(yield func(journal.Event, error) bool) {
				var found []journal.Event
				for event, err := range s.Events(ctx, journal.EventFilter{}) {
					if err != nil {
						yield(event, err)
						return
					}
					found = append(found, event)
				}
				yieldAll(ctx, change(f, found), yield)
			}
		}}
	}
}

func yieldAll[T any](ctx context.Context, all []T, yield func(T, error) bool) {
	for _, v := range all {
		if !yield(v, ctx.Err()) {
			return
		}
		if ctx.Err() != nil {
			yield(v, ctx.Err())
			return
		}
	}
}

// by is what EventFilter's documentation says.
func by(f journal.EventFilter, found []journal.Event) []journal.Event {
	if i := slices.IndexFunc(found, func(event journal.Event) bool { return event.Cursor == f.After }); i >= 0 {
		found = found[i+1:]
	}
	return slices.DeleteFunc(slices.Clone(found), func(event journal.Event) bool { return f.ID != (journal.ID{}) && event.ID() != f.ID })
}

// haunted has more events than there are.
type haunted struct {
	flawed
	mu    sync.Mutex
	extra []journal.Event
}

func haunt(s journal.Store) *haunted {
	h := &haunted{flawed: flawed{Store: s}}
	h.events = func(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
		return func(yield func(journal.Event, error) bool) {
			for event, err := range s.Events(ctx, f) {
				if !yield(event, err) || err != nil {
					return
				}
			}
			h.mu.Lock()
			extra := by(journal.EventFilter{ID: f.ID}, h.extra)
			h.mu.Unlock()
			for _, event := range extra {
				if !yield(event, ctx.Err()) || ctx.Err() != nil {
					return
				}
			}
		}
	}
	return h
}

func (h *haunted) tell(event journal.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	event.Cursor = "extra-" + strconv.Itoa(len(h.extra))
	h.extra = append(h.extra, event)
}

func eventFlaws() map[string]flaw {
	return map[string]flaw{
		"forgets who decided": {
			spoil: telling(func(e *journal.Event) {
				if len(e.By) < 20 {
					e.By = ""
				}
			}),
			caught:  []string{"event with every field"},
			perhaps: []string{"text of every kind"},
		},
		"fills a column of the history from the next": {
			spoil: telling(func(e *journal.Event) {
				if e.From == "" && e.Note == "" && e.Attention == "" && e.At.Equal(noon()) && e.RefundID == "" && e.By == "" {
					e.From = e.To
				}
			}),
			caught: []string{"event with every field", "times to the microsecond"},
		},
		"believes what an event says of its entry": {
			spoil: func(s journal.Store) journal.Store {
				var raw sync.Map
				lie := reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
					found = by(f, found)
					for i := range found {
						if said, ok := raw.Load(found[i].Note); ok && found[i].Note != "" {
							found[i].Version = said.(journal.Event).Version
						}
					}
					return found
				})(s).(*flawed)
				lie.write = func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
					for _, c := range all {
						if c.Event != nil && c.Event.By != "" {
							raw.Store(c.Event.Note, *c.Event)
						}
					}
					return s.Write(ctx, all)
				}
				return lie
			},
			caught: []string{"event with every field"},
		},
		"has events without a cursor": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				found = by(f, found)
				for i := range found {
					if found[i].By != "" {
						found[i].Cursor = ""
					}
				}
				return found
			}),
			caught: []string{"event with every field", "text of every kind"},
		},
		"has events of what was refused": {
			spoil: func(s journal.Store) journal.Store {
				h := haunt(s)
				h.write = func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
					results, err := s.Write(ctx, all)
					for i := range results {
						if errors.Is(results[i].Err, journal.ErrStale) && all[i].Event != nil {
							h.tell(*all[i].Event)
						}
					}
					return results, err
				}
				return h
			},
			caught: []string{"events of what was made"},
		},
		"has one event for a Write": {
			spoil: writing(func(ctx context.Context, s journal.Store, all []journal.Change) ([]journal.Result, error) {
				told := false
				for i := range all {
					if told && len(all) == 7 {
						all[i].Event = nil
					}
					told = told || all[i].Event != nil
				}
				return s.Write(ctx, all)
			}),
			caught: []string{"events of what was made"},
		},
		"has events of nothing": {
			spoil: func(s journal.Store) journal.Store {
				h := haunt(s)
				h.write = func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
					if ctx.Err() != nil && len(all) > 0 && all[0].Event != nil && len(all) == 1 {
						h.tell(*all[0].Event)
					}
					return s.Write(ctx, all)
				}
				return h
			},
			caught: []string{"context over"},
		},
		"sorts events by their time": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				slices.SortStableFunc(found, func(a, b journal.Event) int { return a.At.Compare(b.At) })
				return by(f, found)
			}),
			caught: []string{"events in order", "event with every field"},
		},
		"sorts cursors as text": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				slices.SortStableFunc(found, func(a, b journal.Event) int { return cmp.Compare(a.Cursor, b.Cursor) })
				return by(f, found)
			}),
			caught: []string{"events in order", "event with every field", "events by entry", "events from cursor to cursor"},
		},
		"sorts events by key": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				slices.SortStableFunc(found, func(a, b journal.Event) int { return compareIDs(a.ID(), b.ID()) })
				return by(f, found)
			}),
			caught: []string{"events in order", "events by entry", "events from cursor to cursor", "rename an account"},
		},
		"comes to the newest first": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				found = by(f, found)
				if f.ID != (journal.ID{}) {
					slices.Reverse(found)
				}
				return found
			}),
			caught: []string{"events by entry", "event with every field"},
		},
		"begins with the cursor itself": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				i := slices.IndexFunc(found, func(event journal.Event) bool { return event.Cursor == f.After })
				return by(journal.EventFilter{ID: f.ID}, found[max(i, 0):])
			}),
			caught: []string{"events in order", "events by entry", "many events", "events from cursor to cursor"},
		},
		"ignores the cursor of one entry": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				if f.ID != (journal.ID{}) {
					f.After = ""
				}
				return by(f, found)
			}),
			caught: []string{"events by entry"},
		},
		"knows no cursor of another entry": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				return by(journal.EventFilter{After: f.After}, by(journal.EventFilter{ID: f.ID}, found))
			}),
			caught: []string{"events by entry"},
		},
		"tells the history of all accounts": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				found = by(journal.EventFilter{After: f.After}, found)
				return slices.DeleteFunc(found, func(event journal.Event) bool {
					return f.ID != (journal.ID{}) && (event.Provider != f.ID.Provider || event.Key != f.ID.Key)
				})
			}),
			caught: []string{"events by entry", "rename an account"},
		},
		"tells the history of all for half an ID": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				if f.ID.Key == "" {
					f.ID = journal.ID{}
				}
				return by(f, found)
			}),
			caught: []string{"events by entry"},
		},
		"reads one page of events": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				found = by(f, found)
				return found[:min(len(found), 1000)]
			}),
			caught:  []string{"many events"},
			perhaps: []string{"all or nothing"},
		},
		"loses an event between pages": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				if found = by(f, found); len(found) > 1001 {
					found = slices.Delete(found, 1000, 1001)
				}
				return found
			}),
			caught:  []string{"many events"},
			perhaps: []string{"all or nothing"},
		},
		"has an event twice between pages": {
			spoil: reading(func(f journal.EventFilter, found []journal.Event) []journal.Event {
				if found = by(f, found); len(found) > 1001 {
					found = slices.Insert(found, 1000, found[999])
				}
				return found
			}),
			caught:  []string{"many events"},
			perhaps: []string{"all or nothing"},
		},
		"has a cursor for a Write": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, events: func(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
					return func(yield func(journal.Event, error) bool) {
						for event, err := range s.Events(ctx, f) {
							if n, err := strconv.Atoi(event.Cursor); err == nil && n > 400 {
								event.Cursor = strconv.Itoa(n / 400 * 400)
							}
							if !yield(event, err) {
								return
							}
						}
					}
				}}
			},
			caught:  []string{"many events"},
			perhaps: []string{"all or nothing", "events from cursor to cursor"},
		},
		"numbers events before they are in sight": {
			spoil: func(s journal.Store) journal.Store {
				var mu sync.Mutex
				hidden, writes := map[string]bool{}, 0
				show := func(all []journal.Change, shown bool) {
					mu.Lock()
					defer mu.Unlock()
					for _, c := range all {
						if hidden[c.Entry.ID().String()] = true; shown {
							delete(hidden, c.Entry.ID().String())
						}
					}
				}
				return &flawed{
					Store: s,
					write: func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
						mu.Lock()
						writes++
						slow := writes%3 == 0 && len(all) == 3
						mu.Unlock()
						if slow {
							show(all, false)
							defer show(all, true)
							defer func() { <-time.After(2 * time.Millisecond) }()
						}
						return s.Write(ctx, all)
					},
					events: func(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
						return func(yield func(journal.Event, error) bool) {
							for event, err := range s.Events(ctx, f) {
								mu.Lock()
								skip := hidden[event.ID().String()]
								mu.Unlock()
								if !skip && !yield(event, err) {
									return
								}
							}
						}
					},
				}
			},
			caught: []string{"events from cursor to cursor"},
		},
		"goes on with events after an error": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, events: func(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
					return func(yield func(journal.Event, error) bool) {
						for event, err := range s.Events(ctx, f) {
							if !yield(event, cmp.Or(err, ctx.Err())) {
								return
							}
						}
					}
				}}
			},
			caught: []string{"context over while ranging over events"},
		},
		"ends events without an error": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, events: func(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
					return func(yield func(journal.Event, error) bool) {
						for event, err := range s.Events(ctx, f) {
							if !yield(event, err) || ctx.Err() != nil {
								return
							}
						}
					}
				}}
			},
			caught: []string{"context over while ranging over events"},
		},
		"holds a lock while events are read": {
			spoil: func(s journal.Store) journal.Store {
				var mu sync.Mutex
				return &flawed{
					Store: s,
					write: func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
						mu.Lock()
						defer mu.Unlock()
						return s.Write(ctx, all)
					},
					events: func(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
						return func(yield func(journal.Event, error) bool) {
							mu.Lock()
							defer mu.Unlock()
							s.Events(ctx, f)(yield)
						}
					},
				}
			},
			caught: []string{"work while ranging over events"},
		},
		"keeps its lock after a break of events": {
			spoil: func(s journal.Store) journal.Store {
				var mu sync.RWMutex
				return &flawed{
					Store: s,
					write: func(ctx context.Context, all []journal.Change) ([]journal.Result, error) {
						mu.Lock()
						defer mu.Unlock()
						return s.Write(ctx, all)
					},
					events: func(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
						return func(yield func(journal.Event, error) bool) {
							var found []journal.Event
							for event, err := range s.Events(ctx, f) {
								if err != nil {
									yield(event, err)
									return
								}
								found = append(found, event)
							}
							if len(found) > 0 {
								mu.RLock()
							}
							for i := range found {
								if i == len(found)-1 {
									mu.RUnlock()
								}
								if !yield(found[i], nil) {
									return
								}
							}
						}
					},
				}
			},
			caught:  []string{"events again after a break", "work while ranging over events"},
			perhaps: []string{"context over while ranging over events"},
		},
		"lists events once": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, events: func(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
					used := 0
					return func(yield func(journal.Event, error) bool) {
						if used++; used <= 100 {
							s.Events(ctx, f)(yield)
						}
					}
				}}
			},
			caught: []string{"events again after a break"},
		},
		"goes on where it was left": {
			spoil: func(s journal.Store) journal.Store {
				return &flawed{Store: s, events: func(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
					return func(yield func(journal.Event, error) bool) {
						for event, err := range s.Events(ctx, f) {
							f.After = event.Cursor
							if !yield(event, err) {
								return
							}
						}
					}
				}}
			},
			caught: []string{"events again after a break"},
		},
	}
}
