package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-retryablehttp"
)

// The clients of the script. All but the first are what shops write by hand; clientCareful is one more.
const (
	clientJournal   = "journal"
	clientPlain     = "plain POST, a timeout means failed, try again"
	clientRetryable = "go-retryablehttp's defaults"
	clientFreshKey  = "a fresh key for every try"
	clientMemoryKey = "a key made in memory, lost at the crash"
)

func naiveClients() []string {
	return []string{clientPlain, clientRetryable, clientFreshKey, clientMemoryKey}
}

// tries is how often a person clicks on "refund" when it says that it failed.
const tries = 3

// naive refunds at one provider without any of this module.
type naive struct {
	provider *provider
	base     string
	header   http.Header
	records  string // the careful client's folder
}

func newNaive(ctx context.Context, p *provider, base, records string) (*naive, error) {
	header, err := p.headers(ctx)
	return &naive{provider: p, base: base, header: header, records: records}, err
}

// byHand is the HTTP client of whoever has no other.
func byHand() *http.Client {
	return &http.Client{
		Transport: network{http.DefaultTransport}, Timeout: attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // nothing leaves this machine
	}
}

// refund returns nil if the shop believes that the refund was made.
func (n *naive) refund(ctx context.Context, t *task) error {
	client, key := byHand(), ""
	if t.Client == clientMemoryKey {
		key = uuid.NewString()
	}
	if t.Client == clientRetryable {
		retrying := retryablehttp.NewClient()
		retrying.Logger, retrying.HTTPClient = nil, client
		retrying.RetryWaitMin, retrying.RetryWaitMax = time.Millisecond, 5*time.Millisecond // its policy, in a hurry
		retrying.Backoff = func(lo, hi time.Duration, n int, _ *http.Response) time.Duration { return min(lo<<n, hi) }
		client = retrying.StandardClient()
		_, err := n.post(ctx, client, t, "")
		return err
	}
	var err error
	for range tries {
		if t.Client == clientFreshKey {
			key = uuid.NewString()
		}
		if _, err = n.post(ctx, client, t, key); err == nil {
			return nil
		}
	}
	return err
}

// post returns the body of a 2xx, and an error for everything else.
func (n *naive) post(ctx context.Context, client *http.Client, t *task, key string) (body []byte, err error) {
	path, content := n.provider.byHand(t, key)
	body, err = json.Marshal(content)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = n.header.Clone()
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it has been read
	if body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20)); err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	return body, nil
}
