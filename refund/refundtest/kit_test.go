package refundtest

import (
	"io"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock Clock
		began := time.Now()
		assert.True(t, began.Equal(clock.Now()), "it runs with the machine's")
		assert.Equal(t, time.UTC, clock.Now().Location())
		<-time.After(time.Minute)
		assert.Equal(t, time.Minute, clock.Now().Sub(began))
		clock.Advance(time.Hour)
		clock.Advance(-time.Minute)
		assert.Equal(t, time.Hour, clock.Now().Sub(began))
	})
}

func TestReadLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock Clock
		clock.Advance(time.Hour)
		made := clock.Now()
		assert.True(t, clock.Visible(made), "without a lag at once")
		assert.False(t, clock.Visible(made.Add(1)))
		clock.SetReadLag(30 * time.Second)
		assert.False(t, clock.Visible(made))
		<-time.After(30*time.Second - 1)
		assert.False(t, clock.Visible(made))
		<-time.After(1)
		assert.True(t, clock.Visible(made))
		clock.SetReadLag(time.Minute)
		assert.False(t, clock.Visible(made), "it can be hidden again")
		clock.Advance(time.Minute)
		assert.True(t, clock.Visible(made), "a moved clock counts")
	})
}

// TestServe: a client with the options that Serve returns reaches the simulator, over TLS, until it is stopped.
func TestServe(t *testing.T) {
	sim := newToyProvider(false)
	encrypted := false
	opts, stop := Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		encrypted = r.TLS != nil
		sim.ServeHTTP(w, r)
	}))
	opts.Logger = slog.New(slog.DiscardHandler)
	client, err := sim.Refunder(opts)
	require.NoError(t, err)
	req := refund.Request{IdempotencyKey: "k", Amount: refund.MustParseMoney("10.00", "AUD")}
	req.Order = sim.AddOrder(req.Amount)
	_, err = client.Refund(t.Context(), req)
	require.NoError(t, err)
	assert.True(t, encrypted)
	assert.Equal(t, []refund.Money{req.Amount}, sim.Ledger(req.Order))

	stop()
	read, err := http.NewRequestWithContext(t.Context(), http.MethodGet, opts.BaseURL, nil)
	require.NoError(t, err)
	_, err = opts.Transport.RoundTrip(read)
	assert.Error(t, err)
}

func TestConnect(t *testing.T) {
	var provider counter
	memory := Connect(&provider, refund.Options{Account: "a"})
	status, body, err := send(memory.Transport, post(t, nil))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, theBody, body)
	assert.Equal(t, "a", memory.Account)

	mine := NewNetwork(nil)
	assert.Same(t, mine, Connect(&provider, refund.Options{Transport: mine}).Transport)
	assert.Nil(t, Connect(&provider, refund.Options{BaseURL: "https://gateway.example"}).Transport)
}

func TestRespond(t *testing.T) {
	resp, err := InMemory(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		Respond(w, http.StatusTeapot, map[string]int{"n": 1})
	})).RoundTrip(post(t, nil))
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusTeapot, resp.StatusCode)
	assert.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	assert.JSONEq(t, `{"n":1}`, string(body))
}

func TestAddAndSub(t *testing.T) {
	ten, four, yen := refund.MustParseMoney("10.00", "AUD"), refund.MustParseMoney("4.00", "AUD"), refund.MustParseMoney("4", "JPY")
	assert.Equal(t, refund.MustParseMoney("14.00", "AUD"), Add(ten, four))
	assert.Equal(t, refund.MustParseMoney("6.00", "AUD"), Sub(ten, four))
	assert.Panics(t, func() { Add(ten, yen) })
	assert.Panics(t, func() { Sub(ten, yen) })
}
