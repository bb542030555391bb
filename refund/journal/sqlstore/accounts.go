package sqlstore

import (
	"context"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/dialect"
)

// Accounts implements journal.Store.
func (s *Store) Accounts(ctx context.Context) ([]journal.Account, error) {
	var all []journal.Account
	err := s.db.Query(ctx, "SELECT provider, name, target FROM refund_accounts ORDER BY provider, name", nil,
		into(&all, func(scan func(dest ...any) error) (a journal.Account, err error) {
			return a, scan(&a.Provider, &a.Name, &a.Target)
		}))
	return all, wrap("accounts", err)
}

// AddAccount implements journal.Store.
func (s *Store) AddAccount(ctx context.Context, a journal.Account, first bool) error {
	query := "INSERT INTO refund_accounts (provider, name, target) VALUES ($1, $2, $3)" +
		" ON CONFLICT (provider, name) DO UPDATE SET target = excluded.target"
	if first {
		query = "INSERT INTO refund_accounts (provider, name, target) SELECT $1, $2, $3" +
			" WHERE NOT EXISTS (SELECT 1 FROM refund_accounts WHERE provider = $1)"
	}
	var added int64
	err := s.db.Exclusively(ctx, func(tx dialect.Tx) (err error) {
		added, err = tx.Exec(ctx, query, a.Provider, a.Name, a.Target)
		return err
	})
	if err == nil && added == 0 {
		return journal.ErrUnknownAccount
	}
	return wrap("add account", err)
}

// RenameAccount implements journal.Store. The history goes by the rows of the entries, and needs no change.
func (s *Store) RenameAccount(ctx context.Context, provider, from, to string) error {
	var renamed int64
	err := s.db.Exclusively(ctx, func(tx dialect.Tx) (err error) {
		renamed, err = tx.Exec(ctx, "UPDATE refund_accounts SET name = $3 WHERE provider = $1 AND name = $2"+
			" AND NOT EXISTS (SELECT 1 FROM refund_accounts WHERE provider = $1 AND name = $3)", provider, from, to)
		if err == nil && renamed > 0 {
			_, err = tx.Exec(ctx, "UPDATE refund_entries SET account = $3 WHERE provider = $1 AND account = $2", provider, from, to)
		}
		return err
	})
	// The new name is taken, too, if it has an entry with a key of the old one.
	if s.db.Duplicate(err) || err == nil && renamed == 0 {
		return journal.ErrUnknownAccount
	}
	return wrap("rename account", err)
}
