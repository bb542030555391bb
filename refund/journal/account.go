package journal

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// account is whom a client refunds for.
type account struct{ provider, name string }

func (a account) String() string { return fmt.Sprintf("%s, account %q", a.provider, a.name) }

// accountAge is how long the store's word about an account counts.
const accountAge = time.Minute

// Accounts returns the accounts that the store has entries of, or was told of.
func (j *Journal) Accounts(ctx context.Context) ([]Account, error) { return j.store.Accounts(ctx) }

// AddAccount lets a client refund for an account that the store does not know yet, or at another Target than before. The
// first account of a provider needs no AddAccount. All others do, because a name that has only been misspelled, or changed,
// would let every key be paid again, and so would credentials of a sandbox at a live store let refunds be taken for absent.
func (j *Journal) AddAccount(ctx context.Context, a Account) error {
	if a.Provider == "" {
		return errors.New("journal: an account needs a Provider")
	}
	return j.store.AddAccount(ctx, a, false)
}

// RenameAccount gives an account another name and moves its entries there, in one commit. Stop the programs that use the old
// name first: what they are working on could not be recorded.
func (j *Journal) RenameAccount(ctx context.Context, provider, from, to string) error {
	return j.store.RenameAccount(ctx, provider, from, to)
}

// known makes sure that the store knows the client's account, with its target.
func (c *client) known(ctx context.Context, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(c.knownUntil) && !c.knownUntil.IsZero() {
		return nil
	}
	err := c.enter(ctx)
	if errors.Is(err, errNotFirst) { // another process was quicker, perhaps with the same account
		err = c.enter(ctx)
	}
	if err == nil {
		c.knownUntil = now.Add(accountAge)
	}
	return err
}

// errNotFirst: the provider had no account, and has one now.
var errNotFirst = fmt.Errorf("%w: another process has just entered the first one", ErrUnknownAccount)

// enter looks for the client's account, and enters it if it is the first of its provider.
func (c *client) enter(ctx context.Context) error {
	own := Account{c.caps.Provider, c.caps.Account, c.caps.Target}
	accounts, err := c.journal.store.Accounts(ctx)
	if err != nil {
		return err
	}
	first := true
	for _, a := range accounts {
		if a.Provider != own.Provider {
			continue
		}
		first = false
		switch {
		case a == own:
			return nil
		case a.Name == own.Name:
			return fmt.Errorf("%w: %s is known at %q, and this client asks %q; if that is right, AddAccount says so", ErrUnknownAccount, c.account(), a.Target, own.Target)
		}
	}
	if !first {
		return fmt.Errorf("%w: %s; if it is a new one, AddAccount says so, and if it has another name now, RenameAccount does", ErrUnknownAccount, c.account())
	}
	err = c.journal.store.AddAccount(ctx, own, true)
	if errors.Is(err, ErrUnknownAccount) {
		return errNotFirst
	}
	return err
}
