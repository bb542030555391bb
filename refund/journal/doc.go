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
//	intent --> sending --> succeeded
//	            ^   |  `-> pending --> succeeded, failed, canceled, expired    (Sync, CancelRefund)
//	            |   |  `-> failed, canceled, expired
//	            |   |  `-> rejected, not_sent
//	            |   |            |
//	            +---|------------+  the same key again
//	                v
//	             unknown --> all of the above but sending                      (Recover, Resolve, a repeat of the key)
//	              ^   |
//	              |   v
//	          needs_review --> succeeded, not_sent                             (Decide)
//
// Every change is one compare-and-set in the Store; any other than these is ErrIllegalTransition. Entries that are sending,
// unknown or in need of review are open (State.Open): no other refund of their order at their account is sent, ErrOrderBusy.
// Equal partial refunds with keys of their own are legitimate, one after the other. Open entries, and those that are pending
// or succeeded, reserve their amount (State.Reserves).
//
// # Contexts
//
// A refund that is cut off by its context is unknown until it is resolved. A web request's context ends when the customer
// leaves: give Refund context.WithoutCancel(r.Context()). Every call is bounded by the client's own timeouts and by the lease.
//
// # Accounts
//
// An entry belongs to one account of one provider: the same key, or the same order id, at another account is another refund
// (ID). The client's refund.Options.Account names the account; the empty name is a name too. A journal takes any number of
// accounts, each with one client: Wrap refuses a second one, ErrWrapped. A name must never change once a refund was made
// under it: the old entries would have no client, and a key that is sent again under the new name may be paid again.
//
// # Promised
//
//   - Nothing is sent that is not recorded before. If the store is down nothing is sent, and the outcome is unknown all the
//     same: an earlier call with the key may have sent it. Call again with the same key.
//   - At its account a key means one refund, forever: with another amount, order, part or line it is refund.ErrKeyReused.
//   - If the result cannot be written, the error is ErrNotRecorded, its outcome is unknown even if the provider refused, and
//     the refund is returned with it if it was made. Recover finds it.
//   - Unknown stays unknown until the provider's response, or a person with Decide, ends it. Absence in a read counts only
//     later than Capabilities.AbsenceAfter after the last moment at which a request may have gone out, and only if a second
//     look, a minute after the first or more, agrees. The first miss is kept in the entry (MissedAt).
//   - Past the provider's Capabilities.KeyLife nothing is sent blindly again: FirstSent never gets younger.
//   - A refund that is found for an unknown key is never one that another key of the order has already.
//   - What changes money does not go behind the journal: refund.As finds the journal's own Refund, Resolve and CancelRefund.
//     Reads, and the provider's client itself, are found through Unwrap; native calls on that one are not recorded.
//
// # Not promised
//
// The journal knows what went through it. Refunds made elsewhere (dashboards, other programs, native calls) do not reserve
// an order. An order must be named in the same way every time: ErrOrderBusy goes by Order.ID, or else InvoiceID, or else
// MerchantID. A provider that reports less than the truth cannot be helped. Recover may carry out a refund whose process died
// before it was sent, where the provider is asked by sending the key again: what was asked for will be done.
//
//	provider      an unknown refund is
//	afterpay      sent again with the same key for 23 hours, which is exact; after that searched for by its reference in
//	              the payment. A refund of the amount without any reference is left to a person.
//	digitalriver  searched for by its metadata in the list. If the order has less left than its refunds explain: a person.
//	orderrows     searched for by its Reference in the list. A refund of the amount without one is left to a person.
//	backd         found by comparing the order's requests with those from before. More than one new request, or one of
//	              another amount: a person. A request that somebody else made for the same amount meanwhile cannot be told
//	              apart. Requests of an order replace each other, so it should have one pending refund at a time.
//	instant       left to a person, always: nothing can be read there. So is a refund whose process died before it was
//	              sent. Config.ResendToResolve asks once more within 45 seconds, which needs a Run every few seconds and
//	              does not help after a crash.
//
// A refund that the provider called succeeded, and that failed later, is not followed.
//
// # Taking a refund back
//
// CancelRefund, where the provider has it, claims the entry of the pending refund, asks the provider, and records the result.
// It refuses what the journal does not have as pending. After an error the entry stays pending, and Sync reads what became of
// it: at once, or when the lease is over if the process died. A refund after a canceled one needs a key of its own.
//
// # Leases and clocks
//
// An entry belongs to the process that works on it until its lease ends (Options.Lease). The call to the provider ends a
// minute earlier, or a quarter of a shorter lease. The clocks of the machines must not differ by more than that: one that
// is ahead takes a refund for abandoned that is still being sent. A process that is stopped for longer than a lease, between
// writing the intent and sending it (a suspended machine, say), and then goes on, is beyond what a lease can see; do not
// suspend machines that pay.
//
// # Stores
//
// NewMemory forgets everything with the process: it is for tests. Package sqlstore keeps entries in PostgreSQL, for many
// machines, or in an SQLite file. A store of your own must pass package journaltest. An entry that is lost, by a restored
// backup for example, is a refund that nobody knows of: keep the store as you keep your books.
//
// The fields of Entry are stored: provider, account, key, ids of the order, amount, part and line, the provider's id, status
// and times of the refund, codes, and what the state rests on. Reason, Metadata, credentials and the provider's responses
// are not. Three texts are what others make them: names, ids and keys should have no personal data in them, Decision.Who
// should be a staff id, and FailureReason has the provider's words.
//
// # Several machines
//
// One store, and in every process a Journal on it with Wrap for each account and Run. Any number of them may run: an entry
// is resolved by one at a time. Wrap all accounts whose entries are in the store, or give each program a store of its own;
// the entries of others are left alone, and are ErrNoClient.
//
// # Needs review
//
// An entry gets there when its provider cannot tell, or when Options.Backoff is used up. Its order is blocked until somebody
// has decided:
//
//  1. List them: Entries with Filter{States: []State{StateNeedsReview}}. Note says why, FirstSent and LastSent say when.
//  2. Look at the dashboard of the entry's account for a refund of that order and amount at that time.
//  3. Decide: VerdictApplied if it is there, VerdictNotApplied if it is not (the same key may then be sent again, so wait
//     until the dashboard would show it), VerdictUndetermined to have the provider asked once more.
//
// Decide needs no client, so that an order can be freed whose provider is gone. Who decided and why is kept in the entry.
// Alert on entries that need review: OnTransition sees each one.
//
// # Bringing in refunds from before
//
// Insert an Entry with Version 1 for each, with the Account that its client will have and the key that it was sent with.
// StateSucceeded, StateFailed, StateCanceled and StateExpired need nothing else. StatePending needs RefundID, and Due set to
// now, so that Sync looks at it. Every half-known refund (timed out, no response, "failed" for any other reason than a
// refusal in the provider's own words, still "processing") is StateUnknown, with Due set to now and FirstSent and LastSent at
// the earliest and the latest that it may have been sent; leave FirstSent zero if that is not known, and nothing will be
// sent again. Never use StateSending. At Backd an unknown one has no Snapshot and goes to a person. Two open ones of one
// order are ErrOrderBusy: have the first resolved before you insert the second. An attempt that your code still holds needs
// no Insert: Resolve records it.
package journal
