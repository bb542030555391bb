package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/row"
)

// statements are the texts of what writes. Those for one change have a variant with an event; to take a lock is another
// statement for one change, because the planner would make a new plan each time if the condition could fall away.
type statements struct {
	types                         []string // of the arrays
	insert, update                string   // many changes at once; the arguments are arrays
	insertOne, updateOne, takeOne [2]string
	claim                         string
}

// The planner knows nothing of arrays that it has not seen yet. With a plan that it makes for all of them: an update looks up
// one row after the other, also if the table was small when the plan was made.
const (
	planUpdates = "SELECT " + durable + ", set_config('plan_cache_mode', 'force_generic_plan', true)," +
		" set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)"
	planInserts = "SELECT " + durable + ", set_config('plan_cache_mode', 'force_generic_plan', true)," +
		" set_config('enable_hashjoin', 'on', true)"
)

// free is the condition under which an update may have the order's lock: it has it already, or nobody else has. Who comes
// between is stopped by the unique index.
const free = "(e.order_lock OR NOT EXISTS (SELECT FROM refund_entries o WHERE o.provider = e.provider" +
	" AND o.account = e.account AND o.order_key = e.order_key AND o.order_lock AND o.id <> e.id))"

func newStatements() statements {
	sample := journal.Entry{Lease: time.Unix(1, 0), Due: time.Unix(1, 0), FirstSent: time.Unix(1, 0), LastSent: time.Unix(1, 0)}
	sample.MissedAt, sample.NotFoundAt, sample.RefundCreated, sample.LocksAt, sample.ExpiresAt = sample.Due, sample.Due, sample.Due, sample.Due, sample.Due
	fixed, changing := row.FixedValues(&sample), row.ChangingValues(&sample)
	event := row.EventValues(1, &journal.Event{})
	names, events := row.Columns(row.Entry), row.Columns(row.Event)

	// v is the group as a table: a number, the entry, whether there is an event, the event.
	columns := []string{"n"}
	types := []string{"bigint"}
	for i, value := range append(fixed, changing...) {
		columns, types = append(columns, names[i]), append(types, typeOf(value))
	}
	columns, types = append(columns, "event"), append(types, "boolean")
	for i, value := range event {
		columns, types = append(columns, "event_"+events[i]), append(types, typeOf(value))
	}
	arrays := make([]string, len(types))
	for i, kind := range types {
		arrays[i] = fmt.Sprintf("$%d::%s[]", i+1, kind)
	}
	v := "WITH v AS (SELECT * FROM unnest(" + strings.Join(arrays, ", ") + ") AS v (" + strings.Join(columns, ", ") + "))"
	toEvents := "INSERT INTO refund_events (entry, " + row.Event + ") SELECT "

	// The parameters of one change are those of writing.one.
	one := func(from int, values []any) string {
		parameters := make([]string, len(values))
		for i, value := range values {
			parameters[i] = fmt.Sprintf("$%d::%s", from+i, typeOf(value))
		}
		return strings.Join(parameters, ", ")
	}
	insertOne := "INSERT INTO refund_entries (" + row.Entry + ") VALUES (" + one(1, append(fixed, changing...)) + ") ON CONFLICT DO NOTHING"
	updateOne := "UPDATE refund_entries e SET (" + row.Changing + ") = (" + one(4, changing) + ")" +
		fmt.Sprintf(" WHERE e.provider = $1::text AND e.account = $2::text AND e.key = $3::text AND e.version = $%d::bigint - 1",
			4+slices.Index(row.Columns(row.Changing), "version"))
	variants := func(change string, eventAt int) [2]string {
		return [2]string{
			change + " RETURNING " + durable,
			"WITH e AS (" + change + " RETURNING id) " + toEvents + "id, " + one(eventAt, event) + " FROM e RETURNING " + durable,
		}
	}

	return statements{
		types: types,
		insert: v + ", i AS (INSERT INTO refund_entries (" + row.Entry + ") SELECT " + row.Entry + " FROM v" +
			" ON CONFLICT DO NOTHING RETURNING id, provider, account, key)," +
			" h AS (" + toEvents + "i.id, " + row.With("v.event_", row.Event) + " FROM v JOIN i USING (provider, account, key) WHERE v.event)" +
			" SELECT v.n FROM v JOIN i USING (provider, account, key)",
		update: v + ", u AS (UPDATE refund_entries e SET (" + row.Changing + ") = (" + row.With("v.", row.Changing) + ") FROM v" +
			" WHERE e.provider = v.provider AND e.account = v.account AND e.key = v.key AND e.version = v.version - 1 AND " +
			"(NOT v.order_lock OR " + free + ") RETURNING v.n, e.id, v.event, " + row.With("v.event_", row.Event) + ")," +
			" h AS (" + toEvents + "id, " + row.With("event_", row.Event) + " FROM u WHERE event)" +
			" SELECT n FROM u",
		insertOne: variants(insertOne, 1+len(fixed)+len(changing)),
		updateOne: variants(updateOne, 4+len(changing)),
		takeOne:   variants(updateOne+" AND "+free, 4+len(changing)),
		// The time is that of the statement, which is one for all rows and can be looked up in an index; it waits for nobody.
		claim: "WITH d AS (SELECT id FROM refund_entries WHERE provider = $1 AND account = $2 AND due IS NOT NULL" +
			" AND due <= statement_timestamp() - $3::bigint * interval '1 microsecond'" +
			" AND (lease IS NULL OR lease <= statement_timestamp()) ORDER BY due LIMIT $4 FOR UPDATE SKIP LOCKED)" +
			" UPDATE refund_entries e SET owner = $5, lease = statement_timestamp() + $6::bigint * interval '1 microsecond'," +
			" last_sent = greatest(last_sent, lease), version = version + 1, updated = statement_timestamp()" +
			" FROM d WHERE e.id = d.id RETURNING " + row.With("e.", row.Entry),
	}
}

