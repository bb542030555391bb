package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadmeIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	fresh, err := rewrite(page)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(fresh, page), "run go generate -C tools ./gentable")
}

func TestRewriteNeedsItsMarks(t *testing.T) {
	_, err := rewrite([]byte("# a page"))
	assert.Error(t, err)
}
