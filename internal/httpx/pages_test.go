package httpx

import (
	"errors"
	"iter"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

// shelf is a listing by cursor, which notes the cursors asked for.
type shelf struct {
	pages map[string]Page[int]
	fail  string // the cursor that fails
	asked []string
}

var errPage = errors.New("page")

func (s *shelf) fetch(cursor string) (Page[int], error) {
	s.asked = append(s.asked, cursor)
	if cursor == s.fail {
		return Page[int]{Items: []int{-1}}, errPage
	}
	return s.pages[cursor], nil
}

// listing is the operation that pages are asked for by.
func listing() *Op { return &Op{Provider: "test", Account: testAccount, Name: "list"} }

func collect(s *shelf, first string) (items []int, errs []error) {
	for item, err := range Pages(listing(), first, s.fetch) {
		if err != nil {
			errs = append(errs, err)
			continue // whoever does not stop at an error must not spin
		}
		items = append(items, item)
	}
	return items, errs
}

func TestPages(t *testing.T) {
	t.Parallel()
	pages := map[string]Page[int]{
		"":  {Items: []int{1, 2}, Next: "b"},
		"b": {Next: "c"}, // empty, but not the end
		"c": {Items: []int{3}},
	}
	s := &shelf{pages: pages, fail: "-"}
	seq := Pages(listing(), "", s.fetch)
	assert.Empty(t, s.asked, "nothing is asked for before it is ranged over")

	var got []int
	for item, err := range seq {
		require.NoError(t, err)
		got = append(got, item)
		if item == 1 {
			assert.Equal(t, []string{""}, s.asked, "a page is asked for when it is needed")
		}
	}
	assert.Equal(t, []int{1, 2, 3}, got)
	assert.Equal(t, []string{"", "b", "c"}, s.asked)

	s.asked = nil
	var again []int
	for item, err := range seq {
		require.NoError(t, err)
		again = append(again, item)
	}
	assert.Equal(t, got, again, "it can be ranged over again")
	assert.Equal(t, []string{"", "b", "c"}, s.asked)

	s.asked = nil
	for item, err := range seq {
		require.NoError(t, err)
		if item == 2 {
			break
		}
	}
	assert.Equal(t, []string{""}, s.asked, "after a break nothing more is asked for")
}

func TestPagesFirstCursor(t *testing.T) {
	t.Parallel()
	s := &shelf{pages: map[string]Page[int]{"limit=5": {Items: []int{9}}}, fail: "-"}
	items, errs := collect(s, "limit=5")
	assert.Equal(t, []int{9}, items)
	assert.Empty(t, errs)
}

func TestPagesEndWithTheirFirstError(t *testing.T) {
	t.Parallel()
	s := &shelf{pages: map[string]Page[int]{"": {Items: []int{1}, Next: "b"}, "b": {Items: []int{2}}}, fail: "b"}
	items, errs := collect(s, "")
	assert.Equal(t, []int{1}, items, "what came before the error is there, what came with it is not")
	assert.Equal(t, []error{errPage}, errs)
	assert.Equal(t, []string{"", "b"}, s.asked)
}

func TestPagesThatGoRound(t *testing.T) {
	t.Parallel()
	for name, pages := range map[string]map[string]Page[int]{
		"to itself":      {"a": {Items: []int{1}, Next: "a"}},
		"to the first":   {"a": {Items: []int{1}, Next: "b"}, "b": {Next: "a"}},
		"to a later one": {"a": {Items: []int{1}, Next: "b"}, "b": {Next: "c"}, "c": {Next: "b"}},
	} {
		s := &shelf{pages: pages, fail: "-"}
		items, errs := collect(s, "a")
		assert.Equal(t, []int{1}, items, name)
		require.Len(t, errs, 1, name)
		e := asError(t, errs[0])
		assert.Equal(t, refund.ErrUnexpected, e.Kind)
		assert.NotEqual(t, refund.OutcomeUnknown, e.Outcome, "a read moves nothing")
		assert.Equal(t, []string{"test", testAccount, "list"}, []string{e.Provider, e.Account, e.Op})
		assert.Len(t, slices.Compact(slices.Sorted(slices.Values(s.asked))), len(s.asked), "no page is asked for twice")
	}
}

// A provider that always has more must not hold its caller forever, and what is remembered of it is bounded.
func TestPagesWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		last int // 0 for none
		errs int
	}{
		"as many as allowed": {maxPages, 0},
		"one more":           {maxPages + 1, 1},
		"without end":        {0, 1},
	} {
		asked := 0
		items, errs := drain(Pages(listing(), "", func(string) (Page[int], error) {
			asked++
			page := Page[int]{Items: []int{asked}}
			if asked != tt.last {
				page.Next = strconv.Itoa(asked)
			}
			return page, nil
		}))
		assert.Len(t, items, maxPages, name)
		assert.Equal(t, maxPages, asked, name)
		require.Len(t, errs, tt.errs, name)
		for _, err := range errs {
			e := asError(t, err)
			assert.Equal(t, refund.ErrUnexpected, e.Kind)
			assert.NotEqual(t, refund.OutcomeUnknown, e.Outcome, "a read moves nothing")
		}
	}
}

// drain ranges over a listing to its end, beyond errors.
func drain[T any](seq iter.Seq2[T, error]) (items []T, errs []error) {
	for item, err := range seq {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		items = append(items, item)
	}
	return items, errs
}

