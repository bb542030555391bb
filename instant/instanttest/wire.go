package instanttest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// request is the body of a refund, read as strictly as it is documented.
type request struct {
	displayOrderID, storeCode string
	amount                    json.RawMessage // nil if it is missing
}

// readRequest reads the body of r, or returns what is wrong with it.
func readRequest(r *http.Request) (req request, problem string) {
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	body, err := io.ReadAll(r.Body)
	var members map[string]json.RawMessage // exact names, which a struct would not insist on
	if mediaType != "application/json" || err != nil || json.Unmarshal(body, &members) != nil {
		return req, "The request cannot be read."
	}
	for name, to := range map[string]*string{"displayOrderId": &req.displayOrderID, "storeCode": &req.storeCode} {
		if raw := members[name]; raw != nil && (raw[0] != '"' || json.Unmarshal(raw, to) != nil) {
			return req, name + " is not a string."
		}
	}
	req.amount = members["amountToRefund"]
	return req, ""
}

// money reads a JSON number, or the string of one that instant-magento2 sends, and rounds it to the currency's smallest unit.
func money(raw json.RawMessage, currency string) (refund.Money, bool) {
	d, err := decimal.NewFromString(wire.Text(raw))
	if err != nil || !wire.Sane(d) { // first of all: rounding a giant takes gigabytes
		return refund.Money{}, false
	}
	decimals, _ := refund.Decimals(currency)
	amount, err := refund.MoneyFromDecimal(d.Round(int32(decimals)), currency)
	return amount, err == nil && amount.Sign() > 0
}

// fail writes a refusal. Each is a 500: the code tells.
func fail(w http.ResponseWriter, code instant.ErrorCode, message string) {
	refundtest.Respond(w, http.StatusInternalServerError, map[string]string{"error": string(code), "message": message})
}
