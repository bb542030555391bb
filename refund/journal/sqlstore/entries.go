package sqlstore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/multirefund/refund-go/refund/journal"
)

// pageSize is how many entries are read at a time.
const pageSize = 500

// openStates is the condition of the index refund_journal_open, word for word: a database uses a partial index only if
// it sees the index's condition in the query.
const openStates = "state IN ('sending', 'unknown', 'needs review')"

// Entries implements journal.Store, page by page: no connection is held while the caller works. An entry whose Due
// changes meanwhile may be left out, or come as it was.
func (s *Store) Entries(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
	return func(yield func(journal.Entry, error) bool) {
		// Entries without Due come first. They are in an index of their own.
		for _, due := range []bool{false, true} {
			if !due && !f.DueBy.IsZero() {
				continue
			}
			var last *journal.Entry
			for {
				page, err := s.page(ctx, &f, due, last)
				if err != nil {
					yield(journal.Entry{}, fmt.Errorf("sqlstore: entries: %w", err))
					return
				}
				for i := range page {
					if !yield(page[i], nil) {
						return
					}
				}
				if len(page) < pageSize {
					break
				}
				last = &page[len(page)-1]
			}
		}
	}
}

func (s *Store) page(ctx context.Context, f *journal.Filter, due bool, last *journal.Entry) ([]journal.Entry, error) {
	query, args := s.dialect.selection(f, due, last)
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err //nolint:wrapcheck // Entries wraps
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var page []journal.Entry
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, err
		}
		page = append(page, e)
	}
	return page, rows.Err() //nolint:wrapcheck // Entries wraps
}

// selection is the query of the page after last, of the entries with or without Due.
func (d *dialect) selection(f *journal.Filter, due bool, last *journal.Entry) (query string, args []any) {
	var where []string
	and := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	order := "created, provider, key"
	open := len(f.States) > 0 && !slices.ContainsFunc(f.States, func(state journal.State) bool { return !state.Open() })
	switch {
	case due:
		order = "due, " + order
		and("due IS NOT NULL")
	case open:
		// Not "due IS NULL", by which SQLite would go for all the finished entries in the order that is asked for,
		// instead of sorting the few open ones.
		and("NOT (due IS NOT NULL)")
	default:
		and("due IS NULL")
	}
	if open {
		and(openStates)
	}
	if !f.DueBy.IsZero() {
		and("due <= ?", d.time(f.DueBy))
	}
	if f.Provider != "" {
		and("provider = ?", f.Provider)
	}
	if f.OrderKey != "" {
		and("order_key = ?", f.OrderKey)
	}
	if len(f.States) > 0 {
		states := make([]any, len(f.States))
		for i, state := range f.States {
			states[i] = string(state)
		}
		and("state IN ("+strings.Repeat("?, ", len(states)-1)+"?)", states...)
	}
	if !f.Before.IsZero() {
		and("created < ?", d.time(f.Before))
	}
	if last != nil {
		after := []any{d.time(last.Created), last.Provider, last.Key}
		if due {
			after = append([]any{d.time(last.Due)}, after...)
		}
		and("("+order+") > ("+placeholders(order)+")", after...)
	}
	return d.bind(fmt.Sprintf("SELECT %s FROM refund_journal WHERE %s ORDER BY %s LIMIT %d",
		allColumns, strings.Join(where, " AND "), order, pageSize)), args
}
