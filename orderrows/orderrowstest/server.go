package orderrowstest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

func routes(s *Simulator) *http.ServeMux {
	mux := http.NewServeMux()
	const one = "/API/Order/{order}/Refund/{refund}"
	mux.HandleFunc("POST /API/Order/{order}/Refund", route(s, s.create))
	mux.HandleFunc("GET /API/Order/{order}/Refund/List", route(s, s.list))
	mux.HandleFunc("GET "+one, route(s, s.get))
	mux.HandleFunc("POST /API/Refund/Query", route(s, s.query))
	mux.HandleFunc("POST "+one+"/SetApproval", route(s, s.change((*orderRefund).approve)))
	mux.HandleFunc("POST "+one+"/SetAsProcessed", route(s, s.change((*orderRefund).process)))
	mux.HandleFunc("POST "+one+"/SetAsSettled", route(s, s.change((*orderRefund).settle)))
	mux.HandleFunc("POST "+one+"/RefundRow/{row}/SetAsSettled", route(s, s.change((*orderRefund).settle)))
	mux.HandleFunc("DELETE "+one+"/RefundRow/{row}", route(s, s.change((*orderRefund).deleteRow)))
	return mux
}

// ServeHTTP implements http.Handler.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, basic := r.BasicAuth()
	if !basic || user != User || password != Password || r.Header.Get("X-ApiKey") != APIKey {
		refundtest.Respond(w, http.StatusUnauthorized, map[string]any{"Message": "Unauthorized"})
		return
	}
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); r.Method == http.MethodPost && mediaType != "application/json" {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	s.mux.ServeHTTP(w, r) // which knows 404 and 405
}

// route serves what handle returns, which runs under s.mu and has the body of a POST in req.
func route[T any](s *Simulator, handle func(r *http.Request, req *T) (status int, body any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req T
		if problem := read(r, &req); problem != "" {
			status, body := refuse(http.StatusBadRequest, problem)
			refundtest.Respond(w, status, body)
			return
		}
		s.mu.Lock()
		status, body := handle(r, &req)
		s.mu.Unlock()
		refundtest.Respond(w, status, body)
	}
}

// orderRefund is a refund as it is now, with its one row, and as it was.
type orderRefund struct {
	newRefund

	id            string
	instance, row int32 // row is 0 once it is deleted
	order         *order
	amount        refund.Money
	createdOn     string

	sentOn, decidedOn, processedOn, settledOn *string
	approved                                  *bool
	decidedBy, externalID                     string

	history []version
}

type version struct {
	at   time.Time
	seen orderRefund
}

func (r *orderRefund) waiting() bool { return r.RefundsRequireApproval && r.approved == nil }

func (r *orderRefund) denied() bool {
	return r.RefundsRequireApproval && r.approved != nil && !*r.approved
}

// remember ends a change: it tells whoever pays, unless that is not asked for or has to wait, and keeps what reads show.
func (r *orderRefund) remember(now time.Time) {
	if !r.Settled && !r.SkipRefundEvents && r.sentOn == nil && !r.waiting() && !r.denied() {
		r.sentOn = date(now)
	}
	r.history = append(r.history, version{now, *r})
}

func (s *Simulator) create(r *http.Request, req *newRefund) (status int, body any) {
	o := s.find(r.PathValue("order"))
	if o == nil {
		return refuse(http.StatusNotFound, "The order does not exist.")
	}
	amount, err := refund.ParseMoney(string(req.RefundAmount), o.currency)
	switch {
	case err != nil || amount.Sign() <= 0:
		return refuse(http.StatusBadRequest, "RefundAmount is required and must be a number greater than zero.")
	case req.RefundType < 0 || req.RefundType > 3:
		return refuse(http.StatusBadRequest, "RefundType must be 0, 1, 2 or 3.")
	case req.OrderRowID != nil && !slices.ContainsFunc(o.rows, func(row orderRow) bool { return row.id == *req.OrderRowID }):
		return http.StatusInternalServerError, map[string]any{"Message": "A database error occured.", "Details": nil}
	}
	now := s.Now()
	made := &orderRefund{
		newRefund: *req, id: uuid.NewString(), instance: s.nextID(), row: s.nextID(), order: o, amount: amount, createdOn: *date(now),
	}
	if req.Settled {
		made.RefundsRequireApproval, made.settledOn = false, date(now)
	}
	made.remember(now)
	o.refunds = append(o.refunds, made)
	return success(made.id)
}

