package postgrestest

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"
)

// variable is the environment variable with the URL of a server.
const variable = "REFUND_TEST_POSTGRES"

// Cluster is a PostgreSQL server for one test binary. Safe for concurrent use.
type Cluster struct {
	dsn    string
	reason string // why there is no server
	must   bool   // to have no server is a failure

	// The server runs until alive is closed, by Stop or by the end of this process. Both are nil if it was not started here.
	alive  io.Closer
	ended  chan struct{} // closed when the server has ended
	stderr bytes.Buffer
}

// Start uses the server that the environment variable REFUND_TEST_POSTGRES names by a URL, or starts a temporary one with
// the installed initdb and postgres. If it can do neither, DSN skips the test, or fails it if the environment variable CI
// is "true". The caller must call Stop in any case.
func Start() *Cluster {
	c := &Cluster{
		dsn:  os.Getenv(variable),       //nolint:forbidigo // a help for tests, documented
		must: os.Getenv("CI") == "true", //nolint:forbidigo // a help for tests, documented
	}
	if c.dsn != "" {
		return c
	}
	if err := c.start(); err != nil {
		c.Stop()
		c.dsn, c.reason = "", strings.TrimSpace(err.Error()+" "+c.stderr.String())
	}
	return c
}

// Stop ends the temporary server and removes its files.
func (c *Cluster) Stop() {
	if c.ended == nil {
		return
	}
	_ = c.alive.Close() //nolint:errcheck // a pipe
	<-c.ended
}

// DSN returns the URL of a new, empty database, which is dropped after the test. Without a server it skips the test, or
// fails it if the environment variable CI is "true".
func (c *Cluster) DSN(tb testing.TB) string {
	tb.Helper()
	if c.dsn == "" && !c.must {
		tb.Skip(c.none())
	}
	dsn, drop, err := c.Database(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := drop(); err != nil {
			tb.Error(err)
		}
	})
	return dsn
}

// Database creates a new, empty database, for programs that are no tests. It returns the URL of the database, and a
// function that drops it.
func (c *Cluster) Database(ctx context.Context) (dsn string, drop func() error, err error) {
	if c.dsn == "" {
		return "", nil, c.none()
	}
	server, err := url.Parse(c.dsn)
	if err != nil || server.Scheme != "postgres" && server.Scheme != "postgresql" {
		return "", nil, fmt.Errorf("postgrestest: %s is not a postgres:// URL", variable) // without it: it may have a password
	}
	name := "refund_test_" + strings.ToLower(rand.Text()[:12])
	if err := c.exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, fmt.Errorf("postgrestest: %w", err)
	}
	server.Path = "/" + name
	return server.String(), func() error {
		// A test's context has ended when its cleanup runs.
		if err := c.exec(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("postgrestest: %w", err)
		}
		return nil
	}, nil
}

func (c *Cluster) none() error {
	return fmt.Errorf("postgrestest: no PostgreSQL: %s; install it, or set %s to a postgres:// URL", c.reason, variable)
}

func (c *Cluster) exec(ctx context.Context, statement string) error {
	db, err := sql.Open("pgx", c.dsn)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement)
	return errors.Join(err, db.Close())
}

func (c *Cluster) start() error {
	bin, err := programs()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "refund-pg-") // short: the path of a socket has at most 103 bytes on some systems
	if err != nil {
		return err
	}
	owner, err := unprivileged(folder)
	if err != nil {
		return errors.Join(err, os.RemoveAll(folder))
	}
	server := exec.Command("/bin/sh", "-c", script, "postgrestest", folder, bin) //nolint:noctx // see alive
	server.SysProcAttr, server.Dir, server.Stderr = owner, folder, &c.stderr
	alive, err := server.StdinPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(folder))
	}
	c.alive, c.ended = alive, make(chan struct{})
	go func() {
		_ = server.Wait()        //nolint:errcheck // stderr has the reason
		_ = os.RemoveAll(folder) //nolint:errcheck // the script cannot, if only root may write to its parent
		close(c.ended)
	}()
	host := strings.ReplaceAll(url.QueryEscape(folder), "+", "%20") // pgx takes "+" as it is, like libpq
	c.dsn = "postgres://postgres@/postgres?sslmode=disable&host=" + host
	return c.await()
}

// script runs the server until standard input ends, so that nothing stays behind however the tests end. Its arguments are
// the folder of the cluster and the folder of the programs. initdb flushes nothing; the server has the default, durable,
// settings. TERM ends a server that does not handle INT yet; with INT it does not wait for its clients. PIPE is ignored
// because nobody may read standard error any more.
const script = `
trap '' PIPE
exec 3<&0 </dev/null
if "$2/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >/dev/null; then
	"$2/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c max_connections=200 -c log_min_messages=fatal &
	server=$!
	{ cat; kill -TERM $server; kill -INT $server; } <&3 >/dev/null 2>&1 &
	wait $server
	kill $! 2>/dev/null
fi
rm -rf "$1"
`

// await waits until the server accepts connections.
func (c *Cluster) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := c.exec(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			return errors.New("postgres has ended")
		case <-ctx.Done():
			return fmt.Errorf("postgres does not accept connections: %w", err)
		case <-ticker.C:
		}
	}
}

// programs returns the folder of initdb and postgres, which must be of one version.
func programs() (string, error) {
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		paths, globErr := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian keeps it off the PATH
		if globErr != nil || len(paths) == 0 {
			return "", errors.New("initdb is not installed")
		}
		initdb = paths[len(paths)-1]
	}
	initdb, err = filepath.EvalSymlinks(initdb)
	return filepath.Dir(initdb), err
}
