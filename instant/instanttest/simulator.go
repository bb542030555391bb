// Package instanttest simulates Instant's refunds: a stateful http.Handler with orders, a ledger of what really moved and
// a clock.
//
//	sim := instanttest.New()
//	order := sim.AddOrder(refund.MustParseMoney("100.00", "AUD"))
//	client, err := sim.Client(refund.Options{})
//
// It answers as strictly as the documentation says Instant does: every refusal is a 500 with one of the documented
// codes. What it assumes beyond the documents:
//
//   - the credentials are checked first, X-Instant-App-Auth before X-Instant-App-Id, then the body, the amount, the order,
//     duplicates, and what is left to refund;
//   - a body that is not JSON, or is not sent as application/json, is INTENRAL_SERVER_ERROR, and so is a displayOrderId or
//     storeCode that is no string;
//   - an amountToRefund that is missing, or neither a number nor the string of one, which instant-magento2 sends, is
//     INVALID_AMOUNT_TO_REFUND. It is rounded half away from zero, and
//     the smallest unit of currency is enough;
//   - another storeCode is NO_ENTITY_FOUND, as is an order that the store does not have;
//   - other members are ignored, because instant-magento2 sends some that are not documented;
//   - the guard remembers refunds that were made for 60 seconds, the last instant included, compares rounded amounts, and
//     does not see those that are still being processed;
//   - Idempotency-Key has no effect: nothing promises one;
//   - other paths and methods are answered with 404 and 405.
package instanttest

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// The credentials that the simulator accepts, and its store.
const (
	AppAuth   = "simulated-app-auth-token"
	AppID     = "simulated-app-id"
	StoreCode = "simulated_store"
)

// Simulator is a fake Instant. It implements refundtest.Simulator. Its read lag has no effect: there is nothing to read.
// Safe for concurrent use.
type Simulator struct {
	refundtest.Clock

	currency string

	mu          sync.Mutex
	processing  time.Duration
	contentType string
	success     string
	next        []scripted
	orders      map[string]*order
}

// scripted is a response that AnswerNext has asked for.
type scripted struct {
	code  instant.ErrorCode
	acted bool
}

type order struct {
	id      string
	left    refund.Money
	refunds []made
}

type made struct {
	amount refund.Money
	at     time.Time
}

// New makes an Instant with an AUD store, without orders.
func New() *Simulator { return NewIn("AUD") }

// NewIn makes an Instant with a store in another currency.
func NewIn(currency string) *Simulator {
	return &Simulator{currency: currency, orders: map[string]*order{}}
}

// Provider implements refundtest.Simulator.
func (s *Simulator) Provider() string { return "instant" }

// Currency implements refundtest.Simulator.
func (s *Simulator) Currency() string { return s.currency }

// Secrets implements refundtest.Simulator.
func (s *Simulator) Secrets() []string { return []string{AppAuth} }

// Config returns a client's configuration that calls the simulator without a network.
func (s *Simulator) Config() instant.Config {
	return instant.Config{
		Options:     refundtest.Connect(s, refund.Options{}),
		Environment: instant.Staging,
		AppAuth:     refund.NewSecret(AppAuth),
		AppID:       AppID,
		StoreCode:   StoreCode,
		Currency:    s.currency,
	}
}

// Client makes a client of the simulator. Without a Transport and a BaseURL in opts it calls the simulator in memory.
func (s *Simulator) Client(opts refund.Options) (*instant.Client, error) {
	cfg := s.Config()
	cfg.Options = refundtest.Connect(s, opts)
	return instant.New(cfg)
}

// Refunder implements refundtest.Simulator.
func (s *Simulator) Refunder(opts refund.Options) (refund.Refunder, error) {
	client, err := s.Client(opts)
	if err != nil {
		return nil, err // not a nil *instant.Client, which would be a Refunder
	}
	return client, nil
}

// AddOrder implements refundtest.Simulator. It panics if captured is in another currency than the store's.
func (s *Simulator) AddOrder(captured refund.Money) refund.Order {
	if captured.Currency() != s.currency {
		panic("instanttest: an order in " + captured.Currency() + " at a store in " + s.currency)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &order{id: strconv.Itoa(100000001 + len(s.orders)), left: captured}
	s.orders[o.id] = o
	return refund.Order{ID: o.id}
}

// UnknownOrder implements refundtest.Simulator.
func (s *Simulator) UnknownOrder() refund.Order { return refund.Order{ID: "999999999"} }

// Ledger implements refundtest.Simulator.
func (s *Simulator) Ledger(o refund.Order) []refund.Money {
	s.mu.Lock()
	defer s.mu.Unlock()
	var amounts []refund.Money
	if found := s.orders[o.ID]; found != nil {
		for _, r := range found.refunds {
			amounts = append(amounts, r.amount)
		}
	}
	return amounts
}

// SetProcessing sets how long a refund takes. The guard against duplicates does not see it meanwhile.
func (s *Simulator) SetProcessing(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processing = d
}

// SetSuccess sets the response to a success, which is not documented. By default it is empty.
func (s *Simulator) SetSuccess(contentType, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contentType, s.success = contentType, body
}

// AnswerNext makes the next refund that would be made be answered with code instead, the one after it with the code of
// the next call, and so on. acted says whether the money moves all the same.
func (s *Simulator) AnswerNext(code instant.ErrorCode, acted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, scripted{code, acted})
}

// duplicate reports whether the order was refunded by that amount since then.
func (o *order) duplicate(amount refund.Money, since time.Time) bool {
	return slices.ContainsFunc(o.refunds, func(r made) bool { return r.amount == amount && !r.at.Before(since) })
}
