package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/dialect"
)

// Store is a journal.Store in a database. Safe for concurrent use, in many processes on one database.
type Store struct {
	dialect dialect.Dialect
	write   *sql.DB
	read    *sql.DB // the same as write for PostgreSQL
	owned   bool

	insert, update, get statement
}

var _ journal.Store = (*Store)(nil)

// New is for packages postgres and sqlite: use their Open or New. If the Store owns its databases, Close closes them.
func New(d dialect.Dialect, write, read *sql.DB, owned bool) *Store {
	return &Store{
		dialect: d, write: write, read: read, owned: owned,
		insert: statement{db: write, text: d.Bind(
			"INSERT INTO refund_journal (" + allColumns + ") VALUES (" + placeholders(allColumns) + ") ON CONFLICT DO NOTHING",
		)},
		update: statement{db: write, text: d.Bind(
			"UPDATE refund_journal SET (" + changingColumns + ") = (" + placeholders(changingColumns) + ")" +
				" WHERE provider = ? AND account = ? AND key = ? AND version = ?",
		)},
		get: statement{db: read, text: d.Bind(
			"SELECT " + allColumns + " FROM refund_journal WHERE provider = ? AND account = ? AND key = ?",
		)},
	}
}

// Close releases the prepared statements, and closes the database if Open opened it.
func (s *Store) Close() error {
	errs := []error{s.insert.close(), s.update.close(), s.get.close()}
	if s.owned {
		errs = append(errs, s.write.Close(), s.read.Close()) // closing a database twice is no error
	}
	return errors.Join(errs...)
}

// Insert implements journal.Store. It is one statement, and a second one for the reason if the first inserts nothing.
func (s *Store) Insert(ctx context.Context, e journal.Entry) error {
	inserted, err := s.insert.changes(ctx, append(s.fixedValues(&e), s.changingValues(&e)...))
	switch {
	case err != nil:
		return fmt.Errorf("sqlstore: insert: %w", err)
	case inserted:
		return nil
	}
	// Nothing here deletes entries: if the ID was the reason, its entry is still there.
	switch _, err := s.Get(ctx, e.ID()); {
	case err == nil:
		return journal.ErrKeyExists
	case errors.Is(err, journal.ErrNoEntry):
		return journal.ErrOrderBusy
	default:
		return err
	}
}

// Update implements journal.Store. It is one statement.
func (s *Store) Update(ctx context.Context, e journal.Entry) error {
	if e.Version <= 1 {
		return journal.ErrStale
	}
	updated, err := s.update.changes(ctx, append(s.changingValues(&e), e.Provider, e.Account, e.Key, e.Version-1))
	switch {
	case err != nil && s.dialect.Duplicate(err): // of the order: the primary key does not change
		return journal.ErrOrderBusy
	case err != nil:
		return fmt.Errorf("sqlstore: update: %w", err)
	case !updated:
		return journal.ErrStale
	}
	return nil
}

// Get implements journal.Store.
func (s *Store) Get(ctx context.Context, id journal.ID) (journal.Entry, error) {
	stmt, err := s.get.prepared(ctx)
	if err != nil {
		return journal.Entry{}, fmt.Errorf("sqlstore: get: %w", err)
	}
	e, err := scan(stmt.QueryRowContext(ctx, id.Provider, id.Account, id.Key))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return journal.Entry{}, journal.ErrNoEntry
	case err != nil:
		return journal.Entry{}, fmt.Errorf("sqlstore: get: %w", err)
	}
	return e, nil
}

// statement is prepared when it is first used: before that, Migrate may have to make the table.
type statement struct {
	db   *sql.DB
	text string

	mu   sync.RWMutex
	stmt *sql.Stmt
}

func (s *statement) prepared(ctx context.Context) (*sql.Stmt, error) {
	s.mu.RLock()
	stmt := s.stmt
	s.mu.RUnlock()
	if stmt != nil {
		return stmt, nil
	}
	// Not under the lock: nobody must wait for another caller's context.
	stmt, err := s.db.PrepareContext(ctx, s.text)
	if err != nil {
		return nil, err //nolint:wrapcheck // callers wrap
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stmt != nil {
		return s.stmt, stmt.Close() //nolint:wrapcheck // callers wrap
	}
	s.stmt = stmt
	return stmt, nil
}

// changes executes the statement and reports whether it changed a row.
func (s *statement) changes(ctx context.Context, args []any) (bool, error) {
	stmt, err := s.prepared(ctx)
	if err != nil {
		return false, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return false, err //nolint:wrapcheck // callers wrap
	}
	n, err := result.RowsAffected()
	return n > 0, err //nolint:wrapcheck // callers wrap
}

func (s *statement) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stmt == nil {
		return nil
	}
	err := s.stmt.Close()
	s.stmt = nil
	return err //nolint:wrapcheck // callers join
}
