package sqlstore

import (
	"fmt"
	"strings"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// The columns of refund_journal, in the order of fixedValues, changingValues and scan.
const (
	fixedColumns = `provider, account, key, order_id, merchant_order_id, invoice_id, order_key, amount, currency, ` +
		`part, line, created`
	changingColumns = `state, version, lease, due, checks, snapshot, answered, first_sent, last_sent, tries, missed_at, ` +
		`refund_id, refunded, refunded_currency, provider_status, refund_created, locks_at, expires_at, failure_reason, ` +
		`kind, code, note, updated`
	allColumns = fixedColumns + ", " + changingColumns
)

// placeholders returns a question mark for each of the columns.
func placeholders(columns string) string {
	return strings.Repeat("?, ", strings.Count(columns, ",")) + "?"
}

// fixedValues are the values that an entry keeps forever.
func (s *Store) fixedValues(e *journal.Entry) []any {
	return []any{
		e.Provider, e.Account, e.Key, e.Order.ID, e.Order.MerchantID, e.Order.InvoiceID, e.OrderKey(),
		e.Amount.Minor(), e.Amount.Currency(), string(e.Part), e.Line, s.dialect.Time(e.Created),
	}
}

func (s *Store) changingValues(e *journal.Entry) []any {
	return []any{
		string(e.State), e.Version, s.nullTime(e.Lease), s.nullTime(e.Due), e.Checks,
		string(e.Snapshot), e.Answered, s.nullTime(e.FirstSent), s.nullTime(e.LastSent), e.Tries, s.nullTime(e.MissedAt),
		text(e.RefundID), e.Refunded.Minor(), e.Refunded.Currency(), text(e.ProviderStatus), s.nullTime(e.RefundCreated),
		s.nullTime(e.LocksAt), s.nullTime(e.ExpiresAt), text(e.FailureReason),
		int(e.Kind), text(e.Code), text(e.Note), s.dialect.Time(e.Updated),
	}
}

func (s *Store) nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return s.dialect.Time(t)
}

// text makes somebody else's text storable: PostgreSQL refuses NUL and invalid UTF-8, and a refund that was made must not
// stay unrecorded because of that.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// scan reads a row of allColumns.
func scan(row interface{ Scan(dest ...any) error }) (journal.Entry, error) {
	var e journal.Entry
	var amount, refunded money
	err := row.Scan(
		&e.Provider, &e.Account, &e.Key, &e.Order.ID, &e.Order.MerchantID, &e.Order.InvoiceID, new(ignored),
		&amount.minor, &amount.currency, &e.Part, &e.Line, (*instant)(&e.Created),
		&e.State, &e.Version, (*instant)(&e.Lease), (*instant)(&e.Due), &e.Checks,
		&e.Snapshot, &e.Answered, (*instant)(&e.FirstSent), (*instant)(&e.LastSent), &e.Tries, (*instant)(&e.MissedAt),
		&e.RefundID, &refunded.minor, &refunded.currency, &e.ProviderStatus, (*instant)(&e.RefundCreated),
		(*instant)(&e.LocksAt), (*instant)(&e.ExpiresAt), &e.FailureReason,
		&e.Kind, &e.Code, &e.Note, (*instant)(&e.Updated),
	)
	if err == nil {
		e.Amount, err = amount.value()
	}
	if err == nil {
		e.Refunded, err = refunded.value()
	}
	return e, err
}

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
		return fmt.Errorf("sqlstore: a time is stored as %T", value)
	}
	return nil
}

// ignored skips a column that is derived from others.
type ignored struct{}

// Scan implements sql.Scanner.
func (*ignored) Scan(any) error { return nil }
