package digitalrivertest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

type refundBody struct {
	OrderID   string          `json:"orderId"`
	InvoiceID string          `json:"invoiceId"`
	Currency  string          `json:"currency"`
	Type      string          `json:"type"`
	Reason    string          `json:"reason"`
	Amount    json.RawMessage `json:"amount"` // raw, to tell a number from a string
	Percent   json.RawMessage `json:"percent"`
	Items     []itemBody      `json:"items"`
	Metadata  map[string]any  `json:"metadata"`
}

type itemBody struct {
	ItemID   string          `json:"itemId"`
	SKUID    string          `json:"skuId"`
	Type     string          `json:"type"`
	Quantity *int            `json:"quantity"`
	Amount   json.RawMessage `json:"amount"`
	Percent  json.RawMessage `json:"percent"`
}

type updateBody struct {
	Metadata map[string]any `json:"metadata"`
}

// members are those of a JSON object.
type members map[string]any

// problem is a response that is not a success.
type problem struct {
	status          int
	code, parameter string
}

func (p *problem) wire() members {
	typ := strings.ReplaceAll(strings.ToLower(http.StatusText(p.status)), " ", "_")
	one := members{"code": p.code, "message": "The request is refused: " + p.code}
	if p.parameter != "" {
		one["parameter"] = p.parameter
	}
	return members{"type": typ, "errors": []members{one}}
}

func number(m refund.Money) json.Number { return json.Number(m.Amount()) }

// wire is a refund as it is at a moment (Refunds reference page; event samples).
func (r *record) wire(now moment) members {
	state, refunded := r.state(now), refundtest.Sub(r.order.captured, r.order.captured)
	got := members{
		"id": r.id, "createdTime": r.created, "orderId": r.order.id, "invoiceId": r.order.invoice, "currency": refunded.Currency(),
		"state": state, "liveMode": false, "metadata": r.metadata,
		// refunded is true whatever the state.
		"charges": []members{{"id": "ch_" + r.order.id, "captured": true, "refunded": true, "sourceId": "src_" + r.order.id}},
	}
	switch state {
	case "succeeded":
		refunded = r.total()
	case "failed":
		got["failureReason"] = "expired_or_canceled_card"
	case "pending_information":
		expires := r.created.Add(tokenLife)
		got["tokenInformation"] = members{"token": "bb3f0f17-567a-4c87-8cbd-76d93a750709", "expiresTime": expires}
		got["expiresTime"] = expires
	}
	got["refundedAmount"] = number(refunded)
	if r.whole {
		got["amount"] = number(r.total())
	}
	if r.reason != "" {
		got["reason"] = r.reason
	}
	items := []members{}
	for _, e := range r.entries {
		if !r.ofItems {
			if e.typ != "" {
				got["type"] = e.typ
			}
			continue
		}
		item := members{"itemId": e.item, "amount": number(e.amount), "percent": e.percent, "refundedAmount": nil}
		if e.percent != nil {
			item["amount"] = nil
		}
		if state == "succeeded" {
			item["refundedAmount"] = number(e.amount)
		}
		for name, value := range map[string]string{"type": e.typ, "skuId": e.sku} {
			if value != "" {
				item[name] = value
			}
		}
		items = append(items, item)
	}
	got["items"] = items
	return got
}

// wire is an order as reads show it.
func (s *Simulator) wire(o *order) members {
	refunded := refundtest.Sub(o.captured, o.captured)
	for _, r := range s.of(o, s.Visible) {
		if r.live(s.Visible) {
			refunded = refundtest.Add(refunded, r.total())
		}
	}
	state := "fulfilled"
	if o.disputed {
		state = "dispute"
	}
	item := o.parts[0]
	return members{
		"id": o.id, "currency": o.captured.Currency(), "state": state, "liveMode": false,
		"totalAmount": number(o.captured), "capturedAmount": number(o.captured),
		"refundedAmount": number(refunded), "availableToRefundAmount": number(refundtest.Sub(o.captured, refunded)),
		"items": []members{{
			"id": item.item, "skuId": item.sku, "availableToRefundAmount": number(s.available(o, item.item, "", s.Visible)),
		}},
		"payment": members{"charges": []members{{"captures": []members{{"state": "complete"}}}}},
	}
}
