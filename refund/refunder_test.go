package refund_test

import (
	"encoding"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

var (
	_ encoding.TextMarshaler   = refund.Verdict(0)
	_ encoding.TextUnmarshaler = (*refund.Verdict)(nil)
)

func TestVerdict(t *testing.T) {
	var zero refund.Verdict
	assert.Equal(t, refund.VerdictUndetermined, zero, "who forgets to set it has decided nothing")
	assert.Equal(t, refund.VerdictUndetermined, refund.Resolution{}.Verdict)

	for number, verdict := range []refund.Verdict{refund.VerdictUndetermined, refund.VerdictApplied, refund.VerdictNotApplied} {
		assert.Equal(t, number, int(verdict), "the numbers may be stored")
	}
	assert.Equal(t, "undetermined", refund.VerdictUndetermined.String())
	assert.Equal(t, "applied", refund.VerdictApplied.String())
	assert.Equal(t, "not applied", refund.VerdictNotApplied.String())
	for _, strange := range []refund.Verdict{-1, 3} {
		assert.Equal(t, "undetermined", strange.String(), "a verdict that nobody knows decides nothing")
	}
}

func TestVerdictText(t *testing.T) {
	assertText(t, refund.VerdictUndetermined, "undetermined")
	assertText(t, refund.VerdictApplied, "applied")
	assertText(t, refund.VerdictNotApplied, "not_applied")
	for _, unknown := range []string{"", "not applied", "Applied", "applied ", "1", "unknown", strings.Repeat("x", 1<<20)} {
		v := refund.VerdictApplied
		requireRefused(t, v.UnmarshalText([]byte(unknown)), refund.ErrInvalidRequest, "Verdict")
		assert.Equal(t, refund.VerdictApplied, v, "what cannot be read leaves it as it was")
	}
	text, err := refund.Verdict(7).MarshalText()
	require.NoError(t, err)
	assert.Equal(t, "undetermined", string(text), "a verdict that nobody knows decides nothing")
}

// The words are stored by others, so a changed one must fail here.
func TestWordsOfCapabilities(t *testing.T) {
	for word, want := range map[string]string{
		string(refund.RepeatSame): "same", string(refund.RepeatFound): "found", string(refund.RepeatRefused): "refused",
		string(refund.RepeatRefundsAgain): "refunds_again",
		string(refund.ResolvedByKey):      "key", string(refund.ResolvedByMarker): "marker", string(refund.ResolvedBySnapshot): "snapshot",
		string(refund.ResolvedByPerson): "person",
		string(refund.ListsNone):        "", string(refund.ListsByOrder): "order", string(refund.ListsByTime): "time",
		string(refund.PartOrder) + "part": "part", string(refund.PartShipping): "shipping", string(refund.PartTax): "tax",
		string(refund.PartDuty): "duty", string(refund.PartImporterTax): "importer_tax", string(refund.PartFee): "fee",
		string(refund.PartReturnCost): "return_cost",
	} {
		assert.Equal(t, want, word)
	}
}
