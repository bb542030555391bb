// Gentable writes the README's table of providers from their Capabilities. go generate -C tools ./gentable runs it, and
// its test fails if the README is not up to date.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/simulators"
)

//go:generate go run . ../../README.md

const (
	begin = "<!-- capabilities: go generate -C tools ./gentable -->\n"
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
		cell func(*refund.Capabilities) string
	}{
		{"an accepted refund is", func(c *refund.Capabilities) string {
			if c.Synchronous {
				return "carried out"
			}
			return "pending"
		}},
		{"the same key again", func(c *refund.Capabilities) string { return words(string(c.Repeat)) }},
		{"a lost response is resolved by", func(c *refund.Capabilities) string { return words(string(c.ResolvedBy)) }},
		{"several refunds of an order", func(c *refund.Capabilities) string { return yes(c.MultipleRefunds) }},
		{"rejects more than is left", func(c *refund.Capabilities) string { return yes(c.RejectsExcess) }},
		{"get, list, cancel", abilities},
		{"lists by", func(c *refund.Capabilities) string { return cmp.Or(string(c.Lists), "–") }},
		{"parts", func(c *refund.Capabilities) string { return parts(c.Parts) }},
		{"single lines", func(c *refund.Capabilities) string { return yes(c.RefundsLines) }},
		{"reason, metadata are carried", func(c *refund.Capabilities) string { return yes(c.Reason) + ", " + yes(c.Metadata) }},
		{"time window", func(c *refund.Capabilities) string { return days(c.Window) }},
		{"key life", func(c *refund.Capabilities) string { return days(c.KeyLife) }},
		{"absence counts after", func(c *refund.Capabilities) string { return days(c.AbsenceAfter) }},
	} {
		b.WriteString("| " + line.name + " |")
		for i := range caps {
			b.WriteString(" " + line.cell(&caps[i]) + " |")
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}

// clients are one of each provider, in alphabetical order.
func clients() ([]refund.Refunder, error) {
	var all []refund.Refunder
	for _, sim := range simulators.All() {
		client, err := sim.Refunder(refund.Options{})
		if err != nil {
			return nil, err
		}
		all = append(all, client)
	}
	return all, nil
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func words(word string) string { return strings.ReplaceAll(word, "_", " ") }

func abilities(c *refund.Capabilities) string {
	var have []string
	if c.Reads {
		have = append(have, "get")
	}
	if c.Lists != refund.ListsNone {
		have = append(have, "list")
	}
	if c.Cancels {
		have = append(have, "cancel")
	}
	return cmp.Or(strings.Join(have, ", "), "none")
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
