package decide

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const absenceAfter = time.Hour

// operation is one of a client that never sends: looks are made up here.
func operation(t *testing.T, name string, a refund.Attempt, change ...func(*refund.Options)) *httpx.Op {
	t.Helper()
	opts := refund.Options{Account: "shop-au"}
	for _, f := range change {
		f(&opts)
	}
	client, err := httpx.New(httpx.Config{Provider: "test", BaseURL: "https://provider.test", Options: opts})
	require.NoError(t, err)
	return client.Op(name, a)
}

func request() refund.Request {
	return refund.Request{IdempotencyKey: "key-1", Order: refund.Order{ID: "o-1"}, Amount: refund.MustParseMoney("10.00", "AUD")}
}

// shows is a look that shows seen, and fails if it is asked about anything but o.
func shows(t *testing.T, o *httpx.Op, seen Sighting) Look {
	t.Helper()
	return func(ctx context.Context, asked *httpx.Op) (Sighting, error) {
		assert.Same(t, o, asked)
		assert.Equal(t, t.Context(), ctx)
		return seen, nil
	}
}

// twice is what a read shows of refunds with these ids.
func twice(ids ...string) (seen Sighting) {
	for _, id := range ids {
		seen.Found(&refund.Refund{ID: id})
	}
	return seen
}

func fails(err error) Look {
	return func(context.Context, *httpx.Op) (Sighting, error) { return Sighting{}, err }
}

func asError(t *testing.T, err error) *refund.Error {
	t.Helper()
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, []string{"test", "shop-au", "key-1"}, []string{e.Provider, e.Account, e.IdempotencyKey})
	return e
}

func TestBefore(t *testing.T) {
	t.Parallel()
	again := time.Date(2026, 4, 16, 10, 30, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		seen  Sighting
		found bool
		kind  refund.Kind
	}{
		"nothing":                           {seen: Sighting{}},
		"nothing, but it proves nothing":    {seen: Sighting{Doubt: "lags"}},
		"nothing, but one that may be it":   {seen: Sighting{Others: []Other{{Refund: &refund.Refund{ID: "r-2"}}}}},
		"nothing, but the doubt will go":    {seen: Sighting{Doubt: "lags", Again: again}},
		"the refund":                        {seen: Sighting{Refund: &refund.Refund{ID: "r-1"}}, found: true},
		"the refund, and a doubt":           {seen: Sighting{Refund: &refund.Refund{ID: "r-1"}, Doubt: "lags"}, found: true},
		"two refunds with the key":          {seen: twice("r-1", "r-2"), kind: refund.ErrDuplicate},
		"two refunds, and something else":   {seen: Sighting{Refund: &refund.Refund{ID: "r-1"}, Twice: twice("r-1", "r-2").Twice, Clash: "another amount"}, kind: refund.ErrDuplicate},
		"the refund, and something else":    {seen: Sighting{Refund: &refund.Refund{ID: "r-1"}, Clash: "two"}, kind: refund.ErrDuplicate},
		"something else in its place":       {seen: Sighting{Clash: "another amount"}, kind: refund.ErrKeyReused},
		"something else, and a doubt":       {seen: Sighting{Clash: "another amount", Doubt: "lags"}, kind: refund.ErrKeyReused},
		"two refunds, and a doubt":          {seen: Sighting{Refund: &refund.Refund{ID: "r-1"}, Clash: "two", Doubt: "lags"}, kind: refund.ErrDuplicate},
		"something else, and it may change": {seen: Sighting{Clash: "another amount", Again: again}, kind: refund.ErrKeyReused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := operation(t, "refund", refund.Attempt{Request: request()})
			got, err := Before(t.Context(), o, shows(t, o, tt.seen))
			if tt.kind == 0 {
				require.NoError(t, err)
				if !tt.found {
					assert.Nil(t, got, "absence: it is sent")
					return
				}
				assert.Same(t, tt.seen.Refund, got)
				assert.True(t, got.Replayed, "nothing was sent now")
				return
			}
			assert.Nil(t, got)
			e := asError(t, err)
			assert.Equal(t, refund.OutcomeUnknown, e.Outcome, "what the key was used for may have been paid")
			assert.Equal(t, tt.kind, e.Kind)
			assert.Equal(t, "refund", e.Op)
			assert.Equal(t, "IdempotencyKey", e.Field)
			if len(tt.seen.Twice) > 0 {
				assert.Contains(t, e.Message, `"r-1", "r-2"`)
			} else {
				assert.Contains(t, e.Message, tt.seen.Clash)
			}
			assert.Zero(t, e.Attempt, "nothing was sent that could be resolved")
			if tt.seen.Refund != nil {
				assert.False(t, tt.seen.Refund.Replayed)
			}
		})
	}
}

