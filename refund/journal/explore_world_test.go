package journal_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// The explorer runs the real journal in a world of its own: several processes on one store, around one provider. All of it
// is in a synctest bubble. Wherever a process touches the store or the provider it stops at a point, and the world decides
// who goes on, and how: see actions.

// kind is what a process is about to do at a point.
type kind int

const (
	pointRead    kind = iota // a read of the store
	pointWrite               // a commit that has not been made yet
	pointWritten             // the answer to a commit
	pointSend                // a request to the provider that has not gone out yet
	pointAnswer              // the answer to it
	pointLook                // a read of the provider
)

// action is one thing that may happen at a point instead of going on.
type action struct {
	name  string
	at    []kind // nil for all
	takes bool   // it has a duration
	odds  int
}

// actions are all that may happen. A new one needs a line here, and a place where it is obeyed.
func actions() []action {
	return []action{
		{name: "kill", odds: 4},               // the process ends
		{name: "pause", takes: true, odds: 6}, // what is done takes that long
		{name: "stop", takes: true, odds: 5},  // the process stands still
		{name: "wait", takes: true, odds: 4},  // everybody does
		{name: "fail", at: []kind{pointRead, pointWrite, pointWritten, pointLook}, odds: 8},
		{name: "down", at: []kind{pointRead, pointWrite, pointWritten}, takes: true, odds: 3}, // the process cannot reach the store for a while
		{name: "commit", at: []kind{pointWrite}, takes: true, odds: 4},                        // fails, and is committed later
		{name: "refuse", at: []kind{pointSend}, odds: 6},                                      // no connection
		{name: "reject", at: []kind{pointSend}, odds: 6},                                      // the provider says no
		{name: "vanish", at: []kind{pointSend}, odds: 12},                                     // it never arrives, and nobody knows
		{name: "late", at: []kind{pointSend}, takes: true, odds: 10},                          // it arrives later
		{name: "orphan", at: []kind{pointSend}, takes: true, odds: 8},                         // as late, and the process ends
		{name: "freeze", at: []kind{pointSend}, takes: true, odds: 8},                         // the process is stopped after it has looked at the clock
		{name: "twice", at: []kind{pointSend}, odds: 2},                                       // it arrives twice
		{name: "lose", at: []kind{pointAnswer}, odds: 20},                                     // the answer is lost
		{name: "panic", at: []kind{pointAnswer}, odds: 3},                                     // the client panics
		{name: "dark", at: []kind{pointLook}, takes: true, odds: 4},                           // the provider cannot be read for a while
		{name: "blind", at: []kind{pointLook}, odds: 6},                                       // it shows nothing, once
		{name: "lag", at: []kind{pointLook}, takes: true, odds: 8},                            // the read shows what was
	}
}

// choice is what was decided at one point: who went on, and how. The zero choice is the first who waits, and nothing special.
type choice struct {
	step, pick int
	act        string
	d          time.Duration
}

func (c choice) String() string {
	s := strconv.Itoa(c.step)
	if c.pick != 0 {
		s += "#" + strconv.Itoa(c.pick)
	}
	if c.act != "" {
		s += ":" + c.act
	}
	if c.d != 0 {
		s += "=" + c.d.String()
	}
	return s
}

func parseChoices(s string) (all []choice, err error) {
	for word := range strings.FieldsSeq(s) {
		var c choice
		word, d, _ := strings.Cut(word, "=")
		if d != "" {
			if c.d, err = time.ParseDuration(d); err != nil {
				return nil, err
			}
		}
		word, c.act, _ = strings.Cut(word, ":")
		step, pick, _ := strings.Cut(word, "#")
		if c.step, err = strconv.Atoi(step); err != nil {
			return nil, err
		}
		if pick != "" {
			if c.pick, err = strconv.Atoi(pick); err != nil {
				return nil, err
			}
		}
		all = append(all, c)
	}
	return all, nil
}

