-- The journal of refunds on PostgreSQL 12 or newer, version 1. Store.Migrate applies this file; you may also apply it yourself:
-- psql -1 -v ON_ERROR_STOP=1 -f 0001.sql
--
-- Money is in minor units (cents of AUD, yen of JPY) with its ISO 4217 currency. The currency of an amount that nobody
-- stated is '', as is text that is not known. A time that is not known is NULL. No column is for personal data.

CREATE TABLE IF NOT EXISTS refund_entries (
    id                bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,

    -- What is refunded. These columns never change, but for account, which an account's new name changes. Identifiers
    -- sort by their bytes, as in Go.
    provider          text COLLATE "C" NOT NULL,
    account           text COLLATE "C" NOT NULL, -- refund.Options.Account of the client; '' is a name too
    key               text COLLATE "C" NOT NULL, -- the idempotency key
    order_id          text             NOT NULL, -- the provider's id of the order
    merchant_order_id text             NOT NULL, -- the merchant's own
    invoice_id        text             NOT NULL,
    order_key         text COLLATE "C" NOT NULL, -- journal.Entry.OrderKey: what the rules about an order go by
    amount            bigint           NOT NULL,
    currency          text             NOT NULL,
    part              text             NOT NULL,
    line              text             NOT NULL,
    created           timestamptz      NOT NULL,

    -- Where it stands.
    state             text             NOT NULL,
    step              text             NOT NULL, -- how far the sender got, while state is 'sending'
    order_lock        boolean          NOT NULL, -- no other refund of the order may start
    attention         text             NOT NULL, -- why a person should look; '' if nobody has to
    version           bigint           NOT NULL, -- 1 for a new entry; every change adds 1
    owner             text             NOT NULL, -- the call that changed it last
    lease             timestamptz,               -- owner works on it until then
    due               timestamptz,               -- when there is work on it
    checks            bigint           NOT NULL, -- how often the work has come to nothing

    -- What refund.Attempt has.
    snapshot          text             NOT NULL, -- the order's refunds before this one was sent
    answered          boolean          NOT NULL, -- whether the provider, or something in front of it, answered
    first_sent        timestamptz,
    last_sent         timestamptz,
    tries             bigint           NOT NULL,
    missed_at         timestamptz,               -- when a look first missed a refund that should have appeared
    not_found_at      timestamptz,               -- when it was last judged not to have been made
    looks             bigint           NOT NULL, -- how often it has been looked for since

    -- What the provider said.
    refund_id         text             NOT NULL,
    refunded          bigint           NOT NULL,
    refunded_currency text             NOT NULL,
    provider_status   text             NOT NULL,
    refund_created    timestamptz,
    locks_at          timestamptz,
    expires_at        timestamptz,
    failure_reason    text             NOT NULL,
    kind              bigint           NOT NULL, -- refund.Kind of the last error
    code              text             NOT NULL, -- of the last error

    note              text             NOT NULL, -- what the state rests on, or why somebody decided
    updated           timestamptz      NOT NULL,

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

-- The history: a row for each change of state or of attention. Rows are added, and never changed.
--
-- What appears later must not sort earlier, or whoever reads on from where he was would miss it. Ids alone do not ensure
-- that: a transaction may take its ids early and commit late. So the order is that of the transactions, and what
-- is newer than the oldest transaction that still runs is not shown yet.
CREATE TABLE IF NOT EXISTS refund_events (
    tx         bigint      NOT NULL DEFAULT txid_current(),
    id         bigint      GENERATED ALWAYS AS IDENTITY,
    entry      bigint      NOT NULL, -- refund_entries.id; the journal writes both in one statement
    version    bigint      NOT NULL, -- of the entry
    at         timestamptz NOT NULL,
    from_state text        NOT NULL, -- '' for a new entry
    to_state   text        NOT NULL,
    attention  text        NOT NULL,
    refund_id  text        NOT NULL,
    note       text        NOT NULL,
    decided_by text        NOT NULL, -- '' for the journal itself

    PRIMARY KEY (tx, id)
);

-- The history of an entry.
CREATE INDEX IF NOT EXISTS refund_events_entry ON refund_events (entry);

-- The merchant accounts that there are entries of.
CREATE TABLE IF NOT EXISTS refund_accounts (
    provider text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL, -- refund.Options.Account of the client
    target   text             NOT NULL, -- refund.Capabilities.Target of the client

    PRIMARY KEY (provider, name)
);

CREATE TABLE IF NOT EXISTS refund_schema (
    version integer     NOT NULL PRIMARY KEY,
    applied timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO refund_schema (version) VALUES (1) ON CONFLICT DO NOTHING;
