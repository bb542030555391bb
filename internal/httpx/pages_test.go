package httpx

import (
	"errors"
	"slices"
	"testing"

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

func collect(s *shelf, first string) (items []int, errs []error) {
	for item, err := range Pages("test", "list", first, s.fetch) {
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
	seq := Pages("test", "list", "", s.fetch)
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
		assert.Equal(t, refund.KindUnexpected, e.Kind)
		assert.NotEqual(t, refund.OutcomeUnknown, e.Outcome, "a read moves nothing")
		assert.Equal(t, "list", e.Op)
		assert.Len(t, slices.Compact(slices.Sorted(slices.Values(s.asked))), len(s.asked), "no page is asked for twice")
	}
}
