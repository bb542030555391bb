// Package afterpaytest simulates Afterpay's refunds: a stateful http.Handler with orders, captures, a ledger of what
// really moved and a clock.
//
//	sim := afterpaytest.New()
//	order := sim.AddOrder(refund.MustParseMoney("100.00", "AUD"))
//	client, err := afterpay.New(sim.Config())
//
// It answers as strictly as the documentation says Afterpay does. What it assumes beyond the documents:
//
//   - only successes are remembered for a requestId and merchantReference, for 24 hours, whatever the order;
//   - the same pair with another amount or order is answered with the original refund;
//   - the 409 of a pair that is still being processed carries no errorCode;
//   - a missing or malformed User-Agent is answered with an HTML block page;
//   - requestId and merchantReference longer than 64 characters are answered like a refundMerchantReference longer
//     than 128;
//   - an unknown order is 412, as documented; AnswerUnknownWith404 makes it 404, as recorded.
package afterpaytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	currency  string
	userAgent *regexp.Regexp

	mu         sync.Mutex
	offset     time.Duration
	readLag    time.Duration
	processing time.Duration
	unknown404 bool
	orders     []*order
	byID       map[string]*order
	replays    map[pair]*replay
	lastID     int
}

type pair struct{ requestID, merchantReference string }

// replay is what is remembered for a pair. answer is nil while the first request is being processed.
type replay struct {
	answer *wireRefund
	at     time.Time
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
		// The documented pattern (developers.cash.app, request headers).
		userAgent: regexp.MustCompile(`[^ /]+/[^ ]+ \([^;/]+/[^;]+; [^;/]+/[^;]+; [^;/]+/` + MerchantID + `\) https?://[^ ]+$`),
	}
}

// Config returns a client's configuration that calls the simulator without a network.
func (s *Simulator) Config() afterpay.Config {
	return afterpay.Config{
		Options:      refund.Options{Transport: refundtest.InMemory(s)},
		Environment:  afterpay.Sandbox,
		MerchantID:   MerchantID,
		SecretKey:    refund.NewSecret(SecretKey),
		Currency:     s.currency,
		MerchantName: "Example Shop",
		Platform:     "Simulation/1.0",
		MerchantURL:  "https://shop.example",
	}
}

// Start serves the simulator over TLS on a loopback port and returns a client's configuration for it. Close the
// server when done.
func (s *Simulator) Start() (afterpay.Config, *httptest.Server) {
	server := httptest.NewTLSServer(s)
	cfg := s.Config()
	cfg.BaseURL, cfg.Transport = server.URL, server.Client().Transport
	return cfg, server
}

// AddOrder implements refundtest.Simulator: an order that was captured at once.
func (s *Simulator) AddOrder(captured refund.Money) refund.Order {
	return s.AddDeferredOrder(captured, captured)
}

// AddDeferredOrder makes an order of which only a part has been captured: only that can be refunded.
func (s *Simulator) AddDeferredOrder(authorized, captured refund.Money) refund.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nextID()
	zero := sub(captured, captured)
	o := &order{
		id: strconv.Itoa(100101768000 + n), token: fmt.Sprintf("002.simulated%d", n), merchantReference: fmt.Sprintf("order-%d", n),
		created: s.now(), authorized: authorized, captured: captured, refunded: zero, voided: zero,
	}
	o.event(s, "AUTH_APPROVED", authorized)
	if captured.Sign() > 0 {
		o.event(s, "CAPTURED", captured)
	}
	s.orders = append(s.orders, o)
	s.byID[o.id] = o
	return refund.Order{ID: o.id, MerchantID: o.merchantReference}
}

