//go:build unix

package main

import (
	"os"
	"syscall"
	"time"
)

// stop stops this process until it gets SIGCONT.
func stop() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) //nolint:errcheck // the test would not go on
	<-time.After(50 * time.Millisecond)            // another thread takes the signal, which takes a moment
}
