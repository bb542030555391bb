// Package keyid derives the ids that providers want from idempotency keys, so that every process, and the same one
// after a crash, sends the same.
package keyid

import "github.com/google/uuid"

// UUID returns the UUID of a key at a provider, which is the name of its package and must never change either.
func UUID(provider, key string) string {
	// Drawn once. It must never change: with another one a repeat would be a new refund.
	namespace := uuid.UUID{0xd9, 0x2f, 0x6c, 0x4a, 0x5b, 0x0e, 0x4f, 0x6e, 0x9c, 0x3d, 0x0a, 0x51, 0x7e, 0x88, 0x21, 0x64}
	name := append(append(append(make([]byte, 0, 96), provider...), ':'), key...)
	return uuid.NewSHA1(namespace, name).String()
}
