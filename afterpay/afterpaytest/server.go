package afterpaytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// ServeHTTP implements http.Handler.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Http-Correlation-Id", fmt.Sprintf("sim-%08d", s.nextID()))
	if name, version, _ := strings.Cut(r.UserAgent(), "/"); name == "" || version == "" {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<html><title>Access denied</title></html>")
		return
	}
	status, body := s.route(r)
	refundtest.Respond(w, status, body)
}

func fail(status int, code, message string) (int, any) {
	return status, map[string]any{"errorCode": code, "errorId": "c7585eb6f53f5af5", "message": message, "httpStatusCode": status}
}

func (s *Simulator) route(r *http.Request) (status int, body any) {
	user, password, basic := r.BasicAuth()
	accept, path := r.Header.Get("Accept"), strings.Split(r.URL.Path, "/")[1:]
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/v2/oauth2/token":
		return token(r)
	case (!basic || user != MerchantID || password != SecretKey) && r.Header.Get("Authorization") != "Bearer "+Token:
		return fail(http.StatusUnauthorized, "unauthorized", "Credentials are required to access this resource.")
	case accept != "" && accept != "application/json" && accept != "*/*":
		return fail(http.StatusNotAcceptable, "error", "HTTP 406 Not Acceptable")
	case len(path) < 2 || path[0] != "v2" || path[1] != "payments":
	case r.Method == http.MethodGet && len(path) == 2:
		return s.list(r)
	case r.Method == http.MethodGet && len(path) == 3:
		return s.get(path[2])
	case r.Method == http.MethodPost && len(path) == 4 && path[3] == "refund":
		return s.refund(r, path[2])
	}
	return fail(http.StatusNotFound, "not_found", "HTTP 404 Not Found")
}

// token answers the client credentials grant.
func token(r *http.Request) (status int, body any) {
	want := map[string]string{"grant_type": "client_credentials", "client_id": MerchantID, "client_secret": SecretKey, "scope": "merchant_api_v2"}
	for name, value := range want {
		if r.PostFormValue(name) != value {
			return http.StatusUnauthorized, map[string]any{"error": "invalid_client"}
		}
	}
	return http.StatusOK, map[string]any{
		"access_token": Token, "token_type": "Bearer", "expires_in": 86399,
		"scope": "merchant_api_v2/read merchant_api_v2/refund merchant_api_v2/reverse merchant_api_v2/void",
	}
}

func (s *Simulator) refund(r *http.Request, orderID string) (status int, body any) {
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); mediaType != "application/json" {
		return fail(http.StatusUnsupportedMediaType, "error", "HTTP 415 Unsupported Media Type")
	}
	var req wireRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		return fail(http.StatusBadRequest, "invalid_json", "Unable to parse the request body.")
	}
	key := pair{req.RequestID, req.MerchantReference}
	switch known := s.replays[key]; {
	case known != nil && known.response == nil:
		return http.StatusConflict, map[string]any{"message": "The first request is still being processed.", "httpStatusCode": http.StatusConflict}
	case known != nil && s.now().Sub(known.at) < keyLife:
		return http.StatusCreated, known.response
	case key.requestID != "" && key.merchantReference != "": // one alone protects nothing
		s.replays[key] = &replay{at: s.now()}
	}
	if wait := s.processing; wait > 0 {
		s.mu.Unlock()
		<-time.After(wait)
		s.mu.Lock()
	}
	status, body = s.apply(orderID, &req)
	if made, ok := body.(*wireRefund); !ok {
		delete(s.replays, key)
	} else if first := s.replays[key]; first != nil {
		first.response = made
	}
	return status, body
}

