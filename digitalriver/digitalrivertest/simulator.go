// Package digitalrivertest simulates Digital River's refunds: a stateful http.Handler with orders, captures, refunds that
// change over a clock, and a ledger of what really moves.
//
//	sim := digitalrivertest.New()
//	order := sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
//	client, err := digitalriver.New(sim.Config())
//
// It answers as strictly as the documentation says Digital River does. What it assumes beyond the documents:
//
//   - a refund settles 24 hours after it was accepted, or after its information was given; the token lives 30 days;
//   - an unknown order, invoice or item is 400 not_found on POST, a cursor that is no refund 400 invalid_parameter;
//   - members and parameters that are not documented are 400 unknown_parameter;
//   - a wrong Content-Type and wrong JSON types are 400 with a code of invalid_*, numbers in strings are wrong types;
//   - percentages are rounded half up, and the type tax with too small an amount is refused like too small a percentage;
//   - refunds go by the amounts of their parts; a refund of an order as a whole leaves the parts' own amounts as they are.
package digitalrivertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// APIKey is the key that the simulator accepts.
const APIKey = "sk_test_simulated-secret-key"

const (
	settling  = 24 * time.Hour
	tokenLife = 30 * 24 * time.Hour
)

// Fate is what becomes of refunds.
type Fate string

// The fates, which Digital River's test cards and names have too (testing scenarios page).
const (
	Succeeds         Fate = "succeeds" // the default: pending, a day later succeeded
	FailsAtOnce      Fate = "fails at once"
	Fails            Fate = "fails"             // pending, a day later failed
	NeedsInformation Fate = "needs information" // until Inform is called, or the token expires
)

// Simulator is a fake Digital River. It implements refundtest.Informant. Safe for concurrent use.
type Simulator struct {
	mu        sync.Mutex
	offset    time.Duration
	readLag   time.Duration
	rateLimit int
	second    int64
	requests  int                     // in this second
	orders    map[refund.Order]*order // by id, and by invoice
	refunds   []*record
	lastID    int
}

type order struct {
	id, invoice          string
	authorized, captured refund.Money
	parts                []entry
	fate                 Fate
	disputed             bool
}

// entry is an amount of a part of an order or of an item; an empty typ is the product.
type entry struct {
	item, sku, typ string
	amount         refund.Money
	quantity       json.RawMessage
	percent        json.RawMessage
}

type record struct {
	id             string
	order          *order
	created        time.Time
	ofItems, whole bool // stated as items; stated as an amount
	entries        []entry
	reason         string
	metadata       map[string]any
	fate           Fate
	informed       time.Time
}

// New makes a Digital River without orders.
func New() *Simulator { return &Simulator{orders: map[refund.Order]*order{}} }

// Config returns a client's configuration that calls the simulator without a network.
func (s *Simulator) Config() digitalriver.Config {
	return digitalriver.Config{
		Options: refund.Options{Transport: refundtest.InMemory(s)},
		APIKey:  refund.NewSecret(APIKey),
	}
}

// Start serves the simulator over TLS on a loopback port and returns a client's configuration for it. Close the
// server when done.
func (s *Simulator) Start() (digitalriver.Config, *httptest.Server) {
	server := httptest.NewTLSServer(s)
	cfg := s.Config()
	cfg.BaseURL, cfg.Transport = server.URL, server.Client().Transport
	return cfg, server
}

// AddOrder implements refundtest.Simulator: an order of one item that was captured at once.
func (s *Simulator) AddOrder(captured refund.Money) refund.Order {
	got, _ := s.AddPartOrder(captured, refund.PartOrder)
	return got
}

