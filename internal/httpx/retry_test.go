package httpx

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

// Which answers are followed by another attempt.
func TestRetriedAnswers(t *testing.T) {
	t.Parallel()
	conflict := func(cfg *Config) { cfg.InFlight = http.StatusConflict }
	none := func(*Config) {}
	tests := map[string]struct {
		status         int
		change         func(*Config)
		pays, paysOnce bool // tried again
	}{
		"400":                        {400, none, false, false},
		"401":                        {401, none, false, false},
		"403":                        {403, none, false, false},
		"404":                        {404, none, false, false},
		"408":                        {408, none, false, true},
		"409":                        {409, none, false, false},
		"409 in flight":              {409, conflict, false, true},
		"422":                        {422, none, false, false},
		"429":                        {429, none, false, true},
		"429 turned away first":      {429, throttledFirst, true, true},
		"429 by something in front":  {429, throttledByPage, false, true},
		"500":                        {500, none, false, true},
		"500 where 429 is no matter": {500, throttledFirst, false, true},
		"501":                        {501, none, false, false},
		"502":                        {502, none, false, true},
		"503":                        {503, none, false, true},
		"504":                        {504, none, false, true},
		"304":                        {304, none, false, false},
	}
	for name, tt := range tests {
		for effect, again := range map[Effect]bool{Pays: tt.pays, PaysOnce: tt.paysOnce} {
			mock := canned(t, answer(tt.status, ""), answer(200, "{}"))
			res, err := do(t.Context(), newClient(t, mock, noWait, tt.change), write(effect))
			if again {
				require.NoError(t, err, "%s, %d", name, effect)
				assert.Equal(t, 200, res.Status)
				assert.Equal(t, 2, mock.GetTotalCallCount(), "%s, %d", name, effect)
				continue
			}
			e := asError(t, err)
			assert.Equal(t, tt.status, e.HTTPStatus, "%s, %d", name, effect)
			assert.Equal(t, 1, mock.GetTotalCallCount(), "%s, %d", name, effect)
			assert.Equal(t, refund.OutcomeUnknown, e.Outcome, "%s, %d", name, effect)
		}
	}
}

// Which failures are.
func TestRetriedFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fail           roundTrip
		pays, paysOnce bool
	}{
		"not sent":           {notSent, true, true},
		"connection lost":    {lost, false, true},
		"nothing reported":   {fails(errReset), false, true},
		"cut off":            {cutOff(200, `{"id":`), false, true},
		"cut off refusal":    {cutOff(400, `{"code":`), false, true},
		"larger than allows": {replies(200, string(make([]byte, defaultMaxBody+1))), false, false},
	} {
		for effect, again := range map[Effect]bool{Pays: tt.pays, PaysOnce: tt.paysOnce} {
			steps := []roundTrip{tt.fail}
			if again {
				steps = append(steps, replies(200, "{}"))
			}
			rt := play(t, steps...)
			_, err := do(t.Context(), newClient(t, rt, noWait), write(effect))
			assert.Equal(t, again, err == nil, "%s, %d: %v", name, effect, err)
			assert.Len(t, rt.at, len(steps), "%s, %d", name, effect)
		}
	}
}

