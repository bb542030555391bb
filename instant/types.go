package instant

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// RefundRequest is what the refund endpoint takes: its body, and the header Idempotency-Key.
type RefundRequest struct {
	// AmountToRefund is greater than zero, in Config.Currency. Sent as a JSON number of major units. Required.
	AmountToRefund refund.Money
	// DisplayOrderID is the order id that the customer sees. At Magento that is the increment id, not the entity id.
	// Required.
	DisplayOrderID string
	// StoreCode is given by Instant. Empty means Config.StoreCode.
	StoreCode string
	// IdempotencyKey goes into the header of that name. The refunds page does not know it; instant-magento2 sends a
	// UUID, the same again with each repeat. Empty means no header.
	IdempotencyKey string
}

func (r *RefundRequest) check(op *httpx.Op, currency string) error {
	if err := checkOrderID(op, "DisplayOrderID", r.DisplayOrderID); err != nil {
		return err
	}
	switch {
	case !httpx.VisibleASCII(r.StoreCode):
		return op.Invalid("StoreCode", "must be visible ASCII without spaces; Instant issues it")
	case r.IdempotencyKey != "" && !httpx.VisibleASCII(r.IdempotencyKey) || len(r.IdempotencyKey) > maxKey:
		return op.Invalid("IdempotencyKey", "must be visible ASCII, at most %d characters; it goes into a header", maxKey)
	case r.AmountToRefund.Sign() <= 0:
		return op.Invalid("AmountToRefund", "is %s; it must be greater than zero", r.AmountToRefund)
	case r.AmountToRefund.Currency() != currency:
		return op.NotSent(refund.ErrCurrencyMismatch, "AmountToRefund", "is in %s; this client refunds in %s",
			r.AmountToRefund.Currency(), currency)
	}
	return nil
}

// wireRefund is the documented body, and nothing of what only instant-magento2 sends (refunds page).
type wireRefund struct {
	AmountToRefund json.Number `json:"amountToRefund"`
	DisplayOrderID string      `json:"displayOrderId"`
	StoreCode      string      `json:"storeCode"`
}

func (r *RefundRequest) wire() *wireRefund {
	return &wireRefund{
		AmountToRefund: json.Number(r.AmountToRefund.Amount()), DisplayOrderID: r.DisplayOrderID, StoreCode: r.StoreCode,
	}
}

// RefundResponse is a refund that was carried out. Instant states nothing of it.
type RefundResponse struct {
	// Body is the response's body. What it holds is not documented; it may be empty.
	Body refund.Raw
}

// checkOrderID refuses what no shop shows to a customer. Which ids there are is not documented; an id travels in a JSON
// string, so that spaces, slashes and letters of any script are as good as digits.
func checkOrderID(op *httpx.Op, field, id string) error {
	if err := op.CheckText(field, id); err != nil {
		return err
	}
	switch n := utf8.RuneCountInString(id); {
	case id == "":
		return op.Invalid(field, "is empty; it is the order id that the customer sees (displayOrderId)")
	case n > maxOrderID:
		return op.Invalid(field, "has %d characters; %d are allowed", n, maxOrderID)
	case strings.IndexFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0:
		return op.Invalid(field, "has a character that cannot be printed; letters, digits, marks, signs and spaces are allowed")
	case id[0] == ' ' || id[len(id)-1] == ' ': // a slip of copying, and another order than the one without to whoever compares ids
		return op.Invalid(field, "begins or ends with a space")
	case slices.ContainsFunc(strings.Split(id, "/"), func(part string) bool { return part == "." || part == ".." }):
		return op.Invalid(field, "has a part of dots alone: it is a path, and no order id")
	}
	return nil
}