func printChoices(all []choice) string {
	words := make([]string, len(all))
	for i, c := range all {
		words[i] = c.String()
	}
	return strings.Join(words, " ")
}

// setup is what an execution is made of, all from its seed.
type setup struct {
	traits
	maxLag, maxDelay time.Duration
	wild             bool // delays and lags may be longer than the provider is assumed to have
	lies             bool // the person decides wrongly, by force
	lag              time.Duration
	rate             int // of 1,000 points, at how many something happens
	mix              int // of 100 points, at how many it is not the first who goes on
	keys             []string
	callers          []string // the key of each
	janitor          bool
	persons          int
	resolves         bool // callers resolve what is unknown, at times
	tries            int
	swarm            map[string]bool // the actions that may be chosen: few, so that they come together often
	lease            time.Duration
	inFlight         int
	shared           bool // all callers are in one process
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func newSetup(seed uint64, only string) setup {
	r := rand.New(rand.NewPCG(seed, 0))
	all := models()
	if only != "" {
		all = slices.DeleteFunc(all, func(m traits) bool { return m.name != only })
	}
	s := setup{traits: pick(r, all...)}
	s.absence = pick(r, 5*time.Minute, 30*time.Minute, time.Hour)
	s.careful = r.IntN(2) == 0
	s.wild = r.IntN(4) == 0
	s.lies = r.IntN(16) == 0
	s.maxLag = pick(r, 0, time.Second, s.absence/2, s.absence-2*time.Second)
	s.maxDelay = s.absence - s.maxLag - time.Second
	if s.wild {
		s.maxLag = pick(r, s.absence, 3*time.Hour, 30*time.Hour)
		s.maxDelay = pick(r, s.absence+time.Hour, 26*time.Hour, 70*time.Hour)
	}
	if r.IntN(2) == 0 {
		s.lag = s.maxLag
	}
	s.rate = pick(r, 20, 60, 120, 250)
	s.mix = pick(r, 10, 40)
	s.callers = pick(r, []string{"k1"}, []string{"k1", "k1"}, []string{"k1", "k2"}, []string{"k1", "k1", "k2"}, []string{"k1", "k2"}, []string{"k1", "k2", "k3"})
	s.keys = slices.Compact(slices.Clone(s.callers))
	s.janitor = r.IntN(3) != 0
	s.persons = pick(r, 0, 0, 1, 2)
	if s.by == refund.ResolvedByPerson {
		s.persons = pick(r, 1, 2)
	}
	s.resolves = r.IntN(3) == 0
	s.tries = pick(r, 5, 5, 10)
	s.swarm = map[string]bool{}
	for _, a := range actions() {
		s.swarm[a.name] = r.IntN(2) == 0
	}
	s.lease = pick(r, 15*time.Minute, 15*time.Minute, 4*time.Minute)
	s.inFlight = pick(r, 64, 1)
	s.shared = r.IntN(4) == 0
	return s
}

func (s *setup) String() string {
	return fmt.Sprintf("%s, absence after %s, lag %s of %s, delay up to %s, lease %s, callers %v (one process: %v), janitor %v, persons %d, wild %v, lies %v, careful %v",
		s.name, s.absence, s.lag, s.maxLag, s.maxDelay, s.lease, s.callers, s.shared, s.janitor, s.persons, s.wild, s.lies, s.careful)
}

// world is one execution.
type world struct {
	setup
	actions  []action
	store    journal.Store
	provider *provider
	roles    []*role
	rand     *rand.Rand // of the choices; nil if they are given
	given    map[int]choice
	made     []choice
	step     int
	kills    int
	began    time.Time
	stirred  chan struct{} // somebody has come to a point

	mu        sync.Mutex
	waiting   []*waiter
	calm      bool // nothing happens any more, and nobody stops
	births    int
	holders   map[string]*process // who was the last to take a key's entry
	seq       int                 // counts what happened, because time may stand still
	requests  []*sentRequest
	nothing   []claim // who was told that nothing has moved
	answers   []answer
	blinded   bool
	dark      time.Time // until then the provider cannot be read
	broken    bool      // the world has not kept to what is assumed of it
	lied      bool      // nor has the person
	common    *process  // of all callers, if they share one
	processes []*process
	twice     map[string]bool
	story     []string
	telling   bool
	bad       []string // what must not be
	easy      int      // points that nobody stopped at
}

// sentRequest is a request that has gone out.
type sentRequest struct {
	process *process
	key     string
	seq     int
	done    bool
}

// claim is what a caller was told of a key: that nothing has moved.
type claim struct {
	process    *process
	key, what  string
	since, seq int // when the call began, and when it ended
}

// waiter is a goroutine at a point.
type waiter struct {
	process *process
	kind    kind
	name    string
	since   time.Time
	until   time.Time // it cannot go on before
	do      choice    // what has kept it there
	gone    chan choice
}

// process is one process, with a journal of its own.
type process struct {
	world   *world
	name    string
	journal *journal.Journal
	client  refund.Refunder
	ctx     context.Context // its life
	cancel  context.CancelFunc

	// The world's lock guards these.
	dead    bool
	stopped time.Time // until then
	down    time.Time // until then it cannot reach the store
	young   bool      // in its first call, where no other goroutine may wait for a lock that the journal holds at a point
	failing int       // changes that a group which has failed is divided into
}

var errWorld = errors.New("the world is against it")

func (w *world) tell(format string, args ...any) {
	if w.telling {
		w.story = append(w.story, fmt.Sprintf("%-12s ", time.Since(w.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
	}
}

// wrong records what must not be. w.mu is held.
func (w *world) wrong(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.tell("!!! %s", text)
	w.bad = append(w.bad, text)
}

// start makes a process.
func (w *world) start(name string) *process {
	w.mu.Lock()
	w.births++
	p := &process{world: w, name: name + "." + strconv.Itoa(w.births), young: true}
	w.mu.Unlock()
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.journal = journal.New(&tapped{Store: w.store, process: p}, journal.Options{Lease: w.lease, InFlight: w.inFlight})
	client, err := p.journal.Wrap(w.provider.client(p))
	if err != nil {
		panic(err)
	}
	p.client = client
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes = append(w.processes, p)
	return p
}

// at stops at a point, until the world lets go on.
func (p *process) at(k kind, name string) choice {
	w := p.world
	w.mu.Lock()
	if p.dead {
		w.mu.Unlock()
		runtime.Goexit()
	}
	if w.calm {
		w.easy++
		if w.easy == mostSteps {
			w.wrong("it works without end")
			p.cancel()
		}
		w.mu.Unlock()
		return choice{}
	}
	self := &waiter{process: p, kind: k, name: name, since: time.Now(), gone: make(chan choice, 1)}
	w.waiting = append(w.waiting, self)
	w.mu.Unlock()
	select {
	case w.stirred <- struct{}{}:
	default:
	}
	do := <-self.gone
	w.mu.Lock()
	dead := p.dead
	w.mu.Unlock()
	if dead {
		runtime.Goexit()
	}
	return do
}

// die ends the process that calls it.
func (p *process) die() {
	p.world.mu.Lock()
	p.world.kill(p)
	p.world.mu.Unlock()
	runtime.Goexit()
}

// kill ends p. Its goroutines go at their next points. w.mu is held.
func (w *world) kill(p *process) {
	w.kills++
	p.dead = true
	p.cancel()
	w.tell("    %s is dead", p.name)
}

func (p *process) isDead() bool {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	return p.dead
}

const (
	mostSpecial = 600 // points; from there on nothing special happens
	mostSteps   = 6_000
)

// run lets the roles play, until all are done and nothing is under way.
func (w *world) run() {
	for {
		synctest.Wait()
		w.mu.Lock()
		w.bury()
		now := time.Now()
		var ready []*waiter
		next := now.Add(time.Hour)
		for _, one := range w.waiting {
			if from := latest(one.until, one.process.stopped); from.After(now) {
				next = earlier(next, from)
			} else {
				ready = append(ready, one)
			}
		}
		idle := len(w.waiting) == 0 && w.done()
		if len(ready) == 0 {
			w.mu.Unlock()
			if idle {
				return
			}
			if time.Since(w.began) > 10*365*24*time.Hour {
				panic("the explorer waits for somebody who does not come")
			}
			w.sleep(next.Sub(now))
			continue
		}
		slices.SortStableFunc(ready, func(a, b *waiter) int {
			return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.process.name, b.process.name), cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
		})
		if w.step++; w.step == mostSteps {
			w.wrong("it works without end")
			w.mu.Unlock()
			return
		}
		c := w.choose(ready, w.step <= mostSpecial)
		one := ready[c.pick%len(ready)]
		wait := w.obey(one, c)
		w.mu.Unlock()
		if wait > 0 {
			pass(wait)
		}
	}
}

// obey lets one go on as c says. The result is how long everybody has to wait first. w.mu is held.
func (w *world) obey(one *waiter, c choice) (wait time.Duration) {
	p, now := one.process, time.Now()
	if c.act != "" || w.telling {
		w.tell("%4d %s: %s %s %s", w.step, p.name, one.kind, one.name, strings.TrimPrefix(c.String(), strconv.Itoa(c.step)))
	}
	switch c.act {
	case "kill":
		w.kill(p)
	case "pause":
		one.until, one.do = now.Add(c.d), c
		return 0
	case "stop":
		p.stopped, one.do = now.Add(c.d), c
		return 0
	case "wait":
		one.do = c
		return c.d
	case "down":
		p.down = now.Add(c.d)
	case "dark":
		w.dark = now.Add(c.d)
	case "freeze":
		p.stopped = now.Add(c.d)
	}
	w.waiting = slices.DeleteFunc(w.waiting, func(other *waiter) bool { return other == one })
	if c.act == "" {
		c = one.do
	}
	one.gone <- c
	return 0
}

// bury lets the goroutines of the dead go, and starts their roles anew. w.mu is held.
func (w *world) bury() {
	w.waiting = slices.DeleteFunc(w.waiting, func(one *waiter) bool {
		if one.process.dead {
			one.gone <- choice{}
		}
		return one.process.dead
	})
	for _, r := range w.roles {
		if !r.over && !w.calm && r.process != nil && r.process.dead {
			r.process = nil
			r.turn++
			go r.live(r.turn)
		}
	}
}

func (w *world) done() bool {
	for _, r := range w.roles {
		if !r.over {
			return false
		}
	}
	for _, s := range w.requests {
		if !s.done {
			return false
		}
	}
	return true
}

// sleep lets time pass until somebody comes to a point.
func (w *world) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.stirred:
	case <-timer.C:
	}
}

// choose decides who goes on, and how. w.mu is held.
func (w *world) choose(ready []*waiter, special bool) choice {
	c := choice{step: w.step}
	if w.rand == nil {
		c = w.given[w.step]
		c.step = w.step
	} else if special {
		if len(ready) > 1 && w.rand.IntN(100) < w.mix {
			c.pick = w.rand.IntN(len(ready))
		}
		rate := w.rate
		if k := ready[c.pick].kind; k == pointSend || k == pointAnswer { // it is there that money moves
			rate *= 3
		}
		if w.rand.IntN(1000) < rate {
			w.chooseAction(&c, ready[c.pick])
		}
		if c.act != "" || c.pick != 0 {
			w.made = append(w.made, c)
		}
	}
	if !w.allowed(c.act, ready[c.pick%len(ready)]) {
		c.act, c.d = "", 0
	}
	return c
}

func (w *world) allowed(act string, one *waiter) bool {
	if one.do.act != "" && (act == "pause" || act == "stop" || act == "wait") { // once at each point
		return false
	}
	for _, a := range w.actions {
		if a.name == act {
			return a.at == nil || slices.Contains(a.at, one.kind)
		}
	}
	return false
}

func (w *world) chooseAction(c *choice, one *waiter) {
	sum := 0
	var all []action
	for _, a := range w.actions {
		if w.allowed(a.name, one) && w.sensible(a.name) && w.swarm[a.name] {
			all = append(all, a)
			sum += a.odds
		}
	}
	if sum == 0 {
		return
	}
	n := w.rand.IntN(sum)
	for _, a := range all {
		if n -= a.odds; n < 0 {
			c.act = a.name
			if a.takes {
				c.d = w.duration(a.name)
			}
			return
		}
	}
}

func (w *world) sensible(act string) bool {
	switch act {
	case "kill", "orphan":
		return w.kills < 4
	case "blind":
		return !w.blinded && !w.wild // beyond what is assumed one look may be all there is
	case "twice":
		return w.dedups > 0 || w.by == refund.ResolvedByMarker && w.maxLag == 0
	}
	return true
}

// duration is how long an action takes.
func (w *world) duration(act string) time.Duration {
	r := w.rand
	const s = time.Second
	switch act {
	case "lag":
		return pick(r, w.maxLag, w.maxLag/2)
	case "late", "orphan", "freeze":
		return pick(r, w.maxDelay, w.maxDelay, w.maxDelay/2, time.Duration(r.Int64N(int64(w.maxDelay)+1)), min(10*s, w.maxDelay)).Truncate(s)
	case "commit":
		return pick(r, s, 20*s, 2*time.Minute)
	case "down", "dark":
		return pick(r, 5*s, time.Minute, 20*time.Minute, 3*time.Hour)
	}
	if r.IntN(2) == 0 {
		return pick(r, s, 12*s, 45*s, 100*s, 5*time.Minute, 13*time.Minute, 16*time.Minute, 40*time.Minute, 2*time.Hour, 25*time.Hour)
	}
	// to the next interesting moment of an entry, or just before or after it
	e, err := w.store.Get(context.Background(), journal.ID{Provider: w.name, Key: pick(r, w.keys...)})
	if err != nil {
		return w.lease
	}
	d := time.Until(pick(r, e.Lease, e.Due, e.LastSent.Add(w.absence), e.Lease.Add(w.absence))) + pick(r, -2*s, -s, 0, s, time.Minute)
	if d <= 0 || d > 30*24*time.Hour {
		return w.lease + s
	}
	return d
}

func (k kind) String() string {
	return [...]string{"read", "write", "written", "send", "answer", "look"}[k]
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// read is a read of the provider. It returns how far it lags behind.
func (p *process) read(ctx context.Context, name string) (time.Duration, error) {
	do := p.at(pointLook, name)
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	lag := w.lag
	switch {
	case do.act == "fail", time.Now().Before(w.dark) && !w.calm:
		return 0, errWorld
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case do.act == "lag":
		lag = do.d
	case do.act == "blind": // two looks in a row are assumed to see
		w.blinded = true
		return time.Since(w.began) + time.Hour, nil
	}
	if w.calm {
		lag = 0
	}
	if lag >= w.absence {
		w.broken = true
	}
	return lag, nil
}

// tapped is the store as one process reaches it.
type tapped struct {
	journal.Store
	process *process
}

// reach is a read of the store.
func (t *tapped) reach(name string) error {
	do := t.process.at(pointRead, name)
	return t.process.reached(do)
}

func (p *process) reached(do choice) error {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	if do.act == "fail" || time.Now().Before(p.down) && !p.world.calm {
		return errWorld
	}
	return nil
}

// Now is called under a lock of the journal. Where another goroutine may wait for that the bubble would stand still, so
// that only the first call of a process stops here.
func (t *tapped) Now(ctx context.Context) (time.Time, error) {
	p := t.process
	p.world.mu.Lock()
	young := p.young
	p.world.mu.Unlock()
	now := time.Now() // the answer may take long
	if young {
		if err := t.reach("now"); err != nil {
			return now, err
		}
	} else if err := p.reached(choice{}); err != nil {
		return now, err
	}
	return now, ctx.Err()
}

func (t *tapped) Write(ctx context.Context, changes []journal.Change) ([]journal.Result, error) {
	p, w := t.process, t.process.world
	if results, err, ok := t.writeGroup(ctx, changes); ok {
		return results, err
	}
	e := &changes[0].Entry
	name := e.Key + " " + string(e.State) + " v" + strconv.FormatInt(e.Version, 10)
	do := p.at(pointWrite, name)
	if do.act == "commit" {
		time.AfterFunc(do.d, func() {
			results, err := t.Store.Write(context.WithoutCancel(ctx), changes)
			w.mu.Lock()
			defer w.mu.Unlock()
			if err == nil && results[0].Err == nil {
				w.holders[e.Key] = p
			}
			w.tell("    late commit of %s: %v %v", name, results, err)
		})
		return nil, errWorld
	}
	if err := p.reached(do); err != nil {
		return nil, err
	}
	results, err := t.Store.Write(ctx, changes)
	if err != nil {
		return results, err
	}
	w.mu.Lock()
	w.tell("    %s: %v", name, results[0].Err)
	if results[0].Err == nil {
		w.holders[e.Key] = p
	}
	w.mu.Unlock()
	do = p.at(pointWritten, name)
	if do.act == "fail" || do.act == "down" || ctx.Err() != nil {
		return nil, errWorld
	}
	return results, nil
}

// writeGroup writes a group of changes, or what a group that failed was divided into, without a stop: if the process ended
// there, whoever waits for the group would wait for ever.
func (t *tapped) writeGroup(ctx context.Context, changes []journal.Change) (results []journal.Result, err error, ok bool) {
	p, n := t.process, len(changes)
	p.world.mu.Lock()
	failing := p.failing
	if n == 1 && failing == 0 {
		p.world.mu.Unlock()
		return nil, nil, false
	}
	fails := p.dead || time.Now().Before(p.down) && !p.world.calm
	switch {
	case fails && failing == 0:
		p.failing = n
	case n == 1, !fails && failing > 0:
		p.failing -= n
	}
	p.world.mu.Unlock()
	if fails {
		return nil, errWorld, true
	}
	results, err = t.Store.Write(ctx, changes)
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	for i := range results {
		if err == nil && results[i].Err == nil {
			p.world.holders[changes[i].Entry.Key] = p
		}
	}
	return results, err, true
}

func (t *tapped) Claim(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
	do := t.process.at(pointWrite, "claim")
	if do.act == "commit" {
		return nil, errWorld
	}
	if err := t.process.reached(do); err != nil {
		return nil, err
	}
	found, err := t.Store.Claim(ctx, c)
	if err != nil || len(found) == 0 {
		return found, err
	}
	w := t.process.world
	w.mu.Lock()
	for i := range found {
		w.holders[found[i].Key] = t.process
	}
	w.mu.Unlock()
	do = t.process.at(pointWritten, "claim")
	if do.act == "fail" || do.act == "down" || ctx.Err() != nil {
		return nil, errWorld
	}
	return found, nil
}

func (t *tapped) Get(ctx context.Context, id journal.ID) (journal.Entry, error) {
	if err := t.reach("get " + id.Key); err != nil {
		return journal.Entry{}, err
	}
	return t.Store.Get(ctx, id)
}

func (t *tapped) Entries(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
	return func(yield func(journal.Entry, error) bool) {
		if err := t.reach("entries"); err != nil {
			yield(journal.Entry{}, err)
			return
		}
		for e, err := range t.Store.Entries(ctx, f) {
			if !yield(e, err) {
				return
			}
		}
	}
}
