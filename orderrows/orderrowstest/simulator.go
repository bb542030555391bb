// Package orderrowstest simulates the order refunds of the Geins Management API: a stateful http.Handler with orders, their
// rows, refunds with their rows, a ledger of what was refunded and a clock.
//
//	sim := orderrowstest.New()
//	order := sim.AddOrder(refund.MustParseMoney("100.00", "SEK"))
//	client, err := orderrows.New(sim.Config())
//
// It is as strict as the documentation says the API is; in particular it refunds more than was paid, because no cap is
// documented, and reads every amount in the order's currency. What it assumes beyond the documents:
//
//   - a body that is missing, of another JSON type, with an unknown member, or without a RefundAmount above zero in the
//     decimals of the order's currency is 400 with the reason in Details; a Content-Type that is not JSON is 415;
//   - an OrderRowId that the order does not have is 500 "A database error occured.";
//   - a refund is sent, and its event goes out, when it is created, or once it is approved; never with Settled or
//     SkipRefundEvents, whose Sent stays false;
//   - SetApproval of a refund that needs none or has been settled, SetAsProcessed and SetAsSettled of one that is not
//     approved, and DeleteRow of a settled row are 400;
//   - a deleted row and a denied refund leave the ledger;
//   - a refund is queried by every status that fits it, a denied one by StatusAll only; the bounds of dates are inclusive.
//     Of the query it knows CreatedAfter, CreatedBefore and IncludeStatuses; the other members are 400;
//   - dates have no offset and are in UTC; an order without refunds has an empty list.
package orderrowstest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// The credentials that the simulator accepts.
const (
	User     = "refunds@shop.example"
	Password = "simulated-password"
	APIKey   = "simulated-api-key"
)

// Simulator is a fake Geins Management API. It implements refundtest.Informant. Safe for concurrent use.
type Simulator struct {
	refundtest.Clock

	currencies []string
	mux        *http.ServeMux

	mu     sync.Mutex
	orders []*order
	lastID int32
}

type order struct {
	id       int32
	currency string
	rows     []orderRow
	refunds  []*orderRefund
}

type orderRow struct {
	id    int32
	price refund.Money
}

// New makes an API whose orders are in SEK, without orders.
func New() *Simulator { return NewIn("SEK") }

// NewIn makes an API whose orders are in other currencies, one at least.
func NewIn(currency string, more ...string) *Simulator {
	s := &Simulator{currencies: append([]string{currency}, more...), lastID: 1000}
	s.mux = routes(s)
	return s
}

// Provider implements refundtest.Simulator.
func (*Simulator) Provider() string { return "orderrows" }

// Currency implements refundtest.Simulator: the first one.
func (s *Simulator) Currency() string { return s.currencies[0] }

// Secrets implements refundtest.Simulator.
func (*Simulator) Secrets() []string { return []string{Password, APIKey} }

// Config returns a client's configuration that calls the simulator in memory.
func (s *Simulator) Config() orderrows.Config {
	return orderrows.Config{
		Options:    refundtest.Connect(s, refund.Options{}),
		User:       User,
		Password:   refund.NewSecret(Password),
		APIKey:     refund.NewSecret(APIKey),
		Currencies: slices.Clone(s.currencies),
	}
}

// Client makes a client of the simulator with opts, in memory unless they have a Transport or a BaseURL.
func (s *Simulator) Client(opts refund.Options) (*orderrows.Client, error) {
	cfg := s.Config()
	cfg.Options = refundtest.Connect(s, opts)
	return orderrows.New(cfg)
}

// Refunder implements refundtest.Simulator.
func (s *Simulator) Refunder(opts refund.Options) (refund.Refunder, error) {
	client, err := s.Client(opts)
	if err != nil {
		return nil, err
	}
	return client, nil
}

// AddOrder implements refundtest.Simulator: an order with one row of that price, in its currency.
func (s *Simulator) AddOrder(captured refund.Money) refund.Order {
	if !slices.Contains(s.currencies, captured.Currency()) {
		panic(fmt.Sprintf("orderrowstest: an order in %q; this simulator has orders in %q", captured.Currency(), s.currencies))
	}
	s.mu.Lock()
	o := &order{id: s.nextID(), currency: captured.Currency()}
	s.orders = append(s.orders, o)
	s.mu.Unlock()
	named := refund.Order{ID: itoa(o.id)}
	s.AddRow(named, captured)
	return named
}

// AddRow adds a row of that price to an order and returns the row's id.
func (s *Simulator) AddRow(o refund.Order, price refund.Money) (line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.find(o.ID)
	if found == nil || price.Currency() != found.currency {
		panic("orderrowstest: no such order, or a price in another currency than the order's")
	}
	row := orderRow{s.nextID(), price}
	found.rows = append(found.rows, row)
	return itoa(row.id)
}

// AddPartOrder implements refundtest.Informant. Only what was paid for goods stands on a row.
func (s *Simulator) AddPartOrder(captured refund.Money, part refund.Part) (o refund.Order, line string) {
	o = s.AddOrder(captured)
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.find(o.ID)
	if part != refund.PartOrder {
		found.rows = nil
		return o, ""
	}
	return o, itoa(found.rows[0].id)
}

// UnknownOrder implements refundtest.Simulator.
func (*Simulator) UnknownOrder() refund.Order { return refund.Order{ID: "2147483647"} }

// Ledger implements refundtest.Simulator: the refunds that are recorded, paid or still to be paid. Denied ones and deleted
// rows are not among them.
func (s *Simulator) Ledger(o refund.Order) []refund.Money {
	var ledger []refund.Money
	for _, r := range s.Arrived(o) {
		ledger = append(ledger, r.Amount)
	}
	return ledger
}

// Arrived implements refundtest.Informant.
func (s *Simulator) Arrived(o refund.Order) []refund.Request {
	var arrived []refund.Request
	s.each(o, func(r *orderRefund) {
		if r.denied() || r.row == 0 {
			return
		}
		got := refund.Request{
			IdempotencyKey: r.Reference, Order: o, Amount: r.amount, Reason: r.Description,
			Part: []refund.Part{refund.PartOrder, refund.PartReturnCost, refund.PartShipping, refund.PartFee}[r.RefundType],
		}
		if r.OrderRowID != nil {
			got.Line = itoa(*r.OrderRowID)
		}
		arrived = append(arrived, got)
	})
	return arrived
}

// Events returns the ids of the order's refunds whose event has gone out, in order of time: what an integration that pays
// was told.
func (s *Simulator) Events(o refund.Order) []string {
	var ids []string
	s.each(o, func(r *orderRefund) {
		if r.sentOn != nil {
			ids = append(ids, r.id)
		}
	})
	return ids
}

// each calls do with every refund of an order, as it is now.
func (s *Simulator) each(o refund.Order, do func(*orderRefund)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.find(o.ID); found != nil {
		for _, r := range found.refunds {
			do(r)
		}
	}
}

// nextID and find need s.mu.
func (s *Simulator) nextID() int32 {
	s.lastID++
	return s.lastID
}

func (s *Simulator) find(id string) *order {
	for _, o := range s.orders {
		if itoa(o.id) == id {
			return o
		}
	}
	return nil
}

func itoa(id int32) string { return strconv.Itoa(int(id)) }
