package sqlstore

import (
	"database/sql"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/dialect"
)

// What the tests need to see. They are in package sqlstore_test, because they import packages postgres and sqlite.

const SchemaVersion = schemaVersion

// DB returns the database that the Store writes to.
func (s *Store) DB() *sql.DB { return s.write }

func (s *Store) Dialect() dialect.Dialect { return s.dialect }

func (s *Store) Selection(f *journal.Filter, due bool, last *journal.Entry) (query string, args []any) {
	return s.selection(f, due, last)
}

func (s *Store) GetQuery() string { return s.get.text }

func (s *Store) UpdateQuery(e *journal.Entry) (query string, args []any) {
	return s.update.text, append(s.changingValues(e), e.Provider, e.Account, e.Key, e.Version)
}
