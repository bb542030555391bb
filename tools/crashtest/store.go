package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/multirefund/refund-go/refund/journal/sqlstore"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/postgres"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/postgres/postgrestest"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/sqlite"
)

// onStore runs the script with the journal on one kind of store: SQLite in one worker process, PostgreSQL in four.
func onStore(ctx context.Context, self, kind string, n int, seed uint64) (rep *report, err error) {
	r := &run{client: clientJournal, store: kind, n: n, seed: seed, self: self}
	switch kind {
	case "sqlite":
		dir, err := os.MkdirTemp("", "crashtest-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
		r.workers, r.dsn = 1, filepath.Join(dir, "journal.db")
	case "postgres":
		cluster := postgrestest.Start() //nolint:contextcheck // it lives as long as this program
		defer cluster.Stop()
		dsn, drop, err := cluster.Database(ctx)
		if err != nil {
			return nil, missingError{err}
		}
		defer drop() //nolint:errcheck // the cluster goes with it
		r.workers, r.dsn = 4, dsn
	default:
		return nil, errors.New("there is no such store")
	}
	store, err := openStore(ctx, kind, r.dsn)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(store.Migrate(ctx), store.Close()); err != nil {
		return nil, err
	}
	return r.execute(ctx)
}

// withoutJournal runs the script with a client that is written by hand.
func withoutJournal(ctx context.Context, self, client string, n int, seed uint64) (*report, error) {
	dir, err := os.MkdirTemp("", "crashtest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	r := &run{client: client, dsn: dir, workers: 2, n: n, seed: seed, self: self}
	return r.execute(ctx)
}

// missingError is that of a machine without PostgreSQL.
type missingError struct{ error }

// unavailable returns why a test cannot run on this machine.
func unavailable(err error) (reason string, ok bool) {
	var missing missingError
	if errors.As(err, &missing) {
		return missing.Error(), true
	}
	return "", false
}

func openStore(ctx context.Context, kind, dsn string) (*sqlstore.Store, error) {
	if kind == "postgres" {
		return postgres.Open(ctx, dsn)
	}
	return sqlite.Open(ctx, dsn)
}
