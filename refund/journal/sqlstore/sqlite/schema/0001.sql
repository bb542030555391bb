-- The journal of refunds on SQLite 3.35 or newer, version 1. Store.Migrate applies this file; you may also apply it yourself:
-- sqlite3 -bail refunds.db < 0001.sql
--
-- Money is in minor units (cents of AUD, yen of JPY) with its ISO 4217 currency. The currency of an amount that nobody
-- stated is '', as is text that is not known. A time is in microseconds since 1970 in UTC, and NULL if it is not known:
-- datetime(created / 1000000, 'unixepoch'). No column is for personal data.

CREATE TABLE IF NOT EXISTS refund_entries (
    id                integer PRIMARY KEY,

    -- What is refunded. These columns never change, but for account, which an account's new name changes. Identifiers
    -- sort by their bytes, as in Go.
    provider          text    NOT NULL,
    account           text    NOT NULL, -- refund.Options.Account of the client; '' is a name too
    key               text    NOT NULL, -- the idempotency key
    order_id          text    NOT NULL, -- the provider's id of the order
    merchant_order_id text    NOT NULL, -- the merchant's own
    invoice_id        text    NOT NULL,
    order_key         text    NOT NULL, -- journal.Entry.OrderKey: what the rules about an order go by
    amount            integer NOT NULL,
    currency          text    NOT NULL,
    part              text    NOT NULL,
    line              text    NOT NULL,
    created           integer NOT NULL,

    -- Where it stands.
    state             text    NOT NULL,
    step              text    NOT NULL, -- how far the sender got, while state is 'sending'
    order_lock        integer NOT NULL, -- 1 if no other refund of the order may start; otherwise 0
    attention         text    NOT NULL, -- why a person should look; '' if nobody has to
    version           integer NOT NULL, -- 1 for a new entry; every change adds 1
    owner             text    NOT NULL, -- the call that changed it last
    lease             integer,          -- owner works on it until then
    due               integer,          -- when there is work on it
    checks            integer NOT NULL, -- how often the work has come to nothing

    -- What refund.Attempt has.
    snapshot          text    NOT NULL, -- the order's refunds before this one was sent
    answered          integer NOT NULL, -- 1 if the provider, or something in front of it, answered; otherwise 0
    first_sent        integer,
    last_sent         integer,
    tries             integer NOT NULL,
    missed_at         integer,          -- when a look first missed a refund that should have appeared
    not_found_at      integer,          -- when it was last judged not to have been made
    looks             integer NOT NULL, -- how often it has been looked for since

    -- What the provider said.
    refund_id         text    NOT NULL,
    refunded          integer NOT NULL,
    refunded_currency text    NOT NULL,
    provider_status   text    NOT NULL,
    refund_created    integer,
    locks_at          integer,
    expires_at        integer,
    failure_reason    text    NOT NULL,
    kind              integer NOT NULL, -- refund.Kind of the last error
    code              text    NOT NULL, -- of the last error

    note              text    NOT NULL, -- what the state rests on, or why somebody decided
    updated           integer NOT NULL,

    UNIQUE (provider, account, key)
);

-- One refund of an order at a time. The database enforces it, because it must hold across processes.
CREATE UNIQUE INDEX IF NOT EXISTS refund_entries_order_lock ON refund_entries (provider, account, order_key)
    WHERE order_lock;

-- The refunds of an order. The order comes first, so that nobody takes this for the index of a key.
CREATE INDEX IF NOT EXISTS refund_entries_order ON refund_entries (order_key, provider, account);

-- The work of an account.
CREATE INDEX IF NOT EXISTS refund_entries_due ON refund_entries (provider, account, due)
    WHERE due IS NOT NULL;

-- Everything, by time.
CREATE INDEX IF NOT EXISTS refund_entries_created ON refund_entries (created, provider, account, key);

-- What a person should look at.
CREATE INDEX IF NOT EXISTS refund_entries_attention ON refund_entries (provider, account, created, key)
    WHERE attention <> '';

-- What is not finished. A query must have the same condition, to the letter.
CREATE INDEX IF NOT EXISTS refund_entries_unfinished ON refund_entries (provider, account, state, created, key)
    WHERE state IN ('sending', 'unknown', 'needs_review', 'not_found', 'pending');

-- The history: a row for each change of state or of attention, in the order of their commits. Rows are added, and never
-- changed.
CREATE TABLE IF NOT EXISTS refund_events (
    id         integer PRIMARY KEY,
    entry      integer NOT NULL, -- refund_entries.id; the journal writes both in one commit
    version    integer NOT NULL, -- of the entry
    at         integer NOT NULL,
    from_state text    NOT NULL, -- '' for a new entry
    to_state   text    NOT NULL,
    attention  text    NOT NULL,
    refund_id  text    NOT NULL,
    note       text    NOT NULL,
    decided_by text    NOT NULL  -- '' for the journal itself
);

-- The history of an entry.
CREATE INDEX IF NOT EXISTS refund_events_entry ON refund_events (entry);

-- The merchant accounts that there are entries of.
CREATE TABLE IF NOT EXISTS refund_accounts (
    provider text    NOT NULL,
    name     text    NOT NULL, -- refund.Options.Account of the client
    target   text    NOT NULL, -- refund.Capabilities.Target of the client

    PRIMARY KEY (provider, name)
);

CREATE TABLE IF NOT EXISTS refund_schema (
    version integer NOT NULL PRIMARY KEY,
    applied text    NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO refund_schema (version) VALUES (1) ON CONFLICT DO NOTHING;
