// Package row has entries and events as rows: the columns of the tables, and what is written to them and read from them.
package row

import (
	"fmt"
	"strings"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

const (
	// Fixed are the columns of refund_entries that an entry keeps, in the order of FixedValues.
	Fixed = "provider, account, key, order_id, merchant_order_id, invoice_id, order_key, amount, currency, part, line, created"
	// Changing are its other columns, in the order of ChangingValues.
	Changing = "state, step, order_lock, attention, version, owner, lease, due, checks, snapshot, answered, first_sent, " +
		"last_sent, tries, missed_at, not_found_at, looks, refund_id, refunded, refunded_currency, provider_status, " +
		"refund_created, locks_at, expires_at, failure_reason, kind, code, note, updated"
	// Entry are the columns that ScanEntry reads.
	Entry = Fixed + ", " + Changing
	// Get reads the entry with a provider, an account and a key.
	Get = "SELECT " + Entry + " FROM refund_entries WHERE provider = $1 AND account = $2 AND key = $3"
	// Holder reads the entry that has the lock of a provider's, an account's and an order's key, unless it has that key.
	Holder = "SELECT " + Entry + " FROM refund_entries WHERE provider = $1 AND account = $2 AND order_key = $3 AND order_lock AND key <> $4"
	// Event are the columns of refund_events in the order of EventValues. Before them stands the entry's row id.
	Event = "version, at, from_state, to_state, attention, refund_id, note, decided_by"
)

// Columns returns the single names of columns.
func Columns(columns string) []string { return strings.Split(columns, ", ") }

// With returns the columns with a prefix before each.
func With(prefix, columns string) string {
	return prefix + strings.Join(Columns(columns), ", "+prefix)
}

// FixedValues returns what an entry keeps. All values are string, int64, bool, time.Time, or nil for a time that is not known.
func FixedValues(e *journal.Entry) []any {
	return []any{
		e.Provider, e.Account, e.Key, e.Order.ID, e.Order.MerchantID, e.Order.InvoiceID, e.OrderKey(),
		e.Amount.Minor(), e.Amount.Currency(), string(e.Part), e.Line, Time(e.Created),
	}
}

// ChangingValues returns what changes of an entry.
func ChangingValues(e *journal.Entry) []any {
	return []any{
		string(e.State), string(e.Step), e.OrderLock, string(e.Attention), e.Version, e.Owner, nullTime(e.Lease), nullTime(e.Due),
		int64(e.Checks), string(e.Snapshot), e.Answered, nullTime(e.FirstSent), nullTime(e.LastSent), int64(e.Tries),
		nullTime(e.MissedAt), nullTime(e.NotFoundAt), int64(e.Looks),
		text(e.RefundID), e.Refunded.Minor(), e.Refunded.Currency(), text(e.ProviderStatus), nullTime(e.RefundCreated),
		nullTime(e.LocksAt), nullTime(e.ExpiresAt), text(e.FailureReason), int64(e.Kind), text(e.Code), text(e.Note), Time(e.Updated),
	}
}

// EventValues returns the event of an entry's new version.
func EventValues(version int64, event *journal.Event) []any {
	return []any{
		version, Time(event.At), string(event.From), string(event.To), string(event.Attention), text(event.RefundID),
		text(event.Note), text(event.By),
	}
}

// Time returns a time as it is stored.
func Time(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return Time(t)
}

// text makes somebody else's text storable: PostgreSQL refuses NUL and invalid UTF-8, and a refund that was made must not
// stay unrecorded because of that.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// ScanEntry reads the columns Entry.
func ScanEntry(scan func(dest ...any) error) (journal.Entry, error) {
	var e journal.Entry
	var amount, refunded money
	err := scan(
		&e.Provider, &e.Account, &e.Key, &e.Order.ID, &e.Order.MerchantID, &e.Order.InvoiceID, new(ignored),
		&amount.minor, &amount.currency, &e.Part, &e.Line, (*instant)(&e.Created),
		&e.State, &e.Step, &e.OrderLock, &e.Attention, &e.Version, &e.Owner, (*instant)(&e.Lease), (*instant)(&e.Due),
		&e.Checks, &e.Snapshot, &e.Answered, (*instant)(&e.FirstSent), (*instant)(&e.LastSent), &e.Tries,
		(*instant)(&e.MissedAt), (*instant)(&e.NotFoundAt), &e.Looks,
		&e.RefundID, &refunded.minor, &refunded.currency, &e.ProviderStatus, (*instant)(&e.RefundCreated),
		(*instant)(&e.LocksAt), (*instant)(&e.ExpiresAt), &e.FailureReason, &e.Kind, &e.Code, &e.Note, (*instant)(&e.Updated),
	)
	if err == nil {
		e.Amount, err = amount.value()
	}
	if err == nil {
		e.Refunded, err = refunded.value()
	}
	return e, err
}

// ScanEvent reads what cursor takes, then an event's provider, account and key, and then the columns Event.
func ScanEvent(scan func(dest ...any) error, cursor ...any) (journal.Event, error) {
	var e journal.Event
	err := scan(append(
		cursor, &e.Provider, &e.Account, &e.Key,
		&e.Version, (*instant)(&e.At), &e.From, &e.To, &e.Attention, &e.RefundID, &e.Note, &e.By,
	)...)
	return e, err
}

// ScanTime reads one time.
func ScanTime(t *time.Time) any { return (*instant)(t) }

// money is an amount as it is stored.
type money struct {
	minor    int64
	currency string
}

func (m money) value() (refund.Money, error) {
	if m == (money{}) {
		return refund.Money{}, nil
	}
	return refund.MoneyFromMinor(m.minor, m.currency)
}

// instant reads a time from either database.
type instant time.Time

// Scan implements sql.Scanner.
func (i *instant) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*i = instant{}
	case time.Time:
		*i = instant(v.UTC())
	case int64:
		*i = instant(time.UnixMicro(v).UTC())
	default:
		return fmt.Errorf("a time is stored as %T", value)
	}
	return nil
}

// ignored skips a column that is derived from others.
type ignored struct{}

// Scan implements sql.Scanner.
func (*ignored) Scan(any) error { return nil }
