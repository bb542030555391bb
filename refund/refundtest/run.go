package refundtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// Simulator is a stateful fake of a provider, with a ledger of what really moved. It embeds a Clock. Safe for concurrent
// use.
type Simulator interface {
	http.Handler
	// Provider returns the name of the provider's package.
	Provider() string
	// Currency returns the currency of its orders.
	Currency() string
	// Secrets returns the credentials that its clients are given. They must not appear anywhere.
	Secrets() []string
	// Refunder makes a client of the simulator with opts. Without a Transport and a BaseURL in them it calls the
	// simulator in memory.
	Refunder(opts refund.Options) (refund.Refunder, error)
	// AddOrder makes an order of which that much can be refunded, and returns its ids.
	AddOrder(captured refund.Money) refund.Order
	// UnknownOrder returns ids of the right form that no order has.
	UnknownOrder() refund.Order
	// Ledger returns what was refunded of an order, in order of time.
	Ledger(order refund.Order) []refund.Money
	// SetReadLag makes reads show the state as it was that long ago. Clock has it.
	SetReadLag(lag time.Duration)
	// Advance moves the simulator's clock. Clock has it.
	Advance(d time.Duration)
}

// Informant is a Simulator of a provider that keeps more of a refund than its amount: whatever Capabilities.Parts, Lines,
// Reason and Metadata claim.
type Informant interface {
	Simulator
	// AddPartOrder makes an order of which that much was paid for part, and returns the id of the line that it stands
	// on, where the provider has lines.
	AddPartOrder(captured refund.Money, part refund.Part) (order refund.Order, line string)
	// Arrived returns what the provider has understood of the order's refunds: Amount, Part, Line, Reason, Metadata.
	Arrived(order refund.Order) []refund.Request
}

// Harness tells Run what to test.
type Harness struct {
	// NewSimulator makes an empty provider.
	NewSimulator func() Simulator
	// NewClient makes the client under test. Nil means the simulator's own, Simulator.Refunder.
	NewClient func(sim Simulator, opts refund.Options) (refund.Refunder, error)
	// Shutdown ends what a client does in the background, at the end of each case. It is for a client that keeps records, as a
	// journal does: its calls may go on after their contexts, and where others say that nothing was sent it may say that the
	// outcome is unknown, because an earlier call with the key may have sent it. Nil means that there is nothing to end.
	Shutdown func(refund.Refunder) error
	// Skip maps names of cases, as go test -v prints them but with spaces, to the reason why they do not apply. Cases
	// about lost answers, duplicate delivery, stale reads, failed look-ups, failed and late resolving always apply.
	Skip map[string]string
}

// Run runs every case of the contract, each as a subtest.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for name := range h.Skip {
		if problem := unskippable(name); problem != "" {
			t.Errorf("Harness.Skip[%q]: %s", name, problem)
		}
	}
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			for _, c := range cases() {
				t.Run(c.name, func(t *testing.T) {
					if reason, ok := h.Skip[c.name]; ok {
						t.Skip(reason)
					}
					synctest.Test(t, func(t *testing.T) {
						if reason := runCase(t, h, mode, c); reason != "" {
							t.Skip(reason)
						}
					})
				})
			}
		})
	}
}

// unskippable returns why a case cannot be skipped, or "".
func unskippable(name string) string {
	all := cases()
	if !slices.ContainsFunc(all, func(c testCase) bool { return c.name == name }) {
		return "there is no such case"
	}
	for _, always := range []string{string(LostAnswer), string(NoAnswer), string(DuplicateDelivery), "stale read", "look-up fails", "resolving fails", "unknown for days"} {
		if strings.HasSuffix(name, always) {
			return "this case always applies"
		}
	}
	return ""
}

type mode string

const (
	memory mode = "memory" // the simulator is called by the transport
	server mode = "tls"    // net/http on both sides, with TLS
)

func modes() []mode { return []mode{memory, server} }

// reporter is the part of testing.TB that cases use, so that the suite itself can be tested.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

type testCase struct {
	name string
	// run returns why the case does not apply, or "".
	run func(*env) string
}

