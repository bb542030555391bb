package digitalrivertest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// ServeHTTP implements http.Handler.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("X-Dr-Requestid", fmt.Sprintf("sim-%08d", s.nextID()))
	body, p := s.serve(r)
	switch {
	case p != nil:
		refundtest.Respond(w, p.status, p.wire())
	case r.Method == http.MethodPost && r.URL.Path == "/refunds":
		refundtest.Respond(w, http.StatusCreated, body)
	default:
		refundtest.Respond(w, http.StatusOK, body)
	}
}

func (s *Simulator) serve(r *http.Request) (any, *problem) {
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	versions := []string{"", "2020-01-07", "2020-09-30", "2020-12-17", "2021-02-23", "2021-03-23", "2021-12-13"}
	get, post := r.Method == http.MethodGet, r.Method == http.MethodPost
	collection, id, one := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	o := s.find(refund.Order{ID: id})
	i := slices.IndexFunc(s.refunds, func(made *record) bool { return made.id == id && (post || s.Visible(made.created)) })
	switch {
	case r.Header.Get("Authorization") != "Bearer "+APIKey:
		return nil, &problem{http.StatusUnauthorized, "unauthorized", ""}
	case !slices.Contains([]string{"", "application/json", "*/*"}, r.Header.Get("Accept")):
		return nil, &problem{http.StatusNotAcceptable, "not_acceptable", ""}
	case !slices.Contains(versions, r.Header.Get("DigitalRiver-Version")):
		return nil, &problem{http.StatusBadRequest, "invalid_parameter", "DigitalRiver-Version"}
	case post && mediaType != "application/json":
		return nil, &problem{http.StatusBadRequest, "invalid_format", "Content-Type"}
	case collection == "refunds" && !one && post:
		return s.create(r)
	case collection == "refunds" && !one && get:
		return s.list(r.URL.Query())
	case collection == "refunds" && i >= 0 && get:
		return s.refunds[i].wire(s.Visible), nil
	case collection == "refunds" && i >= 0 && post:
		return s.update(s.refunds[i], r)
	case collection == "orders" && o != nil && get:
		return s.wire(o), nil
	case collection == "refunds" && (i >= 0 || !one), collection == "orders" && o != nil:
		return nil, &problem{http.StatusMethodNotAllowed, "method_not_allowed", ""}
	}
	return nil, &problem{http.StatusNotFound, "not_found", ""}
}

// rule is one of a request's, and the code and parameter of the 400 that it is refused with if it is broken.
type rule struct {
	broken          bool
	code, parameter string
}

// first returns the first rule that is broken.
func first(rules ...rule) *problem {
	for _, r := range rules {
		if r.broken {
			return &problem{http.StatusBadRequest, r.code, r.parameter}
		}
	}
	return nil
}

// create makes a refund, or says why not (Refunds reference page; issuing refunds page).
func (s *Simulator) create(r *http.Request) (any, *problem) {
	body, p := read[refundBody](r)
	if p != nil {
		return nil, p
	}
	o := s.find(refund.Order{ID: body.OrderID, InvoiceID: body.InvoiceID})
	made := &record{
		order: o, created: s.Now().Truncate(time.Millisecond), whole: body.Amount != nil, ofItems: body.Items != nil,
		reason: body.Reason, metadata: map[string]any{},
	}
	p = first(
		rule{(body.OrderID == "") == (body.InvoiceID == ""), "missing_parameter", "orderId"},
		rule{o == nil, "not_found", "orderId"},
		rule{o != nil && o.disputed, "invalid_parameter", "order"},
		rule{body.Currency == "", "missing_parameter", "currency"},
		rule{o != nil && body.Currency != o.captured.Currency(), "invalid_parameter", "currency"},
		rule{!slices.Contains([]string{"", "shipping", "tax", "duty", "importer_tax"}, body.Type), "invalid_parameter", "type"},
		rule{utf8.RuneCountInString(body.Reason) > 64, "invalid_parameter", "reason"},
		rule{made.ofItems && len(body.Items) == 0, "invalid_format", "items"},
		rule{made.ofItems && (made.whole || body.Percent != nil), "missing_parameter", "amount"},
	)
	if p == nil && body.Metadata != nil {
		p = merge(made.metadata, body.Metadata)
	}
	if p != nil {
		return nil, p
	}
	if !made.ofItems {
		body.Items = []itemBody{{Type: body.Type, Amount: body.Amount, Percent: body.Percent}}
	}
	for _, item := range body.Items {
		if made.ofItems {
			p = first(
				rule{item.ItemID == "", "missing_parameter", "itemId"},
				rule{!slices.ContainsFunc(o.parts, func(e entry) bool { return e.item == item.ItemID }), "not_found", "itemId"},
				rule{!slices.Contains([]string{"", "shipping", "fees", "duty"}, item.Type), "invalid_parameter", "type"},
				rule{item.Quantity != nil && *item.Quantity < 1, "invalid_integer", "quantity"},
			)
		}
		var e entry
		if p == nil {
			e, p = s.entry(o, item)
		}
		if p != nil {
			return nil, p
		}
		made.entries = append(made.entries, e)
	}
	made.id, made.fate = fmt.Sprintf("re_00000000-0000-4000-8000-%012d", s.nextID()), o.fate
	s.refunds = append(s.refunds, made)
	return made.wire(s.passed), nil
}

