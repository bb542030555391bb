package journal

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clocked is a store whose clock is ahead of the machine's.
type clocked struct {
	UnimplementedStore

	ahead time.Duration
	err   error
	reads int
}

func (s *clocked) Now(context.Context) (time.Time, error) {
	s.reads++
	return time.Now().Add(s.ahead), s.err
}

func TestClockIsTheStores(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &clocked{ahead: 10 * time.Minute}
		c := newClock(store, nil, time.Minute)
		for range 100 {
			now, err := c.now(t.Context())
			require.NoError(t, err)
			require.Equal(t, time.Now().Add(10*time.Minute), now)
			<-time.After(time.Second)
		}
		assert.Equal(t, 4, store.reads, "it is run on between readings")

		local := time.Now()
		assert.Equal(t, local.Add(10*time.Minute), c.toStore(local))
		assert.Equal(t, local.Add(-10*time.Minute), c.toWall(local))
		assert.Zero(t, c.toStore(time.Time{}), "never stays never")

		store.err = errors.New("down")
		<-time.After(clockAge)
		_, err := c.now(t.Context())
		require.ErrorIs(t, err, store.err)
		assert.Equal(t, time.Now().Add(10*time.Minute), c.estimate(), "good enough to record what is known")
	})
}

func TestClockThatWasNeverRead(t *testing.T) {
	t.Parallel()
	c := newClock(&clocked{err: errors.New("down")}, nil, time.Minute)
	_, err := c.now(t.Context())
	require.Error(t, err)
	assert.WithinDuration(t, time.Now(), c.estimate(), time.Minute)
	now := time.Now()
	assert.Equal(t, now, c.toStore(now))
}

// Clocks that advance differently mean that one was set, or that the machine was stopped: nothing that rests on time counts
// for a lease.
func TestClocksThatDisagree(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		store, wall, passed time.Duration // how far each goes beside the monotonic clock
		want                bool
	}{
		"all alike":                       {passed: time.Hour},
		"a little":                        {store: 20 * time.Second, wall: -5 * time.Second, passed: time.Minute},
		"the store's was set":             {store: time.Hour, passed: time.Minute, want: true},
		"the store's was set back":        {store: -time.Hour, passed: time.Minute, want: true},
		"the machine's was set":           {wall: time.Hour, passed: time.Minute, want: true},
		"the machine's was set back":      {wall: -time.Hour, passed: time.Minute, want: true},
		"the machine was suspended":       {store: time.Hour, wall: time.Hour, passed: time.Minute, want: true},
		"suspended just after a reading":  {store: time.Hour, wall: time.Hour, passed: time.Second, want: true},
		"the machine's was just set back": {wall: -time.Hour, passed: time.Second, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &clocked{}
				c := newClock(store, nil, 15*time.Minute)
				wall := time.Duration(0)
				c.wall = func(t time.Time) time.Time { return t.Round(0).Add(wall) }
				_, err := c.now(t.Context())
				require.NoError(t, err)
				<-time.After(tt.passed)
				store.ahead, wall = tt.store, tt.wall
				now, err := c.now(t.Context())
				require.NoError(t, err)
				if tt.passed >= clockAge || tt.want {
					assert.Equal(t, time.Now().Add(tt.store), now, "it is read anew at once")
				}
				until := c.trusted(now)
				if !tt.want {
					assert.Zero(t, until)
					return
				}
				assert.Equal(t, now.Add(15*time.Minute), until)
				<-time.After(15 * time.Minute)
				now, err = c.now(t.Context())
				require.NoError(t, err)
				assert.Zero(t, c.trusted(now))
			})
		})
	}
}
