package refund

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Capabilities describes a client as plain data: who it is, and what its provider can do.
type Capabilities struct {
	Provider string `json:"provider"`         // the package's name, such as "afterpay"
	Account  string `json:"account,omitzero"` // Options.Account
	Target   string `json:"target,omitzero"`  // the host that is asked, with the environment where the host does not tell

	Partial         bool `json:"partial"`          // less than the whole order can be refunded
	MultipleRefunds bool `json:"multiple_refunds"` // an order can have more than one refund
	RejectsExcess   bool `json:"rejects_excess"`   // the provider rejects more than is left; if false, only your own records prevent it
	Synchronous     bool `json:"synchronous"`      // an accepted refund has been carried out

	// Repeat is what the same key does a second time, without a journal.
	Repeat Repeat `json:"repeat"`
	// ResolvedBy is how an unknown outcome is resolved. The client is a Resolver unless it is ResolvedByPerson.
	ResolvedBy ResolvedBy `json:"resolved_by"`

	Reads     bool  `json:"reads"`          // the client is a Getter
	Lists     Lists `json:"lists,omitzero"` // the client is a Lister unless this is ListsNone
	Cancels   bool  `json:"cancels"`        // the client is a Canceler
	Snapshots bool  `json:"snapshots"`      // the client is a Snapshotter

	// Currencies are the ISO 4217 codes that this client refunds in; nil means any.
	Currencies []string `json:"currencies,omitzero"`
	// Parts are the Parts, besides the whole order, that can be refunded on their own.
	Parts []Part `json:"parts,omitzero"`
	// RefundsLines says whether Request.Line is carried.
	RefundsLines bool `json:"refunds_lines"`
	// Reason and Metadata say whether that information is carried.
	Reason   bool `json:"reason"`
	Metadata bool `json:"metadata"`

	// Window is how long after the purchase refunds are possible; 0 where no limit is documented.
	Window time.Duration `json:"-"`
	// KeyLife is how long the provider is documented to remember a key; 0 where it does not.
	KeyLife time.Duration `json:"-"`
	// AbsenceAfter is how long after it was last sent a refund that is not seen may still appear. Only later does its
	// absence in a read count. 0 where nothing can be read. See Options.AbsenceAfter.
	AbsenceAfter time.Duration `json:"-"`
	// RateLimit is how many requests per second the provider documents; 0 where it documents none.
	RateLimit int `json:"rate_limit,omitzero"`
}

// Repeat is what a second Refund with the same key does, without a journal.
type Repeat string

// The repeats.
const (
	RepeatSame         Repeat = "same"          // the provider deduplicates: the first refund is returned
	RepeatFound        Repeat = "found"         // the client finds the first refund before sending, and returns it
	RepeatRefused      Repeat = "refused"       // the client or the provider refuses the second
	RepeatRefundsAgain Repeat = "refunds_again" // the provider pays a second time, once its guard has passed
)

// ResolvedBy is how an unknown outcome is resolved.
type ResolvedBy string

// The ways.
const (
	ResolvedByKey      ResolvedBy = "key"      // the same key, sent again, tells
	ResolvedByMarker   ResolvedBy = "marker"   // the refund is found by the key written on it
	ResolvedBySnapshot ResolvedBy = "snapshot" // the order's refunds are compared with those from before
	ResolvedByPerson   ResolvedBy = "person"   // nothing can be asked: a person looks
)

// Lists is what a Lister can be asked for.
type Lists string

// What can be listed. ListsNone is the zero value.
const (
	ListsNone    Lists = ""
	ListsByOrder Lists = "order" // the refunds of one order
	ListsByTime  Lists = "time"  // those of one order, and those of all orders in a span of time
)

// plainCapabilities has the members of Capabilities and none of its methods.
type plainCapabilities Capabilities

type wireCapabilities struct {
	*plainCapabilities
	Window       seconds `json:"window_seconds,omitzero"`
	KeyLife      seconds `json:"key_life_seconds,omitzero"`
	AbsenceAfter seconds `json:"absence_after_seconds,omitzero"`
}

// MarshalJSON writes the members in snake_case, and durations in seconds.
func (c Capabilities) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireCapabilities{ //nolint:wrapcheck // it never fails
		(*plainCapabilities)(&c), seconds(c.Window), seconds(c.KeyLife), seconds(c.AbsenceAfter),
	})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Capabilities) UnmarshalJSON(data []byte) error {
	read := wireCapabilities{plainCapabilities: (*plainCapabilities)(c)}
	if err := json.Unmarshal(data, &read); err != nil {
		return err //nolint:wrapcheck // encoding/json's own, for encoding/json
	}
	c.Window, c.KeyLife, c.AbsenceAfter = time.Duration(read.Window), time.Duration(read.KeyLife), time.Duration(read.AbsenceAfter)
	return nil
}

// Check validates req against the rules that all providers share and against this one's: the key, a missing order, the
// amount, its currency, what was captured, part and line. The error is an *Error with OutcomeNotSent. Refund checks the
// same, and the provider's own rules, before it sends anything.
func (c Capabilities) Check(req Request) error {
	err := c.check(&req)
	if err == nil {
		return nil
	}
	err.Provider, err.Account, err.Op, err.IdempotencyKey = c.Provider, c.Account, "refund", req.IdempotencyKey
	return err
}

func (c *Capabilities) check(req *Request) *Error {
	if err := checkKey(req.IdempotencyKey); err != nil {
		return err
	}
	if req.Order == (Order{}) {
		return invalid("Order", "has no id; set the one that %s knows the order by", c.Provider)
	}
	if err := checkAmount(req.Amount, req.Captured); err != nil {
		return err
	}
	if c.Currencies != nil && !slices.Contains(c.Currencies, req.Amount.Currency()) {
		err := invalid("Amount", "is in %s; this client refunds in %s", req.Amount.Currency(), strings.Join(c.Currencies, ", "))
		err.Kind = ErrCurrencyMismatch
		return err
	}
	if req.Part != PartOrder && !slices.Contains(c.Parts, req.Part) {
		return invalid("Part", "is %s; %s", quoteShort(string(req.Part)), c.parts())
	}
	if req.Line != "" && !c.RefundsLines {
		return invalid("Line", "is set; %s cannot refund a single line", c.Provider)
	}
	return nil
}

func checkAmount(amount, captured Money) *Error {
	if amount.IsZero() {
		return invalid("Amount", "is missing; there is no empty amount that means everything")
	}
	if amount.Sign() <= 0 {
		return invalid("Amount", "is %s; it must be greater than zero", amount)
	}
	if captured.IsZero() { // not known
		return nil
	}
	if captured.Currency() != amount.Currency() {
		return invalid("Captured", "is in %s, the amount in %s; an order has one currency", captured.Currency(), amount.Currency())
	}
	if amount.Minor() > captured.Minor() {
		err := invalid("Amount", "is %s; what was captured for the whole order is %s", amount, captured)
		err.Kind = ErrAmountExceeded
		return err
	}
	return nil
}

func (c *Capabilities) parts() string {
	if len(c.Parts) == 0 {
		return c.Provider + " refunds the order as a whole only"
	}
	names := make([]string, len(c.Parts))
	for i, p := range c.Parts {
		names[i] = strconv.Quote(string(p))
	}
	return c.Provider + " knows " + strings.Join(names, ", ")
}
