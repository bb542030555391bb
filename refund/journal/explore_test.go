package journal_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

var (
	exploreN     = flag.Int("explore.n", 0, "executions of TestExplore; 0 for the usual")
	exploreSeed  = flag.Uint64("explore.seed", 1, "seed of its first execution; each has one of its own")
	exploreModel = flag.String("explore.model", "", "the only provider model; all if empty")
	exploreRuns  = flag.Int("explore.workers", 2, "executions at once")
)

// regression is an execution that once went wrong. Its seed says what it is made of: after a change of newSetup, or of where
// a process stops, it is another one. Undo what the line says, and it fails.
type regression struct {
	seed    uint64
	choices string
}

func regressions() []regression {
	return []regression{
		// By a clock that was read slowly a refund was sent earlier than it was.
		{seed: 3059176, choices: "1:stop=12s 3:stop=15m0s 8:late=29m59s"},
		// LastSent of a dead sender is its lease's end.
		{seed: 38568, choices: "3:freeze=59m58s 4:stop=15m0s 23:kill"},
		// What a zombie has in hand is recorded.
		{seed: 1030, choices: "1:pause=1s 5:freeze=70h0m0s"},
		// Two refunds that a look finds are paid twice.
		{seed: 584, choices: "5:pause=1m40s 17:pause=15m0s 21:kill 28:late=70h0m0s"},
		// A pending refund keeps its order where one replaces another.
		{seed: 30, choices: ""},
		// An intent that was perhaps not written withdrew another call's.
		{seed: 12, choices: "4:freeze=59m59s 49:stop=5m0s"},
		// A deadline was later than its lease's end, because the caller had been kept.
		{seed: 46, choices: "9:wait=2h0m0s"},
		// An old reading of the clock made a key young again.
		{seed: 4898, choices: "5:lose 11:wait=25h0m0s"},
		// A key that was sent again forgot what to compare with.
		{seed: 3073, choices: "2#1 5:fail 8:pause=4m1s 11:fail 12:pause=4m1s 25:pause=5m0s 34:pause=4m1s 47:orphan=26h0m0s 81:stop=12s 91:pause=3m59s 103:pause=4m1s 107:stop=2h0m0s"},
		// What only a person can judge was not shown to one.
		{seed: 466, choices: "7:late=66h55m28s"},
		// A look by comparison took the refund of another key that was open.
		{seed: 2704, choices: "6:vanish 13:stop=1m40s 37:stop=15m1s 47:wait=45s 48:panic 53:stop=41m47s"},
		// A look that was overdue and failed was tried without end.
		{seed: 552, choices: "6:kill 38:fail 49:down=3h0m0s 108:stop=16m0s 110:pause=4m1s 121:orphan=26h0m0s 126:fail 131:kill 134:down=20m0s 145:pause=2h0m0s 158:down=1m0s 160:fail 181:down=20m0s 183:pause=25h0m0s 185:pause=25h0m0s 189:pause=4m1s 198:stop=4m1s"},
		// After a panic of the client LastSent stayed that of an earlier life.
		{seed: 10272, choices: "2:pause=12s 5:pause=25h0m0s 6:stop=4m1s 18:commit=20s 19:stop=24h0m0.85s 22:stop=25h0m0s 34:pause=13m0s 47:panic"},
		// A person decided when the lease was just over.
		{seed: 3467, choices: "4:pause=16m0s 6:pause=40m0s 46:fail 62:orphan=59m59s 65:pause=25h0m0s"},
		// A comparison took a refund that was still looked for.
		{seed: 7754, choices: "8:refuse 14:kill 22:kill 34:kill 37:kill 45:reject 56:late=26h0m0s 87:vanish"},
		// A person's work was forgotten when a pending refund ended.
		{seed: 15637, choices: "1:pause=15m0s 8:pause=15m0s 15:kill 22:pause=15m1s 23:pause=19m59s 27:kill 28:kill 42:kill 52:pause=15m0s 57:pause=15m1s 67:pause=15m1s 75:pause=1h0m0s 76:pause=15m1s 79:pause=15m1s 82:pause=15m1s 85:pause=15m0s 87:pause=15m1s 88:pause=1s 97:late=39h57m10s 123:pause=15m1s 126:pause=2h0m0s 140:pause=45s 147:pause=13m0s 150:pause=15m1s 189:pause=15m0s"},
		// A second payment that a look could not judge was silent where somebody had to look for another reason.
		{seed: 100548037, choices: "4:fail 10:fail 13:kill 20:orphan=26h0m0s 30:fail 43:kill 58:orphan=26h0m0s"},
	}
}

