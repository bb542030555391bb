package backdtest

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// show writes down what reads show of an order from now on, and returns it.
func (s *Simulator) show(o *order) map[string]any {
	contact := map[string]any{
		"name": map[string]string{"first": "Jo", "last": "Example"}, "company_name": "Example Inc.",
		"address": map[string]string{
			"line1": "1 Main Street", "city": "Austin", "state": "TX", "zipcode": "73301", "country": "USA",
		},
		"phone_number": "+15125550100", "email": "jo@example.com",
	}
	refunds := make([]map[string]any, len(o.requests))
	for i, r := range o.requests {
		refunds[i] = map[string]any{
			"amount": number(r.amount), "create_date": date(r.created), "status": r.status, "locked_at": date(r.locked),
		}
	}
	data := map[string]any{
		"backd_order_id": o.id, "create_date": date(o.created), "status": o.status,
		"order_total": number(o.total), "cart_amount": number(o.total), "tax_amount": 0, "shipping_amount": 0, "discount_amount": 0,
		"merchant_order_id": o.merchantID, "merchant_order_status": "shipped", "shipping": contact, "billing": contact,
		"items":   []map[string]any{{"display_name": "Item", "sku": "SKU-1", "unit_price": number(o.total), "qty": 1}},
		"refunds": refunds,
	}
	o.states = append(o.states, state{s.Now(), data})
	return data
}

func number(m refund.Money) json.Number { return json.Number(m.Amount()) }

// date writes a time in the zone of LocksAt.
func date(t time.Time) string { return t.In(backd.LocksAt(t).Location()).Format(time.DateTime) }

// respond answers with an order.
func respond(w http.ResponseWriter, data map[string]any) {
	refundtest.Respond(w, http.StatusOK, map[string]any{
		"data": data, "message": "OK", "status": map[string]any{"type": "success", "code": http.StatusOK, "error": false},
	})
}

func fail(w http.ResponseWriter, status, code int, message string) {
	refundtest.Respond(w, status, map[string]any{
		"message": message, "status": map[string]any{"type": "error", "code": code, "error": true},
	})
}
