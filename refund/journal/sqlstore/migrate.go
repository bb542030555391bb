package sqlstore

import (
	"context"
	"fmt"

	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/dialect"
)

const versionQuery = "SELECT max(version) FROM refund_schema"

// Migrate makes the tables, or brings them up to date. Call it at start-up: it changes nothing in tables that are up to
// date, any number of processes may call it at the same time, and it is atomic. A database with the schema of a newer
// version of this module is an error, and so is a setting under which a power cut can undo commits.
func (s *Store) Migrate(ctx context.Context) error {
	err := s.db.Durable(ctx)
	if err == nil && !s.upToDate(ctx) {
		err = s.db.Exclusively(ctx, func(tx dialect.Tx) error { return migrate(ctx, tx, s.db.Dialect().Migrations) })
	}
	return wrap("migrate", err)
}

// upToDate reports whether there is nothing to do: most starts need neither the lock nor the right to make tables.
func (s *Store) upToDate(ctx context.Context) bool {
	var version int
	err := s.db.Query(ctx, versionQuery, nil, func(scan func(dest ...any) error) error { return scan(&version) })
	return err == nil && version == len(s.db.Dialect().Migrations)
}

func migrate(ctx context.Context, tx dialect.Tx, migrations []string) error {
	// The first one makes refund_schema, and does nothing if the tables are there.
	if _, err := tx.Exec(ctx, migrations[0]); err != nil {
		return err
	}
	version, err := tx.Int(ctx, versionQuery)
	switch {
	case err != nil:
		return err
	case version > len(migrations):
		return fmt.Errorf("the database has schema version %d, and this program knows %d", version, len(migrations))
	}
	for _, script := range migrations[version:] {
		if _, err := tx.Exec(ctx, script); err != nil {
			return err
		}
	}
	return nil
}
