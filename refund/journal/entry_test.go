package journal_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// full has a value in every field.
func full() journal.Entry {
	at := func(minute int) time.Time { return time.Date(2026, 2, 28, 12, minute, 0, 123456000, time.UTC) }
	return journal.Entry{
		Provider: "orderrows", Account: "se-1", Key: "refund-2026-0001",
		Order:  refund.Order{ID: "1001", MerchantID: "web-1001", InvoiceID: "i-7"},
		Amount: refund.MustParseMoney("10.90", "SEK"), Part: refund.PartShipping, Line: "7",
		State: journal.StateSending, Step: journal.StepSending, OrderLock: true, Attention: journal.AttentionPaidTwice,
		Version: 3, Owner: "KVRZDHXOWL", Lease: at(1), Due: at(2), Checks: 4,
		Snapshot: `{"refunds":[]}`, Answered: true, FirstSent: at(3), LastSent: at(4), Tries: 5, MissedAt: at(5),
		NotFoundAt: at(11), Looks: 2,
		RefundID: "re-1", Refunded: refund.MustParseMoney("10.90", "SEK"), ProviderStatus: "QUEUED", RefundCreated: at(6), LocksAt: at(7),
		ExpiresAt: at(8), FailureReason: "BANK_SAYS_NO", Kind: refund.ErrUnavailable, Code: "E-17", Note: "see ticket 12",
		Created: at(9), Updated: at(10),
	}
}

// TestEntryJSON: others read the words, so that a changed one must fail here.
func TestEntryJSON(t *testing.T) {
	entry := reflect.ValueOf(full())
	for i := range entry.NumField() {
		assert.False(t, entry.Field(i).IsZero(), "full has no %s", entry.Type().Field(i).Name)
	}
	for name, want := range map[string]journal.Entry{"entry_full": full(), "entry_zero": {}} {
		written, err := json.MarshalIndent(want, "", "  ")
		require.NoError(t, err)
		wiretest.Golden(t, name, string(written)+"\n")
		var got journal.Entry
		require.NoError(t, json.Unmarshal(written, &got))
		assert.Equal(t, want, got)
	}
}

// TestEventJSON is a line of the history as others keep it.
func TestEventJSON(t *testing.T) {
	want := journal.Event{
		Cursor: "17", Provider: "orderrows", Account: "se-1", Key: "refund-2026-0001", Version: 3, At: full().Updated,
		From: journal.StateUnknown, To: journal.StateSucceeded, Attention: journal.AttentionPaidTwice, RefundID: "re-1",
		Note: "see ticket 12", By: "staff-7",
	}
	event := reflect.ValueOf(want)
	for i := range event.NumField() {
		assert.False(t, event.Field(i).IsZero(), event.Type().Field(i).Name)
	}
	written, err := json.MarshalIndent(want, "", "  ")
	require.NoError(t, err)
	wiretest.Golden(t, "event", string(written)+"\n")
	var got journal.Event
	require.NoError(t, json.Unmarshal(written, &got))
	assert.Equal(t, want, got)
	e := full()
	assert.Equal(t, e.ID(), want.ID())
}

// TestIDJSON is the entry's name as others keep it.
func TestIDJSON(t *testing.T) {
	e := full()
	for written, want := range map[string]journal.ID{
		`{"provider":"orderrows","account":"se-1","key":"refund-2026-0001"}`: e.ID(),
		`{"provider":"afterpay","key":"k"}`:                                  {Provider: "afterpay", Key: "k"},
	} {
		got, err := json.Marshal(want)
		require.NoError(t, err)
		assert.Equal(t, written, string(got))
		var read journal.ID
		require.NoError(t, json.Unmarshal(got, &read))
		assert.Equal(t, want, read)
	}
}

// TestStatesAreStored: the words do not change.
func TestStatesAreStored(t *testing.T) {
	assert.Equal(t, []string{
		"sending", "unknown", "needs_review", "not_found", "not_sent", "rejected", "pending", "succeeded", "failed", "canceled", "expired",
	}, wiretest.Constants(t, "state.go", "State"))
	assert.Equal(t, []string{"intent", "sending"}, wiretest.Constants(t, "state.go", "Step"))
	assert.Equal(t, []string{
		"needs_review", "paid_twice", "found_late", "failed_late", "mismatch", "stuck", "poison", "no_client",
	}, wiretest.Constants(t, "state.go", "Attention"))
}

// TestOrderKey: the provider's id goes before the invoice's, and that before the merchant's.
func TestOrderKey(t *testing.T) {
	for want, order := range map[string]refund.Order{
		"1": {ID: "1", InvoiceID: "2", MerchantID: "3"}, "invoice:2": {InvoiceID: "2", MerchantID: "3"}, "merchant:3": {MerchantID: "3"},
	} {
		assert.Equal(t, want, (&journal.Entry{Order: order}).OrderKey())
	}
}

// TestGet tells what became of a key.
func TestGet(t *testing.T) {
	b := newBench(t, &fake{account: "nz"})
	_, err := b.ask(t, "k")
	require.NoError(t, err)
	want := journal.ID{Provider: "fake", Account: "nz", Key: "k"}
	e, err := b.journal.Get(t.Context(), want)
	require.NoError(t, err)
	assert.Equal(t, []any{want, journal.StateSucceeded}, []any{e.ID(), e.State})
	for _, id := range []journal.ID{idOf("k"), {Provider: "fake", Account: "nz", Key: "other"}, {Account: "nz", Key: "k"}} {
		_, err = b.journal.Get(t.Context(), id)
		require.ErrorIs(t, err, journal.ErrNoEntry, id)
	}
	b.store.breaks("get")
	_, err = b.journal.Get(t.Context(), want)
	require.ErrorIs(t, err, errStore)
}