// A refusal that the refund itself may have caused is looked up before it is believed; any other answer stands.
func TestAfter(t *testing.T) {
	t.Parallel()
	paid := func() Sighting { return Sighting{Refund: &refund.Refund{ID: "r-1"}} }
	caused := []refund.Kind{
		refund.ErrAmountExceeded, refund.ErrDuplicate, refund.ErrConflict, refund.ErrLocked, refund.ErrNotRefundable, refund.ErrUnexpected,
	}
	for name, tt := range map[string]struct {
		seen  Sighting
		err   error
		found bool
		want  refund.Outcome
	}{
		"it is there":             {seen: paid(), found: true},
		"it is there, in doubt":   {seen: Sighting{Refund: paid().Refund, Doubt: "lags"}, found: true},
		"nothing is there":        {want: refund.OutcomeRejected},
		"that proves nothing":     {seen: Sighting{Doubt: "lags"}, want: refund.OutcomeUnknown},
		"one may be it":           {seen: Sighting{Others: []Other{{Refund: &refund.Refund{ID: "r-2"}}}}, want: refund.OutcomeUnknown},
		"it is there beside one":  {seen: Sighting{Refund: paid().Refund, Others: []Other{{Refund: &refund.Refund{ID: "r-2"}}}}, found: true},
		"another is in its place": {seen: Sighting{Refund: paid().Refund, Clash: "another amount"}, want: refund.OutcomeUnknown},
		"it is there twice":       {seen: twice("r-1", "r-2"), want: refund.OutcomeUnknown},
		"looking fails":           {err: errors.New("down"), want: refund.OutcomeUnknown},
	} {
		for _, kind := range caused {
			o := operation(t, "refund", refund.Attempt{Request: request()})
			refused := &refund.Error{Kind: kind, Outcome: refund.OutcomeRejected, HTTPStatus: 422, Code: "no"}
			got, err := After(t.Context(), o, func(_ context.Context, asked *httpx.Op) (Sighting, error) {
				assert.Positive(t, asked.Attempt.Tries, "it is asked about one that was sent")
				assert.False(t, asked.Attempt.LastSent.IsZero())
				seen := tt.seen
				if seen.Refund != nil {
					seen.Refund = &refund.Refund{ID: seen.Refund.ID}
				}
				return seen, tt.err
			}, refused)
			if tt.found {
				require.NoError(t, err, name)
				assert.Equal(t, "r-1", got.ID, name)
				assert.Len(t, got.Warnings, 1, name)
				continue
			}
			assert.Nil(t, got, name)
			var e *refund.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, []any{tt.want, kind, "no"}, []any{e.Outcome, e.Kind, e.Code}, name)
			assert.Equal(t, tt.want == refund.OutcomeUnknown, e.Attempt.Tries > 0, "%s: what is unknown can be resolved", name)
		}
	}

	o := operation(t, "refund", refund.Attempt{Request: request()})
	for _, e := range []*refund.Error{
		{Kind: refund.ErrInvalidRequest, Outcome: refund.OutcomeRejected},
		{Kind: refund.ErrUnauthorized, Outcome: refund.OutcomeRejected},
		{Kind: refund.ErrAmountExceeded, Outcome: refund.OutcomeUnknown},
		{Kind: refund.ErrAmountExceeded, Outcome: refund.OutcomeNotSent},
	} {
		_, err := After(t.Context(), o, func(context.Context, *httpx.Op) (Sighting, error) {
			assert.Fail(t, "it asks", "%v", e)
			return paid(), nil
		}, e)
		assert.Same(t, e, err)
	}
}

