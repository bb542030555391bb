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
//   - amounts are numbers greater than zero, with two decimals at the most;
//   - create_date and locked_at are like "2026-04-16 10:30:00", in America/Chicago;
//   - new requests are the last in refunds[]; declined ones stay, spelled "declined";
//   - a request is approved only by Approve, and paid only by Pay: then its status is "paid" and the order's "refund",
//     which are this simulator's own words, and nothing more can be refunded.
package backdtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
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

const (
	base     = "/v1/backd/bnpl/api"
	dateTime = "2006-01-02 15:04:05"
)

// Simulator is a fake Backd. It implements refundtest.Simulator. Safe for concurrent use.
type Simulator struct {
	mu       sync.Mutex
	offset   time.Duration
	readLag  time.Duration
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

// state is what reads showed from a moment on.
type state struct {
	from time.Time
	data map[string]any
}

// New makes a Backd without orders.
func New() *Simulator { return &Simulator{orders: map[string]*order{}} }

// Config returns a client's configuration that calls the simulator without a network.
func (s *Simulator) Config() backd.Config {
	return backd.Config{
		Options:     refund.Options{Transport: refundtest.InMemory(s)},
		Environment: backd.Sandbox,
		PublicKey:   PublicKey,
		SecretKey:   refund.NewSecret(SecretKey),
	}
}

// Start serves the simulator over TLS on a loopback port and returns a client's configuration for it. Close the
// server when done.
func (s *Simulator) Start() (backd.Config, *httptest.Server) {
	server := httptest.NewTLSServer(s)
	cfg := s.Config()
	cfg.BaseURL, cfg.Transport = server.URL, server.Client().Transport
	return cfg, server
}

// AddOrder implements refundtest.Simulator: a confirmed order of that total, in USD.
func (s *Simulator) AddOrder(total refund.Money) refund.Order {
	if total.Currency() != "USD" {
		panic("backdtest: Backd's orders are in USD, not " + total.Currency())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	n := fmt.Sprintf("%04d", s.lastID)
	o := &order{
		id: "BO-20260416-" + n, merchantID: "JKLMO" + n, created: s.now(), total: total, status: backd.OrderConfirmed,
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
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.orders[o.ID]
	found.status = status
	s.show(found)
}

// Approve makes the order's draft approved.
func (s *Simulator) Approve(o refund.Order) { s.move(o, backd.RefundApproved) }

// Pay pays the order's active request.
func (s *Simulator) Pay(o refund.Order) {
	s.move(o, Paid)
	s.SetOrderStatus(o, backd.OrderRefund)
}

func (s *Simulator) move(o refund.Order, status backd.RefundStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.orders[o.ID]
	if r := found.active(); r != nil {
		r.status = status
	}
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

// SetReadLag implements refundtest.Simulator.
func (s *Simulator) SetReadLag(lag time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readLag = lag
}

// RefuseByStatus makes refusals of Backd's own HTTP 4xx, with the same envelope.
func (s *Simulator) RefuseByStatus() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byStatus = true
}

// Advance moves the simulator's clock, by which requests lock. The client's clock is not moved by it; under
// testing/synctest waiting moves both.
func (s *Simulator) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

func (s *Simulator) now() time.Time { return time.Now().Add(s.offset).Truncate(time.Second) }

func (o *order) active() *request {
	for i := range o.requests {
		if r := &o.requests[i]; r.status == backd.RefundDraft || r.status == backd.RefundApproved {
			return r
		}
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, basic := r.BasicAuth()
	if !basic || user != PublicKey || password != SecretKey {
		w.Header().Set("WWW-Authenticate", "Basic")
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	operation, ok := strings.CutPrefix(r.URL.Path, base)
	id, find := strings.CutPrefix(operation, "/find_order/")
	switch {
	case ok && operation == "/refund" && (r.Method == http.MethodPost || r.Method == http.MethodDelete):
		s.write(w, r)
	case ok && find && r.Method == http.MethodGet:
		s.read(w, id)
	case ok && (find || operation == "/refund"):
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	default:
		http.Error(w, "Not Found", http.StatusNotFound)
	}
}

func (s *Simulator) read(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.orders[id]; o != nil {
		visible := time.Now().Add(s.offset - s.readLag)
		for _, then := range slices.Backward(o.states) {
			if !then.from.After(visible) {
				respond(w, http.StatusOK, then.data)
				return
			}
		}
	}
	s.refuse(w, http.StatusNotFound, "The order was not found.")
}

// write handles both operations on refunds (refund and delete-refund pages).
func (s *Simulator) write(w http.ResponseWriter, r *http.Request) {
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); mediaType != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, http.StatusUnsupportedMediaType, "The body must be application/json.")
		return
	}
	var req struct {
		BackdOrderID    *string         `json:"backd_order_id"`
		MerchantOrderID *string         `json:"merchant_order_id"`
		RefundAmount    json.RawMessage `json:"refund_amount"`
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		fail(w, http.StatusBadRequest, http.StatusBadRequest, "The body cannot be read.")
		return
	}
	if req.BackdOrderID == nil || req.MerchantOrderID == nil {
		fail(w, http.StatusBadRequest, http.StatusBadRequest, "backd_order_id and merchant_order_id are required.")
		return
	}
	amount, err := refund.ParseMoney(string(req.RefundAmount), "USD") // a string has quotes
	if r.Method == http.MethodPost && (err != nil || amount.Sign() <= 0) {
		fail(w, http.StatusBadRequest, http.StatusBadRequest, "refund_amount must be a positive number.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[*req.BackdOrderID]
	if o == nil || o.merchantID != *req.MerchantOrderID {
		s.refuse(w, http.StatusNotFound, "The order was not found.")
		return
	}
	active := o.active()
	switch {
	case o.status != backd.OrderConfirmed:
		s.refuse(w, http.StatusConflict, "The order is not confirmed.")
		return
	case active != nil && !s.now().Before(active.locked):
		s.refuse(w, http.StatusConflict, "The refund request is locked.")
		return
	case active == nil && r.Method == http.MethodDelete:
		s.refuse(w, http.StatusConflict, "There is no active refund request.")
		return
	case r.Method == http.MethodPost && amount.Minor() > o.total.Minor():
		s.refuse(w, http.StatusUnprocessableEntity, "The amount exceeds the order total.")
		return
	}
	if active != nil {
		active.status = backd.RefundDeclined
	}
	if r.Method == http.MethodPost {
		o.requests = append(o.requests, request{amount, s.now(), backd.LocksAt(s.now()), backd.RefundDraft})
	}
	respond(w, http.StatusOK, s.show(o))
}

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
	o.states = append(o.states, state{s.now(), data})
	return data
}

// refuse answers with a refusal of Backd's own.
func (s *Simulator) refuse(w http.ResponseWriter, code int, message string) {
	status := http.StatusOK
	if s.byStatus {
		status = code
	}
	fail(w, status, code, message)
}

func number(m refund.Money) json.Number { return json.Number(m.Amount()) }

// date writes a time in the zone of LocksAt.
func date(t time.Time) string { return t.In(backd.LocksAt(t).Location()).Format(dateTime) }

func fail(w http.ResponseWriter, status, code int, message string) {
	answer(w, status, map[string]any{
		"message": message, "status": map[string]any{"type": "error", "code": code, "error": true},
	})
}

func respond(w http.ResponseWriter, status int, data any) {
	answer(w, status, map[string]any{
		"data": data, "message": "OK", "status": map[string]any{"type": "success", "code": status, "error": false},
	})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errcheck,errchkjson // nothing to do about it
}
