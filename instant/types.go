package instant

import (
	"encoding/json"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/refund"
)

// RefundRequest is what the refund endpoint takes: its body, and the header Idempotency-Key.
type RefundRequest struct {
	// AmountToRefund is in major units of Config.Currency, greater than zero, and exact in the currency: Instant would
	// round. Sent as a JSON number. Required.
	AmountToRefund decimal.Decimal
	// DisplayOrderID is the order id that the customer sees. At Magento that is the increment id, not the entity id.
	// Required.
	DisplayOrderID string
	// StoreCode is given by Instant. Empty means Config.StoreCode.
	StoreCode string
	// IdempotencyKey goes into the header of that name. The refunds page does not know it; instant-magento2 sends a
	// UUID, the same again with each repeat. Empty means no header.
	IdempotencyKey string
}

// wireRefund is the documented body, and nothing of what only instant-magento2 sends (refunds page).
type wireRefund struct {
	AmountToRefund json.Number `json:"amountToRefund"`
	DisplayOrderID string      `json:"displayOrderId"`
	StoreCode      string      `json:"storeCode"`
}

// RefundResponse is a refund that was carried out. Instant states nothing of it.
type RefundResponse struct {
	// Body is the answer's body. What it holds is not documented; it may be empty.
	Body refund.Raw
}