// A look that fails before anything is sent is told from one that fails while resolving: the first moved nothing.
func TestLookFails(t *testing.T) {
	t.Parallel()
	failure := func() *refund.Error {
		return &refund.Error{Kind: refund.ErrUnavailable, Outcome: refund.OutcomeRejected, HTTPStatus: 503, Message: "down"}
	}
	original := failure()
	asked := refund.Attempt{Request: request(), Tries: 1, LastSent: time.Unix(7, 0), MissedAt: time.Unix(8, 0)}
	for name, err := range map[string]error{"its own": original, "wrapped": fmt.Errorf("page 2: %w", original)} {
		got, before := Before(t.Context(), operation(t, "refund", refund.Attempt{Request: request()}), fails(err))
		assert.Nil(t, got, name)
		e := asError(t, before)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome, name)
		assert.Equal(t, refund.ErrUnavailable, e.Kind, name)
		assert.Equal(t, 503, e.HTTPStatus, name)
		assert.Equal(t, "refund", e.Op, name)
		assert.Zero(t, e.Attempt, name)

		resolution, resolve := Resolve(t.Context(), operation(t, "resolve", asked), fails(err))
		assert.Zero(t, resolution, name)
		e = asError(t, resolve)
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome, "%s: as unknown as before", name)
		assert.Equal(t, refund.ErrUnavailable, e.Kind, name)
		assert.Equal(t, 503, e.HTTPStatus, name)
		assert.Equal(t, "resolve", e.Op, name)
		assert.Equal(t, asked, e.Attempt, name)

		younger := failure()
		younger.Attempt = asked
		younger.Attempt.Tries = 2
		_, resolve = Resolve(t.Context(), operation(t, "resolve", asked), fails(younger))
		assert.Equal(t, younger.Attempt, asError(t, resolve).Attempt, "what was sent since is younger")
	}
	assert.Equal(t, failure(), original, "the look's error is not modified")

	_, err := Before(t.Context(), operation(t, "refund", refund.Attempt{Request: request()}), fails(errors.New("odd")))
	assert.Equal(t, refund.OutcomeNotSent, asError(t, err).Outcome)
	_, err = Resolve(t.Context(), operation(t, "resolve", asked), fails(errors.New("odd")))
	assert.Equal(t, refund.OutcomeUnknown, asError(t, err).Outcome)
}

