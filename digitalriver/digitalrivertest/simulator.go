// Package digitalrivertest simulates Digital River's refunds: a stateful http.Handler with orders, captures, refunds that
// change over a clock, and a ledger of what really moves.
//
//	sim := digitalrivertest.New()
//	order := sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
//	client, err := sim.Client(refund.Options{})
//
// It responds as strictly as the documentation says Digital River does. What it assumes beyond the documents:
//
//   - a refund settles 24 hours after it was accepted, or after its information was given; the token lives 30 days;
//   - an unknown order, invoice or item is 400 not_found on POST, a cursor that is not a refund 400 invalid_parameter;
//   - members and parameters that are not documented are 400 unknown_parameter;
//   - a wrong Content-Type and wrong JSON types are 400 invalid_format or invalid_amount, numbers in strings are wrong;
//   - percentages are rounded half up, and the type tax with too small an amount is refused like too small a percentage;
//   - refunds go by the amounts of their parts; a refund of an order as a whole leaves the parts' own amounts as they are.
//
// Of the documented filters it knows orderId, state, and createdTime with gte and lt. It does not know the others.
package digitalrivertest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// APIKey is the key that the simulator accepts.
const APIKey = "sk_test_simulated-secret-key"

const (
	settling  = 24 * time.Hour
	tokenLife = 30 * 24 * time.Hour
)

// Fate is what becomes of refunds.
type Fate string

// The fates, which Digital River's test cards and names have too (testing scenarios page).
const (
	Succeeds         Fate = "succeeds" // the default: pending, a day later succeeded
	FailsAtOnce      Fate = "fails at once"
	Fails            Fate = "fails"             // pending, a day later failed
	NeedsInformation Fate = "needs information" // until Inform is called, or the token expires
)

// Simulator is a fake Digital River. It implements refundtest.Informant. Safe for concurrent use.
type Simulator struct {
	refundtest.Clock

	mu      sync.Mutex
	orders  map[refund.Order]*order // by id, and by invoice
	refunds []*record
	lastID  int64
}

var _ refundtest.Informant = (*Simulator)(nil)

type order struct {
	id, invoice string
	captured    refund.Money
	parts       []entry
	fate        Fate
	disputed    bool
}

// entry is an amount of a part of an order or of an item; an empty typ is the product.
type entry struct {
	item, sku, typ string
	amount         refund.Money
	percent        json.RawMessage
}

type record struct {
	id             string
	order          *order
	created        time.Time
	ofItems, whole bool // stated as items; stated as an amount
	entries        []entry
	reason         string
	metadata       map[string]any
	fate           Fate
	informed       time.Time
}

// New makes a Digital River without orders.
func New() *Simulator { return &Simulator{orders: map[refund.Order]*order{}} }

// Provider implements refundtest.Simulator.
func (s *Simulator) Provider() string { return "digitalriver" }

// Currency implements refundtest.Simulator.
func (s *Simulator) Currency() string { return "USD" }

// Secrets implements refundtest.Simulator.
func (s *Simulator) Secrets() []string { return []string{APIKey} }

// Config returns a client's configuration that calls the simulator without a network.
func (s *Simulator) Config() digitalriver.Config {
	return digitalriver.Config{Options: refundtest.Connect(s, refund.Options{}), APIKey: refund.NewSecret(APIKey)}
}

// Client makes a client of the simulator with opts. Without a Transport and a BaseURL in them it calls the simulator in
// memory.
func (s *Simulator) Client(opts refund.Options) (*digitalriver.Client, error) {
	cfg := s.Config()
	cfg.Options = refundtest.Connect(s, opts)
	return digitalriver.New(cfg)
}

// Refunder implements refundtest.Simulator.
func (s *Simulator) Refunder(opts refund.Options) (refund.Refunder, error) {
	client, err := s.Client(opts)
	if err != nil {
		return nil, err
	}
	return client, nil
}

// AddOrder implements refundtest.Simulator: an order of one item that was captured at once.
func (s *Simulator) AddOrder(captured refund.Money) refund.Order {
	got, _ := s.AddPartOrder(captured, refund.PartOrder)
	return got
}

// AddPartOrder implements refundtest.Informant. Part is that of the order's item if it is a product or a fee, else the
// order's own.
func (s *Simulator) AddPartOrder(captured refund.Money, part refund.Part) (o refund.Order, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nextID()
	item := strconv.FormatInt(63000000000+n, 10)
	added := &order{
		id: strconv.FormatInt(190000000000+n, 10), invoice: fmt.Sprintf("inv_%d", n), captured: captured, fate: Succeeds,
		parts: []entry{{item: item, sku: fmt.Sprintf("sku_%d", n), typ: typeOf(part), amount: captured}},
	}
	s.orders[refund.Order{ID: added.id}], s.orders[refund.Order{InvoiceID: added.invoice}] = added, added
	if part == refund.PartOrder || part == refund.PartFee {
		line = item
	}
	return refund.Order{ID: added.id}, line
}

