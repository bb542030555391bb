package postgres

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal"
)

// TestJanitorExample runs examples/janitor, which needs a PostgreSQL, and checks the journal that it leaves.
func TestJanitorExample(t *testing.T) {
	dsn := cluster.DSN(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "run", "-C", "../../../../examples/janitor", ".", "-dsn", dsn, "-for", "5s").CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
	store, err := Open(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	resolved := 0
	for e, err := range store.Entries(t.Context(), journal.Filter{From: time.Unix(1, 0)}) {
		require.NoError(t, err)
		assert.Equal(t, journal.StateSucceeded, e.State)
		resolved++
	}
	assert.Equal(t, 5, resolved)
}
