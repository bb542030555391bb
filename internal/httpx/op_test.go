package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

// thing is a response with an id.
type thing struct{ ID, Order string }

func (o *thing) problem() string {
	if o.ID == "" {
		return "has no id"
	}
	return ""
}

// Nobody may lose a key, and a shop with two accounts must know which one an error is about.
func TestEveryErrorIsSigned(t *testing.T) {
	t.Parallel()
	fetch := func(c *Client, o *operation) error {
		_, _, err := Fetch(context.Background(), c.Op(o.Name, o.Attempt), o.Call, (*thing).problem)
		return err
	}
	called := func(change func(*operation), steps ...roundTrip) func(*testing.T, *operation) error {
		return func(t *testing.T, o *operation) error {
			t.Helper()
			if change != nil {
				change(o)
			}
			return fetch(newClient(t, play(t, steps...), once), o)
		}
	}
	result := func(fail func(*Result) error) func(*testing.T, *operation) error {
		return func(t *testing.T, o *operation) error {
			t.Helper()
			res, err := do(t.Context(), newClient(t, play(t, replies(200, "{}"))), o)
			require.NoError(t, err)
			return fail(res)
		}
	}
	op := func(fail func(*Op) error) func(*testing.T, *operation) error {
		return func(t *testing.T, o *operation) error {
			t.Helper()
			return fail(newClient(t, play(t)).Op(o.Name, o.Attempt))
		}
	}
	foreign := &refund.Error{Provider: "other", Account: "other", Op: "other", IdempotencyKey: "other", Kind: refund.ErrLocked}
	tests := map[string]func(*testing.T, *operation) error{
		"bad path":            called(func(o *operation) { o.Path = []string{".."} }),
		"bad method":          called(func(o *operation) { o.Method = "GET /" }),
		"bad body":            called(func(o *operation) { o.Body = func() {} }),
		"bad header":          called(func(o *operation) { o.Header = http.Header{"X": {"\n"}} }),
		"not sent":            called(nil, notSent),
		"lost":                called(nil, lost),
		"no answer":           called(nil, fails(nil)),
		"cut off":             called(nil, cutOff(200, "{")),
		"too large":           called(nil, replies(200, strings.Repeat(" ", defaultMaxBody+1))),
		"refused":             called(nil, replies(422, `{"code":"no"}`)),
		"failed":              called(nil, replies(503, "")),
		"not JSON":            called(nil, replies(200, "<html>")),
		"another response":    called(nil, replies(200, "{}")),
		"unreadable":          result(func(r *Result) error { return r.Unreadable("odd") }),
		"conflict":            result(func(r *Result) error { return r.Conflict("odd") }),
		"decode":              result(func(r *Result) error { return r.Decode(new(int)) }),
		"Invalid":             op(func(o *Op) error { return o.Invalid("Field", "is odd") }),
		"NotSent":             op(func(o *Op) error { return o.NotSent(refund.ErrLocked, "", "is odd") }),
		"Absent":              op(func(o *Op) error { return o.Absent("is not there") }),
		"Unknown":             op(func(o *Op) error { return o.Unknown(refund.ErrDuplicate, "", "is odd") }),
		"NotLooked":           op(func(o *Op) error { return o.NotLooked(foreign) }),
		"NotLooked, wrapped":  op(func(o *Op) error { return o.NotLooked(fmt.Errorf("look: %w", foreign)) }),
		"NotLooked, foreign":  op(func(o *Op) error { return o.NotLooked(errPage) }),
		"Unresolved":          op(func(o *Op) error { return o.Unresolved(foreign) }),
		"Unresolved, wrapped": op(func(o *Op) error { return o.Unresolved(fmt.Errorf("look: %w", foreign)) }),
		"Unresolved, foreign": op(func(o *Op) error { return o.Unresolved(errPage) }),
		"going round": op(func(o *Op) error {
			_, errs := drain(Pages(o, "a", func(string) (Page[int], error) { return Page[int]{Next: "a"}, nil }))
			return errors.Join(errs...)
		}),
		"context ended": func(t *testing.T, o *operation) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := do(ctx, newClient(t, play(t)), o)
			return err
		},
		"no credentials": func(t *testing.T, o *operation) error {
			return fetch(newClient(t, play(t), func(cfg *Config) {
				cfg.Authorize = func(context.Context, http.Header) error { return errPage }
			}), o)
		},
	}
	for name, fail := range tests {
		for effect, effectName := range map[Effect]string{Pays: "pays", PaysOnce: "pays once", Harmless: "harmless"} {
			t.Run(name+", "+effectName, func(t *testing.T) {
				t.Parallel()
				o := write(effect)
				o.Name = "some operation"
				e := asError(t, fail(t, o))
				assert.Equal(t, "test", e.Provider)
				assert.Equal(t, testAccount, e.Account)
				assert.Equal(t, "some operation", e.Op)
				assert.Equal(t, testKey, e.IdempotencyKey)
				assert.NotZero(t, e.Kind)
			})
		}
	}
	assert.Equal(t, &refund.Error{Provider: "other", Account: "other", Op: "other", IdempotencyKey: "other", Kind: refund.ErrLocked}, foreign,
		"an error that is signed again is a new one")
}

