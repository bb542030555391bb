package sqlstore

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/row"
)

// Stats implements journal.Store. It counts account by account in the indexes, and no farther than journal.MaxCount.
func (s *Store) Stats(ctx context.Context) (journal.Stats, error) {
	var stats journal.Stats
	err := s.count(ctx, &stats.States, unfinished, unfinishedCounts())
	if err == nil {
		err = s.count(ctx, &stats.Attention, attention, countQuery("", attention))
	}
	if err != nil {
		return journal.Stats{}, wrap("stats", err)
	}
	return stats, nil
}

// count appends what query counts of each account that has an entry for which the condition holds.
func (s *Store) count(ctx context.Context, stats *[]journal.Stat, condition, query string) error {
	for a, err := range s.accountsWith(ctx, condition) {
		if err != nil {
			return err
		}
		err = s.db.Query(ctx, query, []any{a.Provider, a.Name}, func(scan func(dest ...any) error) error {
			stat := journal.Stat{Provider: a.Provider, Account: a.Name}
			err := scan(&stat.State, &stat.Count, row.ScanTime(&stat.Oldest))
			if stat.Count > 0 {
				*stats = append(*stats, stat)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unfinishedCounts counts each unfinished state, in the order of their words.
func unfinishedCounts() string {
	var counts []string
	for _, state := range unfinishedStates() {
		counts = append(counts, countQuery(state, unfinished+" AND state = '"+string(state)+"'"))
	}
	return strings.Join(counts, " UNION ALL ") + " ORDER BY 1"
}

func countQuery(state journal.State, condition string) string {
	return fmt.Sprintf("SELECT '%s' AS state, count(*), min(created) FROM (SELECT created FROM refund_entries"+
		" WHERE %s AND provider = $1 AND account = $2 ORDER BY created LIMIT %d) AS oldest", state, condition, journal.MaxCount)
}

// accountsWith returns the accounts that have an entry for which the condition of a partial index holds. It looks up one
// after the other: the index may have a million entries of each.
func (s *Store) accountsWith(ctx context.Context, condition string) iter.Seq2[journal.Account, error] {
	return func(yield func(journal.Account, error) bool) {
		query, args := nextAccount(condition, nil)
		for {
			var found []journal.Account
			err := s.db.Query(ctx, query, args, into(&found, func(scan func(dest ...any) error) (a journal.Account, err error) {
				return a, scan(&a.Provider, &a.Name)
			}))
			if err != nil {
				yield(journal.Account{}, err)
				return
			}
			if len(found) == 0 || !yield(found[0], nil) {
				return
			}
			query, args = nextAccount(condition, &found[0])
		}
	}
}

func nextAccount(condition string, last *journal.Account) (query string, args []any) {
	var c conditions
	c.and(condition)
	if last != nil {
		c.and("(provider, account) > (?, ?)", last.Provider, last.Name)
	}
	return fmt.Sprintf("SELECT provider, account FROM refund_entries WHERE %s ORDER BY provider, account LIMIT 1", &c), c.args
}
