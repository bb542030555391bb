//go:build !unix

package postgrestest

import (
	"errors"
	"syscall"
)

func unprivileged(string) (*syscall.SysProcAttr, error) {
	return nil, errors.New("a temporary server needs a Unix system")
}