// TestExplore runs the journal under schedules, failures and clocks of all kinds, chosen at random. What goes wrong is made
// small, and printed as a line of regressions. For long:
//
//	go test ./refund/journal -run TestExplore -timeout 24h -explore.n 10000000 -explore.seed 1
func TestExplore(t *testing.T) {
	n := *exploreN
	if n == 0 {
		n = 20_000
		if testing.Short() {
			n = 2_000
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // most of what an execution needs lives as long as it
	var next, failed, steps atomic.Int64
	began := time.Now()
	t.Run("all", func(t *testing.T) {
		for range *exploreRuns {
			t.Run("worker", func(t *testing.T) {
				t.Parallel()
				for failed.Load() < 3 {
					i := next.Add(1)
					if i > int64(n) {
						return
					}
					seed := *exploreSeed + uint64(i) - 1
					w := explore(t, seed, nil, false)
					steps.Add(int64(w.step))
					if len(w.bad) > 0 {
						failed.Add(1)
						report(t, seed, i, w)
					}
				}
			})
		}
	})
	took := time.Since(began)
	ran := min(next.Load(), int64(n))
	t.Logf("%d executions, %d points, %d executions a second", ran, steps.Load(), ran*1000/max(took.Milliseconds(), 1))
}

func TestExploreRegressions(t *testing.T) {
	for _, r := range regressions() {
		choices, err := parseChoices(r.choices)
		if err != nil {
			t.Fatal(err)
		}
		if w := explore(t, r.seed, choices, false); len(w.bad) > 0 {
			report(t, r.seed, 1, w)
		}
	}
}

// report makes an execution that went wrong small, and tells its story.
func report(t *testing.T, seed uint64, after int64, w *world) {
	t.Helper()
	first := w.bad[0]
	choices := shrink(t, seed, w.made)
	again := explore(t, seed, choices, true)
	if len(again.bad) == 0 {
		t.Errorf("execution %d: %s\nIt does not happen again with seed %d and\n%s", after, first, seed, printChoices(w.made))
		return
	}
	t.Errorf("execution %d: %s\n%s\n\n%s\n\n{seed: %d, choices: %q},", after, again.bad[0], &again.setup, strings.Join(again.story, "\n"), seed, printChoices(choices))
}

// shrink leaves out what it goes wrong without.
func shrink(t *testing.T, seed uint64, choices []choice) []choice {
	t.Helper()
	fails := func(some []choice) bool { return len(explore(t, seed, some, false).bad) > 0 }
	for size := max(len(choices)/2, 1); ; size = max(size/2, 1) {
		before := len(choices)
		for i := 0; i < len(choices); {
			some := append(append([]choice{}, choices[:i]...), choices[min(i+size, len(choices)):]...)
			if fails(some) {
				choices = some
			} else {
				i += size
			}
		}
		if size == 1 && len(choices) == before {
			return choices
		}
	}
}

// explore is one execution. Without choices they are made as seed says.
func explore(t *testing.T, seed uint64, choices []choice, telling bool) (w *world) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		w = newWorld(seed, telling)
		w.made = choices
		if choices == nil {
			w.rand = rand.New(rand.NewPCG(seed, 1))
		}
		for _, c := range choices {
			w.given[c.step] = c
		}
		w.play()
	})
	return w
}

