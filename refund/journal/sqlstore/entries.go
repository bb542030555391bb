package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/row"
)

const (
	// pageSize is how many rows are read at a time.
	pageSize = 500
	// leastPage is what pages shrink to if many streams are read at a time.
	leastPage = 20
)

// The conditions of partial indexes, to the letter: SQLite uses a partial index only for a query that has its condition.
const (
	unfinished = "state IN ('sending', 'unknown', 'needs_review', 'not_found', 'pending')"
	attention  = "attention <> ''"
)

// unfinishedStates are the states of the index refund_entries_unfinished.
func unfinishedStates() []journal.State {
	return []journal.State{
		journal.StateSending, journal.StateUnknown, journal.StateNeedsReview, journal.StateNotFound, journal.StatePending,
	}
}

// Entries implements journal.Store. It reads page by page, so that no connection is held while the caller works.
func (s *Store) Entries(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
	return func(yield func(journal.Entry, error) bool) {
		streams, err := s.streams(ctx, &f)
		if err != nil {
			yield(journal.Entry{}, err)
			return
		}
		for e, err := range merged(streams) {
			if !yield(e, wrap("entries", err)) {
				return
			}
		}
	}
}

// stream is what an index has in order: what a filter selects, or, of the unfinished entries and of those with attention,
// its part of one account and one state.
type stream struct {
	index             string // the condition of the partial index
	provider, account string
	state             journal.State
}

// streams returns the streams whose union is what f selects.
func (s *Store) streams(ctx context.Context, f *journal.Filter) ([]iter.Seq2[journal.Entry, error], error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, wrap("entries", err)
	}
	var streams []stream
	index := indexOf(f)
	switch {
	case index == "":
		streams = append(streams, stream{})
	case f.Provider != "":
		streams = append(streams, stream{index: index, provider: f.Provider, account: f.Account})
	default:
		for a, err := range s.accountsWith(ctx, index) {
			if err != nil {
				return nil, wrap("entries", err)
			}
			streams = append(streams, stream{index: index, provider: a.Provider, account: a.Name})
		}
	}
	if index == unfinished {
		var byState []stream
		for _, part := range streams {
			for _, state := range unfinishedStates() {
				if part.state = state; slices.Contains(f.States, state) {
					byState = append(byState, part)
				}
			}
		}
		streams = byState
	}
	all := make([]iter.Seq2[journal.Entry, error], len(streams))
	for i, part := range streams {
		all[i] = s.pages(ctx, f, part, max(pageSize/len(streams), leastPage))
	}
	return all, nil
}

// indexOf returns the condition of the partial index that has what f selects, or "".
func indexOf(f *journal.Filter) string {
	switch {
	case f.OrderKey != "":
		return ""
	case f.Attention:
		return attention
	case len(f.States) > 0 && !slices.ContainsFunc(f.States, func(state journal.State) bool { return !state.Unfinished() }):
		return unfinished
	}
	return ""
}

// pages reads a stream page by page.
func (s *Store) pages(ctx context.Context, f *journal.Filter, part stream, size int) iter.Seq2[journal.Entry, error] {
	return func(yield func(journal.Entry, error) bool) {
		var last *journal.Entry
		for {
			query, args := s.selection(f, part, last, size)
			var page []journal.Entry
			if err := s.db.Query(ctx, query, args, into(&page, row.ScanEntry)); err != nil {
				yield(journal.Entry{}, err)
				return
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if len(page) < size {
				return
			}
			last = &page[len(page)-1]
		}
	}
}

// conditions collects the conditions of a query, and its arguments.
type conditions struct {
	where []string
	args  []any
}

// and adds a condition, in which each question mark is one of values.
func (c *conditions) and(condition string, values ...any) {
	for _, v := range values {
		c.args = append(c.args, v)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(c.args)), 1)
	}
	c.where = append(c.where, condition)
}

func (c *conditions) String() string {
	if len(c.where) == 0 {
		return "true"
	}
	return strings.Join(c.where, " AND ")
}

// selection returns the query for the page of a stream after last.
func (s *Store) selection(f *journal.Filter, part stream, last *journal.Entry, size int) (query string, args []any) {
	var c conditions
	order := "created, provider, account, key"
	switch {
	case part.index != "":
		order = "created, key"
		c.and(part.index)
		c.and("provider = ? AND account = ?", part.provider, part.account)
	case f.OrderKey != "":
		c.and("provider = ? AND account = ? AND order_key = ?", f.Provider, f.Account, f.OrderKey)
	case f.Provider != "":
		// Not as above: SQLite would then look the account up in another index, and read and sort all of it for each page.
		c.and("NOT (provider <> ? OR account <> ?)", f.Provider, f.Account)
	}
	switch {
	case part.state != "":
		c.and("state = ?", string(part.state))
	case len(f.States) > 0:
		states := make([]any, len(f.States))
		for i, state := range f.States {
			states[i] = string(state)
		}
		c.and("state IN (?"+strings.Repeat(", ?", len(states)-1)+")", states...)
	}
	if f.Attention && part.index != attention {
		c.and(attention)
	}
	if !f.From.IsZero() && last == nil {
		c.and("created >= ?", s.db.Time(f.From))
	}
	if !f.Before.IsZero() {
		c.and("created < ?", s.db.Time(f.Before))
	}
	switch {
	case last != nil && part.index != "":
		c.and("(created, key) > (?, ?)", s.db.Time(last.Created), last.Key)
	case last != nil:
		c.and("(created, provider, account, key) > (?, ?, ?, ?)", s.db.Time(last.Created), last.Provider, last.Account, last.Key)
	}
	return fmt.Sprintf("SELECT %s FROM refund_entries WHERE %s ORDER BY %s LIMIT %d", row.Entry, &c, order, size), c.args
}

// merged returns what the streams have, in order. An entry that has moved from one to another meanwhile comes once.
func merged(streams []iter.Seq2[journal.Entry, error]) iter.Seq2[journal.Entry, error] {
	if len(streams) == 1 {
		return streams[0]
	}
	return func(yield func(journal.Entry, error) bool) {
		type head struct {
			entry journal.Entry
			next  func() (journal.Entry, error, bool)
		}
		var heads []head
		for _, stream := range streams {
			next, stop := iter.Pull2(stream)
			defer stop()
			heads = append(heads, head{next: next})
		}
		// advance reads the next entry of the stream at i, and reports whether to go on.
		advance := func(i int) (more, ok bool) {
			e, err, more := heads[i].next()
			if err != nil {
				yield(journal.Entry{}, err)
				return false, false
			}
			heads[i].entry = e
			return more, true
		}
		for i := 0; i < len(heads); {
			switch more, ok := advance(i); {
			case !ok:
				return
			case more:
				i++
			default:
				heads = slices.Delete(heads, i, i+1)
			}
		}
		var last journal.ID
		for len(heads) > 0 {
			first := 0
			for i := range heads {
				if compare(&heads[i].entry, &heads[first].entry) < 0 {
					first = i
				}
			}
			e := heads[first].entry
			if e.ID() != last && !yield(e, nil) {
				return
			}
			last = e.ID()
			switch more, ok := advance(first); {
			case !ok:
				return
			case !more:
				heads = slices.Delete(heads, first, first+1)
			}
		}
	}
}

// compare says which entry comes first.
func compare(a, b *journal.Entry) int {
	return cmp.Or(
		a.Created.Compare(b.Created), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Key, b.Key),
	)
}
