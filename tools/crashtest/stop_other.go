//go:build !unix

package main

// stop does nothing: there is no SIGSTOP, and no test that needs it.
func stop() {}
