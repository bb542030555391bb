// Package orderrowstest simulates the order refunds of the Geins Management API: a stateful http.Handler with orders, their
// rows, refunds with their rows, a ledger of what was refunded and a clock.
//
//	sim := orderrowstest.New()
//	order := sim.AddOrder(refund.MustParseMoney("100.00", "SEK"))
//	client, err := orderrows.New(sim.Config())
//
// It answers as strictly as the documentation says the API does; in particular it refunds more than was paid, because no cap
// is documented. What it assumes beyond the documents:
//
//   - a body that is missing, of another JSON type or without a RefundAmount above zero in the decimals of the currency is
//     400 with the reason in Details; a Content-Type that is not JSON is 415; both are seen before the order is;
//   - an OrderRowId that the order does not have is 500 "A database error occured.";
//   - a refund is sent, and its event goes out, when it is created, or once it is approved; never with Settled or
//     SkipRefundEvents, whose Sent stays false;
//   - 400 is the answer to SetApproval of a refund that needs none or has been settled, to SetAsProcessed and SetAsSettled
//     of one that is not approved, and to DeleteRow of a settled row;
//   - a deleted row and a denied refund leave the ledger;
//   - a refund is queried by every status that fits it, a denied one by StatusAll only; the bounds of dates are inclusive;
//   - dates have no offset and are in UTC; an order without refunds has an empty list.
package orderrowstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

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
	currency string
	mux      *http.ServeMux

	mu      sync.Mutex
	offset  time.Duration
	readLag time.Duration
	orders  []*order
	lastID  int32
}

type order struct {
	id      int32
	rows    []wireOrderRow
	refunds []*orderRefund
}

// orderRefund is a refund as it is now, and as it was.
type orderRefund struct {
	wireRefund
	amount  refund.Money
	settled bool // by the request that created it
	event   bool // it was told to whoever pays
	history []version
}

type version struct {
	at   time.Time
	seen orderRefund // without a history
}

// New makes an API whose orders are in SEK, without orders.
func New() *Simulator { return NewIn("SEK") }

// NewIn makes an API whose orders are in another currency.
func NewIn(currency string) *Simulator {
	s := &Simulator{currency: currency, mux: http.NewServeMux(), lastID: 1000}
	const one = "/API/Order/{order}/Refund/{refund}"
	s.mux.HandleFunc("POST /API/Order/{order}/Refund", s.create)
	s.mux.HandleFunc("GET /API/Order/{order}/Refund/List", s.list)
	s.mux.HandleFunc("GET "+one, s.get)
	s.mux.HandleFunc("POST /API/Refund/Query", s.query)
	s.mux.HandleFunc("POST "+one+"/SetApproval", s.change((*Simulator).approve))
	s.mux.HandleFunc("POST "+one+"/SetAsProcessed", s.change((*Simulator).process))
	s.mux.HandleFunc("POST "+one+"/SetAsSettled", s.change((*Simulator).settle))
	s.mux.HandleFunc("POST "+one+"/RefundRow/{row}/SetAsSettled", s.change((*Simulator).settle))
	s.mux.HandleFunc("DELETE "+one+"/RefundRow/{row}", s.change((*Simulator).deleteRow))
	return s
}

// Config returns a client's configuration that calls the simulator without a network.
func (s *Simulator) Config() orderrows.Config {
	return orderrows.Config{
		Options:  refund.Options{Transport: refundtest.InMemory(s)},
		User:     User,
		Password: refund.NewSecret(Password),
		APIKey:   refund.NewSecret(APIKey),
		Currency: s.currency,
	}
}

// Start serves the simulator over TLS on a loopback port and returns a client's configuration for it. Close the
// server when done.
func (s *Simulator) Start() (orderrows.Config, *httptest.Server) {
	server := httptest.NewTLSServer(s)
	cfg := s.Config()
	cfg.BaseURL, cfg.Transport = server.URL, server.Client().Transport
	return cfg, server
}

