package refund

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Capabilities is what a provider can do, as plain data. Treat it as read-only.
type Capabilities struct {
	Provider string // the package's name, such as "afterpay"

	Partial     bool // less than the whole order can be refunded
	Several     bool // an order can have more than one refund
	Capped      bool // more than is left is refused; where it is not documented to be, only your own books prevent it
	Synchronous bool // an accepted refund has been carried out

	// Repeat is what the same key does a second time, without a journal.
	Repeat Repeat
	// Resolve is how an unknown outcome is resolved.
	Resolve Resolve

	// Currencies are the ISO 4217 codes that this client refunds in; nil means any.
	Currencies []string
	// Parts are the Parts, beside the whole order, that can be refunded on their own.
	Parts []Part
	// Lines says whether Request.Line travels.
	Lines bool
	// Reason and Metadata say whether that information travels.
	Reason, Metadata bool

	// Window is how long after the purchase refunds are possible; 0 where no limit is documented.
	Window time.Duration
	// KeyLife is how long the provider is documented to remember a key; 0 where it does not.
	KeyLife time.Duration
	// ReadLag is how old an unknown refund must be before its absence in a read counts; 0 where nothing can be read.
	ReadLag time.Duration
	// Lengths are the greatest lengths of the provider's fields that this client fills, by the provider's names.
	Lengths map[string]int
	// ConnectTimeout, WriteTimeout and ReadTimeout are the defaults of one attempt, for a refund and for a read.
	ConnectTimeout, WriteTimeout, ReadTimeout time.Duration
	// RateLimit is how many requests a second the provider documents; 0 where it documents none.
	RateLimit int
}

// Repeat is what a second Refund with the same key does, without a journal.
type Repeat string

// The repeats.
const (
	RepeatSame         Repeat = "same refund"   // the provider deduplicates: the first refund is returned
	RepeatFound        Repeat = "found"         // the client finds the first refund before sending, and returns it
	RepeatRefused      Repeat = "refused"       // the client or the provider refuses the second
	RepeatRefundsAgain Repeat = "refunds again" // the provider pays a second time, once its guard has passed
)

// Resolve is how an unknown outcome becomes known.
type Resolve string

// The ways.
const (
	ResolveExact      Resolve = "exact"       // the same key, sent again, answers
	ResolveByMarker   Resolve = "by marker"   // the refund is found by the key written on it
	ResolveByBaseline Resolve = "by baseline" // the order's refunds are compared with those from before
	ResolveByHand     Resolve = "by hand"     // nothing can be asked: a person looks
)

// Check reports what in req this provider cannot carry, and what is wrong with it for every provider: the key, a
// missing order, the amount, its currency, part and line. The error is an *Error with OutcomeNotSent. Refund checks
// the same, and what is the provider's own, before it sends anything.
func (c Capabilities) Check(req Request) error {
	err := c.check(req)
	if err == nil {
		return nil
	}
	err.Provider, err.Op = c.Provider, "refund"
	if err.Field != "IdempotencyKey" {
		err.IdempotencyKey = req.IdempotencyKey
	}
	return err
}

func (c Capabilities) check(req Request) *Error {
	if err := checkKey(req.IdempotencyKey); err != nil {
		return err
	}
	if req.Order == (Order{PurchasedAt: req.Order.PurchasedAt}) {
		return invalid("Order", "has no id; set the one that %s knows the order by", c.Provider)
	}
	if req.Amount.IsZero() {
		return invalid("Amount", "is missing; there is no empty amount that means everything")
	}
	if req.Amount.Sign() <= 0 {
		return invalid("Amount", "is %s; it must be greater than zero", req.Amount)
	}
	if c.Currencies != nil && !slices.Contains(c.Currencies, req.Amount.Currency()) {
		err := invalid("Amount", "is in %s; this client refunds in %s", req.Amount.Currency(), strings.Join(c.Currencies, ", "))
		err.Kind = KindCurrencyMismatch
		return err
	}
	if req.Part != PartOrder && !slices.Contains(c.Parts, req.Part) {
		return invalid("Part", "is %s; %s", quoteShort(string(req.Part)), c.parts())
	}
	if req.Line != "" && !c.Lines {
		return invalid("Line", "is set; %s cannot refund a single line", c.Provider)
	}
	return nil
}

func (c Capabilities) parts() string {
	if len(c.Parts) == 0 {
		return c.Provider + " refunds the order as a whole only"
	}
	names := make([]string, len(c.Parts))
	for i, p := range c.Parts {
		names[i] = strconv.Quote(string(p))
	}
	return c.Provider + " knows " + strings.Join(names, ", ")
}
