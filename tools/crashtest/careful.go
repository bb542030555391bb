package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/multirefund/refund-go/refund"
)

// clientCareful is the best that a shop can do by hand without a look at what the provider has. It never lies, and what it
// leaves to people is what the journal has to be compared with.
const clientCareful = "key stored first, one try, no clear answer is for a person"

// remembers reports whether a client knows after a crash what it has begun.
func remembers(client string) bool { return client == clientJournal || client == clientCareful }

// careful refunds once. The key is the name of a file, made before the call; the file stays empty until the answer is
// clear. A second click, or the one after a crash, finds it and sends nothing.
func (n *naive) careful(ctx context.Context, t *task) (said string, err error) {
	record := filepath.Join(n.records, t.Key)
	die(ctx, beforeBegin)
	f, err := os.OpenFile(record, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return recorded(record)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return refund.OutcomeNotSent.String(), err
	}
	die(ctx, afterBegin)
	body, sendErr := n.post(ctx, byHand(), t, t.Key)
	die(ctx, beforeFinish)
	var network *net.OpError
	switch {
	case sendErr == nil && (len(body) == 0 || json.Valid(body)): // Instant says yes with an empty body
		err = os.WriteFile(record, []byte(saidPaid), 0o600)
	case errors.As(sendErr, &network) && network.Op == "dial": // not sent
		err = os.Remove(record)
	}
	if err != nil {
		return refund.OutcomeUnknown.String(), err
	}
	said, err = recorded(record)
	return said, errors.Join(err, sendErr)
}

// recorded is what the shop knows of a refund.
func recorded(record string) (said string, err error) {
	content, err := os.ReadFile(record)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refund.OutcomeNotSent.String(), nil
	case len(content) == 0:
		return refund.OutcomeUnknown.String(), err
	}
	return string(content), err
}
