// Package backd refunds orders at Backd, a buy now, pay later service for companies, by its BNPL API v1.
//
// # What is special
//
//   - A refund is a request that stays open: draft, perhaps approved, then locked at 17:00 in Chicago by the rule of
//     LocksAt. Until then it can be replaced or deleted. Accepted means StatusPending.
//   - An order has one active request at a time, and a new one silently replaces it: the old one becomes declined.
//     refund_amount is therefore the total that is wanted, never an addition.
//   - Nothing carries the idempotency key, and a refund has no id. So the common Refund reads the order first, and
//     refuses while any request is active: ErrConflict if it could still be replaced, ErrLocked if not. A repeat of a
//     key is refused in the same way. What became of a lost response is found by comparing the order's refunds with those
//     from before (Snapshot, Resolve).
//   - Refund.ID is this package's own: the create_date and the amount of the entry, which stay when its status changes.
//   - Only orders in order_confirmed can be refunded. The status refund is documented by name only: when it is set,
//     and whether an executed refund is still shown then, is not. The common Refund refuses it like any other, because
//     the refund may have been paid, and Resolve does not believe that such an order shows all of its refunds.
//   - What Backd does with more than the order's total is not documented: the common Refund refuses it before sending,
//     by the order_total that it has read.
//   - What a request that was paid looks like, and whether the order can be refunded again then, is not documented.
//     Any status but declined counts as active, so that nothing is refunded besides it: Capabilities.MultipleRefunds is
//     false. To replace a request that has not locked, there is the native ReplaceRefund, or CancelRefund and a refund with a
//     new key. To refund again an order whose request was paid, there is nothing here: by the documents nobody can tell
//     whether that would be paid in addition.
//
// # Which words move money
//
// ReplaceRefund and the common Refund ask Backd to pay the buyer back. DeleteRefund and CancelRefund take that back.
// Everything else only reads. ReplaceRefund and DeleteRefund go behind a journal's back.
//
// # Sources
//
// The pages of the BNPL API on docs.backd.com (refund, delete-refund, find-order, cancel-order, order-placed,
// update-order, create-order, api_auth) and the order object of the widget on backd-docs.vercel.app. There is no public
// client, plugin or OpenAPI file, and no table of errors. Comments in the code name the page a fact is from. Nothing was
// tried against the live service.
//
// # Assumptions
//
// Beyond the documents this package assumes that:
//
//   - amounts are US dollars with two decimals: no currency is documented, all examples are of the United States;
//   - the body of DELETE /refund has backd_order_id and merchant_order_id, like that of POST /refund;
//   - backd_order_id is visible ASCII without / \ ? # %, at most 128 characters, and merchant_order_id printable text of
//     at most 128 bytes;
//   - dates without a zone are in America/Chicago; no decision about money rests on create_date as a time, but for when
//     a request locks whose locked_at is missing;
//   - a declined request has a status that begins with "decline", in any case;
//   - every response about an order has refunds[], also if it is empty: without the list the response cannot be read;
//   - a request that locks within two minutes may lock before a replacement arrives, so that ReplaceRefund leaves it alone;
//   - entries stay in refunds[], with the amount and the create_date that they had in the first response;
//   - nobody else asks for the same amount of the same order between the reading of the order and the Resolve of a lost
//     response: such a request would be taken for the lost one;
//   - an order in order_confirmed that does not show a request Capabilities.AbsenceAfter after it was last sent, in two
//     looks a minute apart, will not have it;
//   - status.error true with HTTP 4xx is Backd's own refusal, and with HTTP 200 unless the response contradicts it: by an
//     active request in its data, or by a status.code from 100 to 399. Where HTTP says 200, a status.code from 400 to 599
//     means what it means in HTTP; without status.error true the response contradicts itself, and is not believed. 408, 5xx
//     and everything else leave the outcome unknown, and so does what is not in Backd's envelope, whatever its status;
//   - status.type is the code of an error;
//   - responses come within 60 seconds, those to reads within 20: no timeouts are documented.
package backd
