package refundtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

// flaw is one way to get refunds wrong, and the cases that must notice.
type flaw struct {
	knob knob
	// spoil changes what Refund returns; e is nil after a success.
	spoil func(req refund.Request, got *refund.Refund, e *refund.Error) (*refund.Refund, error)
	// wrap changes what the client is.
	wrap func(*toyClient) refund.Refunder
	// forgetful gives the client a provider that does not deduplicate.
	forgetful bool
	caught    []string
}

// knob is a flaw that sits inside of the client.
type knob string

const (
	sendsInvalid      knob = "sends invalid requests"
	payWithoutLooking knob = "pays without looking first"
	payBlindly        knob = "pays although it could not look"
	freshKeys         knob = "draws a fresh key for each attempt"
	roundsAmounts     knob = "rounds the amount"
	dropsParts        knob = "drops part and line"
	retriesEverything knob = "retries everything"
	sleepsAsTold      knob = "sleeps for as long as it is told"
	waitsRegardless   knob = "waits regardless of the context"
	waitsAtTheEnd     knob = "waits after the last attempt"
	ignoresContext    knob = "ignores the context"
	replayableBelow   knob = "lets net/http repeat a refund"
	followsRedirects  knob = "follows redirects"
	readsTooMuch      knob = "reads responses without a sensible limit"
	logsRequests      knob = "logs its credentials"
	dropsInvoice      knob = "drops the invoice"
	ignoresCaptured   knob = "ignores what was captured"
	believesAbsence   knob = "believes a stale read"
	believesEarly     knob = "believes absence after five minutes"
	believesOneLook   knob = "believes the first look"
	hopes             knob = "resolves by hoping"
	givesUp           knob = "cannot resolve"
	asksForEver       knob = "never finishes resolving"
	forgetsAttempt    knob = "forgets the attempt that it is asked about"
	forgetsSending    knob = "forgets when it was last sent"
	forgetsSnapshot   knob = "forgets the snapshot"
	resendsForever    knob = "resolves by sending again, however old the key"
	sendsToLook       knob = "sends although it is only to look"
	swallowsSecond    knob = "swallows the second refund with the key"
	namesItTwice      knob = "names the refund as its own duplicate"
	forgetsKnown      knob = "forgets which refunds are known"
	doubtsAll         knob = "takes every other refund for the one that is looked for"
	knowsKeysOnly     knob = "knows other refunds by their keys only"
	knowsIDsOnly      knob = "knows other refunds by their ids only"
	believesMarkers   knob = "believes that no marker is ever lost"
	forgetsLimits     knob = "forgets that it is only to look"
	resolvesAnother   knob = "resolves with another refund"
	failsForGood      knob = "calls a failure to resolve a refusal"
	getsAnything      knob = "finds refunds that there are not"
	listsOnce         knob = "lists only once"
	listsBeyondErrors knob = "goes on listing after an error"
	listsNothing      knob = "lists nothing when it cannot read"
	listsNoOrder      knob = "asks for the refunds of no order"
	ignoresDates      knob = "ignores the dates of a query"
	undated           knob = "knows no dates, which is no flaw"
	refusesDates      knob = "cannot list by time, which is no flaw"
	hidesUndated      knob = "hides refunds without a date"
	readsUnknown      knob = "calls a failed read unknown"
	believesAnyOrder  knob = "believes a read of another order"
	mendsIDs          knob = "mends the ids of orders"

	believesAnyResponse    knob = "believes the response of another refund"
	believesDialErrors     knob = "believes an error of connecting without evidence"
	believesOtherMarkers   knob = "believes that no marker is ever changed"
	takesSilenceForAbsence knob = "takes a missing list for an empty one"
	takesFailureForAbsence knob = "takes a failed look for absence"
	resolvesWithoutKey     knob = "loses the key of what it cannot resolve"
)

