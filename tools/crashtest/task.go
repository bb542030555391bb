package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// task is what a worker is told to do: ask for one refund, as a shop would.
type task struct {
	ID       int
	Provider string
	Order    refund.Order
	Key      string
	Amount   string
	Currency string
	Client   string             // journal, or one of the naive ones
	Faults   []refundtest.Fault // what the writes of this call meet, one each
	Kill     point              // where the process dies
	Stop     point              // where it is stopped, until somebody lets it go on
}

// answer is what a worker says of a task.
type answer struct {
	ID   int
	Said string // "paid", the outcome of the error, or "stopped"
	Text string // the error, for whoever looks into a finding
}

const (
	saidPaid    = "paid"
	saidStopped = "stopped" // no answer: the process has come to its task's Stop
)

// point is a step at which a process is killed.
type point string

// The steps of a refund, and of Round.
const (
	beforeBegin  point = "before begin"
	afterBegin   point = "after begin"
	beforeSend   point = "before the first byte"
	afterActed   point = "after the provider acted"
	beforeFinish point = "before finish" // the answer has arrived
	afterFinish  point = "after finish"

	roundBeforeClaim  point = "round: before the claim"
	roundAfterClaim   point = "round: after the claim"
	roundAfterAnswer  point = "round: after the provider answered"
	roundBeforeFinish point = "round: before finish"
)

func points() []point {
	return []point{beforeBegin, afterBegin, beforeSend, afterActed, beforeFinish, afterFinish}
}

func roundPoints() []point {
	return []point{roundBeforeClaim, roundAfterClaim, roundAfterAnswer, roundBeforeFinish}
}

type taskKey struct{}

// with makes a context in which t's faults and its death happen.
func (t *task) with(ctx context.Context, base http.RoundTripper) context.Context {
	network := refundtest.NewNetwork(base)
	network.Inject(t.Faults...)
	return context.WithValue(ctx, taskKey{}, &running{task: t, network: network})
}

type running struct {
	*task
	network *refundtest.Network
	stopped func() // says so, and stops the process
}

func from(ctx context.Context) *running {
	r, _ := ctx.Value(taskKey{}).(*running)
	return r
}

// die kills this process, as the kernel would, if ctx's task says so.
func die(ctx context.Context, at point) {
	if r := from(ctx); r != nil {
		r.die(at)
	}
}

func (r *running) die(at point) {
	if at != "" && r.Stop == at && r.stopped != nil {
		r.Stop = ""
		r.stopped()
	}
	if at != "" && r.Kill == at {
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill() //nolint:errcheck // there is nobody left to look at it
		}
		select {}
	}
}

// network routes each request through the faults of its task.
type network struct{ base http.RoundTripper }

func (n network) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	r := from(ctx)
	if r == nil {
		return n.base.RoundTrip(req)
	}
	if req.Method != http.MethodGet {
		die(ctx, beforeSend)
	}
	resp, err := r.network.RoundTrip(req)
	if req.Method != http.MethodGet {
		die(ctx, afterActed)
	}
	die(ctx, roundAfterAnswer)
	return resp, err
}

// plan makes the script: the same seed is the same script.
type plan struct {
	rand      *rand.Rand
	faultRate int // in a thousand
	killRate  int
}

func newPlan(seed uint64) *plan {
	return &plan{rand: rand.New(rand.NewPCG(seed, seed)), faultRate: 300, killRate: 20}
}

func (p *plan) chance(perMille int) bool { return p.rand.IntN(1000) < perMille }

func (p *plan) trouble(t *task) {
	if p.chance(p.faultRate) {
		faults := refundtest.Faults()
		f := faults[p.rand.IntN(len(faults))]
		for range 1 + p.rand.IntN(3) {
			t.Faults = append(t.Faults, f)
		}
	}
	if p.chance(p.killRate) {
		t.Kill = points()[p.rand.IntN(len(points()))]
	}
}

func encode(v any) []byte {
	line, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types
	}
	return append(line, '\n')
}
