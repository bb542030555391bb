package instanttest

import (
	"io"
	"net/http"
	"time"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/refund/refundtest"
)

const guard = 60 * time.Second

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
	req, problem := readRequest(r)
	if problem != "" {
		fail(w, instant.CodeIntenralServerError, problem)
		return
	}
	amount, ok := money(req.amount, s.currency)
	if !ok {
		fail(w, instant.CodeInvalidAmountToRefund, "amountToRefund is invalid.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[req.displayOrderID]
	if o == nil || req.storeCode != StoreCode {
		fail(w, instant.CodeNoEntityFound, "The order cannot be found.")
		return
	}
	if o.duplicate(amount, s.Now().Add(-guard)) {
		fail(w, instant.CodePossibleDuplicateRefund, "The order was refunded by this amount within the last 60 seconds.")
		return
	}
	if wait := s.processing; wait > 0 {
		s.mu.Unlock()
		<-time.After(wait)
		s.mu.Lock()
	}
	left := refundtest.Sub(o.left, amount)
	if left.Sign() < 0 {
		fail(w, instant.CodeRefundAmountGreaterThanAvailable, "The amount is greater than the available funds to refund.")
		return
	}
	answer := scripted{acted: true}
	if len(s.next) > 0 {
		answer, s.next = s.next[0], s.next[1:]
	}
	if answer.acted {
		o.left, o.refunds = left, append(o.refunds, made{amount, s.Now()})
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
