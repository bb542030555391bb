// Package journal is a write-ahead journal around a refund.Refunder.
package journal
