package refund_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/multirefund/refund-go/refund"
)

func TestQuerySelects(t *testing.T) {
	at := time.Date(2026, 4, 16, 10, 30, 0, 0, time.UTC)
	r := &refund.Refund{CreatedAt: at, Status: refund.StatusPending}
	for _, tt := range []struct {
		query refund.Query
		want  bool
	}{
		{refund.Query{}, true},
		{refund.Query{Since: at}, true},
		{refund.Query{Since: at.Add(1)}, false},
		{refund.Query{Until: at}, false},
		{refund.Query{Until: at.Add(1)}, true},
		{refund.Query{Status: refund.StatusPending}, true},
		{refund.Query{Status: refund.StatusSucceeded}, false},
	} {
		assert.Equal(t, tt.want, tt.query.Selects(r), "%+v", tt.query)
	}
}

func TestRefundPrintsWithoutItsAnswer(t *testing.T) {
	r := refund.Refund{ID: "7", Amount: refund.MustParseMoney("10.00", "AUD"), ProviderStatus: "odd", Raw: refund.Raw("jane@example.com")}
	assert.NotContains(t, r.String(), "jane")
	assert.Contains(t, r.String(), "odd", "a status that nobody knows is the provider's word")
	assert.Contains(t, r.String(), "10.00 AUD")
}
