package sqlstore

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal"
)

// TestJanitorExample runs examples/janitor, which needs a PostgreSQL, and looks at what it leaves.
func TestJanitorExample(t *testing.T) {
	postgres := databases[0]
	dsn := postgres.dsn(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "run", "-C", "../../../examples/janitor", ".", "-dsn", dsn, "-for", "5s").CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
	resolved := 0
	for e, err := range postgres.reopen(t, dsn).Entries(t.Context(), journal.Filter{}) {
		require.NoError(t, err)
		assert.Equal(t, journal.Succeeded, e.State)
		resolved++
	}
	assert.Equal(t, 5, resolved)
}