// AddDeclinedOrder makes an order whose payment was declined.
func (s *Simulator) AddDeclinedOrder(amount refund.Money) refund.Order {
	got := s.AddDeferredOrder(amount, sub(amount, amount))
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
	found.voided = add(found.voided, amount)
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

// SetReadLag implements refundtest.Simulator.
func (s *Simulator) SetReadLag(lag time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readLag = lag
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

// Advance moves the simulator's clock.
func (s *Simulator) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

func (s *Simulator) now() time.Time { return time.Now().Add(s.offset).UTC().Truncate(time.Millisecond) }

func (s *Simulator) nextID() int {
	s.lastID++
	return s.lastID
}

func (o *order) event(s *Simulator, typ string, amount refund.Money) (id string) {
	id = fmt.Sprintf("1xUMg%d", s.nextID())
	o.events = append(o.events, wireEvent{ID: id, Created: s.now(), Type: typ, Amount: moneyOf(amount)})
	return id
}

// ServeHTTP implements http.Handler.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	w.Header().Set("Http-Correlation-Id", fmt.Sprintf("sim-%08d", s.nextID()))
	s.mu.Unlock()
	if !s.userAgent.MatchString(r.UserAgent()) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("<html><title>Access denied</title></html>")) //nolint:errcheck // nothing to do about it
		return
	}
	user, password, basic := r.BasicAuth()
	authorized := basic && user == MerchantID && password == SecretKey || r.Header.Get("Authorization") == "Bearer "+Token
	if !authorized {
		fail(w, http.StatusUnauthorized, "unauthorized", "Credentials are required to access this resource.")
		return
	}
	if accept := r.Header.Get("Accept"); accept != "" && accept != "application/json" && accept != "*/*" {
		fail(w, http.StatusNotAcceptable, "error", "HTTP 406 Not Acceptable")
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) < 2 || parts[0] != "v2" || parts[1] != "payments" || len(parts) > 4 || len(parts) == 4 && parts[3] != "refund" {
		fail(w, http.StatusNotFound, "not_found", "HTTP 404 Not Found")
		return
	}
	method := http.MethodGet
	if len(parts) == 4 {
		method = http.MethodPost
	}
	if r.Method != method {
		fail(w, http.StatusMethodNotAllowed, "method_not_allowed", "HTTP 405 Method Not Allowed")
		return
	}
	switch len(parts) {
	case 2:
		s.list(w, r)
	case 3:
		s.get(w, parts[2])
	case 4:
		s.refund(w, r, parts[2])
	}
}

func (s *Simulator) refund(w http.ResponseWriter, r *http.Request, orderID string) {
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); mediaType != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, "error", "HTTP 415 Unsupported Media Type")
		return
	}
	var req struct {
		RequestID               string          `json:"requestId"`
		MerchantReference       string          `json:"merchantReference"`
		RefundMerchantReference string          `json:"refundMerchantReference"`
		Amount                  json.RawMessage `json:"amount"`
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		fail(w, http.StatusBadRequest, "invalid_json", "Unable to parse the request body.")
		return
	}
	key := pair{req.RequestID, req.MerchantReference}
	idempotent := key.requestID != "" && key.merchantReference != ""

	s.mu.Lock()
	defer s.mu.Unlock()
	if idempotent {
		if known := s.replays[key]; known != nil && known.answer == nil {
			respond(w, http.StatusConflict, map[string]any{"message": "The first request is still being processed.", "httpStatusCode": http.StatusConflict})
			return
		} else if known != nil && s.now().Sub(known.at) < keyLife {
			respond(w, http.StatusCreated, known.answer)
			return
		}
		s.replays[key] = &replay{at: s.now()}
	}
	if s.processing > 0 {
		wait := s.processing
		s.mu.Unlock()
		<-time.After(wait)
		s.mu.Lock()
	}
	answer, problem := s.apply(orderID, &wireRefund{
		RequestID: req.RequestID, MerchantReference: req.MerchantReference, RefundMerchantReference: req.RefundMerchantReference,
	}, req.Amount)
	if problem != nil {
		delete(s.replays, key)
		fail(w, problem.status, problem.code, problem.message)
		return
	}
	if idempotent {
		s.replays[key].answer = answer
	}
	respond(w, http.StatusCreated, answer)
}

type problem struct {
	status        int
	code, message string
}