func newWorld(seed uint64, telling bool) *world {
	w := &world{
		setup: newSetup(seed, *exploreModel), actions: actions(), store: journal.NewMemory(), given: map[int]choice{}, began: time.Now(),
		stirred: make(chan struct{}, 1), twice: map[string]bool{}, holders: map[string]*process{}, telling: telling,
	}
	w.provider = &provider{traits: w.traits, world: w}
	add := func(name, key string, tries int, play func(*role, *process)) {
		stream := uint64(len(w.roles)) + 2
		w.roles = append(w.roles, &role{world: w, name: name, key: key, tries: tries, play: play, rand: rand.New(rand.NewPCG(seed, stream))})
	}
	for i, key := range w.callers {
		add(string(rune('A'+i)), key, w.tries, (*role).call)
	}
	if w.janitor {
		add("janitor", "", 8, (*role).clean)
	}
	for range w.persons {
		add("person", "", 3, (*role).judge)
	}
	return w
}

// play is an execution from its beginning to its end.
func (w *world) play() {
	for _, r := range w.roles {
		go r.live(r.turn)
	}
	w.run()
	w.mu.Lock()
	w.calm = true
	w.tell("all is calm")
	w.mu.Unlock()
	if len(w.bad) == 0 {
		w.end()
	}
	w.mu.Lock()
	for _, p := range w.processes {
		if !p.dead {
			w.kill(p)
		}
	}
	w.bury()
	w.mu.Unlock()
	pass(100 * 24 * time.Hour) // time ends with this goroutine: all others have to wake before
}

// end is what comes after: all work is done, and all that is to be found out is.
func (w *world) end() {
	pass(w.maxLag + 3*time.Hour + time.Second)
	p := w.start("calm")
	w.settle(p)
	w.checkAnswers()
	w.check()
	for _, key := range w.keys { // what the shop would do about what was not paid
		w.ask(p, key)
		w.settle(p)
	}
	pass(8 * 24 * time.Hour)
	w.settle(p)
	w.check()
}

// settle does all the work that is due, and what will be.
func (w *world) settle(p *process) {
	for range 100 {
		if _, err := p.journal.Round(p.ctx); err != nil {
			w.note("round: %v", err)
		}
		if w.persons > 0 {
			w.decide(p, false)
		}
		var due time.Time
		for _, key := range w.keys {
			e, err := w.store.Get(p.ctx, journal.ID{Provider: w.name, Key: key})
			if err != nil || e.Due.IsZero() {
				continue
			}
			if next := latest(e.Due, e.Lease); due.IsZero() || next.Before(due) {
				due = next
			}
		}
		if due.IsZero() {
			return
		}
		pass(max(time.Until(due), 0) + time.Second)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong("there is always something due")
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell(format, args...)
}

// role is somebody who uses the journal, in one process after the other.
type role struct {
	world *world
	name  string
	key   string
	tries int
	play  func(*role, *process)
	rand  *rand.Rand

	// The world's lock guards these.
	process *process // of now
	turn    int      // how often its process has ended
	over    bool
}

// live plays the role in a new process.
func (r *role) live(turn int) {
	w := r.world
	pass(pick(r.rand, 0, 0, 0, time.Second, time.Minute, 20*time.Minute, 3*time.Hour))
	r.play(r, r.begin())
	w.mu.Lock()
	defer w.mu.Unlock()
	if turn == r.turn && !r.process.dead {
		r.over = true
	}
}

// begin gives the role a process.
func (r *role) begin() *process {
	w := r.world
	w.mu.Lock()
	if w.shared && r.key != "" && w.common != nil && !w.common.dead {
		r.process = w.common
		w.mu.Unlock()
		return r.process
	}
	w.mu.Unlock()
	p := w.start(r.name)
	w.mu.Lock()
	defer w.mu.Unlock()
	r.process = p
	if w.shared && r.key != "" {
		w.common, p.young = p, false
	}
	return p
}

// call is a shop that wants its money to move once, and asks until it knows.
func (r *role) call(p *process) {
	w := r.world
	for !p.isDead() && r.tries > 0 {
		r.tries--
		ctx, cancel := p.ctx, func() {}
		if r.rand.IntN(4) == 0 {
			ctx, cancel = context.WithTimeout(ctx, pick(r.rand, 100*time.Millisecond, 5*time.Second, 2*time.Minute))
		}
		since := w.now()
		got, err := p.client.Refund(ctx, w.request(r.key))
		cancel()
		p.grow()
		if p.isDead() {
			return
		}
		w.heard(p, since, r.key, got, err)
		if err == nil && r.rand.IntN(4) != 0 {
			break
		}
		if w.resolves && r.rand.IntN(3) == 0 {
			r.resolve(p, err)
			if p.isDead() {
				return
			}
		}
		pass(pick(r.rand, 0, time.Second, retryAfter(err), retryAfter(err), retryAfter(err), 20*time.Minute, 2*time.Hour, 25*time.Hour, 8*24*time.Hour))
		if !w.shared && !p.isDead() && r.rand.IntN(4) == 0 {
			if r.rand.IntN(2) == 0 {
				ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
				_ = p.journal.Shutdown(ctx) //nolint:errcheck // it may take too long
				cancel()
			}
			p = r.begin()
		}
	}
}

// resolve asks what became of a refund, instead of sending its key again.
func (r *role) resolve(p *process, unknown error) {
	re, ok := unknown.(*refund.Error) //nolint:errorlint // Refund promises the very type
	resolver, able := refund.As[refund.Resolver](p.client)
	if !ok || !able || re.Outcome != refund.OutcomeUnknown || re.Attempt.Tries == 0 {
		return
	}
	since := r.world.now()
	seen, err := resolver.Resolve(p.ctx, re.Attempt)
	if err == nil && !p.isDead() {
		r.world.resolved(p, since, r.key, &seen)
	}
}

func retryAfter(err error) time.Duration {
	if re, ok := err.(*refund.Error); ok { //nolint:errorlint // Refund promises the very type
		return re.RetryAfter + time.Second
	}
	return time.Minute
}

// clean is a cron job.
func (r *role) clean(p *process) {
	for !p.isDead() && r.tries > 0 {
		r.tries--
		sum, err := p.journal.Round(p.ctx)
		p.grow()
		if p.isDead() {
			return
		}
		r.world.note("     %s: round: %+v %v", p.name, sum, err)
		pass(pick(r.rand, 15*time.Second, time.Minute, 5*time.Minute, 20*time.Minute, time.Hour, 10*time.Hour))
	}
}

// judge is a person who looks after what needs one.
func (r *role) judge(p *process) {
	for !p.isDead() && r.tries > 0 {
		r.tries--
		pass(pick(r.rand, 10*time.Minute, 2*time.Hour, 25*time.Hour))
		if p.isDead() {
			return
		}
		r.world.decide(p, r.world.lies && r.rand.IntN(2) == 0)
		p.grow()
	}
}

// grow is called after a process's first call.
func (p *process) grow() {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.young = false
}

func (w *world) request(key string) refund.Request {
	return refund.Request{IdempotencyKey: key, Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "AUD")}
}

