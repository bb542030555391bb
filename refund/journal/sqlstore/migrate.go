package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
)

// schemaVersion is the version that the schema files make and write into refund_journal_schema.
const schemaVersion = 1

// Migrate makes the tables, or brings them up to date. Call it at start-up: it changes nothing in tables that are up to
// date, any number of processes may call it at the same time, and it is atomic. A database with the schema of a newer
// version of this module is an error, and so is a setting under which a power cut can undo commits.
func (s *Store) Migrate(ctx context.Context) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("sqlstore: migrate: %w", err)
	}
	err = s.migrate(ctx, conn)
	if closeErr := conn.Close(); !errors.Is(closeErr, sql.ErrConnDone) {
		err = errors.Join(err, closeErr)
	}
	if err != nil {
		return fmt.Errorf("sqlstore: migrate: %w", err)
	}
	return nil
}

func (s *Store) migrate(ctx context.Context, conn *sql.Conn) error {
	var setting string
	if err := conn.QueryRowContext(ctx, s.dialect.Durability).Scan(&setting); err != nil {
		return err //nolint:wrapcheck // Migrate wraps
	}
	if slices.Contains(s.dialect.Lossy, setting) {
		return fmt.Errorf("%s says %s: a power cut could undo commits", s.dialect.Durability, setting)
	}
	// Most starts need neither the lock nor the right to make tables.
	if version, err := schemaOf(ctx, conn); err == nil && version == schemaVersion {
		return nil
	}
	return exclusively(ctx, conn, s.dialect.Begin, func() error {
		if _, err := conn.ExecContext(ctx, s.dialect.Schema); err != nil {
			return err //nolint:wrapcheck // Migrate wraps
		}
		version, err := schemaOf(ctx, conn)
		if err == nil && version != schemaVersion {
			err = fmt.Errorf("the database has schema version %d, and this program knows %d", version, schemaVersion)
		}
		return err
	})
}

func schemaOf(ctx context.Context, conn *sql.Conn) (version int, err error) {
	err = conn.QueryRowContext(ctx, "SELECT max(version) FROM refund_journal_schema").Scan(&version)
	return version, err //nolint:wrapcheck // Migrate wraps
}

// exclusively runs work in a transaction. sql.Tx cannot begin one with BEGIN IMMEDIATE.
func exclusively(ctx context.Context, conn *sql.Conn, begin string, work func() error) error {
	_, err := conn.ExecContext(ctx, begin)
	if err == nil {
		err = work()
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err == nil {
		return nil
	}
	if _, rollbackErr := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); rollbackErr != nil {
		// The pool must not hand out a connection that is in the middle of a transaction.
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) //nolint:errcheck // it says what it was told
	}
	return err //nolint:wrapcheck // Migrate wraps
}
