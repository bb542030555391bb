package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/multirefund/refund-go/refund/journal/sqlstore"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/dialect"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/row"
)

//go:embed schema/*.sql
var schema embed.FS

const (
	// migrationLock is an arbitrary number: whoever changes the schema or the accounts takes the advisory lock with it.
	migrationLock int64 = 7236718329847
	// durable makes the transaction's commit wait for the disk if whoever configured the database thought otherwise. More
	// than that, such as waiting for a standby, stays as it is configured.
	durable = "CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', true) END"
	// attempts is how often a transaction is tried that the database aborts because of others.
	attempts = 10
)

// SQLSTATEs.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	noSuchStatement      = "26000"
	duplicateStatement   = "42P05"
)

// Open opens a database of PostgreSQL 12 or newer. The dsn is a URL or a list of key=value, as libpq and pgxpool take it;
// pgx also reads the PG* environment variables and the files that libpq reads. Call Migrate before anything else. Use New
// for a pool of your own.
func Open(ctx context.Context, dsn string) (*sqlstore.Store, error) {
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	return sqlstore.New(newDatabase(pool, true)), nil
}

// New makes a Store on an open pool, which Close leaves open. New does no I/O.
func New(pool *pgxpool.Pool) *sqlstore.Store { return sqlstore.New(newDatabase(pool, false)) }

// database is a dialect.Database.
type database struct {
	pool  *pgxpool.Pool
	owned bool
	// explicit is set once the database's own transactions have turned out not to be READ COMMITTED.
	explicit atomic.Bool
	statements
}

func newDatabase(pool *pgxpool.Pool, owned bool) *database {
	return &database{pool: pool, owned: owned, statements: newStatements()}
}

func (d *database) Dialect() dialect.Dialect {
	return dialect.Dialect{
		Migrations: dialect.Scripts(schema),
		EventOrder: "tx, id",
		EventShown: "v.tx < txid_snapshot_xmin(txid_current_snapshot())",
	}
}

func (*database) Writers() int { return 2 }

func (*database) Time(t time.Time) any { return row.Time(t) }

func (*database) Duplicate(err error) bool { return sqlState(err) == uniqueViolation }

func (d *database) Close() error {
	if d.owned {
		d.pool.Close()
	}
	return nil
}

// Now asks for the time of the statement itself: a transaction's time stands still.
func (d *database) Now(ctx context.Context) (now time.Time, err error) {
	err = d.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now)
	return now.UTC(), named(err)
}

func (d *database) Query(ctx context.Context, query string, args []any, each func(scan func(dest ...any) error) error) error {
	rows, err := d.pool.Query(ctx, query, args...)
	if err != nil {
		return named(err)
	}
	return named(read(rows, each))
}

// read calls each with every row, and closes rows.
func read(rows pgx.Rows, each func(scan func(dest ...any) error) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Durable implements dialect.Database. What synchronous_commit is does not matter: transactions see to it themselves.
func (d *database) Durable(ctx context.Context) error {
	for _, setting := range []string{"fsync", "full_page_writes"} {
		var value string
		if err := d.pool.QueryRow(ctx, "SELECT current_setting($1)", setting).Scan(&value); err != nil {
			return named(err)
		}
		if value != "on" {
			return fmt.Errorf("%s is %s: a power cut could undo commits", setting, value)
		}
	}
	return nil
}

func (d *database) Exclusively(ctx context.Context, work func(tx dialect.Tx) error) error {
	return named(pgx.BeginTxFunc(ctx, d.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1), "+durable, migrationLock); err != nil {
			return err
		}
		return work(transaction{tx})
	}))
}

// transaction is a dialect.Tx.
type transaction struct{ tx pgx.Tx }

func (t transaction) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := t.tx.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (t transaction) Int(ctx context.Context, query string) (n int, err error) {
	err = t.tx.QueryRow(ctx, query).Scan(&n)
	return n, err
}

// sender is a connection or a transaction of it.
type sender interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
}

// transact calls work, whose one query or batch is one transaction by itself, until nobody else makes the database abort
// it. Then nothing was written. READ COMMITTED has no serialization failures: when there is one, transactions begin as
// something else by default, and the next ones say what they need.
func (d *database) transact(ctx context.Context, conn *pgxpool.Conn, work func(s sender) error) error {
	var err error
	for range attempts {
		if d.explicit.Load() {
			err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error { return work(tx) })
		} else {
			err = work(conn)
		}
		switch sqlState(err) {
		case serializationFailure:
			d.explicit.Store(true)
		case deadlockDetected:
		default:
			return err
		}
	}
	return err
}

func sqlState(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// named says what is the matter if somebody between here and the database mixes up the connections.
func named(err error) error {
	switch sqlState(err) {
	case noSuchStatement, duplicateStatement:
		return fmt.Errorf("a pooler such as PgBouncer does not keep prepared statements apart: see the documentation of package postgres: %w", err)
	}
	return err
}
