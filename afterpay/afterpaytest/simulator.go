// Package afterpaytest simulates Afterpay's refunds: a stateful http.Handler with orders, captures, a ledger of what
// really moved and a clock.
//
//	sim := afterpaytest.New()
//	order := sim.AddOrder(refund.MustParseMoney("100.00", "AUD"))
//	client, err := sim.Client(refund.Options{})
//
// It answers as strictly as the documentation says Afterpay does. What it assumes beyond the documents:
//
//   - only successes are remembered for a requestId and merchantReference, for 24 hours, whatever the order;
//   - the same pair with another amount or order is answered with the original refund;
//   - the 409 of a pair that is still being processed carries no errorCode;
//   - a User-Agent that does not begin with a name and a version is answered with an HTML block page: the real sandbox was
//     recorded taking some that do not follow the documented pattern;
//   - requestId and merchantReference longer than 64 characters are answered like a refundMerchantReference longer
//     than 128;
//   - an unknown order is 412, as documented; AnswerUnknownWith404 makes it 404, as recorded.
//
// Of the filters of List Payments it knows those that page: the others select nothing.
package afterpaytest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// The credentials that the simulator accepts.
const (
	MerchantID = "600032000"
	SecretKey  = "simulated-secret-key"
	Token      = "simulated-access-token"
)

const (
	keyLife = 24 * time.Hour
	window  = 120 * 24 * time.Hour
)

// Simulator is a fake Afterpay. It implements refundtest.Simulator. Safe for concurrent use.
type Simulator struct {
	refundtest.Clock

	currency string

	mu         sync.Mutex
	processing time.Duration
	unknown404 bool
	orders     []*order
	byID       map[string]*order // by id, and by "token:" with the token
	replays    map[pair]*replay
	lastID     int64
}

var _ refundtest.Simulator = (*Simulator)(nil)

type pair struct{ requestID, merchantReference string }

// replay is what is remembered for a pair. response is nil while the first request is being processed.
type replay struct {
	response *wireRefund
	at       time.Time
}

type order struct {
	id, token, merchantReference string
	created                      time.Time
	declined                     bool
	authorized, captured         refund.Money
	refunded, voided             refund.Money
	refunds                      []wireRefund
	events                       []wireEvent
	ledger                       []refund.Money
}

// New makes an Afterpay of an AUD account, without orders.
func New() *Simulator { return NewIn("AUD") }

// NewIn makes an Afterpay of an account in another currency.
func NewIn(currency string) *Simulator {
	return &Simulator{
		currency: currency, byID: map[string]*order{}, replays: map[pair]*replay{},
	}
}

// Provider implements refundtest.Simulator.
func (s *Simulator) Provider() string { return "afterpay" }

// Currency implements refundtest.Simulator.
func (s *Simulator) Currency() string { return s.currency }

// Secrets implements refundtest.Simulator.
func (s *Simulator) Secrets() []string {
	return []string{SecretKey, base64.StdEncoding.EncodeToString([]byte(MerchantID + ":" + SecretKey))}
}

// Config returns a client's configuration that calls the simulator without a network.
func (s *Simulator) Config() afterpay.Config {
	return afterpay.Config{
		Options:      refundtest.Connect(s, refund.Options{}),
		Environment:  afterpay.Sandbox,
		MerchantID:   MerchantID,
		SecretKey:    refund.NewSecret(SecretKey),
		Currency:     s.currency,
		MerchantName: "Example Shop",
		Platform:     "Simulation/1.0",
		MerchantURL:  "https://shop.example",
	}
}

// Client makes a client with opts. Without a Transport and a BaseURL in them it calls the simulator without a network.
func (s *Simulator) Client(opts refund.Options) (*afterpay.Client, error) {
	cfg := s.Config()
	cfg.Options = refundtest.Connect(s, opts)
	return afterpay.New(cfg)
}

// Refunder implements refundtest.Simulator.
func (s *Simulator) Refunder(opts refund.Options) (refund.Refunder, error) { return s.Client(opts) }

// AddOrder implements refundtest.Simulator: an order that was captured at once.
func (s *Simulator) AddOrder(captured refund.Money) refund.Order {
	return s.AddDeferredOrder(captured, captured)
}

// AddDeferredOrder makes an order of which only a part has been captured: only that can be refunded.
func (s *Simulator) AddDeferredOrder(authorized, captured refund.Money) refund.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nextID()
	zero := refundtest.Sub(captured, captured)
	o := &order{
		id:    strconv.FormatInt(100101768000+n, 10), // beyond 32 bits, as Afterpay's are
		token: fmt.Sprintf("002.simulated%d", n), merchantReference: fmt.Sprintf("order-%d", n),
		created: s.now(), authorized: authorized, captured: captured, refunded: zero, voided: zero,
	}
	o.event(s, "AUTH_APPROVED", authorized)
	if captured.Sign() > 0 {
		o.event(s, "CAPTURED", captured)
	}
	s.orders = append(s.orders, o)
	s.byID[o.id], s.byID["token:"+o.token] = o, o
	return refund.Order{ID: o.id, MerchantID: o.merchantReference}
}

// AddDeclinedOrder makes an order whose payment was declined.
func (s *Simulator) AddDeclinedOrder(amount refund.Money) refund.Order {
	got := s.AddDeferredOrder(amount, refundtest.Sub(amount, amount))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[got.ID].declined = true
	return got
}

// UnknownOrder implements refundtest.Simulator.
func (s *Simulator) UnknownOrder() refund.Order { return refund.Order{ID: "999999999999"} }

// Void gives back money that was authorized and not captured. It leaves an entry among the payment's refunds.
func (s *Simulator) Void(o refund.Order, amount refund.Money) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byID[o.ID]
	found.voided = refundtest.Add(found.voided, amount)
	id := found.event(s, "VOIDED", amount)
	found.refunds = append([]wireRefund{{RefundID: id, RefundedAt: s.now(), Amount: moneyOf(amount)}}, found.refunds...)
}

// Ledger implements refundtest.Simulator.
func (s *Simulator) Ledger(o refund.Order) []refund.Money {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.byID[o.ID]; found != nil {
		return slices.Clone(found.ledger)
	}
	return nil
}

// SetProcessing sets how long a refund takes. Meanwhile the same pair is answered with 409.
func (s *Simulator) SetProcessing(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processing = d
}

// AnswerUnknownWith404 makes unknown orders 404 not_found, as recorded, instead of 412 precondition_failed, as
// documented.
func (s *Simulator) AnswerUnknownWith404() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unknown404 = true
}

// now is the time as Afterpay writes it.
func (s *Simulator) now() time.Time { return s.Now().Truncate(time.Millisecond) }

func (s *Simulator) nextID() int64 {
	s.lastID++
	return s.lastID
}

func (o *order) event(s *Simulator, typ string, amount refund.Money) (id string) {
	id = fmt.Sprintf("1xUMg%d", s.nextID())
	o.events = append(o.events, wireEvent{ID: id, Created: s.now(), Type: typ, Amount: moneyOf(amount)})
	return id
}
