package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// simulator keeps the truth, in the coordinator's process.
type simulator interface {
	refundtest.Simulator
	Advance(d time.Duration)
}

// provider is what the suite knows of one: its simulator, its client, and what a shop that writes the call by hand sends.
type provider struct {
	name     string
	currency string
	several  bool // an order may have several refunds
	newSim   func() simulator
	client   func(refund.Options) (refund.Refunder, error)
	// byHand is the path and the body of a refund. key is "" for clients without one.
	byHand func(t *task, key string) (path string, body any)
}

func providers() []provider {
	return []provider{
		{
			name: "afterpay", currency: "AUD", several: true,
			newSim: func() simulator { return afterpaytest.New() },
			client: func(o refund.Options) (refund.Refunder, error) {
				cfg := afterpaytest.New().Config()
				cfg.Options = o
				return afterpay.New(cfg)
			},
			byHand: func(t *task, key string) (string, any) {
				body := map[string]any{"amount": map[string]string{"amount": t.Amount, "currency": t.Currency}}
				if key != "" {
					body["requestId"], body["merchantReference"] = key, key
				}
				return "/v2/payments/" + t.Order.ID + "/refund", body
			},
		},
		{
			name: "backd", currency: "USD",
			newSim: func() simulator { return backdtest.New() },
			client: func(o refund.Options) (refund.Refunder, error) {
				cfg := backdtest.New().Config()
				cfg.Options = o
				return backd.New(cfg)
			},
			byHand: func(t *task, _ string) (string, any) {
				return "/refund", map[string]any{
					"backd_order_id": t.Order.ID, "merchant_order_id": t.Order.MerchantID, "refund_amount": json.Number(t.Amount),
				}
			},
		},
		{
			name: "digitalriver", currency: "USD", several: true,
			newSim: func() simulator { return digitalrivertest.New() },
			client: func(o refund.Options) (refund.Refunder, error) {
				cfg := digitalrivertest.New().Config()
				cfg.Options = o
				return digitalriver.New(cfg)
			},
			byHand: func(t *task, key string) (string, any) {
				body := map[string]any{"orderId": t.Order.ID, "currency": t.Currency, "amount": json.Number(t.Amount)}
				if key != "" {
					body["metadata"] = map[string]string{"idempotency_key": key}
				}
				return "/refunds", body
			},
		},
		{
			name: "instant", currency: "AUD", several: true,
			newSim: func() simulator { return instanttest.New() },
			client: func(o refund.Options) (refund.Refunder, error) {
				cfg := instanttest.New().Config()
				cfg.Options = o
				return instant.New(cfg)
			},
			byHand: func(t *task, _ string) (string, any) {
				return "/order/refund", map[string]any{
					"displayOrderId": t.Order.ID, "storeCode": instanttest.New().Config().StoreCode, "amountToRefund": json.Number(t.Amount),
				}
			},
		},
		{
			name: "orderrows", currency: "SEK", several: true,
			newSim: func() simulator { return orderrowstest.New() },
			client: func(o refund.Options) (refund.Refunder, error) {
				cfg := orderrowstest.New().Config()
				cfg.Options = o
				return orderrows.New(cfg)
			},
			byHand: func(t *task, key string) (string, any) {
				body := map[string]any{"RefundAmount": json.Number(t.Amount)}
				if key != "" {
					body["Reference"] = key
				}
				return "/API/Order/" + t.Order.ID + "/Refund", body
			},
		},
	}
}

// headers are those of the provider's own client, but for the key: learned by letting it send a refund.
func (p *provider) headers(ctx context.Context) (http.Header, error) {
	sim := p.newSim()
	network := refundtest.NewNetwork(refundtest.InMemory(sim))
	client, err := p.client(refund.Options{Transport: network})
	if err != nil {
		return nil, err
	}
	amount := refund.MustParseMoney("1.00", p.currency)
	if _, err := client.Refund(ctx, refund.Request{IdempotencyKey: "headers", Order: sim.AddOrder(amount), Amount: amount}); err != nil {
		return nil, err
	}
	for _, req := range network.Requests() {
		if req.Method != http.MethodGet {
			header := req.Header.Clone()
			header.Del("Idempotency-Key")
			return header, nil
		}
	}
	return nil, errors.New("the client sent no write")
}