// apply makes the refund, or says why not, by the error table of Create Refund and of the Money object.
func (s *Simulator) apply(orderID string, r *wireRefund, rawAmount json.RawMessage) (*wireRefund, *problem) {
	o := s.byID[orderID]
	switch {
	case len(r.RefundMerchantReference) > 128 || len(r.RequestID) > 64 || len(r.MerchantReference) > 64:
		return nil, &problem{http.StatusUnprocessableEntity, "invalid_object", "A reference is too long."}
	case o == nil && s.unknown404:
		return nil, &problem{http.StatusNotFound, "not_found", "Afterpay payment ID not found."}
	case o == nil, o.declined:
		return nil, &problem{http.StatusPreconditionFailed, "precondition_failed", "The order is not eligible for a refund."}
	}
	amount, p := s.amount(rawAmount)
	if p != nil {
		return nil, p
	}
	left := sub(o.captured, o.refunded)
	switch {
	case amount.Currency() != o.captured.Currency():
		return nil, &problem{http.StatusUnprocessableEntity, "invalid_object", "The currency does not match the order's."}
	case s.now().Sub(o.created) > window:
		return nil, &problem{http.StatusUnprocessableEntity, "refund_timelimit_exceeded", "The refund exceeds the time limit of 120 days."}
	case sub(left, amount).Sign() < 0:
		return nil, &problem{http.StatusUnprocessableEntity, "invalid_amount", "Refund amount exceeded open to refund amount"}
	}
	o.refunded = add(o.refunded, amount)
	o.ledger = append(o.ledger, amount)
	r.RefundID, r.RefundedAt, r.Amount = strconv.Itoa(1934000+s.nextID()), s.now(), moneyOf(amount)
	o.refunds = append(o.refunds, *r)
	return r, nil
}

func (s *Simulator) amount(raw json.RawMessage) (refund.Money, *problem) {
	bad := func(code, message string) *problem { return &problem{http.StatusUnprocessableEntity, code, message} }
	var m struct{ Amount, Currency *string }
	if json.Unmarshal(raw, &m) != nil || m.Amount == nil || m.Currency == nil {
		return refund.Money{}, bad("invalid_object", "amount is not a Money object.")
	}
	if strings.Contains(*m.Amount, ",") {
		return refund.Money{}, bad("invalid_amount", "amount has a thousands separator.")
	}
	amount, err := refund.ParseMoney(*m.Amount, *m.Currency)
	if err != nil || amount.Sign() <= 0 {
		return refund.Money{}, bad("invalid_object", "amount is not valid.")
	}
	if *m.Currency != s.currency {
		return refund.Money{}, bad("unsupported_currency", "The currency is not supported for this merchant.")
	}
	return amount, nil
}

func (s *Simulator) get(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.byID[id]
	if token, ok := strings.CutPrefix(id, "token:"); ok {
		if i := slices.IndexFunc(s.orders, func(o *order) bool { return o.token == token }); i >= 0 {
			o = s.orders[i]
		}
	}
	if o == nil || o.created.After(s.now().Add(-s.readLag)) {
		fail(w, http.StatusNotFound, "not_found", "Afterpay payment ID not found.")
		return
	}
	respond(w, http.StatusOK, s.payment(o))
}

