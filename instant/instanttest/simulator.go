// Package instanttest simulates Instant's refunds: a stateful http.Handler with orders, a ledger of what really moved and
// a clock.
//
//	sim := instanttest.New()
//	order := sim.AddOrder(refund.MustParseMoney("100.00", "AUD"))
//	client, err := instant.New(sim.Config())
//
// It answers as strictly as the documentation says Instant does: every refusal is a 500 with one of the documented
// codes. What it assumes beyond the documents:
//
//   - the credentials are checked first, X-Instant-App-Auth before X-Instant-App-Id, then the body, the amount, the order,
//     duplicates, and what is left to refund;
//   - a body that is not JSON, or is not sent as application/json, is INTENRAL_SERVER_ERROR, and so is a displayOrderId or
//     storeCode that is no string;
//   - an amountToRefund that is missing or no number is INVALID_AMOUNT_TO_REFUND. It is rounded half away from zero, and
//     the smallest unit of currency is enough;
//   - another storeCode is NO_ENTITY_FOUND, as is an order that the store does not have;
//   - other members are ignored, because instant-magento2 sends some that are not documented;
//   - the guard remembers refunds that were made for 60 seconds, the last instant included, compares rounded amounts, and
//     does not see those that are still being processed;
//   - Idempotency-Key has no effect: nothing promises one;
//   - other paths and methods are answered with 404 and 405.
package instanttest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

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

const guard = 60 * time.Second

// Simulator is a fake Instant. It implements refundtest.Simulator. Safe for concurrent use.
type Simulator struct {
	currency string

	mu          sync.Mutex
	offset      time.Duration
	processing  time.Duration
	contentType string
	success     string
	next        []scripted
	orders      map[string]*order
}

// scripted is an answer that AnswerNext has asked for.
type scripted struct {
	code  instant.ErrorCode
	acted bool
}

type order struct {
	id                 string
	captured, refunded refund.Money
	refunds            []made
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

// Config returns a client's configuration that calls the simulator without a network.
func (s *Simulator) Config() instant.Config {
	return instant.Config{
		Options:     refund.Options{Transport: refundtest.InMemory(s)},
		Environment: instant.Staging,
		AppAuth:     refund.NewSecret(AppAuth),
		AppID:       AppID,
		StoreCode:   StoreCode,
		Currency:    s.currency,
	}
}

// Start serves the simulator over TLS on a loopback port and returns a client's configuration for it. Close the
// server when done.
func (s *Simulator) Start() (instant.Config, *httptest.Server) {
	server := httptest.NewTLSServer(s)
	cfg := s.Config()
	cfg.BaseURL, cfg.Transport = server.URL, server.Client().Transport
	return cfg, server
}

// AddOrder implements refundtest.Simulator. It panics if captured is in another currency than the store's.
func (s *Simulator) AddOrder(captured refund.Money) refund.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &order{id: strconv.Itoa(100000001 + len(s.orders)), captured: captured, refunded: s.zero()}
	o.left() // panics
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

// SetReadLag implements refundtest.Simulator. It does nothing: there is nothing to read at Instant.
func (s *Simulator) SetReadLag(time.Duration) {}

// SetProcessing sets how long a refund takes. The guard against duplicates does not see it meanwhile.
func (s *Simulator) SetProcessing(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processing = d
}

// SetSuccess sets what a success is answered with, as it is not documented. By default it is nothing at all.
func (s *Simulator) SetSuccess(contentType, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contentType, s.success = contentType, body
}

// AnswerNext lets the next refund that would be made be answered with code instead, the one after it with the code of
// the next call, and so on. acted says whether the money moves all the same.
func (s *Simulator) AnswerNext(code instant.ErrorCode, acted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, scripted{code, acted})
}

// Advance moves the simulator's clock.
func (s *Simulator) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

func (s *Simulator) now() time.Time { return time.Now().Add(s.offset) }

func (s *Simulator) zero() refund.Money { return must(refund.MoneyFromMinor(0, s.currency)) }

func (o *order) left() refund.Money { return must(o.captured.Sub(o.refunded)) }