// AddPart makes an order larger by a part of its item, and captures it. It returns the id of the item.
func (s *Simulator) AddPart(o refund.Order, part refund.Part, amount refund.Money) (line string) {
	s.with(o, func(o *order) {
		o.captured = refundtest.Add(o.captured, amount)
		line = o.parts[0].item
		o.parts = append(o.parts, entry{item: line, typ: typeOf(part), amount: amount})
	})
	return line
}

// Invoice returns the order by its invoice.
func (s *Simulator) Invoice(o refund.Order) (invoice refund.Order) {
	s.with(o, func(o *order) { invoice.InvoiceID = o.invoice })
	return invoice
}

// SetFate sets what becomes of the refunds that are made of an order from now on.
func (s *Simulator) SetFate(o refund.Order, f Fate) { s.with(o, func(o *order) { o.fate = f }) }

// SetDispute puts an order into dispute, or ends it.
func (s *Simulator) SetDispute(o refund.Order, disputed bool) {
	s.with(o, func(o *order) { o.disputed = disputed })
}

// Inform gives the information that the order's refunds wait for.
func (s *Simulator) Inform(o refund.Order) {
	s.with(o, func(o *order) {
		for _, r := range s.of(o, s.passed) {
			if r.state(s.passed) == "pending_information" {
				r.informed = s.Now()
			}
		}
	})
}

// with lets f use an order; nil if there is none.
func (s *Simulator) with(o refund.Order, f func(*order)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.find(o))
}

// UnknownOrder implements refundtest.Simulator.
func (s *Simulator) UnknownOrder() refund.Order { return refund.Order{ID: "999999999999"} }

// Ledger implements refundtest.Simulator: the refunds that have neither failed nor expired.
func (s *Simulator) Ledger(o refund.Order) (ledger []refund.Money) {
	s.with(o, func(o *order) {
		for _, r := range s.of(o, s.passed) {
			if r.live(s.passed) {
				ledger = append(ledger, r.total())
			}
		}
	})
	return ledger
}

// Arrived implements refundtest.Informant.
func (s *Simulator) Arrived(asked refund.Order) (arrived []refund.Request) {
	s.with(asked, func(o *order) {
		for _, r := range s.of(o, s.passed) {
			part := refund.Part(strings.Replace(r.entries[0].typ, "fees", "fee", 1))
			req := refund.Request{Order: asked, Amount: r.total(), Part: part, Reason: r.reason, Metadata: map[string]string{}}
			if r.ofItems {
				req.Line = r.entries[0].item
			}
			for k, v := range r.metadata {
				req.Metadata[k] = fmt.Sprint(v)
			}
			arrived = append(arrived, req)
		}
	})
	return arrived
}

func typeOf(part refund.Part) string { return strings.Replace(string(part), "fee", "fees", 1) }

func (s *Simulator) nextID() int64 {
	s.lastID++
	return s.lastID
}

func (s *Simulator) find(o refund.Order) *order {
	if o.ID != "" {
		return s.orders[refund.Order{ID: o.ID}]
	}
	return s.orders[refund.Order{InvoiceID: o.InvoiceID}]
}

// moment is the time that the simulator's state is looked at, as the question whether something has happened by then:
// passed for what is, Clock.Visible for what reads show.
type moment func(time.Time) bool

func (s *Simulator) passed(at time.Time) bool { return !at.After(s.Now()) }

// of returns the order's refunds, oldest first.
func (s *Simulator) of(o *order, now moment) []*record {
	var found []*record
	for _, r := range s.refunds {
		if r.order == o && now(r.created) {
			found = append(found, r)
		}
	}
	return found
}

func (r *record) state(now moment) string {
	began := r.created
	if r.fate == NeedsInformation {
		if r.informed.IsZero() || !now(r.informed) {
			if now(r.created.Add(tokenLife)) {
				return "expired"
			}
			return "pending_information"
		}
		began = r.informed
	}
	switch {
	case r.fate == FailsAtOnce:
		return "failed"
	case !now(began.Add(settling)):
		return "pending"
	case r.fate == Fails:
		return "failed"
	}
	return "succeeded"
}

func (r *record) live(now moment) bool {
	state := r.state(now)
	return state != "failed" && state != "expired"
}

func (r *record) total() (sum refund.Money) {
	for _, e := range r.entries {
		sum = refundtest.Add(sum, e.amount)
	}
	return sum
}

// available is what is left of a part: of an item, of all items, or of the order as a whole, which leaves out fees.
func (s *Simulator) available(o *order, item, typ string, now moment) refund.Money {
	left := o.captured
	part := refundtest.Sub(left, left)
	count := func(entries []entry, sum func(a, b refund.Money) refund.Money) {
		for _, e := range entries {
			if (item == "" || e.item == item) && e.typ == typ || item == "" && typ == "" && e.typ != "fees" {
				part = sum(part, e.amount)
			}
		}
	}
	count(o.parts, refundtest.Add)
	for _, r := range s.of(o, now) {
		if r.live(now) {
			left = refundtest.Sub(left, r.total())
			count(r.entries, refundtest.Sub)
		}
	}
	if refundtest.Sub(left, part).Sign() < 0 {
		return left
	}
	return part
}
