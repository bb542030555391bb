package afterpay_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/refund"
)

const benchAnswer = `{"requestId":"b27168f6-3b06-5a49-9c1b-7d0a3a590b08","amount":{"amount":"10.00","currency":"AUD"},"merchantReference":"refund-1","refundMerchantReference":"refund-1","refundId":"1934419","refundedAt":"2021-08-25T14:56:33.753Z"}`

// canned answers at once, without a network, so that the clients' own work is what is measured.
type canned struct{}

func (canned) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusCreated, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(benchAnswer)), ContentLength: int64(len(benchAnswer)), Request: req,
	}, nil
}

// raw is what a careful engineer writes by hand with net/http and encoding/json, without any of the guarantees.
type raw struct {
	do   func(*http.Request) (*http.Response, error)
	base string
}

type rawMoney struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

type rawRequest struct {
	RequestID               string   `json:"requestId"`
	MerchantReference       string   `json:"merchantReference"`
	RefundMerchantReference string   `json:"refundMerchantReference"`
	Amount                  rawMoney `json:"amount"`
}

type rawRefund struct {
	RefundID          string    `json:"refundId"`
	RefundedAt        time.Time `json:"refundedAt"`
	MerchantReference string    `json:"merchantReference"`
	Amount            rawMoney  `json:"amount"`
}

func (r *raw) refund(ctx context.Context, orderID, key string) (*rawRefund, error) {
	body, err := json.Marshal(rawRequest{key, key, key, rawMoney{"10.00", "AUD"}})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+"/v2/payments/"+orderID+"/refund", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "shop/1.0 (Platform/1.0; Go/1.25; Shop/32) https://shop.example")
	req.SetBasicAuth("32", "abcdefgh")
	resp, err := r.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusCreated {
		return nil, fmt.Errorf("HTTP %d: %s", resp.StatusCode, answer)
	}
	var got rawRefund
	if err := json.Unmarshal(answer, &got); err != nil {
		return nil, err
	}
	return &got, nil
}

// bare is the least that makes the same refund: the same body with a requestId made of the key, no timeout, no date read.
type bare struct{ http.Client }

type bareRefund struct {
	RefundID          string   `json:"refundId"`
	RefundedAt        string   `json:"refundedAt"`
	MerchantReference string   `json:"merchantReference"`
	Amount            rawMoney `json:"amount"`
}

func (c *bare) refund(ctx context.Context, orderID, key string) (*bareRefund, error) {
	body, err := json.Marshal(rawRequest{uuid.NewSHA1(uuid.NameSpaceURL, []byte(key)).String(), key, key, rawMoney{"10.00", "AUD"}})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://global-api.afterpay.com/v2/payments/"+orderID+"/refund", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "shop/1.0 (Platform/1.0; Go/1.25; Shop/32) https://shop.example")
	req.SetBasicAuth("32", "abcdefgh")
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusCreated {
		return nil, fmt.Errorf("HTTP %d: %s", resp.StatusCode, answer)
	}
	var got bareRefund
	if err := json.Unmarshal(answer, &got); err != nil {
		return nil, err
	}
	return &got, nil
}

func benchRequest() refund.Request {
	return refund.Request{
		IdempotencyKey: "refund-1", Order: refund.Order{ID: "100101768366"}, Amount: refund.MustParseMoney("10.00", "AUD"),
	}
}

