// Package journal is a write-ahead journal around a refund.Refunder: a refund that was asked for once is paid at most
// once, whatever times out, crashes or is clicked twice, and is never called failed while it may have been paid.
//
//	j := journal.New(store, journal.Options{})
//	client, err := j.Wrap(provider)     // again a refund.Refunder, with the same abilities
//	go j.Run(ctx)                       // finds out what a crash or an outage has left
//	got, err := client.Refund(ctx, req) // the same key as often as you like
//
// Refund writes the intent to the Store before the first byte goes out, calls the provider, and writes what became of it.
// A key that has an entry is not sent again: the recorded refund is returned (Refund.Replayed), or the entry is resolved
// first.
//
// # States
//
//	state         locks the order  reserves  goes on to                              a repeat of the key is told
//	sending       yes              yes       what the answer says; if its process    unknown, ErrInFlight
//	                                         died: unknown, or not_sent if nothing
//	                                         had been sent
//	unknown       yes              yes       what is found, not_found, needs_review  unknown, resolved if it is due
//	needs_review  yes              yes       what a person decides, or is found      unknown, ErrNeedsReview
//	not_found     no               yes       what is found; not_sent after a week    is sent again, after a look
//	not_sent      no               no        sending                                 is sent again
//	rejected      no               no        sending                                 is sent again
//	pending       see below        yes       succeeded, failed, canceled, expired    the recorded refund
//	succeeded     no               yes       failed, canceled, expired               the recorded refund
//	failed,       no               no        succeeded                               the recorded refund: look at its
//	canceled,                                                                        Status; a new try needs a new key
//	expired
//
// Three questions are asked of an entry, and each has an answer of its own:
//
//   - Does it lock its order? Then no other key of the order is sent, ErrOrderBusy (Entry.OrderLock). What is pending locks
//     only where an order has one refund at a time, until the provider's LocksAt.
//   - Does it reserve its amount (State.Reserves)?
//   - Should a person look (Entry.Attention)? Attention is the list: Entries with Filter{Attention: true}.
//
// Equal partial refunds with keys of their own are legitimate, one after the other.
//
// # Evidence beats verdict
//
// That the provider does not show a refund is never final. It counts only later than Capabilities.AbsenceAfter (which has to
// cover what the clocks are apart, too) after the last moment at which a request may have gone out, and only if two looks agree, a minute apart. Even then the refund is looked for
// again, an hour, a day and a week later, also if the key was sent again meanwhile. Whatever turns up, in a look, in a late
// answer or by a person's hand, is recorded whatever the state was, and what nobody expected gets Attention: a key that was
// paid twice, a refund that was found late, one that failed after it had succeeded. Looks never send.
//
// # Contexts
//
// Once the intent is durable, the call belongs to the journal: a caller whose context ends hears OutcomeUnknown and
// ErrInFlight, and the call goes on and is recorded. A web request may therefore hand on its own context. Calls are bounded
// by the client's own timeouts and by the lease. Shutdown waits for those that are under way.
//
// # Accounts
//
// An entry belongs to one account of one provider: the same key, or the same order id, at another account is another refund
// (ID). The client's refund.Options.Account names the account; the empty name is a name too. A journal takes any number of
// accounts, each with one client: Wrap refuses a second one, ErrWrapped. The store keeps the names, each with the target that
// it asks: the first of a provider enters itself, any other name or target is ErrUnknownAccount until AddAccount or
// RenameAccount says that it is meant. Otherwise a name that was changed would let every key be paid again.
//
// # Promised
//
//   - Nothing is sent that is not recorded before. If the store is down nothing is sent, and the outcome is unknown all the
//     same: an earlier call with the key may have sent it. Call again with the same key.
//   - At its account a key means one refund, forever: with another amount, order, part or line it is refund.ErrKeyReused.
//     The order is the same if its OrderKey is.
//   - If the result cannot be written within ten seconds, the error is ErrNotRecorded, its outcome is unknown even if the
//     provider refused, and the refund is returned with it if it was made. Writing goes on as long as the process lives.
//   - Unknown stays unknown until the provider's response, a look or a person ends it.
//   - FirstSent never gets younger, nor Tries fewer, over all lives of a key: past the provider's Capabilities.KeyLife nothing
//     is sent blindly again.
//   - A refund that is found for an unknown key is never one that another key of the order has already.
//   - What changes money does not go behind the journal: refund.As finds the journal's own Refund, Resolve and CancelRefund.
//     Reads, and the provider's client itself, are found through Unwrap; native calls on that one are not recorded.
//
// # Not promised
//
// The journal knows what went through it. Refunds made elsewhere (dashboards, other programs, native calls) do not reserve
// an order. An order must be named in the same way every time: ErrOrderBusy goes by Order.ID, or else InvoiceID, or else
// MerchantID. A provider that reports less than the truth, or that gets a request later than AbsenceAfter, cannot be kept from
// paying twice: that is found, and announced. Round may carry out a refund whose process died before it was sent, where the
// provider is asked by sending the key again: what was asked for will be done.
//
//	provider      an unknown refund is
//	afterpay      sent again with the same key for 23 hours, which is exact; after that searched for by its reference in
//	              the payment. A refund of the amount that no key accounts for is left to a person.
//	digitalriver  searched for by its metadata in the list. If the order has less left than its refunds explain, or has a
//	              refund of the amount that no key accounts for: a person.
//	orderrows     searched for by its Reference in the list. A refund of the amount that no key accounts for: a person.
//	backd         found by comparing the order's requests with those from before. More than one new request, or one of
//	              another amount: a person. A request that somebody else made for the same amount meanwhile cannot be told
//	              apart.
//	instant       left to a person, always: nothing can be read there. So is a refund whose process died before it was
//	              sent. Config.ResendToResolve asks once more within 45 seconds, which needs a Run every few seconds and
//	              does not help after a crash.
//
// # Taking a refund back
//
// CancelRefund, where the provider has it, claims the entry of the pending refund, asks the provider, and records the result.
// It refuses what the journal does not have as pending. After an error the entry stays pending, and Round reads what became of
// it: at once, or when the lease is over if the process died. A refund after a canceled one needs a key of its own.
//
// # Leases and clocks
//
// An entry belongs to the call that works on it until its lease ends (Options.Lease). The request to the provider ends a
// minute earlier, or a quarter of a shorter lease. Leases and ages go by the store's clock, which is one for all machines, run
// on between readings by the monotonic one; the clocks of the machines may differ. If the store's clock, the machine's and the
// monotonic one advance differently by more than half a minute, then one was set, or the machine was stopped: for one lease
// nothing is claimed and no absence counts, and it is logged. A store whose clock is set back by hours makes what was sent
// before look younger than it is, also where the age of a key decides (Capabilities.KeyLife): do not set it back. A process that was stopped past its lease and goes on just as it
// hands its request to the network is beyond what anybody can prevent; what it pays is recorded, or found.
//
// # Stores
//
// NewMemory forgets everything with the process: it is for tests. Modules sqlstore/postgres and sqlstore/sqlite keep entries in
// PostgreSQL, for many machines, or in an SQLite file. A store of your own must pass package journaltest. An entry that is
// lost, by a restored backup for example, is a refund that nobody knows of: keep the store as you keep your books.
//
// The fields of Entry and Event are stored: provider, account, key, ids of the order, amount, part and line, the provider's
// id, status and times of the refund, codes, and what the state rests on. Reason, Metadata, credentials and the provider's
// responses are not. Three texts are what others make them: names, ids and keys should have no personal data in them,
// Decision.Who should be a staff id, and FailureReason has the provider's words.
//
// Changes that wait for the store share a commit, so that many callers cost little more than one.
//
// # Several machines
//
// One store, and in every process a Journal on it with Wrap for each account and Run. Any number of them may run: an entry
// is worked on by one at a time. Wrap all accounts whose entries are in the store, or give each program a store of its own; what
// is due at an account that nobody has a client for gets Attention after a day.
//
// # Attention
//
//	needs_review  the provider cannot tell, or Options.Backoff is used up; the order is locked until somebody has decided. In
//	              another state: a look has shown what may be a second refund
//	paid_twice    the provider has two refunds of the key: have one taken back
//	found_late    it was judged not to have been made, and is there: what was told, and done instead, may be wrong
//	failed_late   it had succeeded, and the provider says that it failed or was taken back
//	mismatch      the provider's refund is of another amount
//	stuck         it has been pending for a week
//	poison        the client panics over it
//	no_client     nobody has a client for its account
//
// Look at the dashboard of the entry's account for refunds of that order; Note says why, FirstSent and LastSent say when. Then
// Decide: VerdictApplied if it is there, VerdictNotApplied if it is not (the same key may then be sent again, so wait until the
// dashboard would show it), VerdictUndetermined to have the provider asked once more. Decision.Seen says when you looked, because
// somebody may have sent it again since. Decide works in any state and needs no
// client, so that an order can be freed whose provider is gone. Who decided and why is in the history, Events.
//
// Alert on Stats.Attention, or on Events, which misses nothing; Options.Observer and Options.Logger say it sooner.
//
// # Bringing in refunds from before
//
// An attempt that your code still holds is entered by Resolve, which also finds out what became of it.
package journal
