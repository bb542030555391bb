package backdtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/refund"
)

const base = "/v1/backd/bnpl/api"

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
		for _, then := range slices.Backward(o.states) {
			if s.Visible(then.from) {
				respond(w, then.data)
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
	amount, err := refund.ParseMoney(string(req.RefundAmount), currency) // a string has quotes
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
	now, active := s.second(), o.active()
	switch {
	case o.status != backd.OrderConfirmed:
		s.refuse(w, http.StatusConflict, "The order is not confirmed.")
		return
	case active != nil && !now.Before(active.locked):
		s.refuse(w, http.StatusConflict, "The refund request is locked.")
		return
	case active == nil && r.Method == http.MethodDelete:
		s.refuse(w, http.StatusConflict, "There is no active refund request.")
		return
	case r.Method == http.MethodPost && amount.Minor() > o.total.Minor():
		s.refuse(w, http.StatusUnprocessableEntity, "The amount exceeds the order total.")
		return
	}
	o.move(backd.RefundDeclined)
	if r.Method == http.MethodPost {
		o.requests = append(o.requests, request{amount, now, backd.LocksAt(now), backd.RefundDraft})
	}
	respond(w, s.show(o))
}

// refuse answers with a refusal of Backd's own.
func (s *Simulator) refuse(w http.ResponseWriter, code int, message string) {
	status := http.StatusOK
	if s.byStatus {
		status = code
	}
	fail(w, status, code, message)
}