func flaws() map[string]flaw {
	type (
		request = refund.Request
		result  = *refund.Refund
		failure = *refund.Error
	)
	// failing changes errors, and leaves successes alone.
	failing := func(change func(request, failure) error) func(request, result, failure) (result, error) {
		return func(req request, got result, e failure) (result, error) {
			if e == nil {
				return got, nil
			}
			return nil, change(req, e)
		}
	}
	// succeeding changes successes, and leaves errors alone.
	succeeding := func(change func(result)) func(request, result, failure) (result, error) {
		return func(_ request, got result, e failure) (result, error) {
			if e != nil {
				return nil, e
			}
			change(got)
			return got, nil
		}
	}
	// callsIt misreports the outcome of what it applies to.
	callsIt := func(o refund.Outcome, applies func(failure) bool) func(request, result, failure) (result, error) {
		return failing(func(_ request, e failure) error {
			if applies(e) {
				e.Outcome, e.Attempt = o, refund.Attempt{}
			}
			return e
		})
	}

	return map[string]flaw{
		// Paying twice.
		"retries everything":              {knob: retriesEverything, forgetful: true, caught: []string{"fault once: lost answer", "fault always: server error after commit"}},
		"draws a fresh key for each try":  {knob: freshKeys, caught: []string{"fault once: lost answer"}},
		"pays without looking first":      {knob: payWithoutLooking, forgetful: true, caught: []string{"same key again", "same key with another amount"}},
		"pays although it could not look": {knob: payBlindly, forgetful: true, caught: []string{"look-up fails"}},
		"lets net/http repeat a refund":   {knob: replayableBelow, forgetful: true, caught: []string{"fault once: duplicate delivery", "transport that rebuilds requests"}},
		"relies on a provider that is forgetful": {
			wrap: func(c *toyClient) refund.Refunder {
				c.forgetful = false
				return c
			},
			forgetful: true,
			caught:    []string{"same key again", "same key at the same time", "fault once: no answer"},
		},

		// Misreporting what became of the money.
		"calls an unreadable success a failure": {
			spoil:  callsIt(refund.OutcomeRejected, func(e failure) bool { return e.HTTPStatus == http.StatusCreated }),
			caught: []string{"absurd numbers", "fault once: garbage", "fault once: truncated", "fault once: huge body", "fault always: reset mid body", "fault always: slow drip"},
		},
		"calls every 500 a refusal": {
			spoil:  callsIt(refund.OutcomeRejected, func(e failure) bool { return e.HTTPStatus >= 500 }),
			caught: []string{"fault always: server error after commit"},
		},
		"calls every page that forbids a refusal": {
			spoil: callsIt(refund.OutcomeRejected, func(e failure) bool { return e.HTTPStatus >= 400 && e.HTTPStatus < 500 }),
			caught: []string{
				"fault always: html refusal after commit", "fault once: html unauthorized after commit", "fault once: html not found after commit",
				"fault once: empty refusal after commit", "fault always: foreign refusal after commit",
			},
		},
		"believes the response of another refund":          {knob: believesAnyResponse, caught: []string{"response of another refund"}},
		"believes a read of another order":                 {knob: believesAnyOrder, caught: []string{"reads of another order"}},
		"takes a missing list for an empty one":            {knob: takesSilenceForAbsence, caught: []string{"reads without their lists"}},
		"believes an error of connecting without evidence": {knob: believesDialErrors, caught: []string{"transport that loses the context"}},
		"calls a lost answer not sent": {
			spoil:     callsIt(refund.OutcomeNotSent, func(e failure) bool { return e.HTTPStatus == 0 }),
			forgetful: true,
			caught:    []string{"fault once: lost answer", "fault once: no answer", "context over during the call", "stale read"},
		},
		"calls a refusal unknown": {
			spoil:  callsIt(refund.OutcomeUnknown, func(failure) bool { return true }),
			caught: []string{"more than is left", "unknown order", "other currency"},
		},
		"calls a failure a success": {
			spoil: func(req request, got result, e failure) (result, error) {
				if e != nil {
					got = &refund.Refund{IdempotencyKey: req.IdempotencyKey, Order: req.Order, Provider: "toy", Account: suiteAccount, Status: refund.StatusSucceeded}
				}
				return got, nil
			},
			caught: []string{
				"more than is left", "unknown order", "other currency", "invalid requests are not sent", "same key with another amount",
				"context over before the call", "context over while waiting to retry", "retry-after beyond the cap",
				"fault always: dial error", "fault always: server error before commit", "fault always: throttle forever",
			},
		},
		"fails always": {
			spoil: func(req request, _ result, _ failure) (result, error) {
				return nil, &refund.Error{
					Provider: "toy", Account: suiteAccount, Op: "refund", Outcome: refund.OutcomeRejected, Kind: refund.ErrConflict,
					Message: "no", IdempotencyKey: req.IdempotencyKey,
				}
			},
			caught: []string{
				"full refund", "partial refunds until exhausted", "same key again", "same key with another amount",
				"many orders at the same time", "stale read", "get refund", "list refunds", "parts, lines and information arrive",
				"fault once: throttle",
			},
		},
		"resolves by hoping":                             {knob: hopes, caught: []string{"fault always: reset before write"}},
		"believes a stale read":                          {knob: believesAbsence, caught: []string{"stale read"}},
		"cannot resolve":                                 {knob: givesUp, caught: []string{"fault always: lost answer"}},
		"believes absence too early":                     {knob: believesEarly, caught: []string{"fault always: reset before write", "fault always: server error before commit"}},
		"believes absence at first look":                 {knob: believesOneLook, caught: []string{"fault always: reset before write", "fault always: server error before commit"}},
		"takes a failed look for absence":                {knob: takesFailureForAbsence, caught: []string{"resolving fails"}},
		"calls a failure to resolve a refusal":           {knob: failsForGood, caught: []string{"resolving fails"}},
		"resolves by sending again, however old the key": {knob: resendsForever, caught: []string{"unknown for days"}},
		"sends although it is only to look":              {knob: sendsToLook, caught: []string{"looking sends nothing"}},
		"swallows the second refund with the key":        {knob: swallowsSecond, caught: []string{"paid twice"}},
		"swallows it where it looks before it pays":      {knob: swallowsSecond, forgetful: true, caught: []string{"paid twice"}},
		"names the refund as its own duplicate":          {knob: namesItTwice, caught: []string{"fault always: lost answer", "paid twice"}},
		"believes that no marker is ever lost":           {knob: believesMarkers, caught: []string{"markers that are lost or changed"}},
		"believes that no marker is ever changed":        {knob: believesOtherMarkers, caught: []string{"markers that are lost or changed"}},
		"takes every other refund for the one":           {knob: doubtsAll, caught: []string{"markers that are lost or changed"}},
		"knows other refunds by their keys only":         {knob: knowsKeysOnly, caught: []string{"markers that are lost or changed"}},
		"knows other refunds by their ids only":          {knob: knowsIDsOnly, caught: []string{"markers that are lost or changed"}},
		"resolves with another refund":                   {knob: resolvesAnother, caught: []string{"fault always: lost answer", "resolving fails"}},
		"never stops to resolve":                         {knob: asksForEver, caught: []string{"fault always: reset before write"}},
		"refuses the same key after nothing moved": {
			wrap:   func(c *toyClient) refund.Refunder { return &once{toyClient: c} },
			caught: []string{"fault always: dial error"},
		},
		"calls a used key rejected": {
			spoil:  callsIt(refund.OutcomeRejected, func(e failure) bool { return e.Kind == refund.ErrKeyReused }),
			caught: []string{"same key with another amount"},
		},
		"calls a used key not sent": {
			spoil:     callsIt(refund.OutcomeNotSent, func(e failure) bool { return e.Kind == refund.ErrKeyReused }),
			forgetful: true,
			caught:    []string{"same key with another amount"},
		},
		"calls a used key unavailable": {
			spoil: failing(func(_ request, e failure) error {
				if e.Kind == refund.ErrKeyReused {
					e.Kind = refund.ErrUnavailable
				}
				return e
			}),
			caught: []string{"same key with another amount"},
		},
		"hides that a refund was found": {spoil: succeeding(func(got result) { got.Replayed = false }), forgetful: true, caught: []string{"same key again"}},
		"calls a new refund replayed":   {spoil: succeeding(func(got result) { got.Replayed = true }), caught: []string{"full refund", "same key again"}},

		// Losing what the caller needs.
		"returns an error of another type": {
			spoil:  failing(func(_ request, e failure) error { return fmt.Errorf("toy: %w", e) }),
			caught: []string{"unknown order", "fault always: lost answer"},
		},
		"returns an invalid request as an error of another type": {
			spoil:  failing(func(request, failure) error { return io.EOF }),
			caught: []string{"invalid requests are not sent", "stale read"},
		},
		"drops the attempt": {
			spoil: failing(func(_ request, e failure) error {
				e.Attempt = refund.Attempt{}
				return e
			}),
			caught: []string{"fault always: lost answer"},
		},
		"drops the attempt's request": {
			spoil: failing(func(_ request, e failure) error {
				e.Attempt.Request.Amount = refund.Money{}
				return e
			}),
			caught: []string{"fault always: lost answer"},
		},
		"forgets the attempt that it is asked about": {knob: forgetsAttempt, caught: []string{"fault always: reset before write", "resolving fails"}},
		"forgets when it was last sent":              {knob: forgetsSending, caught: []string{"fault always: reset before write"}},
		"forgets the snapshot":                       {knob: forgetsSnapshot, caught: []string{"fault always: reset before write"}},
		"forgets which refunds are known":            {knob: forgetsKnown, caught: []string{"markers that are lost or changed"}},
		"forgets that it is only to look":            {knob: forgetsLimits, caught: []string{"looking sends nothing"}},
		"loses the key of what it cannot resolve":    {knob: resolvesWithoutKey, caught: []string{"resolving fails"}},
		"says too early when it was last sent": {
			spoil: failing(func(_ request, e failure) error {
				e.Attempt.LastSent = e.Attempt.FirstSent
				return e
			}),
			caught: []string{"fault always: lost answer", "fault always: no answer"},
		},
		"says too late when it was first sent": {
			spoil: failing(func(_ request, e failure) error {
				e.Attempt.FirstSent = e.Attempt.LastSent
				return e
			}),
			caught: []string{"fault always: lost answer"},
		},
		"loses the last response": {
			spoil: failing(func(_ request, e failure) error {
				e.HTTPStatus, e.Raw = 0, nil
				return e
			}),
			caught: []string{"retries exhausted keep the response"},
		},
		"loses the key": {
			spoil: failing(func(_ request, e failure) error {
				e.IdempotencyKey = ""
				return e
			}),
			caught: []string{"more than is left", "invalid requests are not sent", "context over before the call"},
		},
		"names no field": {
			spoil: failing(func(_ request, e failure) error {
				e.Field = ""
				return e
			}),
			caught: []string{"invalid requests are not sent"},
		},
		"names no operation": {
			spoil: failing(func(_ request, e failure) error {
				e.Op = ""
				return e
			}),
			caught: []string{"unknown order", "invalid requests are not sent"},
		},
		"names no account in errors": {
			spoil: failing(func(_ request, e failure) error {
				e.Account = ""
				return e
			}),
			caught: []string{"unknown order", "invalid requests are not sent"},
		},
		"names no account": {spoil: succeeding(func(got result) { got.Account = "" }), caught: []string{"full refund"}},
		"names no account anywhere": {
			wrap: func(c *toyClient) refund.Refunder {
				c.opts.Account = ""
				return c
			},
			caught: []string{"abilities match capabilities", "get refund", "list refunds", "resolving fails"},
		},
		"mixes up the times of the attempt": {
			spoil: failing(func(_ request, e failure) error {
				if e.Outcome == refund.OutcomeUnknown {
					e.Attempt.LastSent = e.Attempt.FirstSent.Add(-1)
				}
				return e
			}),
			caught: []string{"fault always: lost answer"},
		},
		"says nothing": {
			spoil: failing(func(_ request, e failure) error {
				e.Message, e.Code = "", ""
				return e
			}),
			caught: []string{"fault always: dial error", "invalid requests are not sent"},
		},
		"has one kind of error": {
			spoil: failing(func(_ request, e failure) error {
				e.Kind = refund.ErrUnexpected
				return e
			}),
			caught: []string{"more than is left", "unknown order", "other currency", "retry-after beyond the cap"},
		},
		"talks too much": {
			spoil: failing(func(_ request, e failure) error {
				e.Message += strings.Repeat("!", 1000)
				return e
			}),
			caught: []string{"invalid requests are not sent"},
		},
		"names another provider in errors": {
			spoil: failing(func(_ request, e failure) error {
				e.Provider = "other"
				return e
			}),
			caught: []string{"unknown order"},
		},
		"names another provider":        {spoil: succeeding(func(got result) { got.Provider = "other" }), caught: []string{"full refund"}},
		"names another key":             {spoil: succeeding(func(got result) { got.IdempotencyKey = "other" }), caught: []string{"full refund"}},
		"names another order":           {spoil: succeeding(func(got result) { got.Order.ID = "order-0" }), caught: []string{"full refund"}},
		"names another id":              {spoil: succeeding(func(got result) { got.ID = refund.NewIdempotencyKey() }), caught: []string{"same key again", "get refund", "list refunds"}},
		"states another amount":         {spoil: succeeding(func(got result) { got.Amount = refund.MustParseMoney("1", "AUD") }), caught: []string{"full refund"}},
		"calls what is paid pending":    {spoil: succeeding(func(got result) { got.Status = refund.StatusPending }), caught: []string{"full refund"}},
		"returns nothing":               {spoil: func(request, result, failure) (result, error) { return nil, nil }, caught: []string{"full refund", "unknown order"}},
		"returns a refund and an error": {spoil: func(_ request, _ result, e failure) (result, error) { return &refund.Refund{}, e }, caught: []string{"unknown order"}},

		// Telling what is nobody's business.
		"leaks the secret in an error": {
			spoil: failing(func(_ request, e failure) error {
				e.Message += ", sent as " + toySecret
				return e
			}),
			caught: []string{"unknown order", "invalid requests are not sent", "fault always: dial error"},
		},
		"leaks the secret in a cause": {
			spoil: failing(func(_ request, e failure) error {
				e.Err = errors.New("with " + toySecret)
				return e
			}),
			caught: []string{"unknown order"},
		},
		"prints personal data": {
			spoil: failing(func(req request, e failure) error {
				e.Message += ", " + req.Reason
				return e
			}),
			caught: []string{"unknown order", "fault always: lost answer"},
		},
		"prints metadata": {
			spoil: failing(func(req request, e failure) error {
				e.Message += fmt.Sprint(req.Metadata)
				return e
			}),
			caught: []string{"unknown order"},
		},
		"quotes the response": {
			spoil: failing(func(_ request, e failure) error {
				e.Message += string([]byte(e.Raw))
				return e
			}),
			caught: []string{"fault once: html block page", "fault once: garbage"},
		},
		"logs its credentials": {knob: logsRequests, caught: []string{"full refund"}},
		"prints its credentials": {
			wrap: func(c *toyClient) refund.Refunder {
				c.exposed = toySecret
				return c
			},
			caught: []string{"full refund", "abilities match capabilities"},
		},
		"follows redirects": {knob: followsRedirects, caught: []string{"fault once: redirect"}},

		// Taking time or memory that is not its own.
		"ignores the context":                      {knob: ignoresContext, caught: []string{"context over before the call", "context over during the call"}},
		"waits regardless of the context":          {knob: waitsRegardless, caught: []string{"context over while waiting to retry"}},
		"waits after the last attempt":             {knob: waitsAtTheEnd, caught: []string{"retries exhausted keep the response"}},
		"sleeps for as long as it is told":         {knob: sleepsAsTold, caught: []string{"retry-after beyond the cap"}},
		"reads responses without a sensible limit": {knob: readsTooMuch, caught: []string{"fault once: huge body"}},

		// Getting requests and reads wrong.
		"drops the invoice":         {knob: dropsInvoice, caught: []string{"invalid requests are not sent"}},
		"ignores what was captured": {knob: ignoresCaptured, caught: []string{"invalid requests are not sent"}},
		"sends invalid requests":    {knob: sendsInvalid, caught: []string{"invalid requests are not sent"}},
		"mends the ids of orders":   {knob: mendsIDs, caught: []string{"invalid requests are not sent"}},
		"drops part and line":       {knob: dropsParts, caught: []string{"parts, lines and information arrive"}},
		"hides that the reason travels": {
			wrap: func(c *toyClient) refund.Refunder {
				caps := c.Capabilities()
				caps.Reason, caps.Metadata = false, false
				return with{c, caps}
			},
			caught: []string{"parts, lines and information arrive"},
		},
		"rounds the amount":                 {knob: roundsAmounts, caught: []string{"partial refunds until exhausted", "more than is left"}},
		"finds refunds that there are not":  {knob: getsAnything, caught: []string{"get refund"}},
		"lists only once":                   {knob: listsOnce, caught: []string{"list refunds"}},
		"goes on listing after an error":    {knob: listsBeyondErrors, caught: []string{"list refunds"}},
		"lists nothing when it cannot read": {knob: listsNothing, caught: []string{"list refunds"}},
		"calls a failed read unknown":       {knob: readsUnknown, caught: []string{"get refund", "list refunds"}},
		"asks for the refunds of no order":  {knob: listsNoOrder, caught: []string{"list refunds by time"}},
		"claims to list all orders": {
			wrap: func(c *toyClient) refund.Refunder {
				caps := c.Capabilities()
				caps.Lists = refund.ListsByTime
				return claiming{c, caps}
			},
			caught: []string{"list refunds by time"},
		},
		"ignores the dates of a query": {knob: ignoresDates, caught: []string{"list refunds by time"}},
		"hides refunds without a date": {knob: hidesUndated, caught: []string{"list refunds by time"}},
		"hides its abilities": {
			wrap:   func(c *toyClient) refund.Refunder { return opaque{c} },
			caught: []string{"abilities match capabilities", "wrapped", "fault always: lost answer", "resolving fails"},
		},
		"takes snapshots for nothing": {
			wrap:   func(c *toyClient) refund.Refunder { return snapshotter{c} },
			caught: []string{"abilities match capabilities"},
		},
		"denies that it lists": {
			wrap: func(c *toyClient) refund.Refunder {
				caps := c.Capabilities()
				caps.Lists = refund.ListsNone
				return claiming{c, caps}
			},
			caught: []string{"abilities match capabilities"},
		},
		"claims to cancel": {
			wrap: func(c *toyClient) refund.Refunder {
				caps := c.Capabilities()
				caps.Cancels = true
				return claiming{c, caps}
			},
			caught: []string{"abilities match capabilities", "wrapped"},
		},
		"hands out its own capabilities": {
			wrap:   func(c *toyClient) refund.Refunder { return claiming{c, c.Capabilities()} },
			caught: []string{"capabilities are copies"},
		},
		"repeats, but says that it refuses": {
			wrap: func(c *toyClient) refund.Refunder {
				caps := c.Capabilities()
				caps.Repeat = refund.RepeatRefused
				return with{c, caps}
			},
			caught: []string{"same key again"},
		},
		"refuses, but says that it repeats": {
			wrap:   func(c *toyClient) refund.Refunder { return &once{toyClient: c} },
			caught: []string{"same key again"},
		},
		"does not say what it can do": {
			wrap:   func(c *toyClient) refund.Refunder { return with{c, refund.Capabilities{Provider: "toy"}} },
			caught: []string{"abilities match capabilities", "same key again"},
		},
	}
}