func TestErrorsOfAnOperation(t *testing.T) {
	t.Parallel()
	o := newClient(t, play(t)).Op("read", refund.Attempt{})
	signed := refund.Error{Provider: "test", Account: testAccount, Op: "read"}
	for name, tt := range map[string]struct {
		err     error
		kind    refund.Kind
		outcome refund.Outcome
		field   string
		message string
	}{
		"Invalid":    {o.Invalid("Field", "has %d", 7), refund.ErrInvalidRequest, refund.OutcomeNotSent, "Field", "has 7"},
		"NotSent":    {o.NotSent(refund.ErrLocked, "", "is %s", "odd"), refund.ErrLocked, refund.OutcomeNotSent, "", "is odd"},
		"Absent":     {o.Absent("no %s", "such"), refund.ErrOrderNotFound, refund.OutcomeRejected, "", "no such"},
		"Unknown":    {o.Unknown(refund.ErrKeyReused, "IdempotencyKey", "a %s", "b"), refund.ErrKeyReused, refund.OutcomeUnknown, "IdempotencyKey", "a b"},
		"of a value": {Setup("test", refund.Options{Account: testAccount}).Invalid("Field", "is odd"), refund.ErrInvalidRequest, refund.OutcomeNotSent, "Field", "is odd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := signed
			want.Kind, want.Outcome, want.Field, want.Message = tt.kind, tt.outcome, tt.field, tt.message
			if name == "of a value" {
				want.Op = "new"
			}
			assert.Equal(t, &want, tt.err)
			assert.Equal(t, tt.message, MessageOf(tt.err))
			assert.Equal(t, tt.message, MessageOf(fmt.Errorf("wrapped: %w", tt.err)))
		})
	}
	assert.Equal(t, "plain", MessageOf(errors.New("plain")))
}

// lookFailure is what a look that could not read the order returns.
func lookFailure() *refund.Error {
	return &refund.Error{
		Provider: "test", Op: "read", Kind: refund.ErrUnavailable, Outcome: refund.OutcomeRejected, Field: "Order.ID", Code: "down",
		Message: "try later", HTTPStatus: 503, RequestID: "r-1", RetryAfter: time.Second, Attempts: 3, Raw: refund.Raw("{}"), Err: errReset,
	}
}

func TestNotLooked(t *testing.T) {
	t.Parallel()
	o := newClient(t, play(t)).Op("refund", write(Pays).Attempt)
	original := lookFailure()
	original.Attempt = refund.Attempt{Tries: 1}

	e := asError(t, o.NotLooked(fmt.Errorf("look: %w", original)))

	assert.Equal(t, refund.OutcomeNotSent, e.Outcome, "nothing was sent, whatever the read says of itself")
	assert.Zero(t, e.Attempt)
	assert.Contains(t, e.Message, "try later")
	want := lookFailure()
	want.Account, want.Op, want.IdempotencyKey, want.Outcome, want.Message = testAccount, "refund", testKey, refund.OutcomeNotSent, e.Message
	assert.Equal(t, want, e, "what the provider said stays")
	want = lookFailure()
	want.Attempt.Tries = 1
	assert.Equal(t, want, original, "the original is not modified")

	e = asError(t, o.NotLooked(errPage))
	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	assert.Equal(t, refund.ErrUnexpected, e.Kind)
}