// typeOf returns the type of the column that has such values.
func typeOf(value any) string {
	switch value.(type) {
	case string:
		return "text"
	case bool:
		return "boolean"
	case time.Time:
		return "timestamptz"
	}
	return "bigint"
}

// Write implements dialect.Database. Changes that free an order go first, those that take one next, and new entries last.
// All are sorted in the same way by everybody, so that two groups do not wait for each other.
func (d *database) Write(ctx context.Context, changes []journal.Change) ([]journal.Result, error) {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	w := writing{d, conn, changes, make([]journal.Result, len(changes))}
	group := make([]int, len(changes))
	for i := range group {
		group[i] = i
	}
	slices.SortFunc(group, func(i, j int) int {
		a, b := &changes[i].Entry, &changes[j].Entry
		return cmp.Or(cmp.Compare(a.OrderKey(), b.OrderKey()), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Provider, b.Provider))
	})
	if err := w.write(ctx, group); err != nil {
		return nil, named(err)
	}
	return w.results, nil
}

// writing is one call of Write. Groups are the places of changes.
type writing struct {
	*database
	conn    *pgxpool.Conn
	changes []journal.Change
	results []journal.Result
}

// errUnsettled is what a change is told that was never made, while nothing was in its way whenever that was looked at.
var errUnsettled = errors.New("the entry and the lock of its order change too often to say what is in the way")

// write makes the changes of a group, and has the results of those that were not.
func (w *writing) write(ctx context.Context, group []int) error {
	for range attempts {
		if len(group) == 0 {
			return nil
		}
		made, err := w.once(ctx, group)
		switch {
		case !refused(err):
		case len(group) > 1: // one of them is at fault, or somebody has taken the lock of its order this moment
			if err := w.write(ctx, group[:len(group)/2]); err != nil {
				return err
			}
			return w.write(ctx, group[len(group)/2:])
		case lockTaken(err):
			err = nil
		default:
			w.results[group[0]].Err = err
			return nil
		}
		if err == nil {
			group, err = w.explain(ctx, slices.DeleteFunc(slices.Clone(group), func(i int) bool { return made[i] }))
		}
		if err != nil {
			return err
		}
	}
	for _, i := range group {
		w.results[i].Err = errUnsettled
	}
	return nil
}