// once has a use for each key, whatever came of it.
type once struct {
	*toyClient

	used sync.Map
}

func (o *once) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	if _, used := o.used.LoadOrStore(req.IdempotencyKey, true); used {
		return nil, o.fail("refund", req.IdempotencyKey, refund.ErrDuplicate, refund.OutcomeRejected, "used")
	}
	return o.toyClient.Refund(ctx, req)
}

type snapshotter struct{ *toyClient }

func (snapshotter) Snapshot(context.Context, refund.Request) (refund.Snapshot, error) { return "", nil }

// with has other capabilities, and no ability besides Refund.
type with struct {
	refund.Refunder

	caps refund.Capabilities
}

func (w with) Capabilities() refund.Capabilities { return w.caps }

// claiming has other capabilities, and every ability.
type claiming struct {
	*toyClient

	caps refund.Capabilities
}

func (c claiming) Capabilities() refund.Capabilities { return c.caps }

func toyHarness(f flaw) Harness {
	return Harness{
		NewSimulator: func() Simulator { return newToyProvider(f.forgetful) },
		NewClient: func(sim Simulator, o refund.Options) (refund.Refunder, error) {
			client, err := sim.Refunder(o)
			c := client.(*toyClient)
			if c.flaw = f; f.wrap != nil {
				return f.wrap(c), err
			}
			return c, err
		},
	}
}

