package httpx

import (
	"iter"
	"strconv"

	"github.com/multirefund/refund-go/refund"
)

// Page is one page of a listing. An empty page with a Next is not the end.
type Page[T any] struct {
	Items []T
	Next  string // the cursor of the next page; empty at the end
}

// maxPages is the greatest number of pages of one listing. At a hundred items each, the most that any of the providers
// gives, that is a hundred thousand: a listing for which there is always more must end without a deadline too.
const maxPages = 1000

// Pages makes a listing of its pages: lazy, restartable, over after its first error. first is the cursor of the first
// page. A cursor that comes again would never end, and is an error; so is a page after the first maxPages.
func Pages[T any](o *Op, first string, fetch func(cursor string) (Page[T], error)) iter.Seq2[T, error] {
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
			problem := ""
			if cursor = page.Next; seen[cursor] {
				problem = "the provider gave the same page twice"
			} else if len(seen) == maxPages {
				problem = "the listing has more than " + strconv.Itoa(maxPages) + " pages; ask for a shorter span of time"
			}
			if problem != "" {
				yield(none, o.fail(refund.ErrUnexpected, refund.OutcomeRejected, "", "%s", problem))
				return
			}
		}
	}
}

// Items makes a listing of a read that returns everything at once: lazy and restartable.
func Items[T any](read func() ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		items, err := read()
		if err != nil {
			var none T
			yield(none, err)
			return
		}
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// Failed is the listing of a request that is refused before anything is sent.
func Failed[T any](err error) iter.Seq2[T, error] {
	return Items(func() ([]T, error) { return nil, err })
}

// Convert makes a listing of refunds from one of a provider's own.
func Convert[T any](all iter.Seq2[T, error], convert func(T) *refund.Refund) iter.Seq2[*refund.Refund, error] {
	return func(yield func(*refund.Refund, error) bool) {
		for item, err := range all {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(convert(item), nil) {
				return
			}
		}
	}
}

// Select makes a listing of the refunds that q selects. The order is not compared: the provider has selected by it. A
// refund whose date is not known is within every span of time, because a listing must not hide what may have been paid.
func Select(q refund.Query, all iter.Seq2[*refund.Refund, error]) iter.Seq2[*refund.Refund, error] {
	return func(yield func(*refund.Refund, error) bool) {
		for r, err := range all {
			if (err != nil || selects(&q, r)) && !yield(r, err) {
				return
			}
		}
	}
}

func selects(q *refund.Query, r *refund.Refund) bool {
	return (q.Status == "" || q.Status == r.Status) && (r.CreatedAt.IsZero() ||
		(q.Since.IsZero() || !r.CreatedAt.Before(q.Since)) && (q.Until.IsZero() || r.CreatedAt.Before(q.Until)))
}
