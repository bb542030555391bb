// Package orderrows refunds orders and order rows through the Geins Management API, v1.12.1.
//
// # What is special
//
//   - A refund is a record on the shop's order. The shop's integration with its payment provider listens to the refund event,
//     returns the money and reports that with SetAsProcessed. So an accepted refund is pending.
//   - Nothing is documented to keep a repeat from being a second refund. The idempotency key travels in Reference; the
//     common Refund looks for it among the order's refunds before it sends, and never sends twice. Two calls at the same
//     time, or a list that does not show a new refund yet, are gaps that only a journal closes.
//   - No cap is documented: more than was paid may be refunded. Capabilities.RejectsExcess is false: your own books must know.
//   - No currency travels with a refund: the API reads amounts in the order's currency. Config.Currencies are those of the
//     account's orders. Before it sends, the common Refund compares the request's currency with that of each refund which
//     the order has; another one is ErrCurrencyMismatch. It cannot check an order without refunds, which states no currency:
//     the number goes out, and Geins reads it in the order's currency. Nothing is checked with Config.NoLookup, nor by
//     CreateRefund. Reading the order would not help: that it states its currency is not documented (RetrieveOrder).
//   - The response to a new refund is its id and nothing else; reading it (GetRefund) shows which fields took effect, and in
//     which currency.
//   - The API has no codes for errors, so this package has neither ErrorCode nor HasCode: the Kind of a *refund.Error is
//     portable, Details are the API's words. "A database error occured.", a 500, usually means a bad body elsewhere in this
//     API; for refunds that is not documented, so the outcome stays unknown.
//
// # Which words move money
//
// CreateRefund and the common Refund ask for money to be paid, by the refund event that they cause. Of CreateRefund's fields
//
//   - Settled only records: the money has moved already, no event is sent, no approval is asked for;
//   - SkipRefundEvents records too: an integration that pays by events is not told;
//   - ToBalance credits the customer's balance in the shop instead of the payment;
//   - RefundsRequireApproval holds the refund back until SetApproval.
//
// None of them can be reached through the common Refund. SetApproval with Approved true releases a waiting refund.
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
//   - a Reference, an Author, an ExternalID and an ApprovalDecidedBy have at most 1,000 characters, a Description (the common
//     Reason) 10,000: no greatest lengths are documented, and more is a mistake;
//   - RefundAmount includes VAT and is paid to the customer, for every RefundType alike;
//   - Currency is an ISO 4217 code in upper case; any other text is another currency than the request's;
//   - an order without refunds has an empty list, and not a 404;
//   - dates without an offset are in UTC;
//   - a refund keeps the Reference that it was created with, in full;
//   - a refund that the order's list does not show later than Options.AbsenceAfter after it was last sent, in two reads a
//     minute apart, was not made, unless the list shows one that may be this one: of the same number or of none, created
//     since the day before, not denied, and without any Reference or, with Attempt.Known, one that nobody knows;
//   - a 400, 401 or 404 in the API's own envelope is a definite refusal; the same status with any other body, and every other
//     status, 429 and 500 included, leaves the outcome unknown;
//   - a response about a refund of another order, or about another refund, than the one asked for cannot be read;
//   - the amount of a refund with one row is that row's RefundAmount, of any other its RefundedTotal; amounts that are off by
//     less than a millionth of the major unit, as binary arithmetic leaves them, are rounded to the currency's decimals;
//   - a refund has been carried out when it is Processed, or when all of its rows, one at least, are Settled.
package orderrows
