package refund

import (
	"errors"
	"fmt"
)

// Kind is the portable category of an error, and the error to compare with: errors.Is(err, ErrOrderNotFound) reports
// whether the *Error in err's chain has that kind. Clients never return a Kind by itself.
//
// The zero value is no kind. The numbers are stable: they may be stored and counted.
type Kind int //nolint:errname // a Kind is a category, and each constant the error of one

// The kinds.
const (
	ErrInvalidRequest   Kind = 1  // a field is missing, malformed or not carried by this provider
	ErrUnauthorized     Kind = 2  // the credentials are wrong or missing
	ErrForbidden        Kind = 3  // the credentials are right but may not do this, or the caller is blocked
	ErrOrderNotFound    Kind = 4  // the provider knows no such order; for reads, no such refund
	ErrNotRefundable    Kind = 5  // the order's state allows no refund
	ErrAmountExceeded   Kind = 6  // the amount is more than what is left to refund
	ErrCurrencyMismatch Kind = 7  // the currency is not the order's or the account's
	ErrWindowExpired    Kind = 8  // the provider's time limit for refunds has passed
	ErrDuplicate        Kind = 9  // the provider takes it for a repeat of an earlier refund
	ErrConflict         Kind = 10 // another refund of the order is in the way
	ErrLocked           Kind = 11 // the order's refund can no longer be changed
	ErrInFlight         Kind = 12 // an earlier request with the same key is still being processed
	ErrRateLimited      Kind = 13 // there were too many requests
	ErrUnavailable      Kind = 14 // the provider could not be reached, or failed, or did not answer in time
	ErrUnexpected       Kind = 15 // a response, or a failure, that fits nothing above
	ErrKeyReused        Kind = 16 // the idempotency key belongs to another refund; this one needs a key of its own
)

// names returns the kind in words, and as the word that is stored and marshalled.
func (k Kind) names() (text, word string) {
	switch k {
	case 0:
		return "no error", "none"
	case ErrInvalidRequest:
		return "invalid request", "invalid_request"
	case ErrUnauthorized:
		return "unauthorized", "unauthorized"
	case ErrForbidden:
		return "forbidden", "forbidden"
	case ErrOrderNotFound:
		return "order not found", "order_not_found"
	case ErrNotRefundable:
		return "order not refundable", "not_refundable"
	case ErrAmountExceeded:
		return "amount exceeds what is left to refund", "amount_exceeded"
	case ErrCurrencyMismatch:
		return "currency mismatch", "currency_mismatch"
	case ErrWindowExpired:
		return "refund window expired", "window_expired"
	case ErrDuplicate:
		return "possible duplicate", "duplicate"
	case ErrConflict:
		return "conflict with another refund", "conflict"
	case ErrLocked:
		return "refund locked", "locked"
	case ErrInFlight:
		return "same refund still in flight", "in_flight"
	case ErrRateLimited:
		return "rate limited", "rate_limited"
	case ErrUnavailable:
		return "provider unavailable", "unavailable"
	case ErrUnexpected:
		return "unexpected response", "unexpected"
	case ErrKeyReused:
		return "idempotency key belongs to another refund", "key_reused"
	}
	return fmt.Sprintf("kind %d", int(k)), fmt.Sprintf("kind_%d", int(k))
}

// Error returns the kind in lower-case words.
func (k Kind) Error() string {
	text, _ := k.names()
	return text
}

// MarshalText returns the kind as one word, such as "order_not_found"; "none" for the zero value. It never fails.
func (k Kind) MarshalText() ([]byte, error) {
	_, word := k.names()
	return []byte(word), nil
}

// UnmarshalText reads what MarshalText writes.
func (k *Kind) UnmarshalText(text []byte) error {
	for known := range ErrKeyReused + 1 {
		if _, word := known.names(); word == string(text) {
			*k = known
			return nil
		}
	}
	return invalid("Kind", "%s is no kind; write one like %q", quoteShort(text), "order_not_found")
}

// KindOf returns the Kind of the *Error in err's chain; 0 for nil and for any other error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}
