package wire

import (
	"crypto/sha1" //nolint:gosec // UUIDs of version 5 are made with it (RFC 9562); nothing is protected by it

	"github.com/google/uuid"
)

// UUID returns the UUID (version 5) of a key at a provider, which is the name of its package and must never change either.
func UUID(provider, key string) string {
	// Drawn once. It must never change: with another one a repeat would be a new refund.
	namespace := uuid.UUID{0xd9, 0x2f, 0x6c, 0x4a, 0x5b, 0x0e, 0x4f, 0x6e, 0x9c, 0x3d, 0x0a, 0x51, 0x7e, 0x88, 0x21, 0x64}
	name := append(append(append(append(make([]byte, 0, 128), namespace[:]...), provider...), ':'), key...)
	sum := sha1.Sum(name) //nolint:gosec // see above; uuid.NewSHA1 does the same with three allocations more
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x50, id[8]&0x3f|0x80
	return id.String()
}