func (s *Simulator) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, offset := 20, 0
	var from, to time.Time
	for _, p := range []struct {
		name string
		to   *int
		max  int
	}{{"limit", &limit, 250}, {"offset", &offset, 1 << 30}} {
		if v := q.Get(p.name); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 || n > p.max || n == 0 && p.name == "limit" {
				fail(w, http.StatusUnprocessableEntity, "error", p.name+" is out of range.")
				return
			}
			*p.to = n
		}
	}
	for name, t := range map[string]*time.Time{"fromCreatedDate": &from, "toCreatedDate": &to} {
		if v := q.Get(name); v != "" {
			var err error
			if *t, err = time.Parse(time.RFC3339, v); err != nil {
				fail(w, http.StatusInternalServerError, "error", name+" is not a date.")
				return
			}
		}
	}
	for _, name := range []string{"ids", "tokens", "merchantReferences", "statuses"} {
		if slices.ContainsFunc(q[name], func(v string) bool { return strings.Contains(v, ",") }) {
			fail(w, http.StatusInternalServerError, "error", name+" is not a list.")
			return
		}
	}
	matches := func(name, value string) bool { return len(q[name]) == 0 || slices.Contains(q[name], value) }

	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*order
	for _, o := range s.orders {
		if matches("ids", o.id) && matches("tokens", o.token) && matches("merchantReferences", o.merchantReference) &&
			matches("statuses", o.status()) && (from.IsZero() || !o.created.Before(from)) && (to.IsZero() || !o.created.After(to)) {
			found = append(found, o)
		}
	}
	if q.Get("ascending") != "true" {
		slices.Reverse(found)
	}
	if cursor := q.Get("cursor"); cursor != "" {
		offset, _ = strconv.Atoi(strings.TrimPrefix(cursor, "c")) //nolint:errcheck // made below
	}
	answer := map[string]any{"totalResults": len(found), "limit": limit}
	page := found[min(offset, len(found)):min(offset+limit, len(found))]
	if q.Get("includeNextLink") == "true" {
		answer["nextPageUrl"] = ""
		if next := offset + limit; next < len(found) {
			q.Set("cursor", "c"+strconv.Itoa(next))
			answer["nextPageUrl"] = "https://global-api.afterpay.com/v2/payments?" + q.Encode()
		}
	} else {
		answer["offset"] = offset
	}
	results := make([]any, len(page))
	for i, o := range page {
		results[i] = s.payment(o)
	}
	answer["results"] = results
	respond(w, http.StatusOK, answer)
}

func (o *order) status() string {
	if o.declined {
		return "DECLINED"
	}
	return "APPROVED"
}

// payment is the order as reads show it.
func (s *Simulator) payment(o *order) map[string]any {
	visible := s.now().Add(-s.readLag)
	refunds := []wireRefund{}
	for _, r := range o.refunds {
		if !r.RefundedAt.After(visible) {
			refunds = append(refunds, r)
		}
	}
	open := sub(sub(o.authorized, o.captured), o.voided)
	state := "CAPTURED"
	switch {
	case o.declined:
		state = "AUTH_DECLINED"
	case o.captured.Sign() == 0 && open.Sign() == 0:
		state = "VOIDED"
	case o.captured.Sign() == 0:
		state = "AUTH_APPROVED"
	case open.Sign() > 0:
		state = "PARTIALLY_CAPTURED"
	}
	return map[string]any{
		"id": o.id, "token": o.token, "status": o.status(), "created": o.created, "paymentState": state,
		"originalAmount": moneyOf(o.authorized), "openToCaptureAmount": moneyOf(open), "merchantReference": o.merchantReference,
		"refunds": refunds, "events": o.events, "orderDetails": map[string]any{"items": []any{}},
	}
}

type wireMoney struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

type wireRefund struct {
	RequestID               string     `json:"requestId,omitempty"`
	Amount                  *wireMoney `json:"amount,omitempty"`
	MerchantReference       string     `json:"merchantReference,omitempty"`
	RefundMerchantReference string     `json:"refundMerchantReference,omitempty"`
	RefundID                string     `json:"refundId"`
	RefundedAt              time.Time  `json:"refundedAt"`
}

type wireEvent struct {
	ID      string     `json:"id"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires"`
	Type    string     `json:"type"`
	Amount  *wireMoney `json:"amount"`
}

func moneyOf(m refund.Money) *wireMoney { return &wireMoney{m.Amount(), m.Currency()} }

func add(a, b refund.Money) refund.Money { return must(a.Add(b)) }

func sub(a, b refund.Money) refund.Money { return must(a.Sub(b)) }

// must panics on what a test has set up wrong, such as an order captured in another currency than authorized.
func must(m refund.Money, err error) refund.Money {
	if err != nil {
		panic(err)
	}
	return m
}

func fail(w http.ResponseWriter, status int, code, message string) {
	respond(w, status, map[string]any{"errorCode": code, "errorId": "c7585eb6f53f5af5", "message": message, "httpStatusCode": status})
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errcheck,errchkjson // nothing to do about it
}