// entry is the part that an amount or a percentage names, if there is enough of it.
func (s *Simulator) entry(o *order, item itemBody) (entry, *problem) {
	e := entry{item: item.ItemID, sku: item.SKUID, typ: item.Type, percent: item.Percent}
	left := s.available(o, e.item, e.typ, s.passed)
	n, ok := decimalOf(slices.Concat(item.Amount, item.Percent))
	if p := first(
		rule{(item.Amount == nil) == (item.Percent == nil), "missing_parameter", "amount"},
		rule{!ok, "invalid_amount", "amount"},
		rule{item.Percent != nil && (n.LessThan(decimal.New(1, -2)) || n.GreaterThan(decimal.New(100, 0))), "invalid_parameter", "percentRequested"},
	); p != nil {
		return e, p
	}
	if whole := left.Decimal(); item.Percent != nil {
		n = whole.Mul(n).Shift(-2).Round(-whole.Exponent())
	}
	var err error
	e.amount, err = refund.MoneyFromDecimal(n, left.Currency())
	return e, first(
		rule{err != nil || e.amount.Sign() <= 0, "invalid_amount", "amount"},
		rule{err == nil && e.amount.Minor() > left.Minor(), "invalid_parameter", "amountRequested"},
		rule{e.typ == "tax" && e.amount != left, "invalid_parameter", "percentRequested"},
	)
}

func (s *Simulator) update(made *record, r *http.Request) (any, *problem) {
	body, p := read[updateBody](r)
	if p != nil {
		return nil, p
	}
	merged := maps.Clone(made.metadata)
	if p := cmp.Or(first(rule{body.Metadata == nil, "missing_parameter", "metadata"}), merge(merged, body.Metadata)); p != nil {
		return nil, p
	}
	made.metadata = merged
	return made.wire(s.passed), nil
}

// merge adds pairs to metadata; an empty string deletes one (metadata page).
func merge(into, pairs map[string]any) *problem {
	for key, value := range pairs {
		text, isText := value.(string)
		if p := first(
			rule{key == "" || utf8.RuneCountInString(key) > 40, "invalid_metadata_key", "metadata"},
			rule{utf8.RuneCountInString(text) > 500, "invalid_metadata_value", "metadata"},
		); p != nil {
			return p
		}
		if into[key] = value; isText && text == "" {
			delete(into, key)
		}
	}
	return first(
		rule{len(pairs) == 0, "invalid_empty", "metadata"},
		rule{len(into) > 20, "too_many_metadata_pairs", "metadata"},
	)
}

// list responds with a page, newest first (Refunds reference page; OpenAPI document).
func (s *Simulator) list(q url.Values) (any, *problem) {
	limit := 10
	found := slices.DeleteFunc(slices.Clone(s.refunds), func(r *record) bool { return !s.Visible(r.created) })
	slices.Reverse(found)
	for name := range q {
		value := q.Get(name)
		at, notDate := time.Parse(time.RFC3339, value)
		drop, p := func(*record) bool { return false }, (*problem)(nil)
		switch name {
		case "startingAfter", "endingBefore":
		case "limit":
			n, err := strconv.Atoi(value)
			limit, p = n, first(rule{err != nil || n < 1 || n > 100, "invalid_parameter", name})
		case "orderId":
			drop = func(r *record) bool { return r.order.id != value }
		case "state":
			drop = func(r *record) bool { return r.state(s.Visible) != value }
		case "createdTime[gte]", "createdTime[lt]":
			p = first(rule{notDate != nil, "invalid_format", name})
			drop = func(r *record) bool { return r.created.Before(at) == (name == "createdTime[gte]") }
		default:
			p = first(rule{true, "unknown_parameter", name})
		}
		if p != nil {
			return nil, p
		}
		found = slices.DeleteFunc(found, drop)
	}
	index := func(cursor string) int {
		return slices.IndexFunc(found, func(r *record) bool { return r.id == q.Get(cursor) })
	}
	after, before := index("startingAfter"), index("endingBefore")
	if p := first(
		rule{q.Has("startingAfter") && after < 0, "invalid_parameter", "startingAfter"},
		rule{q.Has("endingBefore") && before < 0, "invalid_parameter", "endingBefore"},
	); p != nil {
		return nil, p
	}
	from, to := after+1, min(after+1+limit, len(found))
	more := to < len(found)
	if q.Has("endingBefore") { // wins over the other
		from, to = max(before-limit, 0), before
		more = from > 0
	}
	page := []members{}
	for _, r := range found[from:to] {
		page = append(page, r.wire(s.Visible))
	}
	return members{"hasMore": more, "data": page}, nil
}

// read reads a body as strictly as there are codes for it.
func read[T any](r *http.Request) (*T, *problem) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	var body *T
	err := decoder.Decode(&body)
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typ):
		return nil, &problem{http.StatusBadRequest, "invalid_format", typ.Field[strings.LastIndex(typ.Field, ".")+1:]}
	case err != nil && strings.HasPrefix(err.Error(), "json: unknown field"):
		return nil, &problem{http.StatusBadRequest, "unknown_parameter", strings.Split(err.Error(), `"`)[1]}
	}
	return body, first(rule{err != nil || body == nil, "invalid_format", ""})
}

// decimalOf reads a JSON number, which one in a string is not.
func decimalOf(raw []byte) (decimal.Decimal, bool) {
	if len(raw) == 0 || raw[0] == '"' || len(raw) > 32 {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(string(raw))
	return d, err == nil
}
