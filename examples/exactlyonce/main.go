// Exactlyonce refunds with the journal on SQLite, kills itself after the provider has acted, starts again, recovers, and
// shows what the journal says beside what really moved.
//
//	go run -C examples/exactlyonce .
//
// The provider is a simulator in this process; the refunds are made by child processes, because one of them dies.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore"
)

const (
	key   = "refund-2026-0001" // a real shop stores it when the refund is decided
	lease = 2 * time.Second    // a real shop keeps the default of 15 minutes
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	act := parent
	switch os.Getenv("ACT") {
	case "refund":
		act = refundAndDie
	case "recover":
		act = recoverAll
	}
	if err := act(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "exactlyonce:", err)
		os.Exit(1)
	}
}

// parent is the stage: the provider, and the file that survives.
func parent(ctx context.Context) error {
	fmt.Println("This is a simulation: the provider runs in this process, and no money moves.")
	sim := afterpaytest.New()
	server := httptest.NewServer(sim)
	defer server.Close()
	order := sim.AddOrder(refund.MustParseMoney("100.00", "AUD"))
	dir, err := os.MkdirTemp("", "exactlyonce-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	file := filepath.Join(dir, "journal.db")

	child := func(act string) error {
		cmd := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // this program
		cmd.Env = append(os.Environ(), "ACT="+act, "URL="+server.URL, "FILE="+file, "ORDER="+order.ID)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	}
	show := func() error {
		store, err := open(ctx, file)
		if err != nil {
			return err
		}
		defer store.Close() //nolint:errcheck // it was only read
		e, err := store.Get(ctx, "afterpay", key)
		if err != nil {
			return err
		}
		fmt.Printf("   the journal says  %s\n   really moved      %v\n", e.State, sim.Ledger(order))
		return nil
	}

	fmt.Println("\n1. A process refunds 25.00 AUD, and is killed after the provider has paid.")
	if err := child("refund"); err == nil {
		return errors.New("it should have been killed")
	}
	if err := show(); err != nil {
		return err
	}
	fmt.Println("\n2. It starts again. Recover waits until the dead process can no longer be at it, and asks the provider.")
	if err := child("recover"); err != nil {
		return err
	}
	if err := show(); err != nil {
		return err
	}
	fmt.Println("\n3. The customer's support clicks on \"refund\" once more: the same key, the recorded result.")
	if err := child("recover"); err != nil {
		return err
	}
	return show()
}

// refundAndDie is the shop, at a bad moment.
func refundAndDie(ctx context.Context) error {
	client, _, stop, err := shop(ctx, deadly{})
	if err != nil {
		return err
	}
	defer stop()
	_, err = client.Refund(ctx, request())
	return err
}

// recoverAll is the shop, started again.
func recoverAll(ctx context.Context) error {
	client, j, stop, err := shop(ctx, http.DefaultTransport)
	if err != nil {
		return err
	}
	defer stop()
	running, end := context.WithTimeout(ctx, 2*lease)
	defer end()
	j.Run(running) // a real shop runs it for as long as it lives
	got, err := client.Refund(ctx, request())
	if err != nil {
		return err
	}
	fmt.Printf("   the shop is told  %s, refund %s of %s\n", got.Status, got.ID, got.Amount)
	return nil
}

// shop is a journalled client.
func shop(ctx context.Context, transport http.RoundTripper) (refund.Refunder, *journal.Journal, func(), error) {
	store, err := open(ctx, os.Getenv("FILE"))
	if err != nil {
		return nil, nil, nil, err
	}
	cfg := afterpaytest.New().Config() // credentials that the simulator accepts
	cfg.BaseURL, cfg.Transport = os.Getenv("URL"), transport
	client, err := afterpay.New(cfg)
	if err != nil {
		return nil, nil, nil, err
	}
	j := journal.New(store, journal.Options{Lease: lease, Interval: 100 * time.Millisecond})
	return j.Wrap(client), j, func() { _ = store.Close() }, nil //nolint:errcheck // the process ends
}

func open(ctx context.Context, file string) (*sqlstore.Store, error) {
	store, err := sqlstore.OpenSQLite(ctx, file)
	if err != nil {
		return nil, err
	}
	return store, store.Migrate(ctx)
}

func request() refund.Request {
	return refund.Request{
		IdempotencyKey: key, Order: refund.Order{ID: os.Getenv("ORDER")}, Amount: refund.MustParseMoney("25.00", "AUD"),
	}
}

// deadly kills the process when the provider has answered, and before anybody has heard it.
type deadly struct{}

func (deadly) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return resp, err
	}
	if err := self.Kill(); err != nil {
		return resp, err
	}
	select {} // it takes a moment
}
