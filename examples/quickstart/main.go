// Quickstart refunds orders at five simulated providers and shows, for each refund, what was asked, what the SDK said
// and what really moved. It needs no account and no network beyond this machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fmt.Println("This is a simulation: five providers run in this process, on loopback, and no money moves.")
	fmt.Println()
	shops, stop, err := open()
	defer stop()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "PROVIDER\tASKED\tTHE SDK SAID\tREALLY MOVED")
	for _, s := range shops {
		if err := s.script(ctx, table); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Println(`
"outcome unknown" is what no other client library says: the provider may have paid, so nobody must be told that the
refund failed, and nobody must try again with a new key. Resolve finds out, wherever the provider can be asked; Instant
cannot, so that a person has to look. Order rows records refunds without a limit: the shop's integration pays them.

For a real account: leave out the simulator with its Transport and BaseURL, and put your credentials into the Config.
examples/afterpay is such a program; start it with -dry-run.`)
	return nil
}

// shop is one provider: a simulator behind a TLS server on loopback, a network that can lose answers, and a client.
type shop struct {
	sim interface {
		refundtest.Simulator
		Advance(d time.Duration)
	}
	network  *refundtest.Network
	client   refund.Refunder
	currency string
}

// open starts the five providers.
func open() (shops []*shop, stop func(), err error) {
	var servers []*httptest.Server
	stop = func() {
		for _, s := range servers {
			s.Close()
		}
	}
	// connect puts a network that can fail between a client and its server, and keeps the waits short.
	connect := func(o *refund.Options, server *httptest.Server) *refundtest.Network {
		servers = append(servers, server)
		network := refundtest.NewNetwork(server.Client().Transport)
		o.Transport = network
		o.Retry = refund.RetryPolicy{MinDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond}
		return network
	}

	a := &shop{currency: "AUD"}
	afterpaySim := afterpaytest.New()
	afterpayConfig, server := afterpaySim.Start()
	a.sim, a.network = afterpaySim, connect(&afterpayConfig.Options, server)
	if a.client, err = afterpay.New(afterpayConfig); err != nil {
		return nil, stop, err
	}

	b := &shop{currency: "USD"}
	backdSim := backdtest.New()
	backdConfig, server := backdSim.Start()
	b.sim, b.network = backdSim, connect(&backdConfig.Options, server)
	if b.client, err = backd.New(backdConfig); err != nil {
		return nil, stop, err
	}

	d := &shop{currency: "USD"}
	digitalriverSim := digitalrivertest.New()
	digitalriverConfig, server := digitalriverSim.Start()
	d.sim, d.network = digitalriverSim, connect(&digitalriverConfig.Options, server)
	if d.client, err = digitalriver.New(digitalriverConfig); err != nil {
		return nil, stop, err
	}

	i := &shop{currency: "AUD"}
	instantSim := instanttest.New()
	instantConfig, server := instantSim.Start()
	i.sim, i.network = instantSim, connect(&instantConfig.Options, server)
	if i.client, err = instant.New(instantConfig); err != nil {
		return nil, stop, err
	}

	o := &shop{currency: "SEK"}
	orderrowsSim := orderrowstest.New()
	orderrowsConfig, server := orderrowsSim.Start()
	o.sim, o.network = orderrowsSim, connect(&orderrowsConfig.Options, server)
	if o.client, err = orderrows.New(orderrowsConfig); err != nil {
		return nil, stop, err
	}
	return []*shop{a, b, d, i, o}, stop, nil
}

// script is the same for every provider.
func (s *shop) script(ctx context.Context, table *tabwriter.Writer) error {
	name := s.client.Capabilities().Provider
	row := func(asked, said string, moved []refund.Money) {
		really := "nothing"
		if len(moved) > 0 {
			really = strings.Trim(fmt.Sprint(moved), "[]")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", name, asked, said, really)
		name = "" // once for each provider
	}
	var err error // of the last refund
	ask := func(what string, req refund.Request) {
		before := len(s.sim.Ledger(req.Order))
		var got *refund.Refund
		got, err = s.client.Refund(ctx, req)
		row(what, said(got, err), s.sim.Ledger(req.Order)[before:])
	}

	ask("the whole order of 100.00", s.request(s.order(), "100.00"))
	half := s.request(s.order(), "50.00")
	ask("one half, 50.00", half)
	s.sim.Advance(2 * time.Minute) // Instant refuses a refund of the same amount within 60 s
	ask("the other half, with a key of its own", s.request(half.Order, "50.00"))
	ask("the first half again, with its key", half)
	ask("100.01 of an order of 100.00", s.request(s.order(), "100.01"))
	ask("10.00 of an order that nobody knows", s.request(s.sim.UnknownOrder(), "10.00"))

	lost := s.request(s.order(), "30.00")
	s.network.Always(refundtest.LostAnswer) // the provider acts, and its answer does not arrive
	ask("30.00, and the answer is lost", lost)
	s.network.Always("")
	var e *refund.Error
	if !errors.As(err, &e) || e.Outcome != refund.OutcomeUnknown {
		return fmt.Errorf("a lost answer should be unknown: %w", err)
	}
	resolver, ok := s.client.(refund.Resolver)
	if !ok {
		return fmt.Errorf("%s cannot resolve", name)
	}
	resolution, err := resolver.Resolve(ctx, e.Attempt)
	if err != nil {
		return err
	}
	row("  what became of it?", fmt.Sprintf("%s (%s)", resolution.Verdict, s.client.Capabilities().Resolve), s.sim.Ledger(lost.Order))
	return nil
}

func (s *shop) order() refund.Order {
	return s.sim.AddOrder(refund.MustParseMoney("100.00", s.currency))
}

func (s *shop) request(order refund.Order, amount string) refund.Request {
	return refund.Request{
		IdempotencyKey: refund.NewIdempotencyKey(), // a real shop stores it before the call
		Order:          order,
		Amount:         refund.MustParseMoney(amount, s.currency),
	}
}

func said(got *refund.Refund, err error) string {
	var e *refund.Error
	switch {
	case err == nil:
		return string(got.Status)
	case errors.As(err, &e):
		return fmt.Sprintf("%s: %s (%s)", e.Outcome, e.Kind, e.Advice())
	}
	return err.Error()
}
