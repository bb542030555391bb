package orderrowstest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/refund"
)

type nothing struct{} // the body of a GET

type newRefund struct {
	OrderRowID                           *int32 `json:"OrderRowId"`
	Reference, Description, Author       string
	RefundAmount                         json.RawMessage
	RefundType                           int
	ToBalance, Settled, SkipRefundEvents bool
	RefundsRequireApproval               bool
}

type refundQuery struct {
	CreatedAfter, CreatedBefore *time.Time
	IncludeStatuses             []orderrows.QueryStatus
}

// changes is the body of all operations that change a refund.
type changes struct {
	Approved                                  *bool
	ApprovalDecidedBy, Reference              string
	ApprovalDecidedOn, ProcessedOn, SettledOn *time.Time
	ExternalID                                string `json:"ExternalId"`
	SettledByAdminUserID                      *int32 `json:"SettledByAdminUserId"`
}

// body is the refund as it is read.
func (r *orderRefund) body() any {
	rows, orderRows, total := []any{}, []any{}, number(r.amount)
	if r.row == 0 {
		total = "0"
	} else {
		rows = append(rows, map[string]any{
			"OrderId": r.order.id, "RefundRowId": r.row, "OrderRowId": r.OrderRowID, "CaptureId": nil,
			"RefundAmount": total, "RefundType": r.RefundType, "ToBalance": r.ToBalance, "CreatedOn": r.createdOn,
			"Settled": r.settledOn != nil, "SettledOn": r.settledOn,
		})
	}
	for _, row := range r.order.rows {
		price := number(row.price)
		orderRows = append(orderRows, map[string]any{"OrderRowId": row.id, "Price": price, "SuggestedRefundAmount": price})
	}
	return map[string]any{
		"RefundId": r.id, "RefundInstanceId": r.instance, "OrderId": r.order.id,
		"Reference": r.Reference, "Description": r.Description, "Author": r.Author, "ExternalId": r.externalID,
		"Currency": r.order.currency, "CreatedOn": r.createdOn, "SkipRefundEvents": r.SkipRefundEvents,
		"Sent": r.sentOn != nil, "SentOn": r.sentOn, "Processed": r.processedOn != nil, "ProcessedOn": r.processedOn,
		"RequiresApproval": r.RefundsRequireApproval, "Approved": r.approved,
		"ApprovalDecidedBy": r.decidedBy, "ApprovalDecidedOn": r.decidedOn,
		"RefundedTotal": total, "RefundRows": rows, "Rows": orderRows,
	}
}

// date writes a date as .NET does that knows no offset. As texts they sort by time.
func date(t time.Time) *string {
	text := t.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.0000000")
	return &text
}

// given returns the caller's date, or now.
func given(t *time.Time, now time.Time) *string {
	if t == nil {
		t = &now
	}
	return date(*t)
}

// number writes an amount as the API does, without trailing zeros.
func number(m refund.Money) json.Number { return json.Number(m.Decimal().String()) }

// read reads the JSON object that is the body of a POST, or says what is wrong with it.
func read(r *http.Request, v any) (problem string) {
	if r.Method != http.MethodPost {
		return ""
	}
	data, err := io.ReadAll(r.Body)
	if err != nil || !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return "A non-empty request body is required."
	}
	reader := json.NewDecoder(bytes.NewReader(data))
	reader.DisallowUnknownFields()
	if reader.Decode(v) != nil {
		return "The JSON value could not be converted."
	}
	return ""
}

func success(resource any) (status int, body any) {
	return http.StatusOK, map[string]any{"Resource": resource, "Message": "Success.", "Details": nil}
}

func refuse(status int, detail string) (_ int, body any) {
	return status, map[string]any{"Message": http.StatusText(status) + ".", "Details": []string{detail}}
}
