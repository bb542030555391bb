package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/row"
)

const (
	findQuery = "SELECT id, version FROM refund_entries WHERE provider = ? AND account = ? AND key = ?"
	claimed   = "SELECT id FROM refund_entries WHERE provider = $1 AND account = $2 AND due IS NOT NULL" +
		" AND due <= $3 - $4 AND (lease IS NULL OR lease <= $3) ORDER BY due LIMIT $5"
	claimQuery = "UPDATE refund_entries SET owner = $6, lease = $3 + $7," +
		" last_sent = coalesce(max(last_sent, lease), last_sent, lease), version = version + 1, updated = $3" +
		" WHERE id IN (" + claimed + ") RETURNING " + row.Entry
)

func placeholders(columns string) string {
	return "?" + strings.Repeat(", ?", strings.Count(columns, ","))
}

// Write implements dialect.Database. Changes that free an order go first, those that take one next, and new entries last.
func (d *database) Write(ctx context.Context, changes []journal.Change) ([]journal.Result, error) {
	results := make([]journal.Result, len(changes))
	err := d.exclusively(ctx, func(conn *sql.Conn) error {
		var refused []int
		err := d.raw(conn, func(s *statements) error {
			for _, i := range sequence(changes) {
				made, err := s.change(&changes[i]) //nolint:contextcheck // see statements
				if err == nil {
					err = ctx.Err()
				}
				if err != nil {
					return err
				}
				if !made {
					refused = append(refused, i)
				}
			}
			return nil
		})
		for _, i := range refused {
			if err == nil {
				results[i], err = explain(ctx, conn, &changes[i].Entry)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// sequence returns the places of changes in the order in which they are made.
func sequence(changes []journal.Change) []int {
	order := make([]int, len(changes))
	for i := range order {
		order[i] = i
	}
	rank := func(i int) int {
		switch e := &changes[i].Entry; {
		case e.Version == 1:
			return 2
		case e.OrderLock:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(rank(i), rank(j)) })
	return order
}

// change makes one change, or reports that it cannot be made.
func (s *statements) change(c *journal.Change) (made bool, err error) {
	e := &c.Entry
	var id int64
	if e.Version == 1 {
		result, err := s.exec(s.insertQuery, append(row.FixedValues(e), row.ChangingValues(e)...)...)
		if err != nil {
			return false, err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return false, err
		}
		if id, err = result.LastInsertId(); err != nil {
			return false, err
		}
	} else {
		var version int64
		id, version, err = s.find(e.ID())
		if err != nil || id == 0 || version != e.Version-1 {
			return false, err
		}
		switch _, err := s.exec(s.updateQuery, append(row.ChangingValues(e), id)...); {
		case code(err) == constraintUnique: // of the order's lock
			return false, nil
		case err != nil:
			return false, err
		}
	}
	if c.Event != nil {
		_, err = s.exec(s.eventQuery, append([]any{id}, row.EventValues(e.Version, c.Event)...)...)
	}
	return err == nil, err
}

// find returns the row id and the version of an entry, or 0.
func (s *statements) find(id journal.ID) (rowID, version int64, err error) {
	stmt, err := s.prepared(findQuery)
	if err != nil {
		return 0, 0, err
	}
	rows, err := stmt.QueryContext(context.Background(), bound([]any{id.Provider, id.Account, id.Key}))
	if err != nil {
		return 0, 0, err
	}
	values := make([]driver.Value, 2)
	err = rows.Next(values)
	if errors.Is(err, io.EOF) {
		return 0, 0, rows.Close()
	}
	rowID, _ = values[0].(int64)
	version, _ = values[1].(int64)
	return rowID, version, errors.Join(err, rows.Close())
}

// explain finds out what is in the way of a change that was not made. Nothing has changed since: the transaction still runs.
func explain(ctx context.Context, conn *sql.Conn, e *journal.Entry) (journal.Result, error) {
	own, known, err := look(ctx, conn, row.Get, e.Provider, e.Account, e.Key)
	switch {
	case err != nil:
		return journal.Result{}, err
	case e.Version == 1 && known:
		return journal.Result{Err: journal.ErrKeyExists, Entry: own}, nil
	case e.Version != 1 && own.Version != e.Version-1:
		return journal.Result{Err: journal.ErrStale, Entry: own}, nil
	case known:
		e = &own // an order stays what it was
	}
	holder, _, err := look(ctx, conn, row.Holder, e.Provider, e.Account, e.OrderKey(), e.Key)
	return journal.Result{Err: journal.ErrOrderBusy, Entry: holder}, err
}

func look(ctx context.Context, conn *sql.Conn, query string, args ...any) (e journal.Entry, found bool, err error) {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return e, false, err
	}
	err = read(rows, func(scan func(dest ...any) error) (err error) {
		e, err = row.ScanEntry(scan)
		found = true
		return err
	})
	return e, found, err
}

// Claim implements dialect.Database. Its time is taken when nobody else writes any more.
func (d *database) Claim(ctx context.Context, c journal.Claim) (claimed []journal.Entry, err error) {
	err = d.exclusively(ctx, func(conn *sql.Conn) error {
		rows, err := conn.QueryContext(ctx, claimQuery, c.Provider, c.Account, time.Now().UnixMicro(), c.Overdue.Microseconds(), c.Limit,
			c.Owner, c.Lease.Microseconds())
		if err != nil {
			return err
		}
		return read(rows, func(scan func(dest ...any) error) error {
			e, err := row.ScanEntry(scan)
			claimed = append(claimed, e)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}
