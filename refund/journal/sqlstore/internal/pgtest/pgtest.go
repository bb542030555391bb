// Package pgtest gives tests a PostgreSQL: a temporary cluster on this machine, or one that is there already.
package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"
)

// Cluster is a PostgreSQL server for one test binary.
type Cluster struct {
	dsn    string
	reason string // why there is none
	must   bool   // being without one is a failure

	process *exec.Cmd
	alive   io.Closer // the server runs until this is closed, by Stop or by the end of this process
	stderr  bytes.Buffer
}

// Start starts a temporary cluster with the installed initdb and postgres, or uses the one that the environment variable
// REFUND_TEST_POSTGRES names by a URL. Where there is neither, tests that ask for a database are skipped, and fail if
// the environment variable CI is true. Call Stop in any case.
func Start() *Cluster {
	c := &Cluster{
		dsn:  os.Getenv("REFUND_TEST_POSTGRES"), //nolint:forbidigo // a help for tests
		must: os.Getenv("CI") == "true",         //nolint:forbidigo // a help for tests
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

// Stop ends the temporary cluster and removes its files.
func (c *Cluster) Stop() {
	if c.process == nil {
		return
	}
	_ = c.alive.Close()  //nolint:errcheck // a pipe
	_ = c.process.Wait() //nolint:errcheck // there is nothing left to do
	c.process = nil
}

// DSN returns the URL of a new, empty database that is dropped after the test. Without a server the test is skipped, or
// fails where CI is true.
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

// Database makes a new, empty database, and returns its URL and what drops it.
func (c *Cluster) Database(ctx context.Context) (dsn string, drop func() error, err error) {
	if c.dsn == "" {
		return "", nil, c.none()
	}
	server, err := url.Parse(c.dsn)
	if err != nil {
		return "", nil, errors.New("pgtest: REFUND_TEST_POSTGRES is not a URL")
	}
	name := "refund_test_" + strings.ToLower(rand.Text()[:12])
	if err := c.exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, fmt.Errorf("pgtest: %w", err)
	}
	server.Path = "/" + name
	return server.String(), func() error {
		// Whatever the caller's context says by then.
		if err := c.exec(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("pgtest: %w", err)
		}
		return nil
	}, nil
}

func (c *Cluster) none() error {
	return fmt.Errorf("no PostgreSQL: %s; install it, or set REFUND_TEST_POSTGRES to a postgres:// URL", c.reason)
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
	initdb, err := find("initdb")
	if err != nil {
		return err
	}
	postgres, err := find("postgres")
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "refund-pg-") // short, because a socket's path may not be long
	if err != nil {
		return err
	}
	owner, err := unprivileged(folder)
	if err != nil {
		return errors.Join(err, os.RemoveAll(folder))
	}
	port, err := freePort()
	if err != nil {
		return errors.Join(err, os.RemoveAll(folder))
	}
	c.process = exec.Command("/bin/sh", "-c", script, "pgtest", folder, initdb, postgres, strconv.Itoa(port)) //nolint:noctx // see alive
	c.process.SysProcAttr, c.process.Dir, c.process.Stderr = owner, folder, &c.stderr
	alive, err := c.process.StdinPipe()
	if err == nil {
		c.alive, err = alive, c.process.Start()
	}
	if err != nil {
		c.process = nil
		return errors.Join(err, os.RemoveAll(folder))
	}
	c.dsn = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	return c.await()
}

// script runs the server until its standard input ends, so that nothing stays behind however the tests end. Its arguments
// are the folder, the two programs and the port. Making the cluster flushes nothing; the server itself has the default,
// durable, settings.
const script = `
"$2" -D "$1/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >/dev/null &&
"$3" -D "$1/data" -k "$1" -p "$4" -c listen_addresses=127.0.0.1 -c max_connections=200 -c log_min_messages=fatal </dev/null &
server=$!
cat >/dev/null
kill -INT $(head -n 1 "$1/data/postmaster.pid") || kill $server
wait $server
rm -rf "$1"
`

// await waits until the server answers.
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
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		case <-ticker.C:
		}
	}
}

// find looks for a program of PostgreSQL where it is installed.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	paths, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // Debian keeps it off the PATH
	if err != nil || len(paths) == 0 {
		return "", fmt.Errorf("%s is not installed", name)
	}
	return paths[len(paths)-1], nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return 0, err
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("no TCP address")
	}
	return address.Port, listener.Close()
}