// AddPartOrder implements refundtest.Informant. Part is the order's own for tax and importer tax, else that of its
// item.
func (s *Simulator) AddPartOrder(captured refund.Money, part refund.Part) (o refund.Order, line string) {
	typ := string(part)
	if part == refund.PartFee {
		typ = "fees"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nextID()
	added := &order{id: strconv.Itoa(190000000000 + n), invoice: fmt.Sprintf("inv_%d", n), authorized: captured, captured: captured, fate: Succeeds}
	item := strconv.Itoa(63000000000 + n)
	added.parts = []entry{{item: item, sku: fmt.Sprintf("sku_%d", n), typ: typ, amount: captured}}
	s.orders[refund.Order{ID: added.id}], s.orders[refund.Order{InvoiceID: added.invoice}] = added, added
	if part == refund.PartOrder || part == refund.PartFee {
		line = item
	}
	return refund.Order{ID: added.id}, line
}

// AddPart makes an order larger by a part of its item, and captures it. It returns the id of the item.
func (s *Simulator) AddPart(o refund.Order, part digitalriver.RefundType, amount refund.Money) (line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.find(o)
	found.authorized, found.captured = add(found.authorized, amount), add(found.captured, amount)
	line = found.parts[0].item
	found.parts = append(found.parts, entry{item: line, typ: string(part), amount: amount})
	return line
}

// AddDeferredOrder makes an order of which only a part has been captured: only that can be refunded.
func (s *Simulator) AddDeferredOrder(authorized, captured refund.Money) refund.Order {
	got := s.AddOrder(authorized)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find(got).captured = captured
	return got
}

// Capture captures more of an order.
func (s *Simulator) Capture(o refund.Order, amount refund.Money) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.find(o)
	found.captured = add(found.captured, amount)
}

// Invoice returns the order by its invoice.
func (s *Simulator) Invoice(o refund.Order) refund.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return refund.Order{InvoiceID: s.find(o).invoice}
}

// SetFate sets what becomes of the refunds that are made of an order from now on.
func (s *Simulator) SetFate(o refund.Order, f Fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find(o).fate = f
}

// SetDispute puts an order into dispute, or ends it.
func (s *Simulator) SetDispute(o refund.Order, disputed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find(o).disputed = disputed
}

// Inform gives the information that the order's refunds wait for.
func (s *Simulator) Inform(o refund.Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.refunds {
		if r.order == s.find(o) && r.state(s.now()) == "pending_information" {
			r.informed = s.now()
		}
	}
}

// UnknownOrder implements refundtest.Simulator.
func (s *Simulator) UnknownOrder() refund.Order { return refund.Order{ID: "999999999999"} }

// Ledger implements refundtest.Simulator: the refunds that have neither failed nor expired.
func (s *Simulator) Ledger(o refund.Order) []refund.Money {
	var ledger []refund.Money
	for _, r := range s.of(o) {
		if r.live(s.now()) {
			ledger = append(ledger, r.total())
		}
	}
	return ledger
}

// Arrived implements refundtest.Informant.
func (s *Simulator) Arrived(o refund.Order) []refund.Request {
	var arrived []refund.Request
	for _, r := range s.of(o) {
		req := refund.Request{Order: o, Amount: r.total(), Part: refund.Part(r.entries[0].typ), Reason: r.reason, Metadata: map[string]string{}}
		if req.Part == "fees" {
			req.Part = refund.PartFee
		}
		if r.ofItems {
			req.Line = r.entries[0].item
		}
		for k, v := range r.metadata {
			req.Metadata[k] = fmt.Sprint(v)
		}
		arrived = append(arrived, req)
	}
	return arrived
}

func (s *Simulator) of(o refund.Order) []*record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*record
	of := s.find(o)
	for _, r := range s.refunds {
		if r.order == of {
			found = append(found, r)
		}
	}
	return found
}

// SetReadLag implements refundtest.Simulator.
func (s *Simulator) SetReadLag(lag time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readLag = lag
}

