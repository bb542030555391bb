//go:build !race

package sqlstore_test

// slowness divides the sizes of the long tests. See race_test.go.
const slowness = 1
