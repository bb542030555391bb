package refund_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

// bare is a client without any ability. It claims what caps says.
type bare struct{ caps refund.Capabilities }

func (*bare) Refund(context.Context, refund.Request) (*refund.Refund, error) {
	return nil, errors.New("not called")
}
func (b *bare) Capabilities() refund.Capabilities { return b.caps }

// The abilities, to be embedded.
type (
	getter      struct{ id string }
	lister      struct{}
	canceler    struct{}
	resolver    struct{}
	snapshotter struct{}
)

func (g getter) GetRefund(context.Context, refund.Ref) (*refund.Refund, error) {
	return &refund.Refund{ID: g.id}, nil
}

func (lister) Refunds(context.Context, refund.Query) iter.Seq2[*refund.Refund, error] {
	return func(func(*refund.Refund, error) bool) {}
}

func (canceler) CancelRefund(context.Context, refund.Ref) (*refund.Refund, error) {
	return &refund.Refund{}, nil
}

func (resolver) Resolve(context.Context, refund.Attempt) (refund.Resolution, error) {
	return refund.Resolution{}, nil
}

func (snapshotter) Snapshot(context.Context, refund.Request) (refund.Snapshot, error) { return "", nil }

// able is a client with every ability.
type able struct {
	bare
	getter
	lister
	canceler
	resolver
	snapshotter
}

// wrapper keeps what it wraps reachable; opaque does not.
type wrapper struct{ refund.Refunder }

func (w wrapper) Unwrap() refund.Refunder { return w.Refunder }

type opaque struct{ refund.Refunder }

// guard is a wrapper with a Getter of its own.
type guard struct {
	wrapper
	getter
}

func TestAs(t *testing.T) {
	client := &able{getter: getter{"inner"}}
	for name, tt := range map[string]struct {
		client refund.Refunder
		want   string // the id that the Getter returns; empty if there is none
	}{
		"nil":                                 {nil, ""},
		"a nil pointer":                       {(*bare)(nil), ""},
		"itself":                              {client, "inner"},
		"one wrapper":                         {wrapper{client}, "inner"},
		"three wrappers":                      {wrapper{wrapper{wrapper{client}}}, "inner"},
		"no such ability":                     {&bare{}, ""},
		"no such ability, in wrappers":        {wrapper{wrapper{&bare{}}}, ""},
		"a wrapper around nothing":            {wrapper{}, ""},
		"a wrapper that hides":                {opaque{client}, ""},
		"a wrapper around one that hides":     {wrapper{opaque{client}}, ""},
		"a wrapper with its own wins":         {guard{wrapper{client}, getter{"outer"}}, "outer"},
		"within another":                      {wrapper{guard{wrapper{client}, getter{"outer"}}}, "outer"},
		"its own, where the client has none":  {guard{wrapper{&bare{}}, getter{"outer"}}, "outer"},
		"the outermost of two with their own": {guard{wrapper{guard{wrapper{client}, getter{"middle"}}}, getter{"outer"}}, "outer"},
	} {
		t.Run(name, func(t *testing.T) {
			found, ok := refund.As[refund.Getter](tt.client)
			assert.Equal(t, tt.want != "", ok)
			if !ok {
				assert.Nil(t, found)
				return
			}
			got, err := found.GetRefund(t.Context(), refund.Ref{})
			require.NoError(t, err)
			assert.Equal(t, tt.want, got.ID)
		})
	}
}

// As is not about interfaces of this package only.
func TestAsOfOtherTypes(t *testing.T) {
	client := &able{}
	wrapped := wrapper{guard{wrapper{client}, getter{}}}
	found, ok := refund.As[*able](wrapped)
	require.True(t, ok)
	assert.Same(t, client, found)

	_, ok = refund.As[guard](wrapped)
	assert.True(t, ok)
	_, ok = refund.As[*bare](wrapped)
	assert.False(t, ok)
	outermost, ok := refund.As[refund.Refunder](wrapped)
	assert.True(t, ok)
	assert.Equal(t, refund.Refunder(wrapped), outermost)
	_, ok = refund.As[interface {
		refund.Getter
		refund.Canceler
	}](wrapped)
	assert.True(t, ok, "two abilities that have to be of one client")
}

