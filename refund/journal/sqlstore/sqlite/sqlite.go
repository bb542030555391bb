package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // registers "sqlite"

	"github.com/multirefund/refund-go/refund/journal/sqlstore"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/dialect"
)

//go:embed schema.sql
var schema string

const (
	// readers is how many connections a Store from Open reads with.
	readers = 4
	// busyTimeout is how long a process waits for another one to finish writing.
	busyTimeout = 30 * time.Second
)

// Result codes of SQLite. An extended code has its primary code in the low byte.
const (
	primaryCode      = 0xff
	codeBusy         = 5
	constraintUnique = 2067
)

// Open opens the file at path, and makes it if it is missing. Several processes of one machine may have it open; it must
// not be on a network file system. Every commit is flushed to the disk: WAL, synchronous = FULL. Call Migrate before
// anything else.
func Open(ctx context.Context, path string) (*sqlstore.Store, error) {
	write, read, err := open(ctx, path)
	if err != nil {
		return nil, err
	}
	return sqlstore.New(newDialect(), write, read, true), nil
}

// New makes a Store on an open database, which Close leaves open: for programs that keep the journal with tables of their
// own. Set what Open sets on every connection: PRAGMA journal_mode = WAL, synchronous = FULL and a busy_timeout. The
// driver's errors must have the method Code, as those of modernc.org/sqlite have. New does no I/O.
func New(db *sql.DB) *sqlstore.Store { return sqlstore.New(newDialect(), db, db, false) }

func newDialect() dialect.Dialect {
	return dialect.Dialect{
		Schema:     schema,
		Bind:       func(query string) string { return query },
		Time:       func(t time.Time) any { return t.UnixMicro() },
		Duplicate:  func(err error) bool { return code(err) == constraintUnique },
		Begin:      "BEGIN IMMEDIATE",
		Durability: "PRAGMA synchronous",
		Lossy:      []string{"0", "1"}, // OFF and NORMAL
	}
}

// open opens the file twice. SQLite has one writer at a time: within a process writers queue for one connection, in order
// and with their contexts, and only processes poll for one another.
func open(ctx context.Context, path string) (write, read *sql.DB, err error) {
	if path == "" || path == ":memory:" {
		return nil, nil, errors.New("sqlstore: SQLite needs a file; journal.NewMemory keeps entries in memory")
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("sqlstore: %w", err)
	}
	write, err = connect(path, 1)
	if err != nil {
		return nil, nil, err
	}
	if err := useWAL(ctx, write); err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	read, err = connect(path, readers, "query_only(1)")
	if err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	return write, read, nil
}

func connect(path string, connections int, pragmas ...string) (*sql.DB, error) {
	pragmas = append(pragmas, fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "synchronous(FULL)")
	query := url.Values{"_pragma": pragmas}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// useWAL sets the journal mode, which the file keeps. It polls: SQLite does not wait for the lock that this takes if the
// file is new and another process does the same.
func useWAL(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	for {
		var mode string
		err := db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		switch {
		case err == nil && mode != "wal":
			return fmt.Errorf("sqlstore: SQLite cannot use WAL for this file, but %s", mode)
		case err == nil:
			return nil
		case code(err)&primaryCode != codeBusy:
			return fmt.Errorf("sqlstore: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("sqlstore: %w", errors.Join(ctx.Err(), err))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// code returns SQLite's result code of err, or 0.
func code(err error) int {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return 0
}
