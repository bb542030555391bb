package sqlstore

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/row"
)

// Events implements journal.Store.
func (s *Store) Events(ctx context.Context, f journal.EventFilter) iter.Seq2[journal.Event, error] {
	return func(yield func(journal.Event, error) bool) {
		after := f.After
		for {
			query, args, err := s.eventSelection(&f, after)
			var page []journal.Event
			if err == nil {
				err = s.db.Query(ctx, query, args, into(&page, s.scanEvent))
			}
			if err != nil {
				yield(journal.Event{}, wrap("events", err))
				return
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			after = page[len(page)-1].Cursor
		}
	}
}

// eventSelection returns the query for the page after a cursor.
func (s *Store) eventSelection(f *journal.EventFilter, after string) (query string, args []any, err error) {
	d := s.db.Dialect()
	order := row.With("v.", d.EventOrder)
	var c conditions
	if f.ID != (journal.ID{}) {
		// All of it is shown: the changes of one entry follow one another.
		c.and("e.provider = ? AND e.account = ? AND e.key = ?", f.ID.Provider, f.ID.Account, f.ID.Key)
	} else if d.EventShown != "" {
		c.and(d.EventShown)
	}
	if after != "" {
		place, err := parseCursor(after, len(row.Columns(order)))
		if err != nil {
			return "", nil, err
		}
		c.and("("+order+") > (?"+strings.Repeat(", ?", len(place)-1)+")", place...)
	}
	return fmt.Sprintf("SELECT %s, e.provider, e.account, e.key, %s FROM refund_events v JOIN refund_entries e ON e.id = v.entry"+
		" WHERE %s ORDER BY %s LIMIT %d", order, row.With("v.", row.Event), &c, order, pageSize), c.args, nil
}

func (s *Store) scanEvent(scan func(dest ...any) error) (journal.Event, error) {
	place := make([]int64, len(row.Columns(s.db.Dialect().EventOrder)))
	dest := make([]any, len(place))
	for i := range place {
		dest[i] = &place[i]
	}
	e, err := row.ScanEvent(scan, dest...)
	numbers := make([]string, len(place))
	for i, n := range place {
		numbers[i] = strconv.FormatInt(n, 10)
	}
	e.Cursor = strings.Join(numbers, "-")
	return e, err
}

// parseCursor returns the n numbers of a cursor.
func parseCursor(cursor string, n int) ([]any, error) {
	numbers := strings.Split(cursor, "-")
	place := make([]any, len(numbers))
	for i, text := range numbers {
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil || len(numbers) != n {
			return nil, fmt.Errorf("%q is no cursor of this store", cursor)
		}
		place[i] = number
	}
	return place, nil
}