func TestUnresolved(t *testing.T) {
	t.Parallel()
	asked := write(Pays).Attempt
	asked.Tries, asked.MissedAt = 1, time.Unix(7, 0)
	o := newClient(t, play(t)).Op("resolve", asked)
	original := lookFailure()

	e := asError(t, o.Unresolved(fmt.Errorf("look: %w", original)))

	assert.Equal(t, refund.OutcomeUnknown, e.Outcome, "a read that failed says nothing about the refund")
	want := lookFailure()
	want.Account, want.Op, want.IdempotencyKey, want.Outcome, want.Attempt = testAccount, "resolve", testKey, refund.OutcomeUnknown, asked
	assert.Equal(t, want, e)
	assert.Equal(t, lookFailure(), original, "the original is not modified")

	younger := lookFailure()
	younger.Attempt = asked
	younger.Attempt.Tries, younger.Attempt.LastSent = 2, time.Unix(9, 0)
	assert.Equal(t, younger.Attempt, asError(t, o.Unresolved(younger)).Attempt, "what was sent since is younger, and stays")

	e = asError(t, o.Unresolved(errPage))
	assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
	assert.Equal(t, refund.ErrUnexpected, e.Kind)
	assert.Equal(t, asked, e.Attempt)
}

func TestFetch(t *testing.T) {
	t.Parallel()
	fetch := func(effect Effect, step roundTrip) (*thing, *Result, error) {
		o := write(effect)
		return Fetch(t.Context(), newClient(t, play(t, step), once).Op(o.Name, o.Attempt), o.Call, (*thing).problem)
	}
	got, res, err := fetch(Pays, replies(201, `{"id":"r-1","order":"o-1"}`))
	require.NoError(t, err)
	assert.Equal(t, &thing{ID: "r-1", Order: "o-1"}, got)
	assert.Equal(t, 201, res.Status)
	assert.JSONEq(t, `{"id":"r-1","order":"o-1"}`, string(res.Body))

	for name, step := range map[string]roundTrip{
		"not JSON": replies(200, "<html>"), "cut off": replies(200, `{"id":"r-1"`), "another type": replies(200, `{"id":7}`),
		"empty": replies(200, ""), "without an id": replies(200, "{}"),
	} {
		got, res, err = fetch(Pays, step)
		assert.Nil(t, got, name)
		assert.Nil(t, res, name)
		e := asError(t, err)
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome, "%s: the provider probably did it", name)
		assert.Equal(t, refund.ErrUnexpected, e.Kind, name)
		assert.Equal(t, 1, e.Attempt.Tries, name)
		assert.Equal(t, 200, e.HTTPStatus, name)

		_, _, err = fetch(Harmless, step)
		assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err), "%s: a read moves nothing", name)
	}
	_, _, err = fetch(Pays, replies(422, `{"code":"no"}`))
	assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))
}

// A success about another refund is a conflict: it was answered, and money may have moved.
func TestConflict(t *testing.T) {
	t.Parallel()
	o := write(Pays)
	res, err := do(t.Context(), newClient(t, play(t, replies(200, `{"id":"r-1"}`))), o)
	require.NoError(t, err)
	e := asError(t, res.Conflict("of %s", "another amount"))
	assert.Equal(t, refund.ErrConflict, e.Kind)
	assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
	assert.Equal(t, "of another amount", e.Message)
	assert.Equal(t, o.Attempt.Request, e.Attempt.Request)
	assert.Equal(t, 1, e.Attempt.Tries)
	assert.JSONEq(t, `{"id":"r-1"}`, string(e.Raw))
}