// shown returns the bodies of the order's refunds that match, as reads show them.
func (s *Simulator) shown(o *order, match func(*orderRefund) bool) []any {
	shown := []any{}
	for _, r := range o.refunds {
		for i := len(r.history) - 1; i >= 0; i-- {
			if !s.Visible(r.history[i].at) {
				continue
			}
			if seen := &r.history[i].seen; match(seen) {
				shown = append(shown, seen.body())
			}
			break
		}
	}
	return shown
}

func (s *Simulator) get(r *http.Request, _ *nothing) (status int, body any) {
	if o := s.find(r.PathValue("order")); o != nil {
		if found := s.shown(o, func(c *orderRefund) bool { return c.id == r.PathValue("refund") }); len(found) == 1 {
			return success(found[0])
		}
	}
	return refuse(http.StatusNotFound, "The refund does not exist.")
}

func (s *Simulator) list(r *http.Request, _ *nothing) (status int, body any) {
	if o := s.find(r.PathValue("order")); o != nil {
		return success(s.shown(o, func(*orderRefund) bool { return true }))
	}
	return refuse(http.StatusNotFound, "The order does not exist.")
}

func (s *Simulator) query(_ *http.Request, q *refundQuery) (status int, body any) {
	found := []any{}
	for _, o := range s.orders {
		found = append(found, s.shown(o, func(r *orderRefund) bool {
			return (q.CreatedAfter == nil || r.createdOn >= *date(*q.CreatedAfter)) &&
				(q.CreatedBefore == nil || r.createdOn <= *date(*q.CreatedBefore)) &&
				(len(q.IncludeStatuses) == 0 || slices.ContainsFunc(q.IncludeStatuses, r.fits))
		})...)
	}
	return success(found)
}

func (r *orderRefund) fits(status orderrows.QueryStatus) bool {
	processed, settled := r.processedOn != nil, r.settledOn != nil
	return map[orderrows.QueryStatus]bool{
		orderrows.StatusAll:             true,
		orderrows.StatusSent:            r.sentOn != nil,
		orderrows.StatusSettled:         settled && (r.Settled || processed),
		orderrows.StatusSettledManually: settled && !r.Settled && !processed,
		orderrows.StatusProcessed:       processed,
		orderrows.StatusPendingApproval: r.waiting(),
		orderrows.StatusApproved:        r.approved != nil && *r.approved,
	}[status]
}

// change finds the refund, and its row if the path names one, and lets apply change it or say why not.
func (s *Simulator) change(
	apply func(r *orderRefund, req *changes, now time.Time) (problem string),
) func(*http.Request, *changes) (int, any) {
	return func(r *http.Request, req *changes) (status int, body any) {
		row := r.PathValue("row")
		i := -1
		o := s.find(r.PathValue("order"))
		if o != nil {
			i = slices.IndexFunc(o.refunds, func(c *orderRefund) bool {
				return c.id == r.PathValue("refund") && (row == "" || c.row != 0 && itoa(c.row) == row)
			})
		}
		if i < 0 {
			return refuse(http.StatusNotFound, "The refund or the row does not exist.")
		}
		now := s.Now()
		if problem := apply(o.refunds[i], req, now); problem != "" {
			return refuse(http.StatusBadRequest, problem)
		}
		o.refunds[i].remember(now)
		return http.StatusOK, map[string]any{"Message": "Success.", "Details": nil}
	}
}

func (r *orderRefund) approve(req *changes, now time.Time) string {
	if !r.RefundsRequireApproval || r.processedOn != nil || r.settledOn != nil {
		return "The refund does not wait for an approval."
	}
	approved := req.Approved != nil && *req.Approved // what is left out reads as false
	r.approved, r.decidedBy, r.decidedOn = &approved, req.ApprovalDecidedBy, given(req.ApprovalDecidedOn, now)
	return ""
}

func (r *orderRefund) process(req *changes, now time.Time) string {
	problem := r.settle(&changes{SettledOn: req.ProcessedOn}, now)
	if problem == "" {
		r.externalID, r.processedOn = req.ExternalID, given(req.ProcessedOn, now)
	}
	return problem
}

func (r *orderRefund) settle(req *changes, now time.Time) string {
	if r.waiting() || r.denied() {
		return "The refund must be approved before it is processed or settled."
	}
	if r.row != 0 {
		r.settledOn = given(req.SettledOn, now)
	}
	return ""
}

func (r *orderRefund) deleteRow(*changes, time.Time) string {
	if r.settledOn != nil {
		return "A settled row cannot be deleted."
	}
	r.row = 0
	return ""
}
