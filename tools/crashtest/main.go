// Crashtest kills processes that refund, at every step, while the network fails, and then compares what they say with
// what moved. It runs the same script against the clients that shops usually write, to show that the script is not too
// kind, and against a careful one, to show what the journal spares people.
//
//	go run -C tools ./crashtest -n 100000 -seed 1
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if os.Getenv(workerVariable) != "" {
		os.Exit(workerMain(ctx))
	}
	n := flag.Int("n", 5000, "intents for each store")
	naive := flag.Int("naive", 5000, "intents for each client by hand")
	seed := flag.Uint64("seed", 1, "of the script")
	stores := flag.String("stores", "sqlite,postgres", "which stores")
	flag.Parse()
	if err := suite(ctx, os.Stdout, *n, *naive, *seed, strings.Split(*stores, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "crashtest:", err)
		os.Exit(1)
	}
}

// workerVariable tells this program, or its test, that it is a worker.
const workerVariable = "CRASHTEST_WORKER"

func workerMain(ctx context.Context) int {
	if err := work(ctx, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 1
	}
	return 0
}

// suite runs the journal on each store, then the clients by hand, and prints the tables.
func suite(ctx context.Context, out io.Writer, n, naive int, seed uint64, stores []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bad := 0
	for _, store := range stores {
		began := time.Now()
		rep, err := onStore(ctx, self, store, n, seed)
		if err != nil {
			return fmt.Errorf("%s: %w", store, err)
		}
		rep.print(out, time.Since(began))
		bad += rep.bad()
	}
	for _, client := range append(naiveClients(), clientCareful) {
		if naive == 0 {
			break
		}
		began := time.Now()
		rep, err := withoutJournal(ctx, self, client, min(n, naive), seed)
		if err != nil {
			return fmt.Errorf("%s: %w", client, err)
		}
		rep.print(out, time.Since(began))
		switch {
		case client == clientCareful:
			bad += rep.bad()
		case rep.bad() == 0:
			return fmt.Errorf("the script is too kind: %q came through it", client)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d refunds were misreported or paid twice", bad)
	}
	return nil
}

// report is the table of one run.
type report struct {
	client, store string
	seed          uint64
	kills         int
	rows          map[string]*row
	findings      []string
}

type row struct {
	intents, faults, kills        int
	moved                         int // intents whose money moved, however often
	twice, falseFailed, falsePaid int
	unknown, forPerson            int
}

func (r *report) row(provider string) *row {
	if r.rows[provider] == nil {
		r.rows[provider] = &row{}
	}
	return r.rows[provider]
}

func (r *report) bad() int {
	n := 0
	for _, line := range r.rows {
		n += line.twice + line.falseFailed + line.falsePaid
	}
	if remembers(r.client) {
		n += len(r.findings)
	}
	return n
}

// void returns an error if no money moved at some provider: a client that never got that far cannot go wrong there, and
// its row proves nothing.
func (r *report) void() error {
	var all []error
	for name, line := range r.rows {
		if line.moved == 0 {
			all = append(all, fmt.Errorf("%q never moved money at %s: its row is void", r.client, name))
		}
	}
	return errors.Join(all...)
}

func (r *report) print(out io.Writer, took time.Duration) {
	title := r.client
	if r.client == clientJournal {
		title += " on " + r.store
	}
	fmt.Fprintf(out, "%s (seed %d, %d processes killed, %s)\n", title, r.seed, r.kills, took.Round(time.Second))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "provider\tintents\tfaults\tkills\tpaid twice\tsaid failed but paid\tsaid paid but not\tonce unknown\tfor a person\tresolved without a person\t")
	names := make([]string, 0, len(r.rows))
	for name := range r.rows {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		line := r.rows[name]
		resolved := "-"
		if r.client == clientJournal && line.unknown > 0 {
			share := 100_00 * (line.unknown - line.forPerson) / line.unknown
			resolved = fmt.Sprintf("%d.%02d %%", share/100, share%100)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", name, line.intents, line.faults, line.kills,
			line.twice, line.falseFailed, line.falsePaid, line.unknown, line.forPerson, resolved)
	}
	_ = table.Flush() //nolint:errcheck // the terminal's
	for i, f := range r.findings {
		if !remembers(r.client) || i == 20 {
			break
		}
		fmt.Fprintln(out, "FINDING:", f)
	}
	fmt.Fprintln(out)
}
