package afterpaytest

import (
	"encoding/json"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// wireRequest is the body of Create Refund. Its amount is read by itself, because its errors come later.
type wireRequest struct {
	RequestID               string          `json:"requestId"`
	MerchantReference       string          `json:"merchantReference"`
	RefundMerchantReference string          `json:"refundMerchantReference"`
	Amount                  json.RawMessage `json:"amount"`
}

type wireMoney struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// wireRefund echoes what was sent, and nothing else.
type wireRefund struct {
	RequestID               string     `json:"requestId,omitempty"`
	Amount                  *wireMoney `json:"amount,omitempty"`
	MerchantReference       string     `json:"merchantReference,omitempty"`
	RefundMerchantReference string     `json:"refundMerchantReference,omitempty"`
	RefundID                string     `json:"refundId"`
	RefundedAt              time.Time  `json:"refundedAt"`
}

type wireEvent struct {
	ID      string     `json:"id"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires"`
	Type    string     `json:"type"`
	Amount  *wireMoney `json:"amount"`
}

func moneyOf(m refund.Money) *wireMoney { return &wireMoney{m.Amount(), m.Currency()} }

// payment is the order as reads show it.
func (s *Simulator) payment(o *order) map[string]any {
	refunds := []wireRefund{}
	for _, r := range o.refunds {
		if s.Visible(r.RefundedAt) {
			refunds = append(refunds, r)
		}
	}
	open := refundtest.Sub(refundtest.Sub(o.authorized, o.captured), o.voided)
	status, state := "APPROVED", "CAPTURED"
	switch {
	case o.declined:
		status, state = "DECLINED", "AUTH_DECLINED"
	case o.captured.Sign() == 0 && open.Sign() == 0:
		state = "VOIDED"
	case o.captured.Sign() == 0:
		state = "AUTH_APPROVED"
	case open.Sign() > 0:
		state = "PARTIALLY_CAPTURED"
	}
	return map[string]any{
		"id": o.id, "token": o.token, "status": status, "created": o.created, "paymentState": state,
		"originalAmount": moneyOf(o.authorized), "openToCaptureAmount": moneyOf(open), "merchantReference": o.merchantReference,
		"refunds": refunds, "events": o.events, "orderDetails": map[string]any{"items": []any{}},
	}
}