// What the last of several attempts leaves, and what a lost one before it takes away.
func TestOutcomeOfSeveralAttempts(t *testing.T) {
	t.Parallel()
	const known = `{"code":"already_refunded"}`
	tests := map[string]struct {
		steps  []roundTrip
		call   *operation
		change func(*Config)
		want   refund.Outcome
		tries  int
	}{
		"refused":                           {[]roundTrip{replies(422, known)}, write(Pays), noWait, refund.OutcomeRejected, 0},
		"lost, refused":                     {[]roundTrip{lost, replies(422, known)}, write(PaysOnce), noWait, refund.OutcomeUnknown, 2},
		"failed, refused":                   {[]roundTrip{replies(503, ""), replies(422, known)}, write(PaysOnce), noWait, refund.OutcomeUnknown, 2},
		"lost, not sent":                    {[]roundTrip{lost, notSent, notSent}, write(PaysOnce), noWait, refund.OutcomeUnknown, 1},
		"not sent, refused":                 {[]roundTrip{notSent, replies(422, known)}, write(Pays), noWait, refund.OutcomeRejected, 0},
		"not sent, lost":                    {[]roundTrip{notSent, lost}, write(Pays), noWait, refund.OutcomeUnknown, 1},
		"never sent":                        {[]roundTrip{notSent, notSent, notSent}, write(Pays), noWait, refund.OutcomeNotSent, 0},
		"throttled":                         {[]roundTrip{replies(429, "")}, write(Pays), noWait, refund.OutcomeUnknown, 1},
		"turned away":                       {[]roundTrip{replies(429, ""), replies(429, ""), replies(429, "")}, write(Pays), throttledFirst, refund.OutcomeRejected, 0},
		"throttled by something in front":   {[]roundTrip{replies(429, "")}, write(Pays), throttledByPage, refund.OutcomeUnknown, 1},
		"turned away, refused":              {[]roundTrip{replies(429, ""), replies(422, known)}, write(Pays), throttledFirst, refund.OutcomeRejected, 0},
		"turned away, not sent":             {[]roundTrip{replies(429, ""), notSent, notSent}, write(Pays), throttledFirst, refund.OutcomeNotSent, 0},
		"lost, turned away":                 {[]roundTrip{lost, replies(429, ""), replies(429, "")}, write(PaysOnce), throttledFirst, refund.OutcomeUnknown, 3},
		"read: lost":                        {[]roundTrip{lost, lost, lost}, read(), noWait, refund.OutcomeNotSent, 0},
		"read: failed":                      {[]roundTrip{replies(503, ""), replies(503, ""), replies(503, "")}, read(), noWait, refund.OutcomeRejected, 0},
		"read: lost, refused":               {[]roundTrip{lost, replies(404, known)}, read(), noWait, refund.OutcomeRejected, 0},
		"read: failed, lost":                {[]roundTrip{replies(503, ""), lost, lost}, read(), noWait, refund.OutcomeNotSent, 0},
		"read: cut off":                     {[]roundTrip{cutOff(200, "{"), cutOff(200, "{"), cutOff(200, "{")}, read(), noWait, refund.OutcomeRejected, 0},
		"5xx, but the table knows its code": {[]roundTrip{replies(500, known)}, write(Pays), knows500, refund.OutcomeRejected, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt := play(t, tt.steps...)
				e := failed(t.Context(), t, newClient(t, rt, tt.change), tt.call)
				assert.Equal(t, tt.want.String(), e.Outcome.String())
				assert.Len(t, rt.at, len(tt.steps))
				assert.Equal(t, len(tt.steps), e.Attempts)
				assert.Equal(t, tt.tries, e.Attempt.Tries)
			})
		})
	}
}

// knows500 is a provider that answers its refusals with 500.
func knows500(cfg *Config) {
	cfg.Classify = func(int, []byte) *Refusal {
		return &Refusal{Kind: refund.ErrDuplicate, Outcome: refund.OutcomeRejected, Code: "POSSIBLE_DUPLICATE_REFUND"}
	}
}

func TestNotSentThenSuccess(t *testing.T) {
	t.Parallel()
	var bodies []string
	keep := func(r *http.Request) (*http.Response, error) {
		bodies = append(bodies, bodyOf(t, r))
		return answer(201, `{"id":"r-1"}`), nil
	}
	res, err := do(t.Context(), newClient(t, play(t, notSent, notSent, keep), noWait), write(Pays))
	require.NoError(t, err)
	assert.Equal(t, 201, res.Status)
	assert.JSONEq(t, `{"id":"r-1"}`, string(res.Body))
	assert.Equal(t, []string{`{"amount":1}`}, bodies)
}