// apply makes the refund, or says why not, by the error table of Create Refund and of the Money object.
func (s *Simulator) apply(orderID string, req *wireRequest) (status int, body any) {
	o := s.byID[orderID]
	amount, bad := s.amount(req.Amount)
	switch {
	case len(req.RefundMerchantReference) > 128 || len(req.RequestID) > 64 || len(req.MerchantReference) > 64:
		return fail(http.StatusUnprocessableEntity, "invalid_object", "A reference is too long.")
	case o == nil && s.unknown404:
		return fail(http.StatusNotFound, "not_found", "Afterpay payment ID not found.")
	case o == nil, o.declined:
		return fail(http.StatusPreconditionFailed, "precondition_failed", "The order is not eligible for a refund.")
	case bad != "":
		return fail(http.StatusUnprocessableEntity, bad, "The amount is not valid.")
	case amount.Currency() != o.captured.Currency():
		return fail(http.StatusUnprocessableEntity, "invalid_object", "The currency does not match the order's.")
	case s.now().Sub(o.created) > window:
		return fail(http.StatusUnprocessableEntity, "refund_timelimit_exceeded", "The refund exceeds the time limit of 120 days.")
	}
	refunded := refundtest.Add(o.refunded, amount)
	if refundtest.Sub(o.captured, refunded).Sign() < 0 {
		return fail(http.StatusUnprocessableEntity, "invalid_amount", "Refund amount exceeded open to refund amount")
	}
	made := wireRefund{
		RequestID: req.RequestID, MerchantReference: req.MerchantReference, RefundMerchantReference: req.RefundMerchantReference,
		RefundID: strconv.FormatInt(1934000+s.nextID(), 10), RefundedAt: s.now(), Amount: moneyOf(amount),
	}
	o.refunded, o.ledger, o.refunds = refunded, append(o.ledger, amount), append(o.refunds, made)
	return http.StatusCreated, &made
}

// amount reads a Money object. bad is the code of what is wrong with it.
func (s *Simulator) amount(raw json.RawMessage) (amount refund.Money, bad string) {
	var m struct{ Amount, Currency *string }
	if json.Unmarshal(raw, &m) != nil || m.Amount == nil || m.Currency == nil {
		return amount, "invalid_object"
	}
	amount, err := refund.ParseMoney(*m.Amount, *m.Currency)
	switch {
	case strings.Contains(*m.Amount, ","):
		return amount, "invalid_amount"
	case err != nil || amount.Sign() <= 0:
		return amount, "invalid_object"
	case *m.Currency != s.currency:
		return amount, "unsupported_currency"
	}
	return amount, ""
}

func (s *Simulator) get(id string) (status int, body any) {
	if o := s.byID[id]; o != nil && s.Visible(o.created) {
		return http.StatusOK, s.payment(o)
	}
	return fail(http.StatusNotFound, "not_found", "Afterpay payment ID not found.")
}

// list pages through the orders, newest first: by offset, or by a cursor that is one in disguise.
func (s *Simulator) list(r *http.Request) (status int, body any) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))                                              //nolint:errcheck // checked below
	offset, _ := strconv.Atoi(q.Get("offset") + strings.TrimPrefix(q.Get("cursor"), "c")) //nolint:errcheck // absent is 0
	if limit < 1 || limit > 250 || offset < 0 || offset > len(s.orders) {
		return fail(http.StatusUnprocessableEntity, "error", "limit or offset is out of range.")
	}
	page := map[string]any{"totalResults": len(s.orders), "limit": limit, "offset": offset}
	next := min(offset+limit, len(s.orders))
	if q.Get("includeNextLink") == "true" {
		delete(page, "offset")
		page["nextPageUrl"] = ""
		if next < len(s.orders) {
			q.Set("cursor", "c"+strconv.Itoa(next))
			page["nextPageUrl"] = "https://global-api.afterpay.com/v2/payments?" + q.Encode()
		}
	}
	newest := slices.Clone(s.orders)
	slices.Reverse(newest)
	results := []any{}
	for _, o := range newest[offset:next] {
		results = append(results, s.payment(o))
	}
	page["results"] = results
	return http.StatusOK, page
}