func runCase(t reporter, h Harness, m mode, c testCase) (skip string) {
	e := &env{reporter: t, sim: h.NewSimulator()}
	baseURL, next, stop := "", InMemory(e.sim), func() {}
	if m == server {
		var transport *http.Transport
		e.server = &cutter{provider: e.sim}
		baseURL, transport, stop = serveTLS(e.server)
		next = transport
	}
	defer stop()
	e.net = NewNetwork(next)
	e.opts = refund.Options{
		Account: suiteAccount, Transport: e.net, BaseURL: baseURL,
		Logger: slog.New(slog.NewTextHandler(&e.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	newClient := h.NewClient
	if newClient == nil {
		newClient = Simulator.Refunder
	}
	client, err := newClient(e.sim, e.opts)
	if err != nil {
		t.Errorf("NewClient: %v", err)
		return ""
	}
	e.client, e.caps, e.records = client, client.Capabilities(), h.Shutdown != nil
	skip = c.run(e)
	if e.records {
		e.net.Always("")
		if err := h.Shutdown(client); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
	e.finish()
	return skip
}

// suiteAccount is the account of every client of the suite.
const suiteAccount = "suite-account"

// env is what one case works with.
type env struct {
	reporter
	sim    Simulator
	net    *Network
	server *cutter // nil in memory
	opts   refund.Options
	client refund.Refunder
	caps   refund.Capabilities
	logs   buffer

	records bool // see Harness.Shutdown

	mu    sync.Mutex
	keys  map[refund.Order]map[string]bool // the keys used on an order
	paid  map[refund.Order]map[string]bool // those whose refund was returned
	texts []string                         // everything the client printed
	n     int
}

// order makes an order of which 100.00 can be refunded.
func (e *env) order() refund.Order { return e.sim.AddOrder(e.money(10000)) }

func (e *env) money(minor int64) refund.Money {
	m, err := refund.MoneyFromMinor(minor, e.sim.Currency())
	if err != nil {
		panic(err)
	}
	return m
}

// otherMoney is an amount in another currency than the simulator's.
func (e *env) otherMoney() refund.Money {
	other := "JPY"
	if e.sim.Currency() == other {
		other = "KWD"
	}
	return refund.MustParseMoney("100", other)
}

// request makes a request with a key of its own.
func (e *env) request(order refund.Order, minor int64) refund.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n++
	return refund.Request{
		IdempotencyKey: fmt.Sprintf("case-key-%d", e.n),
		Order:          order,
		Amount:         e.money(minor),
		Reason:         "asked for by " + canaryPerson,
		Metadata:       map[string]string{"note": "canary-metadata"},
	}
}

// refund calls the client and checks what holds for every call.
func (e *env) refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	e.Helper()
	e.remember(&e.keys, req)

	before, mark := len(e.sim.Ledger(req.Order)), e.net.mark()
	got, err := e.client.Refund(ctx, req)
	after, trail := e.sim.Ledger(req.Order), e.net.since(mark)
	e.note(got, err)
	if err != nil {
		if got != nil {
			e.Errorf("Refund returned a refund beside the error %v", err)
		}
		if problem := e.wellFormed(err, req, trail); problem != "" {
			e.Errorf("%s: %v", problem, err)
		}
		if len(after) > before && refund.OutcomeOf(err) != refund.OutcomeUnknown {
			e.Errorf("money moved, but the client says %q: %v", refund.OutcomeOf(err), err)
		}
		return nil, err
	}
	if got == nil {
		e.Errorf("Refund returned neither a refund nor an error")
		return nil, errors.New("nothing")
	}
	if !slices.Contains(after, req.Amount) {
		e.Errorf("the client says %s was refunded, but the ledger has %v", req.Amount, after)
	}
	if problem := e.isOf(got, req); problem != "" {
		e.Errorf("%s: %+v", problem, got)
	}
	e.remember(&e.paid, req)
	if got.Replayed && trail.writes > 0 {
		e.Errorf("the refund is marked as replayed, but %d requests went out to make it", trail.writes)
	}
	return got, nil
}

// remember enters the key of req for its order.
func (e *env) remember(keys *map[refund.Order]map[string]bool, req refund.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if *keys == nil {
		*keys = map[refund.Order]map[string]bool{}
	}
	if (*keys)[req.Order] == nil {
		(*keys)[req.Order] = map[string]bool{}
	}
	(*keys)[req.Order][req.IdempotencyKey] = true
}

// isOf returns what keeps got from being the refund that req asked for.
func (e *env) isOf(got *refund.Refund, req refund.Request) string {
	switch {
	case got.IdempotencyKey != req.IdempotencyKey:
		return "the refund has another key"
	case got.Amount != req.Amount && !got.Amount.IsZero():
		return "the refund is of another amount than " + req.Amount.String()
	}
	return e.isFrom(got, req.Order)
}

// isFrom returns what keeps got from being a refund of order from the client's account.
func (e *env) isFrom(got *refund.Refund, order refund.Order) string {
	switch {
	case got.Order != order:
		return "the refund is of another order"
	case got.Provider != e.caps.Provider:
		return "the refund names another provider"
	case got.Account != suiteAccount:
		return "the refund names another account"
	}
	return ""
}

// signed returns what is missing from an error of any call.
func (e *env) signed(err error, key string) string {
	re, ok := err.(*refund.Error) //nolint:errorlint // clients promise the very type
	if !ok {
		return "the error is not a *refund.Error"
	}
	switch {
	case re.Provider != e.caps.Provider:
		return "the error names another provider"
	case re.Account != suiteAccount:
		return "the error names another account"
	case re.Op == "":
		return "the error names no operation"
	case re.IdempotencyKey != key:
		return "the error has another key, or none"
	case re.Message == "" && re.Code == "":
		return "the error says nothing"
	}
	return ""
}

// wellFormed returns what is wrong with an error of Refund. trail is what the call sent.
func (e *env) wellFormed(err error, req refund.Request, trail trail) string {
	var re *refund.Error
	if problem := e.signed(err, req.IdempotencyKey); problem != "" || !errors.As(err, &re) {
		return problem
	}
	a := &re.Attempt
	switch {
	case re.Outcome != refund.OutcomeUnknown:
	case re.Kind != refund.ErrKeyReused && re.Advice() != refund.AdviceResolve:
		return "an unknown outcome with another advice than to resolve it"
	case trail.writes == 0: // an earlier call is what is unknown
	case !same(a.Request, req) || a.Tries < 1 || a.FirstSent.IsZero() || a.LastSent.Before(a.FirstSent):
		return "an unknown outcome without its Attempt"
	case len(trail.lost) > 0 && a.FirstSent.After(trail.lost[0]):
		return "Attempt.FirstSent is later than the first request that reached the provider"
	case len(trail.lost) > 0 && a.LastSent.Before(trail.lost[len(trail.lost)-1]):
		return "Attempt.LastSent is earlier than the last request that reached the provider"
	}
	return ""
}

// same reports whether two requests ask for the same refund.
func same(a, b refund.Request) bool {
	return a.IdempotencyKey == b.IdempotencyKey && a.Order == b.Order && a.Amount == b.Amount && a.Part == b.Part && a.Line == b.Line
}

// note remembers how values print.
func (e *env) note(values ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range values {
		if v == nil {
			continue
		}
		if err, ok := v.(error); ok {
			for ; err != nil; err = errors.Unwrap(err) {
				e.texts = append(e.texts, err.Error(), fmt.Sprintf("%+v %#v", err, err))
				if re, ok := err.(*refund.Error); ok && re != nil { //nolint:errorlint // each link is looked at
					e.texts = append(e.texts, fmt.Sprintf("%+v", *re)) // even a copy must not leak
					if text, err := json.Marshal(re); err == nil {
						e.texts = append(e.texts, string(text))
					}
				}
			}
			continue
		}
		e.texts = append(e.texts, fmt.Sprintf("%v %+v %#v %s", v, v, v, v))
	}
}

// finish checks what holds after every case.
func (e *env) finish() {
	e.Helper()
	for order, keys := range e.keys {
		if ledger := e.sim.Ledger(order); len(ledger) > len(keys) {
			e.Errorf("paid twice: %d key(s), but the ledger has %v", len(keys), ledger)
		}
	}
	for _, req := range e.net.Requests() {
		if req.URL.Host == redirectHost {
			e.Errorf("a redirect was followed to another host")
		}
	}
	if e.net.flooded {
		e.Errorf("a response without end was read on and on")
	}
	e.note(e.client)
	texts := append(e.texts, e.logs.String())
	for _, secret := range append([]string{canaryPerson, "canary-metadata"}, e.sim.Secrets()...) {
		for _, text := range texts {
			if secret != "" && strings.Contains(text, secret) {
				e.Errorf("%q was printed: %.300s", secret, text)
			}
		}
	}
}

// buffer is a bytes.Buffer that is safe for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