// What became of earlier calls for the same refund is not said by a request that cannot even be built.
func TestNotSentAfterAnEarlierAttempt(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*operation){
		"path":   func(o *operation) { o.Path = []string{""} },
		"method": func(o *operation) { o.Method = "GET /" },
		"body":   func(o *operation) { o.Body = func() {} },
		"header": func(o *operation) { o.Header = http.Header{"X": {"\n"}} },
	} {
		o := write(PaysOnce)
		spoil(o)
		e := failed(t.Context(), t, newClient(t, play(t)), o)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome, name)
		assert.Equal(t, refund.ErrInvalidRequest, e.Kind, name)
		assert.Zero(t, e.Attempt, name)

		o.Attempt.Tries = 1
		e = failed(t.Context(), t, newClient(t, play(t)), o)
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome, name)
		assert.Equal(t, refund.ErrInvalidRequest, e.Kind, name)
		assert.Equal(t, o.Attempt, e.Attempt, name)

		o.Effect = Harmless
		assert.Equal(t, refund.OutcomeNotSent, failed(t.Context(), t, newClient(t, play(t)), o).Outcome, name)
	}
}

// A request that the provider refused cannot take effect, so that FirstSent and LastSent are not about it.
func TestAttemptTimesAreOfRequestsThatWereNotRefused(t *testing.T) {
	t.Parallel()
	took := func(then roundTrip) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			<-time.After(time.Second) // on the bubble's clock
			return then(r)
		}
	}
	refused := took(replies(422, `{"code":"already_refunded"}`))
	const never = -1
	for name, tt := range map[string]struct {
		earlier     bool // an earlier call, an hour before
		steps       []roundTrip
		change      func(*Config)
		first, last int // seconds after the beginning; never for those of the earlier call, or the zero time without one
		tries       int
	}{
		"lost, refused":        {steps: []roundTrip{took(lost), refused}, first: 0, last: 1, tries: 2},
		"failed, refused":      {steps: []roundTrip{took(replies(503, "")), refused}, first: 0, last: 1, tries: 2},
		"failed, lost":         {steps: []roundTrip{took(replies(503, "")), took(lost), refused}, first: 0, last: 2, tries: 3},
		"not sent, lost":       {steps: []roundTrip{took(notSent), took(lost), refused}, first: 1, last: 2, tries: 2},
		"turned away, lost":    {steps: []roundTrip{took(replies(429, "")), took(lost), refused}, change: throttledFirst, first: 1, last: 2, tries: 3},
		"throttled, lost":      {steps: []roundTrip{took(replies(429, "")), took(lost), refused}, first: 0, last: 2, tries: 3},
		"cut off, refused":     {steps: []roundTrip{took(cutOff(201, "{")), refused}, first: 0, last: 1, tries: 2},
		"earlier, refused":     {earlier: true, steps: []roundTrip{refused}, first: never, last: never, tries: 2},
		"earlier, turned away": {earlier: true, steps: []roundTrip{took(replies(429, "")), refused}, change: throttledFirst, first: never, last: never, tries: 3},
		"earlier, not sent":    {earlier: true, steps: []roundTrip{took(notSent), refused}, first: never, last: never, tries: 2},
		"earlier, lost":        {earlier: true, steps: []roundTrip{took(lost), refused}, first: never, last: 1, tries: 3},
		"earlier, unreadable":  {earlier: true, steps: []roundTrip{took(replies(200, "{}"))}, first: never, last: 1, tries: 2},
		"unreadable":           {steps: []roundTrip{took(replies(200, "{}"))}, first: 0, last: 1, tries: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				o := write(PaysOnce)
				if tt.earlier {
					o.Attempt.Tries, o.Attempt.FirstSent, o.Attempt.LastSent = 1, began.Add(-2*time.Hour), began.Add(-time.Hour)
				}
				c := newClient(t, play(t, tt.steps...), noWait)
				if tt.change != nil {
					c = newClient(t, play(t, tt.steps...), noWait, tt.change)
				}
				_, _, err := Fetch(t.Context(), c.Op(o.Name, o.Attempt), o.Call, (*thing).problem)
				e := asError(t, err)
				at := func(seconds int, earlier time.Time) time.Time {
					if seconds == never {
						return earlier
					}
					return began.Add(time.Duration(seconds) * time.Second)
				}
				assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
				if assert.Equal(t, tt.tries, e.Attempt.Tries) {
					assert.Equal(t, at(tt.first, o.Attempt.FirstSent), e.Attempt.FirstSent, "first sent")
					assert.Equal(t, at(tt.last, o.Attempt.LastSent), e.Attempt.LastSent, "last sent")
				}
			})
		})
	}
}

