package refundtest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/multirefund/refund-go/refund"
)

// gateway is something between the client and the provider that is up, and wrong. What passes it has no other fault. It may be
// called on several goroutines at once.
type gateway func(req *http.Request, next http.RoundTripper) (*http.Response, error)

// through lets what meets no fault go through g; nil is the straight way.
func (n *Network) through(g gateway) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gateway = g
}

func (n *Network) pass(req *http.Request) (*http.Response, error) {
	n.mu.Lock()
	g := n.gateway
	n.mu.Unlock()
	if g == nil {
		return n.next.RoundTrip(req)
	}
	return g(req, n.next)
}

// transportFunc is an http.RoundTripper.
type transportFunc func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f transportFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func isRead(req *http.Request) bool { return req.Method == http.MethodGet }

// recorded is a response that a desynchronised gateway gives again.
type recorded struct {
	resp http.Response
	body []byte
}

// record passes everything, and keeps the last response to a write.
func (r *recorded) record(req *http.Request, next http.RoundTripper) (*http.Response, error) {
	resp, body, err := whole(next.RoundTrip(req))
	if err != nil {
		return nil, err
	}
	if !isRead(req) {
		r.resp, r.body = *resp, body
	}
	setBody(resp, body)
	return resp, nil
}

// desynchronised answers every write with what r has, which is of an earlier one. Unless it is delivered, the provider never
// sees the write.
func (r *recorded) desynchronised(delivered bool) gateway {
	return func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		if isRead(req) {
			return next.RoundTrip(req)
		}
		if delivered {
			if resp, _, err := whole(next.RoundTrip(req)); err != nil {
				return resp, err
			}
		} else {
			drain(req)
			trace(req, true)
		}
		resp := r.resp
		resp.Header, resp.Request = r.resp.Header.Clone(), req
		setBody(&resp, r.body)
		return &resp, nil
	}
}

// redelivery is a write that something on the way delivers again, long after its response.
type redelivery struct {
	req  *http.Request
	body []byte
}

// keep passes everything, and keeps the last write.
func (r *redelivery) keep(req *http.Request, next http.RoundTripper) (*http.Response, error) {
	if isRead(req) || req.Body == nil {
		return next.RoundTrip(req)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	ctx := context.WithoutCancel(req.Context())
	r.req, r.body = req.Clone(ctx), body
	return next.RoundTrip(r.copied(ctx))
}

// again delivers it once more, and loses the response.
func (r *redelivery) again(ctx context.Context, next http.RoundTripper) error {
	if r.req == nil {
		return errors.New("nothing was sent")
	}
	resp, err := next.RoundTrip(r.copied(ctx))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (r *redelivery) copied(ctx context.Context) *http.Request {
	req := r.req.Clone(ctx)
	req.Body, req.GetBody = io.NopCloser(bytes.NewReader(r.body)), nil
	return req
}

// misrouted answers every read about order with what the provider says of other. named is set if a response named it.
func misrouted(order, other refund.Order, named *atomic.Bool) gateway {
	swap := map[string]string{order.ID: other.ID, order.MerchantID: other.MerchantID, order.InvoiceID: other.InvoiceID}
	delete(swap, "")
	return func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		if !isRead(req) {
			return next.RoundTrip(req)
		}
		target := *req.URL
		segments := strings.Split(target.EscapedPath(), "/")
		for i, s := range segments {
			if id, err := url.PathUnescape(s); err == nil && swap[id] != "" {
				segments[i] = url.PathEscape(swap[id])
			}
		}
		query := target.Query()
		for _, values := range query {
			for i, id := range values {
				values[i] = cmp.Or(swap[id], id)
			}
		}
		target.RawQuery, target.RawPath = query.Encode(), strings.Join(segments, "/")
		var err error
		if target.Path, err = url.PathUnescape(target.RawPath); err != nil {
			return nil, err
		}
		again := req.Clone(req.Context())
		again.URL = &target
		resp, body, err := whole(next.RoundTrip(again))
		if err != nil {
			return nil, err
		}
		if names(body, other.ID, other.MerchantID, other.InvoiceID) {
			named.Store(true)
		}
		setBody(resp, body)
		return resp, nil
	}
}

// names reports whether a JSON body has one of the texts or numbers for a value. Empty ones do not count.
func names(body []byte, texts ...string) (found bool) {
	var value any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&value) != nil {
		return false
	}
	edited(value, func(value any) any {
		if text := fmt.Sprint(value); text != "" && slices.Contains(texts, text) {
			found = true
		}
		return value
	})
	return found
}

