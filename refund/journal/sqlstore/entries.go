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

// openStates is the condition of the index refund_journal_open, to the letter: a database uses a partial index only for a
// query that has the condition of the index.
const openStates = "state IN ('" + string(journal.StateSending) + "', '" + string(journal.StateUnknown) + "', '" +
	string(journal.StateNeedsReview) + "')"

// Entries implements journal.Store. It reads page by page, so that no connection is held while the caller works.
func (s *Store) Entries(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
	return func(yield func(journal.Entry, error) bool) {
		// Entries without Due come first. They have an index of their own.
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
	query, args := s.selection(f, due, last)
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

// selection returns the query for the page after last, of the entries with Due or of those without.
func (s *Store) selection(f *journal.Filter, due bool, last *journal.Entry) (query string, args []any) {
	var where []string
	and := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	order := "created, provider, account, key"
	open := len(f.States) > 0 && !slices.ContainsFunc(f.States, func(state journal.State) bool { return !state.Open() })
	switch {
	case due:
		order = "due, " + order
		and("due IS NOT NULL")
	case open:
		// Not "due IS NULL": SQLite would then walk all finished entries in the order wanted, instead of sorting the few
		// open ones.
		and("NOT (due IS NOT NULL)")
	default:
		and("due IS NULL")
	}
	if open {
		and(openStates)
	}
	if !f.DueBy.IsZero() {
		and("due <= ?", s.dialect.Time(f.DueBy))
	}
	switch {
	case f.Provider == "":
	case open || f.OrderKey != "":
		and("provider = ? AND account = ?", f.Provider, f.Account)
	default:
		// Not as above: SQLite would then look the account up in the primary key, and read and sort all of it for each page.
		and("NOT (provider <> ? OR account <> ?)", f.Provider, f.Account)
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
		and("created < ?", s.dialect.Time(f.Before))
	}
	if last != nil {
		after := []any{s.dialect.Time(last.Created), last.Provider, last.Account, last.Key}
		if due {
			after = append([]any{s.dialect.Time(last.Due)}, after...)
		}
		and("("+order+") > ("+placeholders(order)+")", after...)
	}
	return s.dialect.Bind(fmt.Sprintf("SELECT %s FROM refund_journal WHERE %s ORDER BY %s LIMIT %d",
		allColumns, strings.Join(where, " AND "), order, pageSize)), args
}