func (w *world) ask(p *process, key string) {
	since := w.now()
	got, err := p.client.Refund(p.ctx, w.request(key))
	w.heard(p, since, key, got, err)
}

// decide decides what is open, by what the ledger says. That it is too early to tell is for the journal to say.
func (w *world) decide(p *process, lie bool) {
	for _, key := range w.keys {
		e, err := p.journal.Get(p.ctx, journal.ID{Provider: w.name, Key: key})
		if err != nil || e.State != journal.StateNeedsReview && e.State != journal.StateUnknown && e.State != journal.StateSending {
			continue
		}
		w.mu.Lock()
		now := time.Now()
		d := journal.Decision{Provider: w.name, Key: e.Key, Verdict: refund.VerdictNotApplied, Seen: now, Who: "staff-7", Why: "the ledger"}
		paid := w.provider.paid(e.Key, now)
		switch {
		case len(paid) > 0 && !lie:
			d.Verdict, d.RefundID, d.Pending = refund.VerdictApplied, paid[0].id, w.provider.status(paid[0], now) == refund.StatusPending
		case len(paid) == 0 && lie:
			d.Verdict, d.RefundID = refund.VerdictApplied, "wrong"
		case w.provider.has(e.Key): // it has failed, and there is no decision for that
			w.mu.Unlock()
			continue
		}
		if lie {
			d.Force, w.broken, w.lied = true, true, true
		}
		w.mu.Unlock()
		err = p.journal.Decide(p.ctx, d)
		w.note("     %s: decides that %s is %s: %v", p.name, e.Key, d.Verdict, err)
	}
}
