package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/multirefund/refund-go/refund/journal"
)

// Store is a journal.Store in a database. Safe for concurrent use, in many processes on one database.
type Store struct {
	dialect dialect
	write   *sql.DB
	read    *sql.DB // SQLite has one writer and several readers; for PostgreSQL it is write
	owned   bool    // Close closes the databases

	insert, update, get statement
}

var _ journal.Store = (*Store)(nil)

func newStore(d dialect, write, read *sql.DB, owned bool) *Store {
	return &Store{
		dialect: d, write: write, read: read, owned: owned,
		insert: statement{db: write, text: d.bind(
			"INSERT INTO refund_journal (" + allColumns + ") VALUES (" + placeholders(allColumns) + ") ON CONFLICT DO NOTHING",
		)},
		update: statement{db: write, text: d.bind(
			"UPDATE refund_journal SET (" + changingColumns + ") = (" + placeholders(changingColumns) + ")" +
				" WHERE provider = ? AND key = ? AND version = ?",
		)},
		get: statement{db: read, text: d.bind(
			"SELECT " + allColumns + " FROM refund_journal WHERE provider = ? AND key = ?",
		)},
	}
}

// NewPostgreSQL makes a Store on a database that is open, and that Close leaves open. The driver's errors must have the
// method SQLState, as those of github.com/jackc/pgx/v5/stdlib do; transactions are expected to be READ COMMITTED, the
// default. No I/O.
func NewPostgreSQL(db *sql.DB) *Store { return newStore(postgreSQL(), db, db, false) }

// NewSQLite makes a Store on a database that is open, and that Close leaves open. It is for those who keep the journal
// with other tables; OpenSQLite sets up what is left to the caller here: PRAGMA journal_mode = WAL, synchronous = FULL
// and a busy_timeout on every connection. The driver's errors must have the method Code, as those of modernc.org/sqlite
// do. No I/O.
func NewSQLite(db *sql.DB) *Store { return newStore(sqlite(), db, db, false) }

// Close frees what the Store holds, and closes the database if the Store has opened it.
func (s *Store) Close() error {
	errs := []error{s.insert.close(), s.update.close(), s.get.close()}
	if s.owned {
		errs = append(errs, s.write.Close())
		if s.read != s.write {
			errs = append(errs, s.read.Close())
		}
	}
	return errors.Join(errs...)
}

// Insert implements journal.Store: one statement, and a second one to tell why if it inserts nothing.
func (s *Store) Insert(ctx context.Context, e journal.Entry) error {
	inserted, err := s.insert.changes(ctx, append(s.dialect.fixedValues(&e), s.dialect.changingValues(&e)...))
	switch {
	case err != nil:
		return fmt.Errorf("sqlstore: insert: %w", err)
	case inserted:
		return nil
	}
	// Entries are never deleted: the one with the key, if that was the reason, is still there.
	switch _, err := s.Get(ctx, e.Provider, e.Key); {
	case err == nil:
		return journal.ErrExists
	case errors.Is(err, journal.ErrNotFound):
		return journal.ErrOrderBusy
	default:
		return err
	}
}

// Update implements journal.Store: one statement.
func (s *Store) Update(ctx context.Context, e journal.Entry) error {
	if e.Version <= 1 {
		return journal.ErrConflict
	}
	updated, err := s.update.changes(ctx, append(s.dialect.changingValues(&e), e.Provider, e.Key, e.Version-1))
	switch {
	case err != nil && s.dialect.duplicate(err): // the primary key does not change, so it is the order
		return journal.ErrOrderBusy
	case err != nil:
		return fmt.Errorf("sqlstore: update: %w", err)
	case !updated:
		return journal.ErrConflict
	}
	return nil
}

// Get implements journal.Store.
func (s *Store) Get(ctx context.Context, provider, key string) (journal.Entry, error) {
	stmt, err := s.get.prepared(ctx)
	if err != nil {
		return journal.Entry{}, fmt.Errorf("sqlstore: get: %w", err)
	}
	e, err := scan(stmt.QueryRowContext(ctx, provider, key))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return journal.Entry{}, journal.ErrNotFound
	case err != nil:
		return journal.Entry{}, fmt.Errorf("sqlstore: get: %w", err)
	}
	return e, nil
}

// statement is prepared when it is first used, because Migrate may have to make its table.
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
	// Not under the lock, so that nobody waits for another's context.
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

// changes executes the statement and reports whether it has changed a row.
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