func TestJudge(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 4, 16, 10, 30, 0, 0, time.UTC)
	settled := sent.Add(absenceAfter)
	later := settled.Add(24 * time.Hour)
	found, second := &refund.Refund{ID: "r-1"}, []*refund.Refund{{ID: "r-2"}}
	stranger := []Other{{Refund: &refund.Refund{ID: "r-3"}}}
	const (
		undetermined, applied, notApplied = refund.VerdictUndetermined, refund.VerdictApplied, refund.VerdictNotApplied
		ms                                = time.Millisecond
	)
	person := time.Time{}
	for name, tt := range map[string]struct {
		never      bool      // when it was last sent is not known
		missed     time.Time // an earlier look's
		seen       Sighting
		now        time.Time
		verdict    refund.Verdict
		notBefore  time.Time
		missedThen time.Time
	}{
		"found":                               {seen: Sighting{Refund: found}, now: later, verdict: applied},
		"found soon":                          {seen: Sighting{Refund: found}, now: sent, verdict: applied},
		"found, after a miss":                 {seen: Sighting{Refund: found}, missed: settled, now: later, verdict: applied},
		"found, and a doubt":                  {seen: Sighting{Refund: found, Doubt: "lags", Again: later.Add(1)}, now: later, verdict: applied},
		"found, and never known to be sent":   {seen: Sighting{Refund: found}, never: true, now: later, verdict: applied},
		"clash":                               {seen: Sighting{Clash: "another amount"}, now: later, notBefore: person},
		"clash, soon":                         {seen: Sighting{Clash: "another amount"}, now: sent, notBefore: person},
		"clash, after a miss":                 {seen: Sighting{Clash: "another amount"}, missed: settled, now: later, notBefore: person},
		"clash, and never known to be sent":   {seen: Sighting{Clash: "another amount"}, never: true, now: later, notBefore: person},
		"clash, and a doubt that may go":      {seen: Sighting{Clash: "another amount", Doubt: "lags", Again: later.Add(1)}, now: later, notBefore: person},
		"found, and a clash":                  {seen: Sighting{Refund: found, Clash: "two"}, now: later, notBefore: person},
		"found, and a clash, soon":            {seen: Sighting{Refund: found, Clash: "two"}, now: sent, notBefore: person},
		"two of them":                         {seen: Sighting{Refund: found, Twice: second}, now: later, verdict: applied},
		"two of them, soon":                   {seen: Sighting{Refund: found, Twice: second}, now: sent, verdict: applied},
		"two of them, and a clash":            {seen: Sighting{Refund: found, Twice: second, Clash: "another amount"}, now: later, notBefore: person},
		"absent, never known to be sent":      {never: true, now: later, notBefore: person},
		"never known to be sent, missed":      {never: true, missed: settled, now: later, notBefore: person},
		"the same, with a doubt that may go":  {never: true, seen: Sighting{Doubt: "lags", Again: later.Add(1)}, now: later, notBefore: person},
		"absent at once":                      {now: sent, notBefore: sent.Add(10 * time.Second)},
		"absent after 9 s":                    {now: sent.Add(9 * time.Second), notBefore: sent.Add(19 * time.Second)},
		"absent after 10 s":                   {now: sent.Add(10 * time.Second), notBefore: sent.Add(20 * time.Second)},
		"absent after 11 s":                   {now: sent.Add(11 * time.Second), notBefore: sent.Add(22 * time.Second)},
		"absent after 20 min":                 {now: sent.Add(20 * time.Minute), notBefore: sent.Add(40 * time.Minute)},
		"absent after 30 min":                 {now: sent.Add(30 * time.Minute), notBefore: settled},
		"absent after 31 min":                 {now: sent.Add(31 * time.Minute), notBefore: settled},
		"absent a moment too soon":            {now: settled.Add(-1), notBefore: settled},
		"absent before it was sent":           {now: sent.Add(-5 * time.Minute), notBefore: sent.Add(-5*time.Minute + 10*time.Second)}, // the clock has stepped back
		"absent soon, and a doubt":            {seen: Sighting{Doubt: "lags"}, now: sent.Add(time.Minute), notBefore: sent.Add(2 * time.Minute)},
		"absent soon, a doubt that may go":    {seen: Sighting{Doubt: "lags", Again: later}, now: sent.Add(time.Minute), notBefore: sent.Add(2 * time.Minute)},
		"absent soon, after a miss":           {missed: sent.Add(-time.Minute), now: sent.Add(time.Minute), notBefore: sent.Add(2 * time.Minute)},
		"absent, and a doubt":                 {seen: Sighting{Doubt: "lags"}, now: later, notBefore: person},
		"absent, and a doubt that may go":     {seen: Sighting{Doubt: "lags", Again: later.Add(1)}, now: later, notBefore: later.Add(1)},
		"a doubt, after a miss":               {seen: Sighting{Doubt: "lags"}, missed: settled, now: later, notBefore: person},
		"a doubt that may go, after a miss":   {seen: Sighting{Doubt: "lags", Again: later.Add(1)}, missed: settled, now: later, notBefore: later.Add(1)},
		"absent soon, and one may be it":      {seen: Sighting{Others: stranger}, now: sent.Add(time.Minute), notBefore: sent.Add(2 * time.Minute)},
		"absent, and one may be it":           {seen: Sighting{Others: stranger}, now: later, notBefore: person},
		"the same, after a miss":              {seen: Sighting{Others: stranger}, missed: settled, now: later, notBefore: person},
		"the same, and a doubt that may go":   {seen: Sighting{Others: stranger, Doubt: "lags", Again: later.Add(1)}, now: later, notBefore: person},
		"found, and one may be it":            {seen: Sighting{Refund: found, Others: stranger}, now: later, verdict: applied},
		"absent for the first time":           {now: settled, notBefore: settled.Add(time.Minute), missedThen: settled},
		"the same, long after":                {now: later, notBefore: later.Add(time.Minute), missedThen: later},
		"absent again at once":                {missed: later, now: later, notBefore: later.Add(time.Minute), missedThen: later},
		"absent again, 59.999 s later":        {missed: later, now: later.Add(time.Minute - ms), notBefore: later.Add(time.Minute), missedThen: later},
		"absent again, a minute later":        {missed: later, now: later.Add(time.Minute), verdict: notApplied},
		"absent again, a day later":           {missed: settled, now: later, verdict: notApplied},
		"missed as soon as it counts":         {missed: settled, now: settled.Add(time.Minute), verdict: notApplied},
		"missed a moment too soon":            {missed: settled.Add(-1), now: later, notBefore: later.Add(time.Minute), missedThen: later},
		"missed before it was sent again":     {missed: sent.Add(-time.Hour), now: later, notBefore: later.Add(time.Minute), missedThen: later},
		"missed soon after it was sent again": {missed: sent.Add(time.Minute), now: later, notBefore: later.Add(time.Minute), missedThen: later},
		// The clock has stepped back since: nothing is said to be a minute apart that is not.
		"missed in the future": {missed: later.Add(time.Hour), now: later, notBefore: later.Add(time.Minute), missedThen: later},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := refund.Attempt{
				LookOnly: true, Request: request(), Snapshot: "s", Answered: true, FirstSent: sent.Add(-time.Hour), LastSent: sent, Tries: 2, MissedAt: tt.missed,
			}
			if tt.never {
				asked.LastSent = time.Time{}
			}
			a := asked

			got := judge(&a, absenceAfter, &tt.seen, tt.now)

			assert.Equal(t, asked, a, "the caller's Attempt is not modified")
			assert.Equal(t, tt.verdict.String(), got.Verdict.String())
			assert.Equal(t, tt.notBefore, got.NotBefore)
			assert.NotEmpty(t, got.Why)
			want := asked
			want.MissedAt = tt.missedThen
			assert.Equal(t, want, got.Attempt)
			if tt.verdict == applied {
				assert.Same(t, found, got.Refund)
				assert.False(t, got.Refund.Replayed, "it was sent for this Attempt")
				assert.Equal(t, tt.seen.Twice, got.Duplicates)
			} else {
				assert.Nil(t, got.Refund)
				assert.Nil(t, got.Duplicates)
			}
			switch {
			case tt.seen.Clash != "":
				assert.Contains(t, got.Why, tt.seen.Clash)
			case len(tt.seen.Twice) > 0:
				assert.Contains(t, got.Why, `"r-1", "r-2"`)
			case len(tt.seen.Others) > 0 && got.Verdict == undetermined && !tt.now.Before(settled):
				assert.Contains(t, got.Why, `"r-3"`)
			case tt.seen.Doubt != "" && got.Verdict == undetermined && !tt.never && !tt.now.Before(settled):
				assert.Contains(t, got.Why, tt.seen.Doubt)
			}
		})
	}
}

