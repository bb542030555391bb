package sqlstore

import (
	"context"

	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/dialect"
)

// What the tests need to see. They are in package sqlstore_test, because they import packages postgres and sqlite.

// Record calls f with every query with which s reads from now on.
func (s *Store) Record(f func(query string, args []any)) { s.db = recorder{s.db, f} }

func (s *Store) SchemaVersion() int { return len(s.db.Dialect().Migrations) }

type recorder struct {
	dialect.Database
	record func(query string, args []any)
}

func (r recorder) Query(ctx context.Context, query string, args []any, each func(scan func(dest ...any) error) error) error {
	r.record(query, args)
	return r.Database.Query(ctx, query, args, each)
}