// SetRateLimit sets how many requests a second are answered; 0 means all.
func (s *Simulator) SetRateLimit(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rateLimit = n
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

func (s *Simulator) find(o refund.Order) *order {
	if o.ID != "" {
		return s.orders[refund.Order{ID: o.ID}]
	}
	return s.orders[refund.Order{InvoiceID: o.InvoiceID}]
}

func (r *record) state(at time.Time) string {
	began := r.created
	if r.fate == NeedsInformation {
		if r.informed.IsZero() || r.informed.After(at) {
			if at.Sub(r.created) >= tokenLife {
				return "expired"
			}
			return "pending_information"
		}
		began = r.informed
	}
	switch {
	case r.fate == FailsAtOnce:
		return "failed"
	case at.Sub(began) < settling:
		return "pending"
	case r.fate == Fails:
		return "failed"
	}
	return "succeeded"
}

func (r *record) live(at time.Time) bool {
	state := r.state(at)
	return state != "failed" && state != "expired"
}

func (r *record) total() refund.Money {
	sum := sub(r.order.captured, r.order.captured)
	for _, e := range r.entries {
		sum = add(sum, e.amount)
	}
	return sum
}

// available is what is left of a part: of an item, of all items, or of the order as a whole, which leaves out fees.
func (s *Simulator) available(o *order, item, typ string, at time.Time) refund.Money {
	left, part := o.captured, sub(o.captured, o.captured)
	count := func(e entry, sign func(a, b refund.Money) refund.Money) {
		if (item == "" || e.item == item) && e.typ == typ || item == "" && typ == "" && e.typ != "fees" {
			part = sign(part, e.amount)
		}
	}
	for _, e := range o.parts {
		count(e, add)
	}
	for _, r := range s.refunds {
		if r.order == o && r.live(at) && !r.created.After(at) {
			left = sub(left, r.total())
			for _, e := range r.entries {
				count(e, sub)
			}
		}
	}
	if sub(left, part).Sign() < 0 {
		return left
	}
	return part
}

// problem is an answer that is no success.
type problem struct {
	status                   int
	code, parameter, message string
}

func bad(code, parameter, message string) *problem {
	return &problem{http.StatusBadRequest, code, parameter, message}
}

// ServeHTTP implements http.Handler.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("X-Dr-Requestid", fmt.Sprintf("sim-%08d", s.nextID()))
	status, answer, p := s.serve(r)
	if p != nil {
		status = p.status
		types := map[int]string{
			400: "bad_request", 401: "unauthorized", 404: "not_found", 405: "method_not_allowed", 406: "not_acceptable", 429: "too_many_requests",
		}
		one := map[string]string{"code": p.code, "message": p.message}
		if p.parameter != "" {
			one["parameter"] = p.parameter
		}
		answer = map[string]any{"type": types[status], "errors": []any{one}}
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) //nolint:errcheck,errchkjson // nothing to do about it
}

func (s *Simulator) serve(r *http.Request) (status int, answer any, p *problem) {
	if now := s.now().Unix(); now != s.second {
		s.second, s.requests = now, 0
	}
	if s.requests++; s.rateLimit > 0 && s.requests > s.rateLimit {
		return 0, nil, &problem{http.StatusTooManyRequests, "limit_exceeded", "", "Too many requests."}
	}
	if r.Header.Get("Authorization") != "Bearer "+APIKey {
		return 0, nil, &problem{http.StatusUnauthorized, "unauthorized", "", "The key is not valid."}
	}
	if accept := r.Header.Get("Accept"); accept != "" && accept != "application/json" && accept != "*/*" {
		return 0, nil, &problem{http.StatusNotAcceptable, "not_acceptable", "", "Only JSON is served."}
	}
	versions := []string{"", "2020-01-07", "2020-09-30", "2020-12-17", "2021-02-23", "2021-03-23", "2021-12-13"}
	if !slices.Contains(versions, r.Header.Get("DigitalRiver-Version")) {
		return 0, nil, bad("invalid_parameter", "DigitalRiver-Version", "There is no such version.")
	}
	collection, id, one := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	notFound := &problem{http.StatusNotFound, "not_found", "", "There is no such resource."}
	notAllowed := &problem{http.StatusMethodNotAllowed, "method_not_allowed", "", "The method is not allowed."}
	var body map[string]json.RawMessage
	if r.Method == http.MethodPost {
		if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); mediaType != "application/json" {
			return 0, nil, bad("invalid_format", "Content-Type", "Only JSON is read.")
		}
		if json.NewDecoder(r.Body).Decode(&body) != nil || body == nil {
			return 0, nil, bad("invalid_format", "", "The body is not JSON.")
		}
	}
	get, post := r.Method == http.MethodGet, r.Method == http.MethodPost
	switch {
	case collection == "refunds" && !one && post:
		return s.create(body)
	case collection == "refunds" && !one && get:
		return s.list(r.URL.Query())
	case collection == "orders" && one:
		o := s.find(refund.Order{ID: id})
		switch {
		case o == nil:
			return 0, nil, notFound
		case !get:
			return 0, nil, notAllowed
		}
		return http.StatusOK, s.order(o), nil
	case collection == "refunds" && one:
		i := slices.IndexFunc(s.refunds, func(r *record) bool { return r.id == id && (!get || !r.created.After(s.visible())) })
		switch {
		case i < 0:
			return 0, nil, notFound
		case get:
			return http.StatusOK, s.refunds[i].wire(s.visible()), nil
		case post:
			return s.update(s.refunds[i], body)
		}
		return 0, nil, notAllowed
	case collection == "refunds":
		return 0, nil, notAllowed
	}
	return 0, nil, notFound
}