// A refund of the order that does not have the key may be the one that is looked for all the same.
func TestOthers(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 4, 16, 10, 30, 0, 0, time.UTC)
	other := func(change ...func(*Other)) Other {
		o := Other{Refund: &refund.Refund{ID: "r-2", IdempotencyKey: "key-2", Amount: request().Amount, CreatedAt: sent}, Marked: true}
		for _, f := range change {
			f(&o)
		}
		return o
	}
	unmarked := func(o *Other) { o.Marked, o.IdempotencyKey = false, "" }
	foreign := func(o *Other) { o.IdempotencyKey = "" } // marked with what is no key, or a key that was cut
	nameless := func(o *Other) { o.ID = "" }
	of := func(amount, currency string) func(*Other) {
		return func(o *Other) { o.Amount = refund.MustParseMoney(amount, currency) }
	}
	unstated := func(o *Other) { o.Amount = refund.Money{} }
	made := func(at time.Time) func(*Other) { return func(o *Other) { o.CreatedAt = at } }
	is := func(status refund.Status) func(*Other) { return func(o *Other) { o.Status = status } }
	const hour = time.Hour
	none := []refund.Known{}
	for name, tt := range map[string]struct {
		other Other
		known []refund.Known
		never bool // when it was first sent is not known
		maybe bool
	}{
		"another key":                    {other: other()},
		"another marker":                 {other: other(foreign)},
		"no marker":                      {other: other(unmarked), maybe: true},
		"no marker, another amount":      {other: other(unmarked, of("10.01", "AUD"))},
		"no marker, another currency":    {other: other(unmarked, of("10.00", "NZD")), maybe: true},
		"no marker, no decimals":         {other: other(unmarked, of("10", "JPY")), maybe: true},
		"no marker, no amount":           {other: other(unmarked, unstated), maybe: true},
		"no marker, zero":                {other: other(unmarked, of("0.00", "AUD"))},
		"no marker, failed":              {other: other(unmarked, is(refund.StatusFailed))},
		"no marker, canceled":            {other: other(unmarked, is(refund.StatusCanceled))},
		"no marker, expired":             {other: other(unmarked, is(refund.StatusExpired))},
		"no marker, pending":             {other: other(unmarked, is(refund.StatusPending)), maybe: true},
		"no marker, made before":         {other: other(unmarked, made(sent.Add(-hour-1)))},
		"no marker, by a clock behind":   {other: other(unmarked, made(sent.Add(-hour))), maybe: true},
		"no marker, made later":          {other: other(unmarked, made(sent.Add(24*hour))), maybe: true},
		"no marker, no date":             {other: other(unmarked, made(time.Time{})), maybe: true},
		"no marker, never sent":          {other: other(unmarked, made(sent.Add(-1000*hour))), never: true, maybe: true},
		"none known":                     {other: other(), known: none, maybe: true},
		"none known, another marker":     {other: other(foreign), known: none, maybe: true},
		"none known, no marker":          {other: other(unmarked), known: none, maybe: true},
		"none known, another amount":     {other: other(of("9.99", "AUD")), known: none},
		"none known, no amount":          {other: other(unstated), known: none, maybe: true},
		"none known, failed":             {other: other(is(refund.StatusFailed)), known: none},
		"none known, made before":        {other: other(made(sent.Add(-hour - 1))), known: none},
		"none known, no date":            {other: other(made(time.Time{})), known: none, maybe: true},
		"known by key":                   {other: other(), known: []refund.Known{{Key: "key-0"}, {Key: "key-2"}}},
		"known by id":                    {other: other(foreign), known: []refund.Known{{Key: "key-7", RefundID: "r-2"}}},
		"known by id, no marker":         {other: other(unmarked), known: []refund.Known{{RefundID: "r-2"}}},
		"another known":                  {other: other(), known: []refund.Known{{Key: "key-3", RefundID: "r-3"}}, maybe: true},
		"its id is another's key":        {other: other(), known: []refund.Known{{Key: "r-2", RefundID: "key-2"}}, maybe: true},
		"nothing is known by no id":      {other: other(foreign, nameless), known: []refund.Known{{Key: "key-3"}}, maybe: true},
		"nothing is known by no key":     {other: other(unmarked), known: []refund.Known{{RefundID: "r-3"}}, maybe: true},
		"a key is not known by its case": {other: other(), known: []refund.Known{{Key: "KEY-2"}}, maybe: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := refund.Attempt{Request: request(), FirstSent: sent, LastSent: sent, Known: tt.known}
			if tt.never {
				a.FirstSent = time.Time{}
			}
			later := sent.Add(48 * hour)
			a.MissedAt = later.Add(-hour)
			seen := Sighting{Others: []Other{other(of("1.00", "AUD")), tt.other}}
			got := judge(&a, absenceAfter, &seen, later)
			assert.Equal(t, tt.maybe, got.Verdict == refund.VerdictUndetermined, got.Why)
			assert.Equal(t, !tt.maybe, got.Verdict == refund.VerdictNotApplied)
			assert.True(t, got.NotBefore.IsZero(), "asking again does not help")
			assert.Equal(t, tt.known, got.Attempt.Known)
		})
	}
}

