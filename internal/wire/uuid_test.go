package wire_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/multirefund/refund-go/internal/wire"
)

// TestUUID pins the derivation: another UUID for the same key is a second refund.
func TestUUID(t *testing.T) {
	assert.Equal(t, "b27168f6-3b06-5a49-9c1b-7d0a3a590b08", wire.UUID("afterpay", "refund-1"))
	assert.NotEqual(t, wire.UUID("afterpay", "refund-1"), wire.UUID("instant", "refund-1"))
	assert.NotEqual(t, wire.UUID("afterpay", "refund-1"), wire.UUID("afterpay", "refund-2"))
}