// Each attempt carries the whole body.
func TestRetryRepeatsTheBody(t *testing.T) {
	t.Parallel()
	var bodies []string
	keep := func(status int) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			bodies = append(bodies, bodyOf(t, r))
			return answer(status, "{}"), nil
		}
	}
	_, err := do(t.Context(), newClient(t, play(t, keep(503), keep(503), keep(200)), noWait), write(PaysOnce))
	require.NoError(t, err)
	assert.Equal(t, []string{`{"amount":1}`, `{"amount":1}`, `{"amount":1}`}, bodies)
}

func TestMaxAttempts(t *testing.T) {
	t.Parallel()
	for set, want := range map[int]int{0: 3, 1: 1, -1: 1, -100: 1, 2: 2, 5: 5} {
		mock := canned(t, answer(503, ""), answer(503, ""), answer(503, ""), answer(503, ""), answer(503, ""))
		c := newClient(t, mock, noWait, func(cfg *Config) { cfg.Options.Retry.MaxAttempts = set })
		e := failed(t.Context(), t, c, write(PaysOnce))
		assert.Equal(t, want, e.Attempts, "MaxAttempts %d", set)
		assert.Equal(t, want, mock.GetTotalCallCount(), "MaxAttempts %d", set)
	}
}

func TestBackoffIsFullJitter(t *testing.T) {
	t.Parallel()
	const lo, hi = 500 * time.Millisecond, 10 * time.Second
	for attempt, span := range []time.Duration{lo, 2 * lo, 4 * lo, 8 * lo, 16 * lo, hi, hi} {
		least, most := time.Duration(1<<62), time.Duration(0)
		for range 1000 {
			wait := backoff(lo, hi, attempt, nil)
			least, most = min(least, wait), max(most, wait)
		}
		assert.GreaterOrEqual(t, least, time.Duration(0))
		assert.Less(t, most, span, "attempt %d", attempt)
		// The whole range is used: 1000 draws that all miss a quarter of it are one in 10^125.
		assert.Less(t, least, span/4, "attempt %d", attempt)
		assert.Greater(t, most, 3*span/4, "attempt %d", attempt)
	}
	for _, tt := range []struct {
		lo, hi  time.Duration
		attempt int
		most    time.Duration
	}{
		{0, hi, 0, 0},
		{lo, 0, 0, 0},
		{0, 0, 5, 0},
		{hi, lo, 0, lo}, // the cap holds
		{lo, hi, 31, hi},
		{lo, hi, 1000, hi},
		{1, 1 << 62, 62, 1 << 62},
	} {
		wait := backoff(tt.lo, tt.hi, tt.attempt, nil)
		assert.GreaterOrEqual(t, wait, time.Duration(0))
		assert.LessOrEqual(t, wait, tt.most)
	}
}

// Between the attempts there is a wait, and none after the last one.
func TestWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := play(t, replies(503, ""), replies(503, ""), replies(503, ""))
		mustFail(t.Context(), t, newClient(t, rt), write(PaysOnce))
		assert.Less(t, rt.at[1].Sub(rt.at[0]), defaultMinDelay)
		assert.Less(t, rt.at[2].Sub(rt.at[1]), 2*defaultMinDelay)
		assert.Zero(t, time.Since(rt.at[2]), "nothing is worth waiting for after the last attempt")

		began := time.Now()
		mustFail(t.Context(), t, newClient(t, play(t, replies(422, ""))), write(PaysOnce))
		mustFail(t.Context(), t, newClient(t, play(t, lost)), write(Pays))
		late := func(*http.Request) (*http.Response, error) {
			return withHeader(answer(503, ""), "Retry-After", "5"), nil
		}
		mustFail(t.Context(), t, newClient(t, play(t, late), once), write(PaysOnce))
		assert.Zero(t, time.Since(began))
	})
}

