//go:build race

package sqlstore_test

// slowness divides the sizes of the long tests. The race detector makes SQLite, which is machine-translated Go, ten times slower.
const slowness = 10