// refused reports whether the database refuses a value: nothing was written, and the other changes are not to blame.
func refused(err error) bool {
	state := sqlState(err)
	return strings.HasPrefix(state, "22") || strings.HasPrefix(state, "23") || strings.HasPrefix(state, "54")
}

// lockTaken reports whether somebody has taken the lock of the order at the same moment.
func lockTaken(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == uniqueViolation && refused.ConstraintName == "refund_entries_order_lock"
}

// once makes the changes of a group in one transaction, and returns which it made.
func (w *writing) once(ctx context.Context, group []int) (made map[int]bool, err error) {
	err = w.transact(ctx, w.conn, func(s sender) error {
		made = map[int]bool{}
		if len(group) == 1 {
			query, args := w.one(&w.changes[group[0]])
			rows, err := s.Query(ctx, query, args...)
			if err != nil {
				return err
			}
			return read(rows, func(func(dest ...any) error) error {
				made[group[0]] = true
				return nil
			})
		}
		return send(ctx, s, w.batch(group), func(scan func(dest ...any) error) error {
			var i int
			err := scan(&i)
			made[i] = true
			return err
		})
	})
	return made, err
}

// send sends a batch, which is one transaction, and calls each with every row of its answers.
func send(ctx context.Context, s sender, batch *pgx.Batch, each func(scan func(dest ...any) error) error) error {
	results := s.SendBatch(ctx, batch)
	var err error
	for _, query := range batch.QueuedQueries {
		if query.SQL == planUpdates || query.SQL == planInserts {
			_, err = results.Exec()
		} else {
			var rows pgx.Rows
			if rows, err = results.Query(); err == nil {
				err = read(rows, each)
			}
		}
		if err != nil {
			break
		}
	}
	// The end of the batch is its commit.
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	return err
}

// one returns the statement for one change.
func (w *writing) one(c *journal.Change) (query string, args []any) {
	e := &c.Entry
	variants := &w.updateOne
	switch {
	case e.Version == 1:
		variants, args = &w.insertOne, row.FixedValues(e)
	case e.OrderLock:
		variants, args = &w.takeOne, []any{e.Provider, e.Account, e.Key}
	default:
		args = []any{e.Provider, e.Account, e.Key}
	}
	args = append(args, row.ChangingValues(e)...)
	if c.Event == nil {
		return variants[0], args
	}
	return variants[1], append(args, row.EventValues(e.Version, c.Event)...)
}

// batch returns the statements for a group.
func (w *writing) batch(group []int) *pgx.Batch {
	var updates, inserts []int
	var taking [][]int // a statement cannot have two that take the same order: it does not see what it writes itself
	seen := map[string]int{}
	for _, i := range group {
		switch e := &w.changes[i].Entry; {
		case e.Version == 1:
			inserts = append(inserts, i)
		case !e.OrderLock:
			updates = append(updates, i)
		default:
			order := e.Provider + "\x00" + e.Account + "\x00" + e.OrderKey()
			if seen[order] == len(taking) {
				taking = append(taking, nil)
			}
			taking[seen[order]] = append(taking[seen[order]], i)
			seen[order]++
		}
	}
	var batch pgx.Batch
	if len(inserts) < len(group) {
		batch.Queue(planUpdates)
	}
	for _, part := range append([][]int{updates}, taking...) {
		if len(part) > 0 {
			batch.Queue(w.update, w.arrays(part)...)
		}
	}
	if len(inserts) > 0 {
		batch.Queue(planInserts)
		batch.Queue(w.insert, w.arrays(inserts)...)
	}
	return &batch
}