// What has failed is no second refund, and gives way to one that has not.
func TestFound(t *testing.T) {
	t.Parallel()
	const failed, canceled, expired = refund.StatusFailed, refund.StatusCanceled, refund.StatusExpired
	for name, tt := range map[string]struct {
		listed []refund.Status
		which  int
		twice  []int
	}{
		"one":                       {[]refund.Status{refund.StatusPending}, 0, nil},
		"one that failed":           {[]refund.Status{failed}, 0, nil},
		"two":                       {[]refund.Status{refund.StatusPending, refund.StatusSucceeded}, 0, []int{1}},
		"two of unknown status":     {[]refund.Status{refund.StatusUnknown, refund.StatusNeedsAction}, 0, []int{1}},
		"three":                     {[]refund.Status{refund.StatusPending, refund.StatusPending, refund.StatusPending}, 0, []int{1, 2}},
		"failed, then paid":         {[]refund.Status{failed, refund.StatusSucceeded}, 1, nil},
		"paid, then expired":        {[]refund.Status{refund.StatusSucceeded, expired}, 0, nil},
		"failed, canceled, expired": {[]refund.Status{failed, canceled, expired}, 0, nil},
		"canceled between two":      {[]refund.Status{refund.StatusPending, canceled, refund.StatusPending}, 0, []int{2}},
		"failed before two":         {[]refund.Status{failed, failed, refund.StatusPending, refund.StatusPending}, 2, []int{3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen Sighting
			var all, others []*refund.Refund
			for _, status := range tt.listed {
				r := &refund.Refund{Status: status}
				all = append(all, r)
				seen.Found(r)
			}
			for _, i := range tt.twice {
				others = append(others, all[i])
			}
			assert.Same(t, all[tt.which], seen.Refund)
			assert.Equal(t, others, seen.Twice)
			dead := len(all) - 1 - len(others)
			assert.Len(t, seen.Refund.Warnings, min(dead, 1))
		})
	}
}

