package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
	"github.com/multirefund/refund-go/simulators"
)

// provider is what the suite knows of one: its simulator, and what a shop that writes the call by hand sends.
type provider struct {
	name, currency string
	several        bool     // an order may have several refunds
	byHand         handmade // nil: nobody has written it, and the naive clients leave the provider out
}

// handmade returns the path and the body of a refund. key is "" for clients without one.
type handmade func(t *task, key string) (path string, body any)

// providers are those that there are simulators of.
func providers() ([]provider, error) {
	byHand := map[string]handmade{
		"afterpay": afterpayByHand, "backd": backdByHand, "digitalriver": digitalriverByHand, "instant": instantByHand,
		"orderrows": orderrowsByHand,
	}
	var all []provider
	for _, sim := range simulators.All() {
		client, err := sim.Refunder(refund.Options{})
		if err != nil {
			return nil, err
		}
		p := provider{sim.Provider(), sim.Currency(), client.Capabilities().MultipleRefunds, byHand[sim.Provider()]}
		all = append(all, p)
	}
	return all, nil
}

// simulator makes the provider's simulator.
func (p *provider) simulator() refundtest.Simulator {
	for _, sim := range simulators.All() {
		if sim.Provider() == p.name {
			return sim
		}
	}
	panic("providers are made of simulators")
}

func afterpayByHand(t *task, key string) (string, any) {
	body := map[string]any{"amount": map[string]string{"amount": t.Amount, "currency": t.Currency}}
	if key != "" {
		body["requestId"], body["merchantReference"] = key, key
	}
	return "/v2/payments/" + t.Order.ID + "/refund", body
}

func backdByHand(t *task, _ string) (string, any) {
	return "/v1/backd/bnpl/api/refund", map[string]any{
		"backd_order_id": t.Order.ID, "merchant_order_id": t.Order.MerchantID, "refund_amount": json.Number(t.Amount),
	}
}

func digitalriverByHand(t *task, key string) (string, any) {
	body := map[string]any{"orderId": t.Order.ID, "currency": t.Currency, "amount": json.Number(t.Amount)}
	if key != "" {
		body["metadata"] = map[string]string{"idempotency_key": key}
	}
	return "/refunds", body
}

func instantByHand(t *task, _ string) (string, any) {
	return "/order/refund", map[string]any{
		"displayOrderId": t.Order.ID, "storeCode": instanttest.New().Config().StoreCode, "amountToRefund": json.Number(t.Amount),
	}
}

func orderrowsByHand(t *task, key string) (string, any) {
	body := map[string]any{"RefundAmount": json.Number(t.Amount)}
	if key != "" {
		body["Reference"] = key
	}
	return "/API/Order/" + t.Order.ID + "/Refund", body
}

// headers are those of the provider's own client, but for the key: learned by letting it send a refund.
func (p *provider) headers(ctx context.Context) (http.Header, error) {
	sim := p.simulator()
	network := refundtest.NewNetwork(refundtest.InMemory(sim))
	client, err := sim.Refunder(refund.Options{Transport: network})
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
