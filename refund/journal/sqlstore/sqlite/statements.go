package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/row"
)

// statements are prepared on the driver's own connection, and executed there: package database/sql and its contexts would
// cost as much as SQLite itself. Nothing takes long here but BEGIN and COMMIT, and those do not look at contexts anyway.
type statements struct {
	insertQuery, updateQuery, eventQuery string

	conn    driver.ConnPrepareContext
	byQuery map[string]statement
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// newStatements makes the texts. OR FAIL saves SQLite a copy of what it would have to undo if it failed in the middle of
// several rows; these have one. Parameters without numbers are bound more quickly.
func newStatements() *statements {
	return &statements{
		insertQuery: "INSERT INTO refund_entries (" + row.Entry + ") VALUES (" + placeholders(row.Entry) + ") ON CONFLICT DO NOTHING",
		updateQuery: "UPDATE OR FAIL refund_entries SET (" + row.Changing + ") = (" + placeholders(row.Changing) + ") WHERE id = ?",
		eventQuery:  "INSERT OR FAIL INTO refund_events (entry, " + row.Event + ") VALUES (?, " + placeholders(row.Event) + ")",
	}
}

// raw runs work on the connection that writes, which conn is.
func (d *database) raw(conn *sql.Conn, work func(s *statements) error) error {
	return conn.Raw(func(driverConn any) error {
		preparer, ok := driverConn.(driver.ConnPrepareContext)
		if !ok {
			return fmt.Errorf("a connection is %T", driverConn)
		}
		if d.stmts.conn != preparer { // the pool has made a new one
			d.stmts.conn, d.stmts.byQuery = preparer, map[string]statement{}
		}
		return work(d.stmts)
	})
}

func (s *statements) prepared(query string) (statement, error) {
	if stmt, ok := s.byQuery[query]; ok {
		return stmt, nil
	}
	prepared, err := s.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	stmt, ok := prepared.(statement)
	if !ok {
		return nil, fmt.Errorf("a statement is %T", prepared)
	}
	s.byQuery[query] = stmt
	return stmt, nil
}

// close finalizes what was prepared: a connection that is closed before holds the file as long as the process runs.
func (s *statements) close() error {
	var errs []error
	for _, stmt := range s.byQuery {
		errs = append(errs, stmt.Close())
	}
	s.conn, s.byQuery = nil, nil
	return errors.Join(errs...)
}

func (s *statements) exec(query string, args ...any) (driver.Result, error) {
	stmt, err := s.prepared(query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(context.Background(), bound(args))
}

func bound(args []any) []driver.NamedValue {
	values := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		if t, ok := arg.(time.Time); ok {
			arg = t.UnixMicro()
		}
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
	}
	return values
}
