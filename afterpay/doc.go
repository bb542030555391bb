// Package afterpay refunds orders at Afterpay (Clearpay in the United Kingdom; now Cash App Afterpay), Online API v2.
//
// # What is special
//
//   - A refund is synchronous: accepted means carried out, and it cannot be undone.
//   - A repeat with the same requestId and merchantReference is answered with the original refund, for 24 hours at
//     least by the older documentation, for longer by the newer. Both are derived from the idempotency key and always
//     sent together, because one alone protects nothing. That is why this client may send a refund again when the
//     response is lost: connect 10 s, read 70 s, three times by default.
//   - There is no endpoint to read a refund: GetRefund, Refunds and Resolve read the payment. Its refunds lag behind
//     by seconds, entries made by voids and in the Business Hub stand among them.
//   - Only captured money can be refunded, within 120 days of the purchase, in the order's currency.
//
// # Which words move money
//
// CreateRefund and the common Refund pay the shopper; Resolve may send the same refund again while Afterpay keeps its key.
// VoidPayment gives up money that was authorized and not captured. Everything else only reads.
//
// # Sources
//
// The reference pages of the Online API v2 (Create Refund, Get Payment, List Payments, errors, authentication, request
// headers, idempotent requests) on developers.cash.app, developers.afterpay.com and afterpay-global-api.readme.io; the
// official afterpay/sdk-php; and the exchanges with the real sandbox that solidusio-contrib/solidus_afterpay recorded in
// 2021. Comments in the code name the page a fact is from. Nothing was tried against the live service.
//
// # Assumptions
//
// Beyond the documents this package assumes that:
//
//   - order ids are digits (as sdk-php does), at most 64;
//   - a refund that a payment does not show in two reads a minute apart, later than Options.AbsenceAfter after it was last
//     sent, was not made (the official tests wait 3 seconds), unless the payment shows no list of refunds at all, or one that
//     may be this one: of the same amount or of none, made since, and without any reference or, with Attempt.Known, one that
//     nobody knows;
//   - a key is good for a repeat for 23 hours, one less than the shorter of two documented figures;
//   - every documented 4xx status, and 403, with Afterpay's own error object is a definite refusal, even with an errorCode
//     that is not documented; without the object, with 409 and with all other statuses the outcome is unknown;
//   - a response without refundId, or one that names another requestId, merchantReference or amount, or an amount that
//     cannot be read, does not say that the refund was made;
//   - clocks are less than an hour apart (only for resolving);
//   - lists of payments take the parameter limit, up to 250, which only older pages and sdk-php have;
//   - a checkout token is visible ASCII without / \ ? # and %, at most 256;
//   - the token endpoint refuses credentials with 400 or 401 and OAuth 2's invalid_client (its errors are not documented),
//     answers within 30 s, and gives tokens that are good until 5 minutes before they expire.
package afterpay