// AddOrder implements refundtest.Simulator: an order with one row of that price.
func (s *Simulator) AddOrder(captured refund.Money) refund.Order {
	s.mu.Lock()
	o := &order{id: s.nextID()}
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
	if found == nil || price.Currency() != s.currency {
		panic("orderrowstest: no such order, or a price in another currency than " + s.currency)
	}
	row := wireOrderRow{
		OrderRowID: s.nextID(), Name: fmt.Sprintf("Item %d", len(found.rows)+1),
		Price: number(price), SuggestedRefundAmount: number(price),
	}
	found.rows = append(found.rows, row)
	return itoa(row.OrderRowID)
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
	return o, itoa(found.rows[0].OrderRowID)
}

// UnknownOrder implements refundtest.Simulator.
func (s *Simulator) UnknownOrder() refund.Order { return refund.Order{ID: "2147483647"} }

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
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.find(o.ID)
	if found == nil {
		return nil
	}
	var arrived []refund.Request
	for _, r := range found.refunds {
		if r.denied() || len(r.RefundRows) == 0 {
			continue
		}
		got := refund.Request{IdempotencyKey: r.Reference, Order: o, Amount: r.amount, Reason: r.Description, Part: partOf(r.RefundRows[0].RefundType)}
		if id := r.RefundRows[0].OrderRowID; id != nil {
			got.Line = itoa(*id)
		}
		arrived = append(arrived, got)
	}
	return arrived
}

// Events returns the ids of the order's refunds whose event has gone out, in order of time: what an integration that pays
// has heard of.
func (s *Simulator) Events(o refund.Order) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	if found := s.find(o.ID); found != nil {
		for _, r := range found.refunds {
			if r.event {
				ids = append(ids, r.RefundID)
			}
		}
	}
	return ids
}

// SetReadLag implements refundtest.Simulator.
func (s *Simulator) SetReadLag(lag time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readLag = lag
}

// Advance moves the simulator's clock.
func (s *Simulator) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

func (s *Simulator) now() time.Time { return time.Now().Add(s.offset).UTC().Truncate(time.Millisecond) }

func (s *Simulator) nextID() int32 {
	s.lastID++
	return s.lastID
}

