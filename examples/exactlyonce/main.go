// Exactlyonce refunds with the journal on SQLite, is killed after the provider has paid, starts again, recovers, and shows
// what the journal says beside what really moved.
//
//	go run -C examples/exactlyonce .
//
// The provider is a simulator in this process; the refunds are made by child processes, because one of them dies.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/sqlite"
)

const (
	account = "shop-au"          // the shop's own name of its account at the provider
	key     = "refund-2026-0001" // a real shop stores it when the refund is decided
	lease   = 2 * time.Second    // a real shop keeps the default of 15 minutes
)

func main() {
	flags := flag.NewFlagSet("exactlyonce", flag.ExitOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: exactlyonce\n\nRefunds at a simulated provider, is killed after it has paid, and recovers. No money moves.")
	}
	_ = flags.Parse(os.Args[1:]) //nolint:errcheck // it exits
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	switch child := (shop{flags.Arg(1), flags.Arg(2), flags.Arg(3)}); {
	case flags.NArg() == 0:
		err = stage(ctx)
	case flags.NArg() == 4 && flags.Arg(0) == "refund":
		err = child.refundAndDie(ctx)
	case flags.NArg() == 4 && flags.Arg(0) == "recover":
		err = child.recoverAll(ctx)
	default:
		flags.Usage()
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "exactlyonce:", err)
		os.Exit(1)
	}
}

// stage is the parent process: it has the provider, and the file that survives.
func stage(ctx context.Context) error {
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
	self, err := os.Executable()
	if err != nil {
		return err
	}

	child := func(act string) error {
		cmd := exec.CommandContext(ctx, self, act, server.URL, file, order.ID) //nolint:gosec // this program
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	}
	show := func() error {
		store, err := open(ctx, file)
		if err != nil {
			return err
		}
		defer store.Close() //nolint:errcheck // it was only read
		e, err := store.Get(ctx, journal.ID{Provider: sim.Provider(), Account: account, Key: key})
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
	fmt.Println("\n2. It starts again. The journal waits until the dead process can no longer be at it, and asks the provider.")
	if err := child("recover"); err != nil {
		return err
	}
	if err := show(); err != nil {
		return err
	}
	fmt.Println("\n3. Support clicks on \"refund\" once more: the same key, the recorded result.")
	if err := child("recover"); err != nil {
		return err
	}
	return show()
}

// shop is a child process.
type shop struct{ url, file, order string }

// refundAndDie is the shop, at a bad moment.
func (s shop) refundAndDie(ctx context.Context) error {
	client, _, stop, err := s.open(ctx, deadly{})
	if err != nil {
		return err
	}
	defer stop()
	_, err = client.Refund(ctx, s.request())
	return err
}

// recoverAll is the shop, started again.
func (s shop) recoverAll(ctx context.Context) error {
	client, j, stop, err := s.open(ctx, http.DefaultTransport)
	if err != nil {
		return err
	}
	defer stop()
	running, end := context.WithTimeout(ctx, 2*lease)
	defer end()
	j.Run(running) // a real shop runs it for as long as it lives
	got, err := client.Refund(ctx, s.request())
	if err != nil {
		return err
	}
	fmt.Printf("   the shop is told  %s, refund %s of %s\n", got.Status, got.ID, got.Amount)
	return nil
}

// open makes a journalled client.
func (s shop) open(ctx context.Context, transport http.RoundTripper) (refund.Refunder, *journal.Journal, func(), error) {
	// A real shop calls afterpay.New with its own credentials.
	provider, err := afterpaytest.New().Client(refund.Options{Account: account, BaseURL: s.url, Transport: transport})
	if err != nil {
		return nil, nil, nil, err
	}
	store, err := open(ctx, s.file)
	if err != nil {
		return nil, nil, nil, err
	}
	stop := func() { _ = store.Close() } //nolint:errcheck // the process ends
	j := journal.New(store, journal.Options{Lease: lease, Interval: 100 * time.Millisecond})
	client, err := j.Wrap(provider)
	if err != nil {
		stop()
		return nil, nil, nil, err
	}
	return client, j, stop, nil
}

func open(ctx context.Context, file string) (*sqlstore.Store, error) {
	store, err := sqlite.Open(ctx, file)
	if err != nil {
		return nil, err
	}
	return store, store.Migrate(ctx)
}

func (s shop) request() refund.Request {
	return refund.Request{
		IdempotencyKey: key, Order: refund.Order{ID: s.order}, Amount: refund.MustParseMoney("25.00", "AUD"),
	}
}

// deadly kills the process when the provider has responded, before anybody reads the response.
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
