package sqlstore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal"
)

var sameKeyRounds = flag.Int("same-key-rounds", 10_000/slowness, "rounds of TestSameKeyAtTheSameMoment on PostgreSQL; on SQLite it is a fifth")

// roleVariable makes this test binary a process of a test, and says of which database.
const roleVariable = "SQLSTORE_TEST_ROLE"

// answer is what a process says about a key: what it was told, and who it was told has the key.
type answer struct {
	Key, Error, Owner string
}

// play is the process: it begins and ends a refund of every key that it reads, at once, and answers when it knows.
func play(role string) int {
	ctx := context.Background()
	of := slices.IndexFunc(databases, func(d database) bool { return d.name == role })
	store, err := databases[of].open(ctx, os.Args[len(os.Args)-2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer store.Close() //nolint:errcheck // the process ends
	owner := os.Args[len(os.Args)-1]
	out := json.NewEncoder(os.Stdout)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		key := in.Text()
		wg.Go(func() {
			a := answer{Key: key, Owner: owner}
			c := begun(key, "order-"+key)
			c.Entry.Owner = owner
			results, err := store.Write(ctx, []journal.Change{c})
			if err == nil && results[0].Err == nil {
				results, err = store.Write(ctx, []journal.Change{ended(c.Entry)})
			}
			if err == nil && results[0].Err != nil {
				err, a.Owner = results[0].Err, results[0].Entry.Owner
			}
			if err != nil {
				a.Error = err.Error()
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

// Two processes begin the same refund at the same moment, again and again. One does, and the other is told who.
func TestSameKeyAtTheSameMoment(t *testing.T) {
	const lanes = 8 // rounds at a time
	for i, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			total := *sameKeyRounds / (1 + 4*i)
			dsn := d.dsn(t)
			store := d.reopen(t, dsn)
			processes := []*process{startProcess(t, d.name, dsn, "first"), startProcess(t, d.name, dsn, "second")}

			rounds := make(chan int)
			var wg sync.WaitGroup
			var mu sync.Mutex
			won := map[string]int{}
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
						if a.Error != "" {
							a, b = b, a
						}
						assert.Empty(t, a.Error, "nobody has begun %s", key)
						assert.Equal(t, answer{key, journal.ErrKeyExists.Error(), a.Owner}, b)
						mu.Lock()
						won[a.Owner]++
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
			t.Logf("%d rounds: %v", total, won)

			entries := 0
			for e, err := range store.Entries(t.Context(), journal.Filter{From: noon}) {
				require.NoError(t, err)
				require.Equal(t, journal.StateSucceeded, e.State, e.Key)
				entries++
			}
			assert.Equal(t, total, entries)
			history := map[string][]int64{}
			for _, e := range events(t, store, journal.EventFilter{}) {
				history[e.Key] = append(history[e.Key], e.Version)
			}
			require.Len(t, history, total)
			for key, versions := range history {
				require.Equal(t, []int64{1, 2}, versions, key)
			}
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