// visible is the time that reads show.
func (s *Simulator) visible() time.Time { return s.now().Add(-s.readLag) }

// create makes a refund, or says why not (Refunds reference page; issuing refunds page).
func (s *Simulator) create(body map[string]json.RawMessage) (int, any, *problem) {
	var orderID, invoiceID, currency, typ, reason string
	p := members(body, map[string]*string{"orderId": &orderID, "invoiceId": &invoiceID, "currency": &currency, "type": &typ, "reason": &reason}, "amount", "percent", "items", "metadata")
	if p != nil {
		return 0, nil, p
	}
	if (orderID == "") == (invoiceID == "") {
		return 0, nil, bad("missing_parameter", "orderId", "orderId or invoiceId is required.")
	}
	o := s.find(refund.Order{ID: orderID, InvoiceID: invoiceID})
	ways := 0
	for _, name := range []string{"amount", "percent", "items"} {
		if body[name] != nil {
			ways++
		}
	}
	switch {
	case o == nil:
		return 0, nil, bad("not_found", "orderId", "There is no such order.")
	case o.disputed:
		return 0, nil, bad("invalid_parameter", "order", "The order is in dispute.")
	case currency == "":
		return 0, nil, bad("missing_parameter", "currency", "currency is required.")
	case currency != o.captured.Currency():
		return 0, nil, bad("invalid_parameter", "currency", "The currency is not the order's.")
	case ways != 1:
		return 0, nil, bad("missing_parameter", "amount", "amount, percent or items is required.")
	case !slices.Contains([]string{"", "shipping", "tax", "duty", "importer_tax"}, typ):
		return 0, nil, bad("invalid_parameter", "type", "There is no such type.")
	case utf8.RuneCountInString(reason) > 64:
		return 0, nil, bad("invalid_parameter", "reason", "The reason is too long.")
	}
	made := &record{order: o, created: s.now(), whole: body["amount"] != nil, ofItems: body["items"] != nil, reason: reason, metadata: map[string]any{}, fate: o.fate}
	if raw := body["metadata"]; raw != nil {
		if p := merge(made.metadata, raw); p != nil {
			return 0, nil, p
		}
	}
	if made.ofItems {
		made.entries, p = s.items(o, body["items"])
	} else {
		var e entry
		e, p = s.entry(o, "", typ, body["amount"], body["percent"])
		made.entries = []entry{e}
	}
	if p != nil {
		return 0, nil, p
	}
	made.id = fmt.Sprintf("re_00000000-0000-4000-8000-%012d", s.nextID())
	s.refunds = append(s.refunds, made)
	return http.StatusCreated, made.wire(s.now()), nil
}