// With an AbsenceAfter shorter than the shortest wait, the wait does not go beyond it.
func TestJudgeOfAShortAbsence(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 4, 16, 10, 30, 0, 0, time.UTC)
	got := judge(&refund.Attempt{LastSent: sent}, 3*time.Second, &Sighting{}, sent.Add(time.Second))
	assert.Equal(t, sent.Add(3*time.Second), got.NotBefore)
	got = judge(&refund.Attempt{LastSent: sent}, 0, &Sighting{}, sent)
	assert.Equal(t, sent.Add(time.Minute), got.NotBefore, "two looks even so")
	assert.Equal(t, sent, got.Attempt.MissedAt)
}

// Whoever asks again when NotBefore says gets an end: the waits double, none passes AbsenceAfter, and two looks agree.
func TestResolveUntilItIsNotApplied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sent := time.Now()
		attempt := refund.Attempt{Request: request(), FirstSent: sent, LastSent: sent, Tries: 1}
		var at []time.Duration
		for {
			o := operation(t, "resolve", attempt)
			got, err := Resolve(t.Context(), o, shows(t, o, Sighting{}))
			require.NoError(t, err)
			at = append(at, time.Since(sent))
			require.Less(t, len(at), 20, "it must end")
			attempt = got.Attempt
			if got.Verdict == refund.VerdictNotApplied {
				break
			}
			require.Equal(t, refund.VerdictUndetermined, got.Verdict)
			require.Greater(t, time.Until(got.NotBefore), time.Duration(0))
			<-time.After(time.Until(got.NotBefore)) // on the bubble's clock
		}
		const s = time.Second
		assert.Equal(t, []time.Duration{0, 10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 320 * s, 640 * s, 1280 * s, 2560 * s, 3600 * s, 3660 * s}, at)
	})
}

// A miss that a later sending has overtaken does not count, however old it is.
func TestResolveAfterSendingAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		resolve := func(a refund.Attempt) refund.Resolution {
			o := operation(t, "resolve", a, func(opts *refund.Options) { opts.AbsenceAfter = time.Minute })
			got, err := Resolve(t.Context(), o, shows(t, o, Sighting{}))
			require.NoError(t, err)
			return got
		}
		a := refund.Attempt{Request: request(), LastSent: time.Now().Add(-time.Minute), Tries: 1}
		got := resolve(a)
		assert.Equal(t, time.Now(), got.Attempt.MissedAt, "Options.AbsenceAfter decides when absence counts")

		a = got.Attempt
		a.Tries, a.LastSent = 2, time.Now() // sent again, and the miss kept by whoever did
		<-time.After(time.Minute)
		got = resolve(a)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
		assert.Equal(t, time.Now(), got.Attempt.MissedAt)
		<-time.After(time.Minute)
		assert.Equal(t, refund.VerdictNotApplied, resolve(got.Attempt).Verdict)
	})
}

func TestResolveFinds(t *testing.T) {
	t.Parallel()
	found := &refund.Refund{ID: "r-1"}
	asked := refund.Attempt{Request: request(), LastSent: time.Now(), Tries: 1}
	o := operation(t, "resolve", asked)
	got, err := Resolve(t.Context(), o, shows(t, o, Sighting{Refund: found}))
	require.NoError(t, err)
	assert.Equal(t, refund.VerdictApplied, got.Verdict)
	assert.Same(t, found, got.Refund)
	assert.False(t, got.Refund.Replayed)

	got, err = Resolve(t.Context(), o, shows(t, o, Sighting{Refund: found, Clash: "two"}))
	require.NoError(t, err)
	assert.Equal(t, refund.Resolution{Attempt: asked, Why: "two"}, got)
}
