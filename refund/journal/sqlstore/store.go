package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/dialect"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/row"
)

// Store is a journal.Store in a database. Safe for concurrent use, in many processes on one database.
type Store struct {
	db dialect.Database
}

var _ journal.Store = (*Store)(nil)

// New is for packages postgres and sqlite: use their Open or New.
func New(db dialect.Database) *Store { return &Store{db} }

// Close closes the database if Open opened it.
func (s *Store) Close() error { return wrap("close", s.db.Close()) }

// Now implements journal.Store.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	now, err := s.db.Now(ctx)
	return now, wrap("now", err)
}

// Write implements journal.Store.
func (s *Store) Write(ctx context.Context, changes []journal.Change) ([]journal.Result, error) {
	results, err := s.db.Write(ctx, changes)
	return results, wrap("write", err)
}

// Claim implements journal.Store. No database promises an order of what it has updated.
func (s *Store) Claim(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
	entries, err := s.db.Claim(ctx, c)
	slices.SortFunc(entries, func(a, b journal.Entry) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Key, b.Key)) })
	return entries, wrap("claim", err)
}

// Get implements journal.Store.
func (s *Store) Get(ctx context.Context, id journal.ID) (journal.Entry, error) {
	var found []journal.Entry
	err := s.db.Query(ctx, row.Get, []any{id.Provider, id.Account, id.Key}, into(&found, row.ScanEntry))
	switch {
	case err != nil:
		return journal.Entry{}, wrap("get", err)
	case len(found) == 0:
		return journal.Entry{}, journal.ErrNoEntry
	}
	return found[0], nil
}

// Writers implements journal.Store.
func (s *Store) Writers() int { return s.db.Writers() }

// into returns a function for Database.Query that appends every row to all.
func into[T any](all *[]T, read func(scan func(dest ...any) error) (T, error)) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		v, err := read(scan)
		*all = append(*all, v)
		return err
	}
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("sqlstore: %s: %w", what, err)
	}
	return nil
}
