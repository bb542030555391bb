package sqlstore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

var sameKeyRounds = flag.Int("same-key-rounds", 10_000/slowness, "rounds of TestSameKeyAtTheSameMoment on PostgreSQL; on SQLite it is a fifth")

// roleVariable makes this test binary a process of a test, and says of which database.
const roleVariable = "SQLSTORE_TEST_ROLE"

// answer is what a process says about a key.
type answer struct {
	Key, ID string
	Error   string
	// InFlight: the error is ErrInFlight, and says so to whoever looks at its outcome.
	InFlight bool
}

// play is the process: it refunds every key that it reads, at once, and answers when it knows.
func play(role string) int {
	ctx := context.Background()
	of := slices.IndexFunc(databases, func(d database) bool { return d.name == role })
	store, err := databases[of].open(ctx, os.Args[len(os.Args)-2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer store.Close() //nolint:errcheck // the process ends
	client, err := journal.New(store, journal.Options{}).Wrap(&remote{url: os.Args[len(os.Args)-1], client: &http.Client{}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	out := json.NewEncoder(os.Stdout)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		key := in.Text()
		wg.Go(func() {
			a := answer{Key: key}
			got, err := client.Refund(ctx, refund.Request{
				IdempotencyKey: key, Order: refund.Order{ID: "order-" + key}, Amount: refund.MustParseMoney("10.99", "AUD"),
			})
			if err != nil {
				a.Error, a.InFlight = err.Error(), errors.Is(err, refund.ErrInFlight) && refund.OutcomeOf(err) == refund.OutcomeUnknown
			} else {
				a.ID = got.ID
			}
			mu.Lock()
			defer mu.Unlock()
			if err := out.Encode(a); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		})
	}
	wg.Wait()
	return 0
}

// remote is a Refunder whose provider is another process.
type remote struct {
	url    string
	client *http.Client
}

func (r *remote) Capabilities() refund.Capabilities {
	return refund.Capabilities{Provider: "remote", ResolvedBy: refund.ResolvedByPerson}
}

func (r *remote) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	fail := func(err error) (*refund.Refund, error) {
		return nil, &refund.Error{Provider: "remote", Op: "refund", IdempotencyKey: req.IdempotencyKey, Err: err}
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/"+req.IdempotencyKey, nil)
	if err != nil {
		return fail(err)
	}
	resp, err := r.client.Do(post)
	if err != nil {
		return fail(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	id, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fail(errors.Join(errors.New(resp.Status), err))
	}
	return &refund.Refund{
		ID: string(id), IdempotencyKey: req.IdempotencyKey, Provider: "remote", Order: req.Order, Amount: req.Amount, Status: refund.StatusSucceeded,
	}, nil
}

// Two processes are asked for the same refund at the same moment, again and again. One call reaches the provider; both
// return its refund, or one says that it is in flight.
func TestSameKeyAtTheSameMoment(t *testing.T) {
	const lanes = 8 // rounds at a time
	for i, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			total := *sameKeyRounds / (1 + 4*i)
			dsn := database.dsn(t)
			store := database.reopen(t, dsn)
			var mu sync.Mutex
			calls := map[string]int{}
			n := 0
			provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				n++
				calls[r.URL.Path[1:]]++
				_, err := fmt.Fprintf(w, "refund-%d", n)
				assert.NoError(t, err)
			}))
			defer provider.Close()
			processes := []*process{
				startProcess(t, database.name, dsn, provider.URL), startProcess(t, database.name, dsn, provider.URL),
			}

			rounds := make(chan int)
			var wg sync.WaitGroup
			var same, inFlight int
			for range lanes {
				wg.Go(func() {
					for i := range rounds {
						key := fmt.Sprintf("round-%d", i)
						answers := []chan answer{processes[0].expect(key), processes[1].expect(key)}
						for p := range processes {
							process := processes[(p+i)%2] // neither is always the first
							if err := process.ask(key); err != nil {
								t.Error(err)
							}
						}
						a, b := <-answers[0], <-answers[1]
						if a.ID == "" {
							a, b = b, a
						}
						mu.Lock()
						switch {
						case assert.NotEmpty(t, a.ID, "%+v %+v", a, b) && a.ID == b.ID:
							same++
						case assert.True(t, b.InFlight, "%+v %+v", a, b):
							inFlight++
						}
						assert.Equal(t, 1, calls[key], "calls that reached the provider")
						mu.Unlock()
					}
				})
			}
			for i := range total {
				if t.Failed() {
					break
				}
				rounds <- i
			}
			close(rounds)
			wg.Wait()
			for _, p := range processes {
				require.NoError(t, p.stop())
			}
			t.Logf("%d rounds: %d times the same answer, %d times one in flight", total, same, inFlight)

			entries := 0
			for e, err := range store.Entries(t.Context(), journal.Filter{}) {
				require.NoError(t, err)
				require.Equal(t, journal.StateSucceeded, e.State, e.Key)
				entries++
			}
			assert.Equal(t, total, entries)
			assert.Equal(t, total, n, "calls that reached the provider")
		})
	}
}

// process is another process that refunds what it is asked to.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser

	mu      sync.Mutex
	waiting map[string]chan answer
	ended   error         // why it answers no more
	read    chan struct{} // closed when there is nothing more to read
}

func startProcess(t *testing.T, role string, args ...string) *process {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	p := &process{cmd: exec.CommandContext(t.Context(), program, args...), waiting: map[string]chan answer{}, read: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role) //nolint:forbidigo // how a test starts a process of itself
	p.cmd.Stderr = os.Stderr
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.read)
		lines := json.NewDecoder(out)
		for {
			var a answer
			if err := lines.Decode(&a); err != nil {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.ended = fmt.Errorf("the process has ended: %w", err)
				for _, c := range p.waiting {
					c <- answer{Error: p.ended.Error()}
				}
				return
			}
			p.mu.Lock()
			p.waiting[a.Key] <- a
			delete(p.waiting, a.Key)
			p.mu.Unlock()
		}
	}()
	return p
}

// expect returns where the answer about key arrives.
func (p *process) expect(key string) chan answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := make(chan answer, 1)
	if p.ended != nil {
		c <- answer{Error: p.ended.Error()}
	}
	p.waiting[key] = c
	return c
}

func (p *process) ask(key string) error {
	_, err := io.WriteString(p.in, key+"\n")
	return err
}

func (p *process) stop() error {
	err := p.in.Close()
	<-p.read
	return errors.Join(err, p.cmd.Wait())
}
