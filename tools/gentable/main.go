// Gentable writes the README's table of providers from their Capabilities. go generate ./internal/gentable runs it, and
// its test fails if the README is not up to date.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
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
)

//go:generate go run . ../../README.md

const (
	begin = "<!-- capabilities: go generate ./internal/gentable -->\n"
	end   = "<!-- end of capabilities -->\n"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gentable:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	old, err := os.ReadFile(path) //nolint:gosec // the README
	if err != nil {
		return err
	}
	fresh, err := rewrite(old)
	if err != nil {
		return err
	}
	return os.WriteFile(path, fresh, 0o600) //nolint:gosec // the README
}

// rewrite puts the table between the two marks.
func rewrite(page []byte) ([]byte, error) {
	head, rest, ok := bytes.Cut(page, []byte(begin))
	_, tail, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return nil, errors.New("the page has no marks for the table")
	}
	t, err := table()
	return bytes.Join([][]byte{head, []byte(begin + t + end), tail}, nil), err
}

func table() (string, error) {
	clients, err := clients()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("| |")
	caps := make([]refund.Capabilities, len(clients))
	for i, c := range clients {
		caps[i] = c.Capabilities()
		b.WriteString(" `" + caps[i].Provider + "` |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(clients)) + "\n")
	for _, line := range []struct {
		name string
		cell func(refund.Refunder, *refund.Capabilities) string
	}{
		{"an accepted refund is", func(_ refund.Refunder, c *refund.Capabilities) string {
			if c.Synchronous {
				return "carried out"
			}
			return "pending"
		}},
		{"the same key again", func(_ refund.Refunder, c *refund.Capabilities) string { return string(c.Repeat) }},
		{"a lost answer is resolved", func(_ refund.Refunder, c *refund.Capabilities) string { return string(c.Resolve) }},
		{"several refunds of an order", func(_ refund.Refunder, c *refund.Capabilities) string { return yes(c.Several) }},
		{"refuses more than is left", func(_ refund.Refunder, c *refund.Capabilities) string { return yes(c.Capped) }},
		{"get, list, cancel", func(r refund.Refunder, _ *refund.Capabilities) string { return abilities(r) }},
		{"parts", func(_ refund.Refunder, c *refund.Capabilities) string { return parts(c.Parts) }},
		{"single lines", func(_ refund.Refunder, c *refund.Capabilities) string { return yes(c.Lines) }},
		{"reason, metadata travel", func(_ refund.Refunder, c *refund.Capabilities) string { return yes(c.Reason) + ", " + yes(c.Metadata) }},
		{"time window", func(_ refund.Refunder, c *refund.Capabilities) string { return days(c.Window) }},
		{"key life", func(_ refund.Refunder, c *refund.Capabilities) string { return days(c.KeyLife) }},
		{"absence counts after", func(_ refund.Refunder, c *refund.Capabilities) string { return days(c.ReadLag) }},
	} {
		b.WriteString("| " + line.name + " |")
		for i, c := range clients {
			b.WriteString(" " + line.cell(c, &caps[i]) + " |")
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}

// clients are one of each provider, in alphabetical order.
func clients() ([]refund.Refunder, error) {
	a, err := afterpay.New(afterpaytest.New().Config())
	if err != nil {
		return nil, err
	}
	b, err := backd.New(backdtest.New().Config())
	if err != nil {
		return nil, err
	}
	d, err := digitalriver.New(digitalrivertest.New().Config())
	if err != nil {
		return nil, err
	}
	i, err := instant.New(instanttest.New().Config())
	if err != nil {
		return nil, err
	}
	o, err := orderrows.New(orderrowstest.New().Config())
	return []refund.Refunder{a, b, d, i, o}, err
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func abilities(r refund.Refunder) string {
	var have []string
	if _, ok := r.(refund.Getter); ok {
		have = append(have, "get")
	}
	if _, ok := r.(refund.Lister); ok {
		have = append(have, "list")
	}
	if _, ok := r.(refund.Canceler); ok {
		have = append(have, "cancel")
	}
	if have == nil {
		return "none"
	}
	return strings.Join(have, ", ")
}

func parts(all []refund.Part) string {
	if len(all) == 0 {
		return "the order as a whole"
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = strings.ReplaceAll(string(p), "_", " ")
	}
	return strings.Join(names, ", ")
}

func days(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d%(24*time.Hour) == 0 && d > 24*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d min", d/time.Minute)
}