func TestContextEndedBefore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	authorized := false
	c := newClient(t, play(t), func(cfg *Config) {
		cfg.Authorize = func(context.Context, http.Header) error { authorized = true; return nil }
	})
	e := failed(ctx, t, c, write(Pays))
	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	assert.Zero(t, e.Attempts)
	require.ErrorIs(t, e, context.Canceled)
	assert.False(t, authorized, "no I/O at all")

	call := write(Pays)
	call.Attempt.Tries = 1
	e = failed(ctx, t, c, call)
	assert.Equal(t, refund.OutcomeUnknown, e.Outcome, "an earlier call's fate is as unknown as before")
	assert.Equal(t, call.Attempt, e.Attempt)

	call.Effect = Harmless
	assert.Equal(t, refund.OutcomeNotSent, failed(ctx, t, c, call).Outcome)
}

// The context may end while the credentials are fetched.
func TestContextEndedByAuthorize(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := newClient(t, &http.Transport{}, func(cfg *Config) {
		cfg.Authorize = func(context.Context, http.Header) error { cancel(); return nil }
	})
	e := failed(ctx, t, c, write(Pays))
	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	require.ErrorIs(t, e, context.Canceled)
}

func TestContextEndsDuringTheCall(t *testing.T) {
	t.Parallel()
	for _, effect := range []Effect{Pays, PaysOnce} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			began := time.Now()
			e := failed(ctx, t, newClient(t, play(t, hangs)), write(effect))
			assert.Equal(t, 3*time.Second, time.Since(began))
			assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
			require.ErrorIs(t, e, context.DeadlineExceeded)
			assert.Equal(t, 1, e.Attempts)
		})
	}
}

// A wait ends with the context, and what the last attempt said stays.
func TestContextEndsWhileWaiting(t *testing.T) {
	t.Parallel()
	wait := func(r *http.Response) roundTrip {
		return func(*http.Request) (*http.Response, error) { return withHeader(r, "Retry-After", "8"), nil }
	}
	tests := map[string]struct {
		step   roundTrip
		want   refund.Outcome
		status int
		change func(*Config)
	}{
		"after a failure":      {wait(answer(503, `{"code":"down"}`)), refund.OutcomeUnknown, 503, nil},
		"after a turning away": {wait(answer(429, `{"code":"slow"}`)), refund.OutcomeRejected, 429, throttledFirst},
	}
	for name, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(2*time.Second, cancel)
			change := tt.change
			if change == nil {
				change = func(*Config) {}
			}
			began := time.Now()
			e := failed(ctx, t, newClient(t, play(t, tt.step), change), write(PaysOnce))
			assert.Equal(t, 2*time.Second, time.Since(began), name)
			assert.Equal(t, tt.want, e.Outcome, name)
			assert.Equal(t, tt.status, e.HTTPStatus, name)
			assert.NotEmpty(t, e.Code, name)
			assert.Equal(t, 8*time.Second, e.RetryAfter, name)
			require.ErrorIs(t, e, context.Canceled, name)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		slow := func(cfg *Config) { cfg.Options.Retry.MinDelay, cfg.Options.Retry.MaxDelay = time.Hour, time.Hour }
		e := failed(ctx, t, newClient(t, play(t, notSent), slow), write(Pays))
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
		require.ErrorIs(t, e, context.DeadlineExceeded)
	})
}

// A retry that comes due as the context ends is not made, and does not turn what is known into unknown.
func TestContextEndsAsTheRetryIsDue(t *testing.T) {
	t.Parallel()
	c := newClient(t, play(t), noWait)
	ctx, cancel := context.WithCancel(t.Context())
	x := &exchange{Context: ctx, op: c.Op("refund", refund.Attempt{}), call: write(Pays).Call}
	ctx = x
	x.begin()
	x.evidence.asked.Store(true)
	x.end(time.Now(), errReset)
	cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, testBase, nil)
	require.NoError(t, err)

	resp, err := attempts{client: c, next: play(t)}.RoundTrip(req)

	require.ErrorIs(t, err, context.Canceled)
	assert.Nil(t, resp)
	e := x.failure(ctx.Err(), err)
	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	assert.Equal(t, 1, e.Attempts)
}