// ServeHTTP implements http.Handler.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/order/refund":
		http.Error(w, "Not Found", http.StatusNotFound)
	case r.Method != http.MethodPost:
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	case !only(r.Header["X-Instant-App-Auth"], AppAuth):
		fail(w, instant.CodeUnauthorized, "The app auth token is incorrect.")
	case !only(r.Header["X-Instant-App-Id"], AppID):
		fail(w, instant.CodeInvalidCredentials, "The app id is invalid.")
	default:
		s.refund(w, r)
	}
}

func only(values []string, want string) bool { return len(values) == 1 && values[0] == want }

func (s *Simulator) refund(w http.ResponseWriter, r *http.Request) {
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	body, err := io.ReadAll(r.Body)
	var members map[string]json.RawMessage // exact names, which a struct would not insist on
	if mediaType != "application/json" || err != nil || json.Unmarshal(body, &members) != nil {
		fail(w, instant.CodeIntenralServerError, "The request cannot be read.")
		return
	}
	var orderID, storeCode string
	for name, to := range map[string]*string{"displayOrderId": &orderID, "storeCode": &storeCode} {
		if raw := members[name]; raw != nil && (raw[0] != '"' || json.Unmarshal(raw, to) != nil) {
			fail(w, instant.CodeIntenralServerError, name+" is not a string.")
			return
		}
	}
	amount, ok := s.amount(members["amountToRefund"])
	if !ok {
		fail(w, instant.CodeInvalidAmountToRefund, "amountToRefund is invalid.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[orderID]
	if o == nil || storeCode != StoreCode {
		fail(w, instant.CodeNoEntityFound, "The order cannot be found.")
		return
	}
	if o.duplicate(amount, s.now().Add(-guard)) {
		fail(w, instant.CodePossibleDuplicateRefund, "The order was refunded by this amount within the last 60 seconds.")
		return
	}
	if s.processing > 0 {
		wait := s.processing
		s.mu.Unlock()
		<-time.After(wait)
		s.mu.Lock()
	}
	if must(o.left().Sub(amount)).Sign() < 0 {
		fail(w, instant.CodeRefundAmountGreaterThanAvailable, "The amount is greater than the available funds to refund.")
		return
	}
	answer := scripted{acted: true}
	if len(s.next) > 0 {
		answer, s.next = s.next[0], s.next[1:]
	}
	if answer.acted {
		o.refunded = must(o.refunded.Add(amount))
		o.refunds = append(o.refunds, made{amount, s.now()})
	}
	if answer.code != "" {
		fail(w, answer.code, "As the simulation was told.")
		return
	}
	if s.contentType != "" {
		w.Header().Set("Content-Type", s.contentType)
	}
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, s.success) //nolint:errcheck // nothing to do about it
}

// duplicate reports whether the order was refunded by that amount since then.
func (o *order) duplicate(amount refund.Money, since time.Time) bool {
	return slices.ContainsFunc(o.refunds, func(r made) bool { return r.amount == amount && !r.at.Before(since) })
}

// amount reads a JSON number and rounds it to the currency's smallest unit.
func (s *Simulator) amount(raw json.RawMessage) (refund.Money, bool) {
	if len(raw) == 0 || !strings.ContainsAny(string(raw[:1]), "-0123456789") {
		return refund.Money{}, false
	}
	d, err := decimal.NewFromString(string(raw))
	if err != nil || d.Exponent() < -64 || d.Exponent() > 64 { // first of all: rounding a giant takes gigabytes
		return refund.Money{}, false
	}
	amount, err := refund.MoneyFromDecimal(d.Round(-s.zero().Decimal().Exponent()), s.currency)
	return amount, err == nil && amount.Sign() > 0
}

// must panics on what a test has set up wrong, such as an order captured in another currency than the store's.
func must(m refund.Money, err error) refund.Money {
	if err != nil {
		panic(err)
	}
	return m
}

func fail(w http.ResponseWriter, code instant.ErrorCode, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusInternalServerError)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": string(code), "message": message}) //nolint:errcheck,errchkjson // nothing to do about it
}
