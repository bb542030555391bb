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
	fixedColumns = `provider, key, order_id, merchant_order_id, invoice_id, purchased_at, order_key, amount, currency, ` +
		`part, line, created`
	changingColumns = `state, version, baseline, lease, due, checks, first_sent, last_sent, tries, ` +
		`refund_id, refunded, refunded_currency, provider_status, refund_created, locks_at, expires_at, failure_reason, ` +
		`kind, code, note, updated`
	allColumns = fixedColumns + ", " + changingColumns
)

// placeholders returns a question mark for each of the columns.
func placeholders(columns string) string {
	return strings.Repeat("?, ", strings.Count(columns, ",")) + "?"
}

// fixedValues are those that an entry is born with.
func (d *dialect) fixedValues(e *journal.Entry) []any {
	return []any{
		e.Provider, e.Key, e.Order.ID, e.Order.MerchantID, e.Order.InvoiceID, d.nullTime(e.Order.PurchasedAt), e.OrderKey(),
		e.Amount.Minor(), e.Amount.Currency(), string(e.Part), e.Line, d.time(e.Created),
	}
}

func (d *dialect) changingValues(e *journal.Entry) []any {
	return []any{
		string(e.State), e.Version, string(e.Baseline), d.nullTime(e.Lease), d.nullTime(e.Due), e.Checks,
		d.nullTime(e.FirstSent), d.nullTime(e.LastSent), e.Tries,
		text(e.RefundID), e.Refunded.Minor(), e.Refunded.Currency(), text(e.ProviderStatus), d.nullTime(e.RefundCreated),
		d.nullTime(e.LocksAt), d.nullTime(e.ExpiresAt), text(e.FailureReason),
		int(e.Kind), text(e.Code), text(e.Note), d.time(e.Updated),
	}
}

func (d *dialect) nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return d.time(t)
}

// text is what somebody else wrote, as a database takes it: PostgreSQL refuses NUL and what is not UTF-8, and a refund
// that was made must not stay unrecorded for that.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// scan reads a row of allColumns.
func scan(row interface{ Scan(dest ...any) error }) (journal.Entry, error) {
	var e journal.Entry
	var amount, refunded money
	err := row.Scan(
		&e.Provider, &e.Key, &e.Order.ID, &e.Order.MerchantID, &e.Order.InvoiceID, (*instant)(&e.Order.PurchasedAt), new(ignored),
		&amount.minor, &amount.currency, &e.Part, &e.Line, (*instant)(&e.Created),
		&e.State, &e.Version, &e.Baseline, (*instant)(&e.Lease), (*instant)(&e.Due), &e.Checks,
		(*instant)(&e.FirstSent), (*instant)(&e.LastSent), &e.Tries,
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

// ignored is a column that follows from others.
type ignored struct{}

// Scan implements sql.Scanner.
func (*ignored) Scan(any) error { return nil }