func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	const forever = 24 * time.Hour
	documented := func(cfg *Config) {
		cfg.ConnectTimeout, cfg.WriteTimeout, cfg.ReadTimeout = 10*time.Second, 70*time.Second, 20*time.Second
	}
	tests := map[string]struct {
		change func(*Config)
		call   *operation
		want   time.Duration
	}{
		"documented, write":  {documented, write(Pays), 80 * time.Second},
		"documented, read":   {documented, read(), 30 * time.Second},
		"none documented":    {func(*Config) {}, write(Pays), forever},
		"connect is default": {func(cfg *Config) { cfg.WriteTimeout = time.Second }, write(Pays), defaultConnectTimeout + time.Second},
		"connect is set": {func(cfg *Config) {
			documented(cfg)
			cfg.Options.ConnectTimeout = 2 * time.Second
		}, write(Pays), 72 * time.Second},
		"connect has no limit": {func(cfg *Config) {
			documented(cfg)
			cfg.Options.ConnectTimeout = -1
		}, write(Pays), 70 * time.Second},
		"set": {func(cfg *Config) {
			documented(cfg)
			cfg.Options.AttemptTimeout = 5 * time.Second
		}, write(Pays), 5 * time.Second},
		"no limit": {func(cfg *Config) {
			documented(cfg)
			cfg.Options.AttemptTimeout = -1
		}, write(Pays), forever},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), forever)
				defer cancel()
				began := time.Now()
				e := failed(ctx, t, newClient(t, play(t, hangs), once, tt.change), tt.call)
				assert.Equal(t, tt.want, time.Since(began))
				require.ErrorIs(t, e, context.DeadlineExceeded)
				assert.Equal(t, refund.ErrUnavailable, e.Kind)
			})
		})
	}
}

// The timeout is of one attempt, not of the call.
func TestTimedOutAttemptIsRepeatedWhereAllowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, play(t, hangs, hangs, replies(200, "{}")), noWait, func(cfg *Config) { cfg.Options.AttemptTimeout = time.Minute })
		began := time.Now()
		_, err := do(t.Context(), c, write(PaysOnce))
		require.NoError(t, err)
		assert.Equal(t, 2*time.Minute, time.Since(began))
	})
}

// What Resolve gets to work with.
func TestAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		took := func(d time.Duration, then roundTrip) roundTrip {
			return func(r *http.Request) (*http.Response, error) {
				<-time.After(d) // on the bubble's clock
				return then(r)
			}
		}
		began := time.Now()
		steps := []roundTrip{took(time.Second, notSent), took(2*time.Second, lost), took(4*time.Second, replies(503, ""))}
		call := write(PaysOnce)
		call.Attempt.Snapshot = "b"

		e := failed(t.Context(), t, newClient(t, play(t, steps...), noWait), call)

		assert.Equal(t, refund.Attempt{
			Request: call.Attempt.Request, Snapshot: "b", Tries: 2,
			FirstSent: began.Add(time.Second), LastSent: began.Add(7 * time.Second),
		}, e.Attempt)
		assert.Equal(t, 3, e.Attempts)

		// A later call goes on from there.
		again := write(PaysOnce)
		again.Attempt = e.Attempt
		later := failed(t.Context(), t, newClient(t, play(t, took(time.Second, lost)), once), again)
		assert.Equal(t, 3, later.Attempt.Tries)
		assert.Equal(t, e.Attempt.FirstSent, later.Attempt.FirstSent)
		assert.Equal(t, began.Add(8*time.Second), later.Attempt.LastSent)
		assert.Equal(t, 1, later.Attempts)

		// Whatever its failure says, it does not say what became of the first.
		for _, step := range []roundTrip{notSent, replies(422, `{"code":"already_refunded"}`)} {
			later = failed(t.Context(), t, newClient(t, play(t, step), once), again)
			assert.Equal(t, refund.OutcomeUnknown, later.Outcome)
			assert.Equal(t, e.Attempt.FirstSent, later.Attempt.FirstSent)
		}
		later = failed(t.Context(), t, newClient(t, play(t, notSent), once), again)
		assert.Equal(t, e.Attempt, later.Attempt, "nothing went out this time")

		// Known outcomes need none.
		e = failed(t.Context(), t, newClient(t, play(t, replies(422, `{"code":"no"}`))), write(Pays))
		assert.Zero(t, e.Attempt)
		e = failed(t.Context(), t, newClient(t, play(t, notSent), once), write(Pays))
		assert.Zero(t, e.Attempt)
	})
}