// BenchmarkRefund prints, besides the SDK's own figures, the ratios to two hand-written clients in the same run: raw, as a
// careful engineer writes it, and bare, the least that makes a refund.
func BenchmarkRefund(b *testing.B) {
	client := newClient(b, canned{})
	careful := &raw{do: (&http.Client{Transport: canned{}, Timeout: 70 * time.Second}).Do, base: "https://global-api.afterpay.com"}
	least := &bare{http.Client{Transport: canned{}}}
	ctx, req := b.Context(), benchRequest()
	run := func(f func() error) func() {
		return func() {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
	}
	calls := [...]func(){
		run(func() error { _, err := client.Refund(ctx, req); return err }),
		run(func() error { _, err := careful.refund(ctx, "100101768366", "refund-1"); return err }),
		run(func() error { _, err := least.refund(ctx, "100101768366", "refund-1"); return err }),
	}
	for _, call := range calls {
		call()
	}
	// In turns, so that whatever else the machine does strikes all alike.
	const batch = 64
	var costs [len(calls)]cost
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= batch {
		for i, call := range calls {
			costs[i].add(min(batch, left), call)
		}
	}
	ours, byRaw, byBare := costs[0], costs[1], costs[2]
	perOp := func(n uint64) float64 { return float64(n) / float64(b.N) }
	b.ReportMetric(float64(ours.time.Nanoseconds())/float64(b.N), "ns/op") // not that of all three
	b.ReportMetric(perOp(ours.bytes), "B/op")
	b.ReportMetric(perOp(ours.allocs), "allocs/op")
	b.ReportMetric(perOp(byBare.allocs), "bare-allocs/op")
	b.ReportMetric(float64(ours.time)/float64(byRaw.time), "time-x-raw")
	b.ReportMetric(float64(ours.allocs)/float64(byRaw.allocs), "allocs-x-raw")
	b.ReportMetric(float64(ours.time)/float64(byBare.time), "time-x-bare")
}

type cost struct {
	time          time.Duration
	allocs, bytes uint64
}

func (c *cost) add(n int, f func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	for range n {
		f()
	}
	c.time += time.Since(began)
	runtime.ReadMemStats(&after)
	c.allocs += after.Mallocs - before.Mallocs
	c.bytes += after.TotalAlloc - before.TotalAlloc
}

// BenchmarkThroughput is 64 workers over TLS and HTTP/1.1 on loopback, against a server that takes 5 ms. x-raw is the
// SDK's rate over that of a hand-written client with a tuned transport, x-retryablehttp-default over that of
// go-retryablehttp as it comes.
func BenchmarkThroughput(b *testing.B) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-time.After(5 * time.Millisecond)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, benchAnswer)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	trust := server.Client().Transport.(*http.Transport).TLSClientConfig

	// Each client has its own pool. HTTP/1.1 only: TLSNextProto is set and empty.
	transport := func(idle int) *http.Transport {
		return &http.Transport{
			TLSClientConfig: trust.Clone(), MaxIdleConns: 256, MaxIdleConnsPerHost: idle,
			TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
		}
	}
	cfg := config()
	cfg.BaseURL, cfg.Transport = server.URL, transport(256)
	client, err := afterpay.New(cfg)
	require.NoError(b, err)
	tuned := &raw{do: (&http.Client{Transport: transport(256), Timeout: 70 * time.Second}).Do, base: server.URL}
	retryable := retryablehttp.NewClient()
	retryable.Logger = nil
	pool := retryable.HTTPClient.Transport.(*http.Transport)
	pool.TLSClientConfig, pool.ForceAttemptHTTP2 = trust.Clone(), false
	pool.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	byDefault := &raw{do: retryable.StandardClient().Do, base: server.URL}

	ctx, req := b.Context(), benchRequest()
	sdk := func() error { _, err := client.Refund(ctx, req); return err }
	byHand := func() error { _, err := tuned.refund(ctx, "100101768366", "refund-1"); return err }
	asItComes := func() error { _, err := byDefault.refund(ctx, "100101768366", "refund-1"); return err }
	for _, f := range []func() error{sdk, byHand, asItComes} {
		parallel(b, 64, 256, f) // connections
	}
	// Many turns, the SDK first in one and second in the next, and the median of their ratios: what else the machine does
	// strikes single turns.
	const turns, batch, few = 48, 512, 128
	var ours, defaults time.Duration
	var ratios []float64
	b.ResetTimer()
	for range b.N {
		for turn := range turns {
			var mine, hand time.Duration
			if turn%2 == 0 {
				mine, hand = parallel(b, 64, batch, sdk), parallel(b, 64, batch, byHand)
			} else {
				hand, mine = parallel(b, 64, batch, byHand), parallel(b, 64, batch, sdk)
			}
			ours += mine
			ratios = append(ratios, float64(hand)/float64(mine))
		}
		defaults += parallel(b, 64, few, asItComes)
	}
	slices.Sort(ratios)
	b.ReportMetric(float64(b.N*turns*batch)/ours.Seconds(), "refunds/s")
	b.ReportMetric(ratios[len(ratios)/2], "x-raw")
	b.ReportMetric(float64(defaults)*turns*batch/few/float64(ours), "x-retryablehttp-default")
	b.ReportMetric(0, "ns/op") // three clients ran in it
}

func parallel(b *testing.B, workers, calls int, f func() error) time.Duration {
	b.Helper()
	began := time.Now()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range calls / workers {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}