// edit returns what stands in place of a JSON value; gone takes a member out.
type edit func(value any) any

type gone struct{}

// editing changes every value of the JSON responses to the requests that applies selects.
func editing(applies func(*http.Request) bool, change edit) gateway {
	return func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		resp, body, err := whole(next.RoundTrip(req))
		if err != nil {
			return nil, err
		}
		var value any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if applies(req) && d.Decode(&value) == nil {
			if body, err = json.Marshal(edited(value, change)); err != nil {
				return nil, err
			}
		}
		setBody(resp, body)
		return resp, nil
	}
}

func edited(value any, change edit) any {
	value = change(value)
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if v[name] = edited(member, change); v[name] == (gone{}) {
				delete(v, name)
			}
		}
	case []any:
		for i := range v {
			v[i] = edited(v[i], change)
		}
	}
	return value
}

// silenced puts instead in place of every list.
func silenced(instead any) edit {
	return func(value any) any {
		if _, ok := value.([]any); ok {
			return instead
		}
		return value
	}
}

// absurdDigits is how many digits a number has that no amount has.
const absurdDigits = 100_000

// absurd gives every number, in quotes or not, absurdDigits. used is set if there was one.
func absurd(used *atomic.Bool) edit {
	digits := strings.Repeat("7", absurdDigits)
	number := regexp.MustCompile(`^-?\d+(\.\d+)?$`)
	return func(value any) any {
		switch v := value.(type) {
		case json.Number:
			used.Store(true)
			return json.Number(digits)
		case string:
			if number.MatchString(v) {
				used.Store(true)
				return digits
			}
		}
		return value
	}
}

// forgetful passes writes without their context, which is where the client learns what went out, and says afterwards that it could
// not connect. Hedging and queueing transports do.
func forgetful(req *http.Request, next http.RoundTripper) (*http.Response, error) {
	if isRead(req) {
		return next.RoundTrip(req)
	}
	resp, _, err := whole(next.RoundTrip(req.Clone(context.Background())))
	if err != nil {
		return resp, err
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// rebuilding makes every write anew, as signing and logging transports do: with a body that net/http can send again.
func rebuilding(req *http.Request, next http.RoundTripper) (*http.Response, error) {
	if isRead(req) || req.Body == nil {
		return next.RoundTrip(req)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	again, err := http.NewRequestWithContext(req.Context(), req.Method, req.URL.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	again.Header = req.Header.Clone()
	return next.RoundTrip(again)
}

// cutter is the provider behind a connection that dies after the next write has been processed.
type cutter struct {
	provider http.Handler
	cut      atomic.Bool
}

// ServeHTTP implements http.Handler.
func (c *cutter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !isRead(r) && c.cut.Swap(false) {
		c.provider.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
	c.provider.ServeHTTP(w, r)
}

// witness is what requests say, member by member.
type witness struct {
	paths []string // escaped
	texts []string // everything that the provider reads as a text
}

func (w *witness) look(req *http.Request, next http.RoundTripper) (*http.Response, error) {
	w.paths = append(w.paths, req.URL.EscapedPath())
	for s := range strings.SplitSeq(req.URL.EscapedPath(), "/") {
		if text, err := url.PathUnescape(s); err == nil {
			w.texts = append(w.texts, text)
		}
	}
	for _, values := range req.URL.Query() {
		w.texts = append(w.texts, values...)
	}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		var value any
		if json.Unmarshal(body, &value) == nil {
			edited(value, func(value any) any {
				if text, ok := value.(string); ok {
					w.texts = append(w.texts, text)
				}
				return value
			})
		}
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	return next.RoundTrip(req)
}

// carried returns what is wrong with how an odd id was carried.
func (w *witness) carried(id string) string {
	if !slices.Contains(w.texts, id) {
		return "it was changed on its way to the provider"
	}
	for _, path := range w.paths {
		for s := range strings.SplitSeq(path, "/") {
			if s == "." || s == ".." {
				return "it leads to another path: " + path
			}
		}
	}
	return ""
}
