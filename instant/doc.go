// Package instant refunds orders at Instant (instant.one), through the refund order API.
//
// # What is special
//
//   - A refund is synchronous: 200 means carried out. The response has no id and no amount, its body is not documented,
//     and nothing can be read back. Your own record and Instant's dashboard are all there is.
//   - Every refusal is HTTP 500: the code in its body decides. Five codes say that nothing moved; REFUND_FAILURE, a possible
//     duplicate, an internal error, and every response without a documented code leave the outcome unknown.
//   - Instant refuses a refund of the same order and amount as another of the last 60 seconds, with
//     POSSIBLE_DUPLICATE_REFUND. After that a repeat is a second refund. So equal partial refunds of an order must be
//     more than a minute apart, and a request that may have gone out is never sent again.
//   - POSSIBLE_DUPLICATE_REFUND is OutcomeUnknown: this request moved nothing, but the one before it may have had the same
//     key, or may have been this very one, delivered twice by something in between; then the refund was made.
//   - For the same reason no other refusal of a repeated key says what became of the first request: without a journal
//     you must not repeat a key whose outcome is unknown.
//   - The Idempotency-Key header, derived from the key, is what Instant's own plugin sends, but nothing says what it is
//     good for. Nothing here relies on it.
//   - Resolve leaves the outcome to a person, unless Config.ResendToResolve lets it ask once more while the 60 seconds
//     last. Attempt.Answered says that there was a response: such a request is always left to a person.
//
// # Which words move money
//
// CreateRefund and the common Refund pay the shopper, at once. With Config.ResendToResolve, Resolve pays as well if the
// first request never arrived. Nothing else asks Instant at all.
//
// # Sources
//
// Two pages of help.instant.one, "How do you integrate Instant with a refunds system?" (the refunds page) and
// "Processing refunds"; and Instant's own extension for Magento, InstantCheckout/instant-magento2. Comments in the code
// name which of them a fact is from. Nothing was tried against the live service.
//
// # Assumptions
//
// Beyond the documents this package assumes that:
//
//   - a connection is made within 10 seconds;
//   - order ids have at most 255 characters, that can be printed, without a space at either end, and are no paths with a
//     part of . or ..; idempotency keys have at most 64 characters of visible ASCII; store codes are visible ASCII;
//   - the amount is in the currency of the store, which is Config.Currency: the API has no field for it;
//   - a documented code means what it says with any status of 400 and above;
//   - REFUND_FAILURE does not prove that nothing moved: Instant asks to be contacted;
//   - a 200 is a success if its body is empty, or JSON that says nothing of an error: no error or errors at any depth
//     that is more than null, false or empty, and no success that is false. With any other body, a plain text among
//     them, the outcome is unknown;
//   - 15 seconds after its attempt ended a request has been registered by the guard of 60 seconds, or will never be; and
//     a request arrives within 10 seconds of being sent. Only Config.ResendToResolve rests on that.
package instant