func TestHasCode(t *testing.T) {
	t.Parallel()
	type code string
	err := error(&refund.Error{Provider: "test", Code: "a"})
	assert.True(t, HasCode(err, "test", []code{"a"}))
	assert.True(t, HasCode(err, "test", []code{"b", "a"}))
	assert.True(t, HasCode(fmt.Errorf("wrapped: %w", err), "test", []code{"a"}))
	assert.False(t, HasCode(err, "test", []code{"b"}))
	assert.False(t, HasCode(err, "test", []code{}))
	assert.False(t, HasCode(err, "other", []code{"a"}), "the same word means something else at another provider")
	assert.False(t, HasCode(io.EOF, "test", []code{"a"}))
	assert.False(t, HasCode[code](nil, "test", nil))
}

func TestAccount(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "a", "shop-au", "A.b_c:d-9", strings.Repeat("x", 64)} {
		c, err := New(Config{Provider: "test", BaseURL: testBase, Options: refund.Options{Account: good}})
		require.NoError(t, err, good)
		assert.Equal(t, good, c.Describe(refund.Capabilities{}).Account)
	}
	for _, bad := range []string{" ", "a b", "a/b", "a\n", "é", "a\x00", "a@b", strings.Repeat("x", 65), strings.Repeat("é", 1<<20)} {
		_, err := New(Config{Provider: "test", BaseURL: testBase, Options: refund.Options{Account: bad}})
		e := asError(t, err)
		assert.Equal(t, "Account", e.Field, "%.20q", bad)
		assert.Equal(t, refund.ErrInvalidRequest, e.Kind)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
		assert.Equal(t, []string{"test", "new"}, []string{e.Provider, e.Op})
	}
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"
	for b := range 256 {
		name := "a" + string([]byte{byte(b)})
		assert.Equal(t, strings.Contains(allowed, name[1:]), accountProblem(name) == "", "byte %#02x", b)
	}
}

func TestAbsenceAfter(t *testing.T) {
	t.Parallel()
	for set, want := range map[time.Duration]time.Duration{0: time.Hour, 1: 1, time.Minute: time.Minute, 48 * time.Hour: 48 * time.Hour} {
		c := newClient(t, play(t), func(cfg *Config) { cfg.Options.AbsenceAfter = set })
		assert.Equal(t, want, c.Op("resolve", refund.Attempt{}).AbsenceAfter())
	}
	for _, bad := range []time.Duration{-1, -time.Hour} {
		_, err := New(Config{Provider: "test", BaseURL: testBase, Options: refund.Options{AbsenceAfter: bad}})
		e := asError(t, err)
		assert.Equal(t, "AbsenceAfter", e.Field, "there is no way to ask for absence to count at once")
		assert.Equal(t, refund.ErrInvalidRequest, e.Kind)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	c := newClient(t, play(t), func(cfg *Config) { cfg.Options.AbsenceAfter = time.Minute })
	own := refund.Capabilities{Partial: true, ResolvedBy: refund.ResolvedByMarker, Window: time.Hour, Currencies: []string{"AUD"}}
	want := own
	want.Provider, want.Account, want.Target, want.AbsenceAfter = "test", testAccount, "provider.test", time.Minute
	assert.Equal(t, want, c.Describe(own))

	own.ResolvedBy = refund.ResolvedByPerson
	assert.Zero(t, c.Describe(own).AbsenceAfter, "where nothing can be read there is no absence")

	c = newClient(t, play(t), func(cfg *Config) { cfg.Options.BaseURL = "http://127.0.0.1:8080/base" })
	assert.Equal(t, "127.0.0.1:8080", c.Describe(refund.Capabilities{}).Target)
}
