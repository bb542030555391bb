// Package backdtest simulates Backd's refunds: a stateful http.Handler with orders, refund requests that lock by a
// clock, and a ledger of what Backd will pay.
//
//	sim := backdtest.New()
//	order := sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
//	client, err := backd.New(sim.Config())
//
// It answers as strictly as the documentation says Backd does: orders that are not confirmed are refused, a new request
// declines and replaces the active one, one that has locked can be neither replaced nor deleted. What it assumes beyond
// the documents:
//
//   - what Backd refuses itself is answered with HTTP 200, the only status that is documented, and status.error true;
//     RefuseByStatus makes that the HTTP status of status.code instead;
//   - requests that cannot be read are 400 and 415 with the same envelope; missing or wrong credentials, an unknown path
//     and a wrong method are 401, 404 and 405 in plain text;
//   - status.type is "success" or "error", status.code an HTTP status: 404 for an unknown order or another
//     merchant_order_id, 409 for an order or a request whose state does not allow it, 422 for an amount that is more
//     than the order's total;
//   - amounts are numbers greater than zero, with at most two decimals;
//   - create_date and locked_at are like "2026-04-16 10:30:00", in America/Chicago;
//   - new requests are the last in refunds[]; declined ones stay, spelled "declined";
//   - a request is approved only by Approve, and paid only by Pay: then its status is "paid" and the order's "refund",
//     which are this simulator's own words, and nothing more can be refunded.
package backdtest

import (
	"fmt"
	"sync"
	"time"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// The credentials that the simulator accepts.
const (
	PublicKey = "pk_simulated"
	SecretKey = "sk_simulated-secret-key"
)

// Paid is the status of a request after Pay. Backd documents none.
const Paid backd.RefundStatus = "paid"

const currency = "USD"

// Simulator is a fake Backd. It implements refundtest.Simulator. Its Clock says when requests lock; the client's clock is
// not moved by it, under testing/synctest waiting moves both. Safe for concurrent use.
type Simulator struct {
	refundtest.Clock

	mu       sync.Mutex
	byStatus bool
	orders   map[string]*order
	lastID   int
}

type order struct {
	id, merchantID string
	created        time.Time
	total          refund.Money
	status         backd.OrderStatus
	requests       []request
	states         []state
}

type request struct {
	amount          refund.Money
	created, locked time.Time
	status          backd.RefundStatus
}

// state is what reads show from a moment on.
type state struct {
	from time.Time
	data map[string]any
}

// New makes a Backd without orders.
func New() *Simulator { return &Simulator{orders: map[string]*order{}} }

// Provider implements refundtest.Simulator.
func (s *Simulator) Provider() string { return "backd" }

// Currency implements refundtest.Simulator.
func (s *Simulator) Currency() string { return currency }

// Secrets implements refundtest.Simulator.
func (s *Simulator) Secrets() []string { return []string{SecretKey} }

// Config returns a client's configuration that calls the simulator without a network.
func (s *Simulator) Config() backd.Config {
	return backd.Config{
		Options:     refundtest.Connect(s, refund.Options{}),
		Environment: backd.Sandbox,
		PublicKey:   PublicKey,
		SecretKey:   refund.NewSecret(SecretKey),
	}
}

// Client makes a client with opts. Without a Transport and a BaseURL in them it calls the simulator without a network.
func (s *Simulator) Client(opts refund.Options) (*backd.Client, error) {
	cfg := s.Config()
	cfg.Options = refundtest.Connect(s, opts)
	return backd.New(cfg)
}

// Refunder implements refundtest.Simulator.
func (s *Simulator) Refunder(opts refund.Options) (refund.Refunder, error) { return s.Client(opts) }

// AddOrder implements refundtest.Simulator: a confirmed order with this total, in USD.
func (s *Simulator) AddOrder(total refund.Money) refund.Order {
	if total.Currency() != currency {
		panic("backdtest: Backd's orders are in USD, not " + total.Currency())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	n := fmt.Sprintf("%04d", s.lastID)
	o := &order{
		id: "BO-20260416-" + n, merchantID: "JKLMO" + n, created: s.second(), total: total, status: backd.OrderConfirmed,
	}
	s.orders[o.id] = o
	s.show(o)
	return refund.Order{ID: o.id, MerchantID: o.merchantID}
}

// UnknownOrder implements refundtest.Simulator.
func (s *Simulator) UnknownOrder() refund.Order {
	return refund.Order{ID: "BO-20260416-none", MerchantID: "JKLMOnone"}
}

// SetOrderStatus changes the status of an order.
func (s *Simulator) SetOrderStatus(o refund.Order, status backd.OrderStatus) {
	s.change(o, func(found *order) { found.status = status })
}

// Approve makes the order's draft approved.
func (s *Simulator) Approve(o refund.Order) {
	s.change(o, func(found *order) { found.move(backd.RefundApproved) })
}

// Pay pays the order's active request.
func (s *Simulator) Pay(o refund.Order) {
	s.change(o, func(found *order) {
		found.move(Paid)
		found.status = backd.OrderRefund
	})
}

func (s *Simulator) change(o refund.Order, what func(*order)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.orders[o.ID]
	what(found)
	s.show(found)
}

// Ledger implements refundtest.Simulator: what Backd has paid or will pay, which is every request but declined ones.
func (s *Simulator) Ledger(o refund.Order) []refund.Money {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.orders[o.ID]
	if found == nil {
		return nil
	}
	var ledger []refund.Money
	for _, r := range found.requests {
		if r.status != backd.RefundDeclined {
			ledger = append(ledger, r.amount)
		}
	}
	return ledger
}

// RefuseByStatus makes refusals of Backd's own HTTP 4xx, with the same envelope.
func (s *Simulator) RefuseByStatus() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byStatus = true
}

// second is the time as Backd writes it.
func (s *Simulator) second() time.Time { return s.Now().Truncate(time.Second) }

func (o *order) active() *request {
	for i := range o.requests {
		if r := &o.requests[i]; r.status == backd.RefundDraft || r.status == backd.RefundApproved {
			return r
		}
	}
	return nil
}

func (o *order) move(status backd.RefundStatus) {
	if r := o.active(); r != nil {
		r.status = status
	}
}