// arrays returns the arguments of a statement for many changes: an array for each column.
func (w *writing) arrays(group []int) []any {
	none := row.EventValues(0, &journal.Event{})
	rows := make([][]any, len(group))
	for n, i := range group {
		c := &w.changes[i]
		event := none
		if c.Event != nil {
			event = row.EventValues(c.Entry.Version, c.Event)
		}
		rows[n] = slices.Concat([]any{int64(i)}, row.FixedValues(&c.Entry), row.ChangingValues(&c.Entry), []any{c.Event != nil}, event)
	}
	args := make([]any, len(w.types))
	for k, kind := range w.types {
		switch kind {
		case "text":
			args[k] = array[string](rows, k)
		case "boolean":
			args[k] = array[bool](rows, k)
		case "timestamptz":
			args[k] = times(rows, k)
		default:
			args[k] = array[int64](rows, k)
		}
	}
	return args
}

// array returns a column as an array of the type that pgx knows in each of its modes.
func array[T any](rows [][]any, column int) []T {
	values := make([]T, len(rows))
	for i := range rows {
		values[i], _ = rows[i][column].(T)
	}
	return values
}

func times(rows [][]any, column int) []*time.Time {
	values := make([]*time.Time, len(rows))
	for i := range rows {
		if t, ok := rows[i][column].(time.Time); ok {
			values[i] = &t
		}
	}
	return values
}

// explain finds out what is in the way of changes that were not made, on the same connection, and returns those of which it
// cannot tell: it is no longer there.
func (w *writing) explain(ctx context.Context, group []int) (rest []int, err error) {
	if len(group) == 0 {
		return nil, nil
	}
	own, err := w.look(ctx, group, func(i int) (query string, args []any) {
		e := &w.changes[i].Entry
		return row.Get, []any{e.Provider, e.Account, e.Key}
	})
	if err != nil {
		return nil, err
	}
	for _, i := range group {
		e, known := &w.changes[i].Entry, own[i]
		switch {
		case e.Version == 1 && known != nil:
			w.results[i] = journal.Result{Err: journal.ErrKeyExists, Entry: *known}
		case e.Version != 1 && known == nil:
			w.results[i] = journal.Result{Err: journal.ErrStale}
		case e.Version != 1 && known.Version != e.Version-1:
			w.results[i] = journal.Result{Err: journal.ErrStale, Entry: *known}
		default:
			rest = append(rest, i)
		}
	}
	holders, err := w.look(ctx, rest, func(i int) (query string, args []any) {
		e := &w.changes[i].Entry
		if own[i] != nil {
			e = own[i] // an order stays what it was
		}
		return row.Holder, []any{e.Provider, e.Account, e.OrderKey(), e.Key}
	})
	return slices.DeleteFunc(rest, func(i int) bool {
		if holders[i] != nil {
			w.results[i] = journal.Result{Err: journal.ErrOrderBusy, Entry: *holders[i]}
		}
		return holders[i] != nil
	}), err
}

// look reads the entry that query asks for, of each of a group.
func (w *writing) look(ctx context.Context, group []int, query func(i int) (query string, args []any)) (map[int]*journal.Entry, error) {
	found := map[int]*journal.Entry{}
	var batch pgx.Batch
	for _, i := range group {
		text, args := query(i)
		batch.Queue(text, args...).Query(func(rows pgx.Rows) error {
			return read(rows, func(scan func(dest ...any) error) error {
				e, err := row.ScanEntry(scan)
				found[i] = &e
				return err
			})
		})
	}
	if batch.Len() == 0 {
		return found, nil
	}
	return found, w.conn.SendBatch(ctx, &batch).Close()
}

// Claim implements dialect.Database.
func (d *database) Claim(ctx context.Context, c journal.Claim) (claimed []journal.Entry, err error) {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	err = d.transact(ctx, conn, func(s sender) error {
		claimed = nil
		var batch pgx.Batch
		batch.Queue(planUpdates)
		batch.Queue(d.claim, c.Provider, c.Account, c.Overdue.Microseconds(), c.Limit, c.Owner, c.Lease.Microseconds())
		return send(ctx, s, &batch, func(scan func(dest ...any) error) error {
			e, err := row.ScanEntry(scan)
			claimed = append(claimed, e)
			return err
		})
	})
	if err != nil {
		return nil, named(err)
	}
	return claimed, nil
}