func (s *Simulator) find(id string) *order {
	n, err := strconv.ParseInt(id, 10, 32)
	if err != nil || itoa(int32(n)) != id {
		return nil
	}
	for _, o := range s.orders {
		if o.id == int32(n) {
			return o
		}
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, basic := r.BasicAuth()
	if !basic || user != User || password != Password || r.Header.Get("X-ApiKey") != APIKey {
		respond(w, http.StatusUnauthorized, map[string]any{"Message": "Unauthorized"})
		return
	}
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); r.Method == http.MethodPost && mediaType != "application/json" {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	s.mux.ServeHTTP(w, r) // which knows 404 and 405
}

func (s *Simulator) create(w http.ResponseWriter, r *http.Request) {
	var req struct {
		OrderRowID                     *int32 `json:"OrderRowId"`
		Reference, Description, Author string
		RefundAmount                   json.RawMessage
		ToBalance, Settled             bool
		RefundType                     int
		SkipRefundEvents               bool
		RefundsRequireApproval         bool
	}
	if problem := body(r, &req); problem != "" {
		fail(w, http.StatusBadRequest, problem)
		return
	}
	amount, err := refund.ParseMoney(string(req.RefundAmount), s.currency)
	switch {
	case err != nil || amount.Sign() <= 0:
		fail(w, http.StatusBadRequest, "RefundAmount is required and must be a number greater than zero.")
		return
	case req.RefundType < 0 || req.RefundType > 3:
		fail(w, http.StatusBadRequest, "RefundType must be 0, 1, 2 or 3.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.find(r.PathValue("order"))
	switch {
	case o == nil:
		fail(w, http.StatusNotFound, "The order does not exist.")
		return
	case req.OrderRowID != nil && !slices.ContainsFunc(o.rows, func(row wireOrderRow) bool { return row.OrderRowID == *req.OrderRowID }):
		respond(w, http.StatusInternalServerError, map[string]any{"Message": "A database error occured.", "Details": nil})
		return
	}
	now := s.date()
	made := &orderRefund{amount: amount, settled: req.Settled, wireRefund: wireRefund{
		RefundID: uuid.NewString(), RefundInstanceID: s.nextID(), OrderID: o.id,
		Reference: req.Reference, Description: req.Description, Author: req.Author,
		Currency: s.currency, CreatedOn: now, SkipRefundEvents: req.SkipRefundEvents,
		RequiresApproval: req.RefundsRequireApproval && !req.Settled,
		RefundedTotal:    number(amount), Rows: o.rows,
		RefundRows: []wireRow{{
			OrderID: o.id, RefundRowID: s.nextID(), OrderRowID: req.OrderRowID, RefundAmount: number(amount),
			ToBalance: req.ToBalance, CreatedOn: now, RefundType: req.RefundType,
		}},
	}}
	if req.Settled {
		made.settleRows(now, 0)
	}
	made.send(s)
	made.remember(s)
	o.refunds = append(o.refunds, made)
	respond(w, http.StatusOK, map[string]any{"Resource": made.RefundID, "Message": "Success.", "Details": nil})
}

// send tells whoever pays, unless the refund is not to be told of, or not yet.
func (r *orderRefund) send(s *Simulator) {
	if r.settled || r.SkipRefundEvents || r.event || r.waiting() || r.denied() {
		return
	}
	r.event, r.Sent, r.SentOn = true, true, pointer(s.date())
}

func (r *orderRefund) waiting() bool { return r.RequiresApproval && r.Approved == nil }

func (r *orderRefund) denied() bool { return r.RequiresApproval && r.Approved != nil && !*r.Approved }

// settleRows settles one row, or all of them if row is 0.
func (r *orderRefund) settleRows(now string, row int32) {
	for i := range r.RefundRows {
		if row == 0 || r.RefundRows[i].RefundRowID == row {
			r.RefundRows[i].Settled, r.RefundRows[i].SettledOn = true, &now
		}
	}
}

// remember keeps what reads show until the next change.
func (r *orderRefund) remember(s *Simulator) {
	seen := *r
	seen.history, seen.RefundRows = nil, slices.Clone(r.RefundRows)
	r.history = append(r.history, version{s.now(), seen})
}

// at returns the refund as it was at a time, or nil.
func (r *orderRefund) at(t time.Time) *orderRefund {
	for i := len(r.history) - 1; i >= 0; i-- {
		if !r.history[i].at.After(t) {
			return &r.history[i].seen
		}
	}
	return nil
}

// seen returns the order's refunds as reads show them.
func (s *Simulator) seen(o *order) []*orderRefund {
	var seen []*orderRefund
	for _, r := range o.refunds {
		if then := r.at(s.now().Add(-s.readLag)); then != nil {
			seen = append(seen, then)
		}
	}
	return seen
}

func (s *Simulator) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.find(r.PathValue("order")); o != nil {
		for _, made := range s.seen(o) {
			if made.RefundID == r.PathValue("refund") {
				respond(w, http.StatusOK, map[string]any{"Resource": made.wireRefund, "Message": "Success.", "Details": nil})
				return
			}
		}
	}
	fail(w, http.StatusNotFound, "The refund does not exist.")
}

func (s *Simulator) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.find(r.PathValue("order"))
	if o == nil {
		fail(w, http.StatusNotFound, "The order does not exist.")
		return
	}
	found := []wireRefund{}
	for _, made := range s.seen(o) {
		found = append(found, made.wireRefund)
	}
	respond(w, http.StatusOK, map[string]any{"Resource": found, "Message": "Success.", "Details": nil})
}

func (s *Simulator) query(w http.ResponseWriter, r *http.Request) {
	var req struct {
		CreatedAfter, CreatedBefore, ApprovedAfter, ApprovedBefore, UpdatedAfter, UpdatedBefore *time.Time
		IncludeStatuses, ExcludeStatuses                                                        []int
	}
	if problem := body(r, &req); problem != "" {
		fail(w, http.StatusBadRequest, problem)
		return
	}
	within := func(at, after, before *time.Time) bool {
		return after == nil && before == nil || at != nil && (after == nil || !at.Before(*after)) && (before == nil || !at.After(*before))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []wireRefund{}
	for _, o := range s.orders {
		for _, made := range s.seen(o) {
			has := func(status int) bool { return slices.Contains(made.statuses(), status) }
			if within(instant(&made.CreatedOn), req.CreatedAfter, req.CreatedBefore) &&
				within(instant(made.ApprovalDecidedOn), req.ApprovedAfter, req.ApprovedBefore) &&
				within(instant(made.updated()), req.UpdatedAfter, req.UpdatedBefore) &&
				(len(req.IncludeStatuses) == 0 || slices.Contains(req.IncludeStatuses, 0) || slices.ContainsFunc(req.IncludeStatuses, has)) &&
				!slices.ContainsFunc(req.ExcludeStatuses, has) {
				found = append(found, made.wireRefund)
			}
		}
	}
	respond(w, http.StatusOK, map[string]any{"Resource": found, "Message": "Success.", "Details": nil})
}

// statuses are those of the query that fit the refund.
func (r *orderRefund) statuses() (fit []int) {
	settled := len(r.RefundRows) > 0 && !slices.ContainsFunc(r.RefundRows, func(row wireRow) bool { return !row.Settled })
	for status, fits := range map[orderrows.QueryStatus]bool{
		orderrows.StatusSent:            r.Sent,
		orderrows.StatusSettled:         settled && (r.settled || r.Processed),
		orderrows.StatusSettledManually: settled && !r.settled && !r.Processed,
		orderrows.StatusProcessed:       r.Processed,
		orderrows.StatusPendingApproval: r.waiting(),
		orderrows.StatusApproved:        r.RequiresApproval && !r.waiting() && !r.denied(),
	} {
		if fits {
			fit = append(fit, int(status))
		}
	}
	return fit
}

// updated is when the refund was last changed.
func (r *orderRefund) updated() *string {
	last := &r.CreatedOn
	for _, at := range []*string{r.SentOn, r.ApprovalDecidedOn, r.ProcessedOn} {
		if at != nil && *at > *last {
			last = at
		}
	}
	return last
}

// changes is the body of all operations that change a refund.
type changes struct {
	Approved             *bool
	ApprovalDecidedBy    string
	ApprovalDecidedOn    *time.Time
	ExternalID           string `json:"ExternalId"`
	Reference            string
	ProcessedOn          *time.Time
	SettledByAdminUserID *int32 `json:"SettledByAdminUserId"`
	SettledOn            *time.Time
}

// change finds the refund, and the row if the path names one, and lets apply change it or say why not.
func (s *Simulator) change(apply func(*Simulator, *orderRefund, int32, *changes) (problem string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req changes
		if r.Method == http.MethodPost {
			if problem := body(r, &req); problem != "" {
				fail(w, http.StatusBadRequest, problem)
				return
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		made, row := s.addressed(r)
		if made == nil {
			fail(w, http.StatusNotFound, "The refund or the row does not exist.")
			return
		}
		if problem := apply(s, made, row, &req); problem != "" {
			fail(w, http.StatusBadRequest, problem)
			return
		}
		made.remember(s)
		respond(w, http.StatusOK, map[string]any{"Message": "Success.", "Details": nil})
	}
}

// addressed returns what the path names; row is 0 if it names none.
func (s *Simulator) addressed(r *http.Request) (made *orderRefund, row int32) {
	o := s.find(r.PathValue("order"))
	if o == nil {
		return nil, 0
	}
	for _, made := range o.refunds {
		if made.RefundID != r.PathValue("refund") {
			continue
		}
		if r.PathValue("row") == "" {
			return made, 0
		}
		for _, row := range made.RefundRows {
			if itoa(row.RefundRowID) == r.PathValue("row") {
				return made, row.RefundRowID
			}
		}
	}
	return nil, 0
}

func (s *Simulator) approve(r *orderRefund, _ int32, req *changes) string {
	if !r.RequiresApproval || r.Processed || slices.ContainsFunc(r.RefundRows, func(row wireRow) bool { return row.Settled }) {
		return "The refund does not wait for an approval."
	}
	r.Approved = pointer(req.Approved != nil && *req.Approved) // what is left out reads as false
	r.ApprovalDecidedBy, r.ApprovalDecidedOn = req.ApprovalDecidedBy, pointer(s.given(req.ApprovalDecidedOn))
	r.send(s)
	return ""
}

func (s *Simulator) process(r *orderRefund, _ int32, req *changes) string {
	if r.waiting() || r.denied() {
		return "The refund must be approved before it is processed."
	}
	r.Processed, r.ExternalID, r.ProcessedOn = true, req.ExternalID, pointer(s.given(req.ProcessedOn))
	r.settleRows(*r.ProcessedOn, 0)
	return ""
}

func (s *Simulator) settle(r *orderRefund, row int32, req *changes) string {
	if r.waiting() || r.denied() {
		return "The refund must be approved before it is settled."
	}
	r.settleRows(s.given(req.SettledOn), row)
	return ""
}

func (s *Simulator) deleteRow(r *orderRefund, row int32, _ *changes) string {
	i := slices.IndexFunc(r.RefundRows, func(candidate wireRow) bool { return candidate.RefundRowID == row })
	if r.RefundRows[i].Settled {
		return "A settled row cannot be deleted."
	}
	r.RefundRows = slices.Delete(r.RefundRows, i, i+1)
	r.RefundedTotal = "0"
	return ""
}

// layout is how .NET writes a date that knows no offset.
const layout = "2006-01-02T15:04:05.0000000"

func (s *Simulator) date() string { return s.now().Format(layout) }

// given returns the caller's date, or now.
func (s *Simulator) given(t *time.Time) string {
	if t == nil {
		return s.date()
	}
	return t.UTC().Format(layout)
}

func instant(date *string) *time.Time {
	if date == nil {
		return nil
	}
	t, err := time.Parse(layout, *date)
	if err != nil {
		panic(err) // our own
	}
	return &t
}

type wireRefund struct {
	RefundID          string  `json:"RefundId"`
	RefundInstanceID  int32   `json:"RefundInstanceId"`
	OrderID           int32   `json:"OrderId"`
	Reference         string  `json:"Reference"`
	Description       string  `json:"Description"`
	Author            string  `json:"Author"`
	ExternalID        string  `json:"ExternalId"`
	Currency          string  `json:"Currency"`
	CreatedOn         string  `json:"CreatedOn"`
	Sent              bool    `json:"Sent"`
	SentOn            *string `json:"SentOn"`
	Processed         bool    `json:"Processed"`
	ProcessedOn       *string `json:"ProcessedOn"`
	RequiresApproval  bool    `json:"RequiresApproval"`
	Approved          *bool   `json:"Approved"`
	ApprovalDecidedBy string  `json:"ApprovalDecidedBy"`
	ApprovalDecidedOn *string `json:"ApprovalDecidedOn"`
	SkipRefundEvents  bool    `json:"SkipRefundEvents"`

	RefundedTotal json.Number    `json:"RefundedTotal"`
	RefundRows    []wireRow      `json:"RefundRows"`
	Rows          []wireOrderRow `json:"Rows"`
}

type wireRow struct {
	OrderID      int32       `json:"OrderId"`
	RefundRowID  int32       `json:"RefundRowId"`
	OrderRowID   *int32      `json:"OrderRowId"`
	CaptureID    *string     `json:"CaptureId"`
	RefundAmount json.Number `json:"RefundAmount"`
	ToBalance    bool        `json:"ToBalance"`
	Settled      bool        `json:"Settled"`
	SettledOn    *string     `json:"SettledOn"`
	CreatedOn    string      `json:"CreatedOn"`
	RefundType   int         `json:"RefundType"`
}

type wireOrderRow struct {
	OrderRowID            int32       `json:"OrderRowId"`
	Name                  string      `json:"Name"`
	Price                 json.Number `json:"Price"`
	SuggestedRefundAmount json.Number `json:"SuggestedRefundAmount"`
}

// number writes an amount as the API does, without trailing zeros.
func number(m refund.Money) json.Number { return json.Number(m.Decimal().String()) }

func partOf(refundType int) refund.Part {
	return []refund.Part{refund.PartOrder, refund.PartReturnCost, refund.PartShipping, refund.PartFee}[refundType]
}

func pointer[T any](v T) *T { return &v }

func itoa(id int32) string { return strconv.Itoa(int(id)) }

// body reads the request's JSON object, or says what is wrong with it.
func body(r *http.Request, v any) (problem string) {
	data, err := io.ReadAll(r.Body)
	if err != nil || !strings.HasPrefix(strings.TrimSpace(string(data)), "{") {
		return "A non-empty request body is required."
	}
	if err := json.Unmarshal(data, v); err != nil {
		return "The JSON value could not be converted."
	}
	return ""
}

func fail(w http.ResponseWriter, status int, detail string) {
	respond(w, status, map[string]any{"Message": http.StatusText(status) + ".", "Details": []string{detail}})
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errcheck,errchkjson // nothing to do about it
}