func TestUnreadableSuccess(t *testing.T) {
	t.Parallel()
	call := write(PaysOnce)
	call.Attempt.Request.Reason = "a broken kettle"
	ok := func(*http.Request) (*http.Response, error) {
		return withHeader(answer(201, `{"id":7}`), "X-Request-Id", "r-2"), nil
	}
	c := newClient(t, play(t, lost, ok), noWait)
	res, err := do(t.Context(), c, call)
	require.NoError(t, err)

	e := asError(t, res.Unreadable("no id, only a %s", "broken kettle"))

	assert.Equal(t, refund.OutcomeUnknown, e.Outcome, "the provider probably did it")
	assert.Equal(t, refund.ErrUnexpected, e.Kind)
	assert.Equal(t, 201, e.HTTPStatus)
	assert.Equal(t, "r-2", e.RequestID)
	assert.Equal(t, 2, e.Attempts)
	assert.Equal(t, 2, e.Attempt.Tries)
	assert.Equal(t, call.Attempt.Request, e.Attempt.Request)
	assert.Equal(t, `{"id":7}`, string(e.Raw))
	assert.NotContains(t, e.Error(), "kettle")

	var v struct{ ID string }
	e = asError(t, res.Decode(&v))
	assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
	var good struct{ ID int }
	require.NoError(t, res.Decode(&good))
	assert.Equal(t, 7, good.ID)

	res, err = do(t.Context(), newClient(t, play(t, replies(200, "<html>"))), read())
	require.NoError(t, err)
	assert.Equal(t, refund.OutcomeRejected, asError(t, res.Decode(&v)).Outcome, "a read moves nothing")
}

func TestRetryAfterValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = time.Duration(1<<63 - 1)
		for value, want := range map[string]time.Duration{
			"": 0, "0": 0, "-5": 0, "5": 5 * time.Second, "86400": 24 * time.Hour, "soon": 0, "1.5": 0,
			"9223372036": 9223372036 * time.Second, "9223372037": most,
			"9223372036854775807": most, "99999999999999999999": most, "-99999999999999999999": 0,
			time.Now().Add(time.Minute).UTC().Format(http.TimeFormat):  time.Minute,
			time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat): 0,
		} {
			assert.Equal(t, want, retryAfter(http.Header{"Retry-After": {value}}), "%q", value)
		}
		assert.Zero(t, retryAfter(nil))
	})
}

// No delay at all also means none on request.
func TestNegativeMaxDelay(t *testing.T) {
	t.Parallel()
	slow := withHeader(answer(503, ""), "Retry-After", "1")
	c := newClient(t, canned(t, slow), func(cfg *Config) { cfg.Options.Retry.MaxDelay = -1 })
	e := failed(t.Context(), t, c, write(PaysOnce))
	assert.Equal(t, time.Second, e.RetryAfter)
	assert.Equal(t, 1, e.Attempts)
}

func TestErrorKeepsItsCause(t *testing.T) {
	t.Parallel()
	e := failed(t.Context(), t, newClient(t, play(t, fails(errReset))), write(Pays))
	require.ErrorIs(t, e, errReset)
	require.ErrorIs(t, e, refund.ErrUnavailable)
	assert.Equal(t, "refund", e.Op)
	assert.Equal(t, "test", e.Provider)
	require.NotErrorIs(t, e, context.Canceled)
}
