package refundtest

import (
	"bytes"
	"context"
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

// Simulator is a stateful fake of a provider, with a ledger of what really moved. Safe for concurrent use. It takes
// the time from time.Now.
type Simulator interface {
	http.Handler
	// AddOrder makes an order of which that much can be refunded, and returns its ids.
	AddOrder(captured refund.Money) refund.Order
	// UnknownOrder returns ids of the right form that no order has.
	UnknownOrder() refund.Order
	// Ledger returns what was refunded of an order, in order of time.
	Ledger(order refund.Order) []refund.Money
	// SetReadLag makes reads show the state as it was that long ago.
	SetReadLag(lag time.Duration)
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
	// NewClient makes the client under test, with opts in its Config and credentials that the simulator accepts.
	NewClient func(opts refund.Options) (refund.Refunder, error)
	// Currency of the simulator's orders.
	Currency string
	// Secrets are the credentials given to the client. They must not appear anywhere.
	Secrets []string
	// Skip maps names of cases, as go test -v prints them but with spaces, to the reason why they do not apply. Cases
	// about lost answers, duplicate delivery, stale reads and failed look-ups always apply.
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
	for _, always := range []string{string(LostAnswer), string(NoAnswer), string(DuplicateDelivery), "stale read", "look-up fails"} {
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
	e := &env{reporter: t, h: h, sim: h.NewSimulator()}
	baseURL, next, stop := "", InMemory(e.sim), func() {}
	if m == server {
		var transport *http.Transport
		baseURL, transport, stop = serveTLS(e.sim)
		next = transport
	}
	defer stop()
	e.net = NewNetwork(next)
	e.opts = refund.Options{
		Transport: e.net, BaseURL: baseURL,
		Logger: slog.New(slog.NewTextHandler(&e.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	client, err := h.NewClient(e.opts)
	if err != nil {
		t.Errorf("NewClient: %v", err)
		return ""
	}
	e.client, e.caps = client, client.Capabilities()
	skip = c.run(e)
	e.finish()
	return skip
}

// env is what one case works with.
type env struct {
	reporter
	h      Harness
	sim    Simulator
	net    *Network
	opts   refund.Options
	client refund.Refunder
	caps   refund.Capabilities
	logs   buffer

	mu    sync.Mutex
	keys  map[refund.Order]map[string]bool // the keys used on an order
	texts []string                         // everything the client printed
	n     int
}

// order makes an order of which 100.00 can be refunded.
func (e *env) order() refund.Order { return e.sim.AddOrder(e.money(10000)) }

func (e *env) money(minor int64) refund.Money {
	m, err := refund.MoneyFromMinor(minor, e.h.Currency)
	if err != nil {
		panic(err)
	}
	return m
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
	e.mu.Lock()
	if e.keys == nil {
		e.keys = map[refund.Order]map[string]bool{}
	}
	if e.keys[req.Order] == nil {
		e.keys[req.Order] = map[string]bool{}
	}
	e.keys[req.Order][req.IdempotencyKey] = true
	e.mu.Unlock()

	before := len(e.sim.Ledger(req.Order))
	got, err := e.client.Refund(ctx, req)
	after := e.sim.Ledger(req.Order)
	e.note(got, err)
	if err != nil {
		if got != nil {
			e.Errorf("Refund returned a refund beside the error %v", err)
		}
		if problem := e.wellFormed(err, req); problem != "" {
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
	if got.IdempotencyKey != req.IdempotencyKey || got.Order != req.Order || got.Provider != e.caps.Provider {
		e.Errorf("the refund names another key, order or provider: %+v", got)
	}
	if got.Amount != req.Amount && !got.Amount.IsZero() {
		e.Errorf("the refund is of %s, asked was %s", got.Amount, req.Amount)
	}
	return got, nil
}

// wellFormed returns what is wrong with an error of Refund.
func (e *env) wellFormed(err error, req refund.Request) string {
	re, ok := err.(*refund.Error) //nolint:errorlint // Refund promises the very type
	if !ok {
		return "the error is not a *refund.Error"
	}
	switch {
	case re.Provider != e.caps.Provider:
		return "the error names another provider"
	case re.Outcome == refund.OutcomeUnknown && (re.Attempt.Request.IdempotencyKey != req.IdempotencyKey || re.Attempt.Tries < 1 ||
		re.Attempt.FirstSent.IsZero() || re.Attempt.LastSent.Before(re.Attempt.FirstSent)):
		return "an unknown outcome without its Attempt"
	case re.Outcome == refund.OutcomeUnknown && re.Advice() != refund.AdviceResolve:
		return "an unknown outcome with another advice than to resolve it"
	case re.Outcome != refund.OutcomeNotSent && re.IdempotencyKey != req.IdempotencyKey:
		return "the error has lost the key"
	case re.Message == "" && re.Code == "":
		return "the error says nothing"
	}
	return ""
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
				}
			}
			continue
		}
		e.texts = append(e.texts, fmt.Sprintf("%v %+v %#v %s", v, v, v, v))
	}
}

// resolve asks what became of an unknown refund until it is known, and compares the answer with the ledger. It reports
// whether it is known.
func (e *env) resolve(err error) (refund.Verdict, bool) {
	e.Helper()
	var re *refund.Error
	if !errors.As(err, &re) || re.Outcome != refund.OutcomeUnknown {
		e.Errorf("there is nothing to resolve: %v", err)
		return 0, false
	}
	resolver, ok := e.client.(refund.Resolver)
	if !ok {
		e.Errorf("Capabilities say that an unknown outcome is resolved %s, but the client is no Resolver", e.caps.Resolve)
		return 0, false
	}
	attempt := re.Attempt
	for range 8 {
		got, err := resolver.Resolve(context.Background(), attempt)
		e.note(err, got)
		if err != nil {
			if errors.As(err, &re) && re.Attempt.Tries > 0 {
				attempt = re.Attempt
			}
			<-time.After(time.Minute)
			continue
		}
		moved := len(e.sim.Ledger(attempt.Request.Order)) > 0
		switch got.Verdict {
		case refund.VerdictApplied:
			if !moved {
				e.Errorf("resolved as applied, but nothing moved")
			}
			if got.Refund == nil {
				e.Errorf("resolved as applied, but without the refund")
			}
			return got.Verdict, true
		case refund.VerdictNotApplied:
			if moved {
				e.Errorf("resolved as not applied, but money moved")
			}
			return got.Verdict, true
		case refund.VerdictUndetermined:
		}
		if got.NotBefore.IsZero() {
			return got.Verdict, false
		}
		<-time.After(time.Until(got.NotBefore))
	}
	return 0, false
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
		e.Errorf("an answer without end was read on and on")
	}
	e.note(e.client)
	texts := append(e.texts, e.logs.String())
	for _, secret := range append([]string{canaryPerson, "canary-metadata"}, e.h.Secrets...) {
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
