// Package digitalriver refunds orders at Digital River, REST API of version 2021-03-23.
//
// Digital River is reported to have ceased business in January 2025: its German unit filed for insolvency, merchants
// lost access (die-nachrichten.com, "Digital River meldet Insolvenz an"; blog.2checkout.com, "Navigating the Digital
// River shutdown"). Whether the API still responds is not known. Nothing was tried against the live service.
//
// # What is special
//
//   - 201 is not success. A refund is pending until the bank agrees, usually within a day; then it has succeeded or
//     failed. GetRefund, Refunds and the webhook events tell. Bank transfers and the like need information from the
//     shopper first: StatusNeedsAction, with a token that expires.
//   - Nothing deduplicates: a POST that is sent twice pays twice. So none is ever sent again once a byte has gone out.
//     The key travels in the metadata member idempotency_key. The common Refund lists the order's refunds and looks for
//     it before it pays; Resolve reads back by it. That does not help against two processes that look at the same
//     moment, nor against a list that lags: only a journal does.
//   - The same key is the same refund forever, a failed one included: Refund returns it as it is, with StatusFailed.
//     A refund that failed is repeated with a new key. A key that is found on another refund, or on two that have not
//     failed, is an unknown outcome; Resolve names both of the two.
//   - Parts of an order (shipping, tax, duty, importer tax) can be refunded, and of a line its price with its tax, its
//     shipping, fees or duty. A refund of tax has to be complete. Regulatory fees are refunded on a line only.
//   - An invoice is refunded by Order.InvoiceID. An Order.ID beside it is not sent, as a request names one of the two, but a
//     response that names another order is not of this refund. The list cannot be asked for an invoice, so nothing can be
//     looked up before paying: it takes Config.NoLookup, and with it a journal.
//   - 429 is the response before the request reaches anything that could act on it, so it is sent again.
//
// # Which words move money
//
// CreateRefund and the common Refund pay the shopper. UpdateRefund changes metadata only. Everything else only reads.
//
// # Webhooks
//
// ParseEvent reads an event, VerifySignature checks where it is from, SignPayload signs one for your tests. No document
// says how events are signed: the scheme is known from the official Salesforce cartridge only.
//
// # Sources
//
// The Refunds reference page of version 2021-03-23; the official OpenAPI document of version 2021-12-13; the pages
// issuing refunds, refund basics, refunding asynchronous payment methods, charges, API structure, versioning, rate
// limiting, best practices, metadata, event types, webhooks and signature on docs.digitalriver.com; the release notes; the
// official digital-river-php and sfcc_link_digitalriver. Comments in the code name the page a fact is from.
//
// # Assumptions
//
// Beyond the documents this package assumes that:
//
//   - ids are at most 128 visible ASCII characters, without / \ ? # and %;
//   - a refund that two listings do not show, a minute apart and later than Options.AbsenceAfter after it was last sent,
//     was not made, unless the order has less left than its listed refunds explain, or does not state enough to tell, or
//     is not found, or one that has not failed may be this one: of the same amount or of none, made since, and without a key
//     or, with Attempt.Known, one that nobody knows;
//   - what is hidden from the list turns up within a day, or is for a person;
//   - a documented 4xx status with Digital River's error object is a definite refusal; 408 and 409, for which no cause is
//     documented, and the same statuses without the object leave the outcome unknown;
//   - the filters createdTime, amount and refundedAmount work in this version, whose page does not list them; Refunds
//     also compares the times itself;
//   - hasMore goes by the direction of the paging;
//   - a request names either an order or an invoice, and with items no type of its own;
//   - clocks are less than an hour apart (only for resolving);
//   - the id of an order's item is its member id;
//   - the timestamp of a signature is in seconds or in milliseconds, whichever makes it a date of our times;
//   - 10 s to connect, and the 30 s that the Salesforce cartridge waits for a response, are enough.
package digitalriver
