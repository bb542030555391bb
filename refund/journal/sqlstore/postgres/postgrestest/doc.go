// Package postgrestest gives tests a PostgreSQL: a temporary server on this machine, or one that is already running.
//
//	var cluster *postgrestest.Cluster
//
//	func TestMain(m *testing.M) {
//		cluster = postgrestest.Start()
//		code := m.Run()
//		cluster.Stop()
//		os.Exit(code)
//	}
//
//	func TestShop(t *testing.T) {
//		store, err := postgres.Open(t.Context(), cluster.DSN(t)) // a database of its own, dropped after the test
//		...
//	}
//
// A temporary server needs PostgreSQL 13 or newer to be installed, and a Unix system. It ends with the test binary, however
// that ends, and leaves nothing behind. It accepts connections only through a socket in a folder that nobody else may
// enter. Elsewhere, set REFUND_TEST_POSTGRES to the URL of a server, with a user who may create databases.
package postgrestest