func (s *Simulator) items(o *order, raw json.RawMessage) ([]entry, *problem) {
	var items []map[string]json.RawMessage
	if json.Unmarshal(raw, &items) != nil || len(items) == 0 {
		return nil, bad("invalid_format", "items", "items is no list.")
	}
	var entries []entry
	for _, item := range items {
		var id, sku, typ string
		if p := members(item, map[string]*string{"itemId": &id, "skuId": &sku, "type": &typ}, "quantity", "amount", "percent"); p != nil {
			return nil, p
		}
		quantity, _ := strconv.Atoi(string(item["quantity"])) //nolint:errcheck // 0 then
		switch {
		case id == "":
			return nil, bad("missing_parameter", "itemId", "itemId is required.")
		case !slices.ContainsFunc(o.parts, func(e entry) bool { return e.item == id }):
			return nil, bad("not_found", "itemId", "There is no such item.")
		case !slices.Contains([]string{"", "shipping", "fees", "duty"}, typ):
			return nil, bad("invalid_parameter", "type", "There is no such type.")
		case item["quantity"] != nil && quantity < 1:
			return nil, bad("invalid_integer", "quantity", "quantity is no whole number.")
		case (item["amount"] == nil) == (item["percent"] == nil):
			return nil, bad("missing_parameter", "amount", "amount or percent is required.")
		}
		e, p := s.entry(o, id, typ, item["amount"], item["percent"])
		if p != nil {
			return nil, p
		}
		e.sku, e.quantity = sku, item["quantity"]
		entries = append(entries, e)
	}
	return entries, nil
}

// entry is the part that an amount or a percentage names, if there is enough of it.
func (s *Simulator) entry(o *order, item, typ string, rawAmount, rawPercent json.RawMessage) (entry, *problem) {
	e := entry{item: item, typ: typ}
	left := s.available(o, item, typ, s.now())
	if rawPercent != nil {
		percent, ok := number(rawPercent)
		if !ok || percent.LessThan(decimal.New(1, -2)) || percent.GreaterThan(decimal.New(100, 0)) {
			return e, bad("invalid_parameter", "percentRequested", "The percentage is not from 0.01 to 100.")
		}
		whole := left.Decimal()
		e.percent, e.amount = rawPercent, must(refund.MoneyFromDecimal(whole.Mul(percent).Shift(-2).Round(-whole.Exponent()), left.Currency()))
	} else {
		amount, ok := number(rawAmount)
		var err error
		if e.amount, err = refund.MoneyFromDecimal(amount, left.Currency()); !ok || err != nil || e.amount.Sign() <= 0 {
			return e, bad("invalid_amount", "amount", "The amount is not valid.")
		}
	}
	switch {
	case sub(left, e.amount).Sign() < 0:
		return e, bad("invalid_parameter", "amountRequested", "The requested refund amount is greater than the available amount.")
	case typ == "tax" && e.amount != left:
		return e, bad("invalid_parameter", "percentRequested", "Tax cannot be refunded partially.")
	}
	return e, nil
}

func (s *Simulator) update(r *record, body map[string]json.RawMessage) (int, any, *problem) {
	if p := members(body, nil, "metadata"); p != nil {
		return 0, nil, p
	}
	if body["metadata"] == nil {
		return 0, nil, bad("missing_parameter", "metadata", "metadata is required.")
	}
	merged := maps.Clone(r.metadata)
	if p := merge(merged, body["metadata"]); p != nil {
		return 0, nil, p
	}
	r.metadata = merged
	return http.StatusOK, r.wire(s.now()), nil
}

// merge adds pairs to metadata; an empty string deletes one (metadata page).
func merge(into map[string]any, raw json.RawMessage) *problem {
	var pairs map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	if decoder.Decode(&pairs) != nil || len(pairs) == 0 {
		return bad("invalid_empty", "metadata", "metadata needs one pair at least.")
	}
	for key, value := range pairs {
		text, isText := value.(string)
		switch {
		case key == "" || utf8.RuneCountInString(key) > 40:
			return bad("invalid_metadata_key", "metadata", "A key is too long.")
		case utf8.RuneCountInString(text) > 500:
			return bad("invalid_metadata_value", "metadata", "A value is too long.")
		case isText && text == "":
			delete(into, key)
		default:
			into[key] = value
		}
	}
	if len(into) > 20 {
		return bad("too_many_metadata_pairs", "metadata", "There are too many pairs.")
	}
	return nil
}

