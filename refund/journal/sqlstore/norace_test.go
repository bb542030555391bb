//go:build !race

package sqlstore

// slowness divides the sizes of the long tests. See race_test.go.
const slowness = 1
