package httpx

import (
	"iter"

	"github.com/multirefund/refund-go/refund"
)

// Page is one page of a listing. An empty page with a Next is not the end.
type Page[T any] struct {
	Items []T
	Next  string // the cursor of the next page; empty at the end
}

// Pages makes a listing of its pages: lazy, restartable, over after its first error. first is the cursor of the first
// page. A cursor that comes again would never end, and is an error.
func Pages[T any](provider, op, first string, fetch func(cursor string) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen := map[string]bool{}
		for cursor := first; ; {
			seen[cursor] = true
			page, err := fetch(cursor)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			if cursor = page.Next; seen[cursor] {
				yield(none, &refund.Error{
					Provider: provider, Op: op, Kind: refund.KindUnexpected, Outcome: refund.OutcomeRejected,
					Message: "the provider gave the same page twice",
				})
				return
			}
		}
	}
}