func TestItems(t *testing.T) {
	t.Parallel()
	reads := 0
	seq := Items(func() ([]int, error) {
		reads++
		return []int{reads, 10, 20}, nil
	})
	assert.Zero(t, reads, "nothing is read before it is ranged over")

	items, errs := drain(seq)
	assert.Equal(t, []int{1, 10, 20}, items)
	assert.Empty(t, errs)
	items, errs = drain(seq)
	assert.Equal(t, []int{2, 10, 20}, items, "ranging over it again reads anew")
	assert.Empty(t, errs)

	var seen []int
	for item, err := range seq {
		require.NoError(t, err)
		if seen = append(seen, item); item == 10 {
			break
		}
	}
	assert.Equal(t, []int{3, 10}, seen)

	items, errs = drain(Items(func() ([]int, error) { return []int{1}, errPage }))
	assert.Empty(t, items, "what came with an error is not there")
	assert.Equal(t, []error{errPage}, errs)
	items, errs = drain(Items(func() ([]int, error) { return nil, nil }))
	assert.Empty(t, items)
	assert.Empty(t, errs)
}

func TestFailed(t *testing.T) {
	t.Parallel()
	seq := Failed[*refund.Refund](errPage)
	for range 2 {
		items, errs := drain(seq)
		assert.Empty(t, items)
		assert.Equal(t, []error{errPage}, errs)
	}
}

// counted yields 1, 2 and so on, notes how far it was ranged over, and fails after the last.
func counted(last int, at *int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range last {
			if *at = i + 1; !yield(i+1, nil) {
				return
			}
		}
		if !yield(0, errPage) {
			return
		}
		*at = -1
	}
}

func TestConvert(t *testing.T) {
	t.Parallel()
	at := 0
	seq := Convert(counted(3, &at), func(n int) *refund.Refund { return &refund.Refund{ID: strconv.Itoa(n)} })
	assert.Zero(t, at, "nothing is asked for before it is ranged over")

	for range 2 {
		items, errs := drain(seq)
		assert.Equal(t, []*refund.Refund{{ID: "1"}, {ID: "2"}, {ID: "3"}}, items)
		assert.Equal(t, []error{errPage}, errs)
	}
	at = 0
	for r, err := range seq {
		require.NoError(t, err)
		assert.Equal(t, strconv.Itoa(at), r.ID, "one is asked for when it is needed")
		if r.ID == "2" {
			break
		}
	}
	assert.Equal(t, 2, at, "after a break nothing more is asked for")
	for r, err := range Convert(counted(0, &at), func(int) *refund.Refund { return &refund.Refund{} }) {
		assert.Nil(t, r, "an error is not converted")
		require.ErrorIs(t, err, errPage)
	}
	assert.NotEqual(t, -1, at, "a listing ends with its first error")
}

func TestSelect(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 16, 10, 30, 0, 0, time.UTC)
	dated := &refund.Refund{CreatedAt: at, Status: refund.StatusPending, Order: refund.Order{ID: "1"}}
	undated := &refund.Refund{Status: refund.StatusPending}
	for name, tt := range map[string]struct {
		query          refund.Query
		dated, undated bool
	}{
		"everything":           {refund.Query{}, true, true},
		"since then":           {refund.Query{Since: at}, true, true},
		"since later":          {refund.Query{Since: at.Add(1)}, false, true},
		"since earlier":        {refund.Query{Since: at.Add(-1)}, true, true},
		"until then":           {refund.Query{Until: at}, false, true},
		"until later":          {refund.Query{Until: at.Add(1)}, true, true},
		"within":               {refund.Query{Since: at, Until: at.Add(1)}, true, true},
		"in another time zone": {refund.Query{Since: at.In(time.FixedZone("", 3600))}, true, true},
		"after the span":       {refund.Query{Since: at.Add(-2), Until: at.Add(-1)}, false, true},
		"status":               {refund.Query{Status: refund.StatusPending}, true, true},
		"another status":       {refund.Query{Status: refund.StatusSucceeded}, false, false},
		"status and time":      {refund.Query{Status: refund.StatusPending, Since: at.Add(1)}, false, true},
		"order":                {refund.Query{Order: refund.Order{ID: "2"}}, true, true}, // the provider selects by it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := []*refund.Refund{}
			if tt.dated {
				want = append(want, dated)
			}
			if tt.undated {
				want = append(want, undated)
			}
			seq := Select(tt.query, Items(func() ([]*refund.Refund, error) { return []*refund.Refund{dated, undated}, nil }))
			for range 2 {
				got, errs := drain(seq)
				assert.ElementsMatch(t, want, got)
				assert.Empty(t, errs)
			}
		})
	}
}

func TestSelectIsLazy(t *testing.T) {
	t.Parallel()
	at := 0
	even := func(n int) *refund.Refund {
		return &refund.Refund{ID: strconv.Itoa(n), Status: []refund.Status{refund.StatusPending, refund.StatusFailed}[n%2]}
	}
	seq := Select(refund.Query{Status: refund.StatusPending}, Convert(counted(9, &at), even))
	assert.Zero(t, at)
	for r, err := range seq {
		require.NoError(t, err)
		if r.ID == "4" {
			break
		}
	}
	assert.Equal(t, 4, at, "after a break nothing more is asked for")

	got, errs := drain(seq)
	assert.Len(t, got, 4)
	assert.Equal(t, []error{errPage}, errs, "an error is selected whatever the query")
	for _, err := range Select(refund.Query{}, Failed[*refund.Refund](errPage)) {
		require.ErrorIs(t, err, errPage)
		break
	}
}
