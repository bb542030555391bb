// Package orderrows refunds orders and order rows through the Geins Management API, v1.12.1.
//
// # What is special
//
//   - A refund is a record on the shop's order. Whoever listens to the refund event, which is the shop's integration with
//     its payment provider, returns the money and reports so with SetAsProcessed. So an accepted refund is pending.
//   - Nothing is documented to keep a repeat from being a second refund. The idempotency key travels in Reference, the
//     common Refund looks for it among the order's refunds before it sends, and never sends twice. Two calls at the same
//     time, or a list that does not show a new refund yet, are gaps that only a journal closes.
//   - No cap is documented: more than was paid may be refunded. Capabilities.Capped is false, your own books have to know.
//   - No currency travels with a refund: amounts are in the order's. Config.Currency is what it should be; refunds of the
//     order that are in another one stop the common Refund before it sends.
//   - The answer to a new refund is its id and nothing else; that fields took effect is seen by reading it (GetRefund).
//   - The API has no codes for errors, so this package has neither ErrorCode nor HasCode: the kind of a *refund.Error says
//     what is portable, Details what the API says in words. "A database error occured.", a 500, usually means a bad body
//     elsewhere in this API; of a refund nothing of the kind is documented, so that its outcome stays unknown.
//
// # Which words move money
//
// CreateRefund and the common Refund ask for money to be paid, by the refund event that they cause. Of CreateRefund's fields
//
//   - Settled only records: the money has moved already, no event is sent, no approval is asked for;
//   - SkipRefundEvents records too: nobody who pays by events hears of it;
//   - ToBalance credits the customer's balance in the shop instead of the payment;
//   - RefundsRequireApproval holds the refund back until SetApproval.
//
// None of them can be reached through the common Refund. SetApproval with Approved true sets a waiting refund free.
// SetAsProcessed, SetAsSettled and SetRowAsSettled record that money has moved elsewhere. DeleteRow takes back what has not
// been settled. Everything else only reads.
//
// # Sources
//
// The page "Creates refund" on docs.geins.io; the vendor's OpenAPI document v1.12.1 (geins-io/geins-cli), its official
// JavaScript SDK (geins-io/sdk-api-mgmt-javascript 2.0.0), its notes on this API and its own clients
// (geins-io/sonora-agent-plugins), and www.geins.io/developers. Comments in the code name the page a fact is from. Nothing
// was tried against the live service.
//
// # Assumptions
//
// Beyond the documents this package assumes that:
//
//   - ids of orders and rows are greater than zero, and the id of no refund is the zero UUID;
//   - RefundAmount includes VAT and is paid to the customer, for every RefundType alike;
//   - an order without refunds has an empty list, and is not answered with 404;
//   - dates without an offset are in UTC;
//   - a refund keeps the Reference that it was created with;
//   - a refund that the order's list does not show 5 minutes after it was last sent was not made, unless the list shows one
//     of the same amount without any Reference, created since the day before;
//   - a 400, 401 or 404 in the API's own envelope is a definite refusal; the same status with any other body, and every other
//     status, 429 and 500 included, leaves the outcome unknown;
//   - the amount of a refund with one row is that row's RefundAmount, of any other its RefundedTotal; amounts that are off by
//     less than a millionth of the major unit, as binary arithmetic leaves them, are rounded to the currency's decimals;
//   - a refund has been carried out when it is Processed, or when all of its rows, one at least, are Settled.
package orderrows
