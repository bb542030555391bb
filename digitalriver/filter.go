package digitalriver

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
)

// RefundFilter selects refunds. The zero value selects all, newest first. There is no filter for metadata.
type RefundFilter struct {
	OrderID, SKUID        ID
	State                 State
	Reason, FailureReason string
	IDs                   []ID
	CreatedTime           TimeRange // to the millisecond
	Amount                AmountRange
	RefundedAmount        AmountRange
	Limit                 int // refunds a page, 1 to 100; 0 means 100
	// StartingAfter and EndingBefore are where to begin: with the next older refund, or with the next newer one. Only
	// one of them can be set.
	StartingAfter, EndingBefore ID
}

// TimeRange compares a date with operators. Those that are zero do not count.
type TimeRange struct{ Eq, Gt, Gte, Lt, Lte time.Time }

func (r *TimeRange) operators() map[string]time.Time {
	return map[string]time.Time{"eq": r.Eq, "gt": r.Gt, "gte": r.Gte, "lt": r.Lt, "lte": r.Lte}
}

// AmountRange compares an amount with operators. Those that are nil do not count.
type AmountRange struct{ Eq, Gt, Gte, Lt, Lte *Number }

func (r *AmountRange) operators() map[string]*Number {
	return map[string]*Number{"eq": r.Eq, "gt": r.Gt, "gte": r.Gte, "lt": r.Lt, "lte": r.Lte}
}

func (f *RefundFilter) check(op *httpx.Op) error {
	if f.Limit < 0 || f.Limit > maxLimit {
		return op.Invalid("Limit", "is %d; 1 to %d are allowed, 0 means %d", f.Limit, maxLimit, maxLimit)
	}
	if f.StartingAfter != "" && f.EndingBefore != "" {
		return op.Invalid("StartingAfter", "is set, and so is EndingBefore; set one of them")
	}
	for field, id := range map[string]ID{
		"OrderID": f.OrderID, "SKUID": f.SKUID, "StartingAfter": f.StartingAfter, "EndingBefore": f.EndingBefore,
	} {
		if id != "" {
			if err := checkID(op, field, id); err != nil {
				return err
			}
		}
	}
	for _, id := range f.IDs {
		if err := checkID(op, "IDs", id); err != nil {
			return err
		}
	}
	for field, amounts := range map[string]*AmountRange{"Amount": &f.Amount, "RefundedAmount": &f.RefundedAmount} {
		for _, n := range amounts.operators() {
			if n != nil && !wire.Sane(n.Decimal) {
				return op.Invalid(field, "is a number of absurd size")
			}
		}
	}
	return nil
}

// query repeats ids and puts operators in brackets, as the OpenAPI document does.
func (f *RefundFilter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"orderId": string(f.OrderID), "skuId": string(f.SKUID), "state": string(f.State),
		"reason": f.Reason, "failureReason": f.FailureReason,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for _, id := range f.IDs {
		q.Add("ids", string(id))
	}
	for operator, t := range f.CreatedTime.operators() {
		if !t.IsZero() {
			q.Set("createdTime["+operator+"]", t.UTC().Format("2006-01-02T15:04:05.000Z")) // API structure page
		}
	}
	for name, amounts := range map[string]*AmountRange{"amount": &f.Amount, "refundedAmount": &f.RefundedAmount} {
		for operator, n := range amounts.operators() {
			if n != nil {
				q.Set(name+"["+operator+"]", n.text())
			}
		}
	}
	q.Set("limit", strconv.Itoa(cmp.Or(f.Limit, maxLimit)))
	return q
}

// refundList is a page of refunds.
type refundList struct {
	HasMore *bool     `json:"hasMore"`
	Data    []*Refund `json:"data"`
}

// problem does not take a missing list for an empty one: Refund would pay again.
func (l *refundList) problem() string {
	switch {
	case l.Data == nil || l.HasMore == nil:
		return "the response has no data or no hasMore"
	case slices.ContainsFunc(l.Data, func(r *Refund) bool { return r == nil || r.ID == "" }):
		return "the response has a refund without id"
	case *l.HasMore && len(l.Data) == 0:
		return "the response is empty and says that there is more: there is nothing to go on from"
	}
	return ""
}

// problem does not take the list of another order for the one that was asked for.
func (f *RefundFilter) problem(l *refundList) string {
	if p := l.problem(); p != "" {
		return p
	}
	if slices.ContainsFunc(l.Data, func(r *Refund) bool { return differ(f.OrderID, r.OrderID) }) {
		return "the response lists refunds of another order"
	}
	return ""
}
