package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // registers "sqlite"
)

const (
	// connections is how many an opened PostgreSQL store uses at most, and keeps.
	connections = 16
	// readers is how many an opened SQLite store reads with.
	readers = 4
	// busyTimeout is how long a process waits for another one to finish writing to the SQLite file.
	busyTimeout = 30 * time.Second
)

// OpenPostgreSQL opens a database of PostgreSQL 12 or newer, with up to 16 connections. The dsn is a URL or a list of
// key=value, as libpq takes it; beyond that pgx looks at the same PG* environment variables and files as libpq. Use
// NewPostgreSQL for a pool of your own. Call Migrate before anything else.
func OpenPostgreSQL(ctx context.Context, dsn string) (*Store, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlstore: %w", err), db.Close())
	}
	return newStore(postgreSQL(), db, db, true), nil
}

// OpenSQLite opens the file at path, and makes it if it is missing. Several processes of one machine may have it open;
// it must not be on a network file system. Every commit is flushed to the disk (WAL, synchronous = FULL). Call Migrate
// before anything else.
func OpenSQLite(ctx context.Context, path string) (*Store, error) {
	if path == "" || path == ":memory:" {
		return nil, errors.New("sqlstore: SQLite needs a file; journal.NewMemory keeps entries in memory")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	open := func(conns int, pragmas ...string) (*sql.DB, error) {
		pragmas = append(pragmas, fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "synchronous(FULL)")
		dsn := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: url.Values{"_pragma": pragmas}.Encode()}
		db, err := sql.Open("sqlite", dsn.String())
		if err != nil {
			return nil, fmt.Errorf("sqlstore: %w", err)
		}
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(conns)
		return db, nil
	}
	// SQLite has one writer at a time. In a process they queue for the one connection, in order and with their contexts;
	// only processes wait for one another by polling.
	write, err := open(1)
	if err != nil {
		return nil, err
	}
	if err := useWAL(ctx, write); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read, err := open(readers, "query_only(1)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return newStore(sqlite(), write, read, true), nil
}

// useWAL sets what the file itself remembers. SQLite does not wait for the lock that this takes if the file is new and
// another process does the same.
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
		case !busy(err):
			return fmt.Errorf("sqlstore: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("sqlstore: %w", errors.Join(ctx.Err(), err))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// busy reports whether another connection is in the way.
func busy(err error) bool {
	const primary, sqliteBusy = 0xff, 5
	var code interface{ Code() int }
	return errors.As(err, &code) && code.Code()&primary == sqliteBusy
}