func TestCheckAbilities(t *testing.T) {
	none := refund.Capabilities{Provider: "somepay", Account: "shop-au", ResolvedBy: refund.ResolvedByPerson}
	claims := map[string]func(*refund.Capabilities){
		"ResolvedBy": func(c *refund.Capabilities) { c.ResolvedBy = refund.ResolvedByKey },
		"Reads":      func(c *refund.Capabilities) { c.Reads = true },
		"Lists":      func(c *refund.Capabilities) { c.Lists = refund.ListsByOrder },
		"Cancels":    func(c *refund.Capabilities) { c.Cancels = true },
		"Snapshots":  func(c *refund.Capabilities) { c.Snapshots = true },
	}
	all := none
	for field, claim := range claims {
		claim(&all)
		caps := none
		claim(&caps)
		// Everything but the one that is claimed.
		var lacking refund.Refunder
		switch client := (&bare{caps}); field {
		case "ResolvedBy":
			lacking = struct {
				*bare
				getter
				lister
				canceler
				snapshotter
			}{bare: client}
		case "Reads":
			lacking = struct {
				*bare
				lister
				canceler
				resolver
				snapshotter
			}{bare: client}
		case "Lists":
			lacking = struct {
				*bare
				getter
				canceler
				resolver
				snapshotter
			}{bare: client}
		case "Cancels":
			lacking = struct {
				*bare
				getter
				lister
				resolver
				snapshotter
			}{bare: client}
		case "Snapshots":
			lacking = struct {
				*bare
				getter
				lister
				canceler
				resolver
			}{bare: client}
		}
		t.Run(field, func(t *testing.T) {
			for name, client := range map[string]refund.Refunder{
				"missing": lacking, "missing in wrappers": wrapper{wrapper{lacking}}, "hidden": opaque{&able{bare: bare{caps}}},
				"hidden, in a wrapper": wrapper{opaque{&able{bare: bare{caps}}}},
			} {
				err := refund.CheckAbilities(client)
				requireRefused(t, err, refund.ErrInvalidRequest, "Capabilities."+field)
				var e *refund.Error
				require.ErrorAs(t, err, &e, name)
				assert.Equal(t, []string{"somepay", "shop-au"}, []string{e.Provider, e.Account}, name)
			}
			require.NoError(t, refund.CheckAbilities(&able{bare: bare{caps}}), "others may be there without being claimed")
			require.NoError(t, refund.CheckAbilities(wrapper{wrapper{&able{bare: bare{caps}}}}))
		})
	}
	require.NoError(t, refund.CheckAbilities(&bare{none}), "nothing is claimed")
	require.NoError(t, refund.CheckAbilities(&able{bare: bare{all}}))
	require.NoError(t, refund.CheckAbilities(wrapper{wrapper{wrapper{&able{bare: bare{all}}}}}))
	all.Lists = refund.ListsByTime
	require.NoError(t, refund.CheckAbilities(&able{bare: bare{all}}))
	for _, by := range []refund.ResolvedBy{"", refund.ResolvedByKey, refund.ResolvedByMarker, refund.ResolvedBySnapshot} {
		requireRefused(t, refund.CheckAbilities(&bare{refund.Capabilities{ResolvedBy: by}}), refund.ErrInvalidRequest, "Capabilities.ResolvedBy")
	}
}

// The limiter of the example keeps to the contract: one that has no turn to give says what is true of the money.
func TestLimiterOfTheExample(t *testing.T) {
	none := refund.Capabilities{Provider: "somepay", Account: "shop-au", ResolvedBy: refund.ResolvedByPerson}
	turns := make(chan time.Time, 1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	client := &limiter{inner: wrapper{&able{bare: bare{none}}}, tick: turns}
	a := fullAttempt()

	_, err := client.Refund(ended, a.Request)
	requireRefused(t, err, refund.ErrUnavailable, "")
	_, err = client.Resolve(ended, a)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
	assert.Equal(t, a, e.Attempt)
	assert.Equal(t, []string{"somepay", "shop-au", "key-1"}, []string{e.Provider, e.Account, e.IdempotencyKey})
	require.ErrorIs(t, err, context.Canceled)

	turns <- time.Now()
	_, err = client.Resolve(t.Context(), a)
	require.NoError(t, err)
	assert.Empty(t, turns, "the turn is taken")

	got, err := (&limiter{inner: &bare{none}}).Resolve(t.Context(), a)
	require.NoError(t, err)
	assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
	assert.Zero(t, got.NotBefore, "a person has to look")
}