// members reads the members that are strings, and knows those that are something else.
func members(body map[string]json.RawMessage, texts map[string]*string, others ...string) *problem {
	for name, raw := range body {
		to, ok := texts[name]
		switch {
		case ok && (raw[0] != '"' || json.Unmarshal(raw, to) != nil):
			return bad("invalid_format", name, "A string is wanted.")
		case !ok && !slices.Contains(others, name):
			return bad("unknown_parameter", name, "There is no such parameter.")
		}
	}
	return nil
}

func number(raw json.RawMessage) (decimal.Decimal, bool) {
	if len(raw) == 0 || raw[0] == '"' || len(raw) > 32 {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(string(raw))
	return d, err == nil
}

// list answers with a page (Refunds reference page; OpenAPI document).
func (s *Simulator) list(q url.Values) (int, any, *problem) {
	operator := regexp.MustCompile(`^(createdTime|amount|refundedAmount)(?:\[(eq|gte?|lte?)\])?$`)
	limit, visible := 10, s.visible()
	keep := []func(*record) bool{func(r *record) bool { return !r.created.After(visible) }}
	for name, values := range q {
		value := values[0]
		match := operator.FindStringSubmatch(name)
		switch {
		case name == "limit":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 100 {
				return 0, nil, bad("invalid_parameter", "limit", "limit is not from 1 to 100.")
			}
			limit = n
		case name == "startingAfter", name == "endingBefore":
		case name == "ids":
			keep = append(keep, func(r *record) bool { return slices.Contains(values, r.id) })
		case name == "skuId":
			keep = append(keep, func(r *record) bool {
				return slices.ContainsFunc(r.entries, func(e entry) bool { return e.sku == value })
			})
		case name == "orderId":
			keep = append(keep, func(r *record) bool { return r.order.id == value })
		case name == "state", name == "reason", name == "failureReason":
			keep = append(keep, func(r *record) bool { return r.wire(visible)[name] == value })
		case match != nil && match[1] == "createdTime":
			at, err := time.Parse(time.RFC3339, value)
			if err != nil {
				return 0, nil, bad("invalid_format", name, "That is no date.")
			}
			keep = append(keep, func(r *record) bool { return compares(match[2], r.created.Compare(at)) })
		case match != nil:
			d, ok := number(json.RawMessage(value))
			if !ok {
				return 0, nil, bad("invalid_format", name, "That is no number.")
			}
			keep = append(keep, func(r *record) bool {
				have, stated := r.wire(visible)[match[1]].(json.Number)
				return stated && compares(match[2], decimal.RequireFromString(have.String()).Cmp(d))
			})
		default:
			return 0, nil, bad("unknown_parameter", name, "There is no such parameter.")
		}
	}
	var found []*record
	for _, r := range slices.Backward(s.refunds) { // newest first
		if !slices.ContainsFunc(keep, func(f func(*record) bool) bool { return !f(r) }) {
			found = append(found, r)
		}
	}
	from, to := 0, min(limit, len(found))
	for _, cursor := range []string{"startingAfter", "endingBefore"} { // the second one wins
		if !q.Has(cursor) {
			continue
		}
		at := slices.IndexFunc(found, func(r *record) bool { return r.id == q.Get(cursor) })
		if at < 0 {
			return 0, nil, bad("invalid_parameter", cursor, "There is no such refund.")
		}
		if from, to = at+1, min(at+1+limit, len(found)); cursor == "endingBefore" {
			from, to = max(at-limit, 0), at
		}
	}
	page := []any{}
	for _, r := range found[from:to] {
		page = append(page, r.wire(visible))
	}
	more := to < len(found)
	if q.Has("endingBefore") {
		more = from > 0
	}
	return http.StatusOK, map[string]any{"hasMore": more, "data": page}, nil
}

func compares(operator string, order int) bool {
	switch operator {
	case "gt":
		return order > 0
	case "gte":
		return order >= 0
	case "lt":
		return order < 0
	case "lte":
		return order <= 0
	}
	return order == 0
}

// wire is a refund as it is at a time (Refunds reference page; event samples).
func (r *record) wire(at time.Time) map[string]any {
	state := r.state(at)
	refunded, chargeState := sub(r.order.captured, r.order.captured), state
	if state == "succeeded" {
		refunded, chargeState = r.total(), "complete"
	}
	got := map[string]any{
		"id": r.id, "createdTime": r.created, "orderId": r.order.id, "invoiceId": r.order.invoice, "currency": refunded.Currency(),
		"refundedAmount": json.Number(refunded.Amount()), "state": state, "liveMode": false, "items": []any{}, "metadata": r.metadata,
		"charges": []any{map[string]any{
			"id": "ch_" + r.order.id, "captured": true, "refunded": true, // whatever the state
			"refunds":  []any{map[string]any{"createdTime": r.created, "amount": json.Number(r.total().Amount()), "state": chargeState}},
			"sourceId": "src_" + r.order.id,
		}},
	}
	if r.whole {
		got["amount"] = json.Number(r.total().Amount())
	}
	if r.reason != "" {
		got["reason"] = r.reason
	}
	if state == "failed" {
		got["failureReason"] = "expired_or_canceled_card"
	}
	if state == "pending_information" {
		expires := r.created.Add(tokenLife)
		got["tokenInformation"] = map[string]any{"token": "bb3f0f17-567a-4c87-8cbd-76d93a750709", "expiresTime": expires}
		got["expiresTime"] = expires
	}
	if !r.ofItems {
		if typ := r.entries[0].typ; typ != "" {
			got["type"] = typ
		}
		return got
	}
	var items []any
	for _, e := range r.entries {
		item := map[string]any{"itemId": e.item, "amount": nil, "percent": nil, "refundedAmount": json.Number(e.amount.Amount())}
		for name, value := range map[string]string{"type": e.typ, "skuId": e.sku} {
			if value != "" {
				item[name] = value
			}
		}
		if e.quantity != nil {
			item["quantity"] = e.quantity
		}
		if item["percent"] = e.percent; e.percent == nil {
			item["amount"] = json.Number(e.amount.Amount())
		}
		if state != "succeeded" {
			item["refundedAmount"] = nil
		}
		items = append(items, item)
	}
	got["items"] = items
	return got
}

// order is an order as reads show it.
func (s *Simulator) order(o *order) map[string]any {
	at := s.visible()
	available, refunded := o.captured, sub(o.captured, o.captured)
	for _, r := range s.refunds {
		if r.order == o && r.live(at) && !r.created.After(at) {
			available, refunded = sub(available, r.total()), add(refunded, r.total())
		}
	}
	state := "fulfilled"
	if o.disputed {
		state = "dispute"
	}
	var items []any
	for _, e := range o.parts {
		if e.sku != "" {
			items = append(items, map[string]any{
				"id": e.item, "skuId": e.sku, "availableToRefundAmount": json.Number(s.available(o, e.item, "", at).Amount()),
			})
		}
	}
	return map[string]any{
		"id": o.id, "currency": o.captured.Currency(), "state": state, "liveMode": false, "items": items,
		"totalAmount": json.Number(o.authorized.Amount()), "capturedAmount": json.Number(o.captured.Amount()),
		"refundedAmount": json.Number(refunded.Amount()), "availableToRefundAmount": json.Number(available.Amount()),
	}
}

func add(a, b refund.Money) refund.Money { return must(a.Add(b)) }

func sub(a, b refund.Money) refund.Money { return must(a.Sub(b)) }

// must panics on what a test has set up wrong, such as an order captured in another currency than authorized.
func must(m refund.Money, err error) refund.Money {
	if err != nil {
		panic(err)
	}
	return m
}
