// Package httpx is the only place of this module that speaks HTTP.
//
// It configures hashicorp/go-retryablehttp once, for money: a write reaches the provider at most once unless the
// provider deduplicates it, and every failure says whether it may have reached it at all. The defaults of
// go-retryablehttp do neither: they repeat POSTs, drop the last answer, sleep for as long as Retry-After says and
// flush the caller's idle connections.
//
// A provider gives a Config with its facts and a Classify function with its table of errors, and makes Calls.
package httpx
