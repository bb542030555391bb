// Package wire is what all providers share about their bodies: reading what is not quite what they document, ids made
// from idempotency keys, and provider amounts as Money.
package wire
