package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // registers "sqlite"

	"github.com/multirefund/refund-go/refund/journal/sqlstore"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/dialect"
)

//go:embed schema/*.sql
var schema embed.FS

const (
	// readers is how many connections a Store reads with.
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
	d, err := open(ctx, path)
	if err != nil {
		return nil, err
	}
	return sqlstore.New(d), nil
}

// database is a dialect.Database.
type database struct {
	write *sql.DB // has one connection
	read  *sql.DB
	stmts *statements // of the connection that writes
}

// open opens the file twice. SQLite has one writer at a time: within a process writers queue for one connection, in order
// and with their contexts, and only processes poll for one another.
func open(ctx context.Context, path string) (*database, error) {
	if path == "" || path == ":memory:" {
		return nil, errors.New("sqlstore: SQLite needs a file; journal.NewMemory keeps entries in memory")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	write, err := connect(path, 1, 0)
	if err != nil {
		return nil, err
	}
	if err := useWAL(ctx, write); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read, err := connect(path, readers, busyTimeout, "query_only(1)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return &database{write, read, newStatements()}, nil
}

func connect(path string, connections int, busy time.Duration, pragmas ...string) (*sql.DB, error) {
	pragmas = append(pragmas, fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds()), "synchronous(FULL)",
		"fullfsync(1)", "checkpoint_fullfsync(1)") // on a Mac nothing less reaches the disk
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

// useWAL sets the journal mode, which the file keeps.
func useWAL(ctx context.Context, db *sql.DB) error {
	return patiently(ctx, func() error {
		var mode string
		err := db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		switch {
		case err != nil:
			return fmt.Errorf("sqlstore: %w", err)
		case mode != "wal":
			return fmt.Errorf("sqlstore: SQLite cannot use WAL for this file, but %s", mode)
		}
		return nil
	})
}

// patiently calls do again while another process writes. SQLite could wait by itself, but not for everything, and without
// looking at the context.
func patiently(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		err := do()
		if code(err)&primaryCode != codeBusy {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pause):
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

func (*database) Dialect() dialect.Dialect {
	return dialect.Dialect{Migrations: dialect.Scripts(schema), EventOrder: "id"}
}

func (*database) Writers() int { return 1 }

func (*database) Time(t time.Time) any { return t.UnixMicro() }

func (*database) Duplicate(err error) bool { return code(err) == constraintUnique }

// Close waits for what is being written.
func (d *database) Close() error {
	var err error
	if conn, connErr := d.write.Conn(context.Background()); connErr == nil { // otherwise it is closed already
		err = errors.Join(d.raw(conn, (*statements).close), conn.Close())
	}
	return errors.Join(err, d.write.Close(), d.read.Close())
}

// Now is the machine's time: all processes that have the file are on it.
func (*database) Now(ctx context.Context) (time.Time, error) { return time.Now().UTC(), ctx.Err() }

func (d *database) Query(ctx context.Context, query string, args []any, each func(scan func(dest ...any) error) error) error {
	rows, err := d.read.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return read(rows, each)
}

// read calls each with every row, and closes rows.
func read(rows *sql.Rows, each func(scan func(dest ...any) error) error) error {
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Durable implements dialect.Database. Without WAL a power cut can bring a journal file back, and undo its commit.
func (d *database) Durable(ctx context.Context) error {
	var mode string
	var synchronous int
	err := errors.Join(
		d.write.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode),
		d.write.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous),
	)
	if err == nil && (mode != "wal" || synchronous < 2) { // 2 is FULL
		err = fmt.Errorf("journal_mode is %s and synchronous %d: a power cut could undo commits", mode, synchronous)
	}
	return err
}

func (d *database) Exclusively(ctx context.Context, work func(tx dialect.Tx) error) error {
	return d.exclusively(ctx, func(conn *sql.Conn) error { return work(transaction{conn}) })
}

// exclusively runs work in a transaction that has the file's write lock from its beginning. sql.Tx cannot begin like that.
func (d *database) exclusively(ctx context.Context, work func(conn *sql.Conn) error) (err error) {
	conn, err := d.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := conn.Close(); err == nil && !errors.Is(closeErr, sql.ErrConnDone) {
			err = closeErr
		}
	}()
	exec := func(query string) func() error { //nolint:contextcheck // see statements
		return func() error {
			return d.raw(conn, func(s *statements) error {
				_, err := s.exec(query)
				return err
			})
		}
	}
	if err := patiently(ctx, exec("BEGIN IMMEDIATE")); err != nil {
		return err
	}
	err = work(conn)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = exec("COMMIT")()
	}
	if err == nil {
		return nil
	}
	if rollbackErr := exec("ROLLBACK")(); rollbackErr != nil {
		// The pool must not hand out a connection that is in the middle of a transaction.
		err = errors.Join(err, d.stmts.close())
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) //nolint:errcheck // it says what it was told
	}
	return err
}

// transaction is a dialect.Tx.
type transaction struct{ conn *sql.Conn }

func (t transaction) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := t.conn.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (t transaction) Int(ctx context.Context, query string) (n int, err error) {
	err = t.conn.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}
