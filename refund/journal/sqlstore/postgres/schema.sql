-- The journal of refunds on PostgreSQL 12 or newer. Store.Migrate applies this file; you may also apply it yourself, with psql.
--
-- Money is in minor units (cents of AUD, yen of JPY) with its ISO 4217 currency. The currency of an amount that nobody
-- stated is '', as is text that is not known. A time that is not known is NULL. No column is for personal data.

CREATE TABLE IF NOT EXISTS refund_journal (
    -- What is refunded. These columns never change. Identifiers sort by their bytes, as in Go.
    provider          text COLLATE "C" NOT NULL,
    account           text COLLATE "C" NOT NULL, -- refund.Options.Account of the client; '' is a name too
    key               text COLLATE "C" NOT NULL, -- the idempotency key
    order_id          text             NOT NULL, -- the provider's id of the order
    merchant_order_id text             NOT NULL, -- the merchant's own
    invoice_id        text             NOT NULL,
    order_key         text COLLATE "C" NOT NULL, -- journal.Entry.OrderKey: it has one open refund at a time
    amount            bigint           NOT NULL,
    currency          text             NOT NULL,
    part              text             NOT NULL,
    line              text             NOT NULL,
    created           timestamptz      NOT NULL,

    -- Where it stands.
    state             text             NOT NULL,
    version           bigint           NOT NULL, -- 1 for a new entry; every change adds 1
    lease             timestamptz,               -- a process works on it until then
    due               timestamptz,               -- when Recover or Sync looks at it next
    checks            integer          NOT NULL, -- how often Resolve could not tell

    -- What refund.Attempt has.
    snapshot          text             NOT NULL, -- the order's refunds before this one was sent
    answered          boolean          NOT NULL, -- whether the provider, or something in front of it, answered
    first_sent        timestamptz,
    last_sent         timestamptz,
    tries             integer          NOT NULL,
    missed_at         timestamptz,               -- when a look first missed a refund that should have appeared

    -- What the provider said.
    refund_id         text             NOT NULL,
    refunded          bigint           NOT NULL,
    refunded_currency text             NOT NULL,
    provider_status   text             NOT NULL,
    refund_created    timestamptz,
    locks_at          timestamptz,
    expires_at        timestamptz,
    failure_reason    text             NOT NULL,
    kind              integer          NOT NULL, -- refund.Kind of the last error
    code              text             NOT NULL, -- of the last error

    note              text             NOT NULL, -- why it is in this state, or who decided so and why
    updated           timestamptz      NOT NULL,

    PRIMARY KEY (provider, account, key)
);

-- One open refund of an order at a time. The database enforces it, because it must hold across processes.
CREATE UNIQUE INDEX IF NOT EXISTS refund_journal_open ON refund_journal (provider, account, order_key)
    WHERE state IN ('sending', 'unknown', 'needs_review');

-- The entries with work to do.
CREATE INDEX IF NOT EXISTS refund_journal_due ON refund_journal (due, created, provider, account, key)
    WHERE due IS NOT NULL;

-- The entries without work to do, by time.
CREATE INDEX IF NOT EXISTS refund_journal_created ON refund_journal (created, provider, account, key)
    WHERE due IS NULL;

-- The refunds of an order.
CREATE INDEX IF NOT EXISTS refund_journal_order ON refund_journal (order_key, provider, account);

CREATE TABLE IF NOT EXISTS refund_journal_schema (
    version integer     NOT NULL PRIMARY KEY,
    applied timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO refund_journal_schema (version) VALUES (1) ON CONFLICT DO NOTHING;