// recorder is a reporter that keeps the failures to itself.
type recorder struct {
	mu       sync.Mutex
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// failures runs one case as Run does, and returns what it reports.
func failures(t *testing.T, h Harness, m mode, name string) (found []string, skip string) {
	t.Helper()
	for _, c := range cases() {
		if c.name == name {
			var r recorder
			synctest.Test(t, func(*testing.T) { skip = runCase(&r, h, m, c) })
			return r.failures, skip
		}
	}
	require.FailNow(t, "no such case", name)
	return nil, ""
}

func TestACorrectClientPasses(t *testing.T) {
	t.Run("provider deduplicates", func(t *testing.T) { Run(t, toyHarness(flaw{})) })
	t.Run("provider is forgetful", func(t *testing.T) { Run(t, toyHarness(flaw{forgetful: true})) })
}

func TestFlawsAreCaught(t *testing.T) {
	for name, f := range flaws() {
		for _, c := range f.caught {
			for _, m := range modes() {
				t.Run(fmt.Sprintf("%s/%s/%s", name, c, m), func(t *testing.T) {
					t.Parallel()
					found, _ := failures(t, toyHarness(flaw{forgetful: f.forgetful}), m, c)
					assert.Empty(t, found, "the correct client")
					found, _ = failures(t, toyHarness(f), m, c)
					assert.NotEmpty(t, found, "the flawed client")
				})
			}
		}
	}
}

// A client that can do little is correct too, if it says so.
func TestCasesSkipWithAReason(t *testing.T) {
	modest := refund.Capabilities{
		Provider: "toy", Account: suiteAccount, Target: "toy.example", Synchronous: true,
		Repeat: refund.RepeatRefundsAgain, ResolvedBy: refund.ResolvedByPerson,
	}
	h := toyHarness(flaw{wrap: func(c *toyClient) refund.Refunder { return with{c, modest} }})
	for name, skipped := range map[string]bool{
		"partial refunds until exhausted":         true,
		"more than is left":                       true,
		"same key with another amount":            true,
		"stale read":                              true,
		"resolving fails":                         true,
		"paid twice":                              true,
		"markers that are lost or changed":        true,
		"get refund":                              true,
		"list refunds":                            true,
		"list refunds by time":                    true,
		"wrapped":                                 false,
		"unknown for days":                        false,
		"capabilities are copies":                 false,
		"abilities match capabilities":            false,
		"fault always: lost answer":               false,
		"fault always: server error after commit": false,
	} {
		t.Run(name, func(t *testing.T) {
			found, skip := failures(t, h, memory, name)
			assert.Empty(t, found)
			assert.Equal(t, skipped, skip != "", skip)
		})
	}
	t.Run("parts, lines and information arrive", func(t *testing.T) {
		const name = "parts, lines and information arrive"
		h := h
		h.NewSimulator = func() Simulator { return struct{ Simulator }{newToyProvider(false)} }
		found, skip := failures(t, h, memory, name)
		assert.Empty(t, found)
		assert.NotEmpty(t, skip)
		h.NewClient = nil // claims more than the simulator can tell
		found, _ = failures(t, h, memory, name)
		assert.NotEmpty(t, found)
	})
	t.Run("list refunds by time", func(t *testing.T) {
		const name = "list refunds by time"
		found, skip := failures(t, toyHarness(flaw{knob: undated}), memory, name)
		assert.Empty(t, found)
		assert.Empty(t, skip, "a refund without a date is within every span")
		found, skip = failures(t, toyHarness(flaw{knob: refusesDates}), memory, name)
		assert.Empty(t, found)
		assert.NotEmpty(t, skip)
	})
	t.Run("same key at the same time", func(t *testing.T) {
		_, skip := failures(t, toyHarness(flaw{forgetful: true}), memory, "same key at the same time")
		assert.NotEmpty(t, skip)
	})
}

func TestNoClient(t *testing.T) {
	h := toyHarness(flaw{})
	h.NewClient = func(Simulator, refund.Options) (refund.Refunder, error) { return nil, io.EOF }
	for _, m := range modes() {
		found, _ := failures(t, h, m, "full refund")
		assert.Len(t, found, 1)
	}
}

// TestHarness: a user's own Skip is a skip, the client is the simulator's own unless there is another, and the provider
// may be in any currency.
func TestHarness(t *testing.T) {
	Run(t, Harness{
		NewSimulator: func() Simulator {
			p := newToyProvider(false)
			p.currency = "JPY"
			return p
		},
		Skip: map[string]string{"full refund": "to see it skipped"},
	})
}

func TestUnknownCurrencyPanics(t *testing.T) {
	assert.Panics(t, func() { (&env{sim: &toyProvider{currency: "???"}}).money(100) })
}

// Every case must be able to fail; of a fault, once or always will do.
func TestEveryCaseCatchesAFlaw(t *testing.T) {
	subject := strings.NewReplacer("fault once: ", "", "fault always: ", "")
	caught := map[string]bool{}
	for _, f := range flaws() {
		for _, c := range f.caught {
			caught[subject.Replace(c)] = true
		}
	}
	for _, c := range cases() {
		assert.True(t, caught[subject.Replace(c.name)], c.name)
	}
}

func TestUnskippable(t *testing.T) {
	for name, ok := range map[string]bool{
		"more than is left": true, "fault once: throttle": true,
		"no such case": false, "fault once: lost answer": false, "stale read": false, "look-up fails": false, "resolving fails": false, "unknown for days": false,
	} {
		assert.Equal(t, ok, unskippable(name) == "", name)
	}
}
