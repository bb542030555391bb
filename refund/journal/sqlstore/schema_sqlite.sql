-- The journal of refunds on SQLite 3.35 or newer. Store.Migrate applies this file; so may you, with sqlite3.
--
-- Money is in minor units (cents of AUD, yen of JPY) with its ISO 4217 currency; '' is the currency of an amount that
-- is not stated. Text that is not known is ''. Times are microseconds since 1970 in UTC,
-- those that are not known NULL: datetime(created / 1000000, 'unixepoch'). Nothing here is personal data.

CREATE TABLE IF NOT EXISTS refund_journal (
    -- What is refunded. These columns never change. Identifiers sort by their bytes, as they do in Go.
    provider          text    NOT NULL,
    key               text    NOT NULL, -- the idempotency key
    order_id          text    NOT NULL, -- the provider's id of the order
    merchant_order_id text    NOT NULL, -- the merchant's own
    invoice_id        text    NOT NULL,
    purchased_at      integer,
    order_key         text    NOT NULL, -- what one refund at a time goes by: journal.Entry.OrderKey
    amount            integer NOT NULL,
    currency          text    NOT NULL,
    part              text    NOT NULL,
    line              text    NOT NULL,
    created           integer NOT NULL,

    -- Where it stands.
    state             text    NOT NULL,
    version           integer NOT NULL, -- every change adds 1
    baseline          text    NOT NULL, -- what the provider showed before the refund was sent
    lease             integer,          -- somebody works on it until then
    due               integer,          -- when to look at it next
    checks            integer NOT NULL, -- how often nobody could tell
    first_sent        integer,
    last_sent         integer,
    tries             integer NOT NULL,

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

    note              text    NOT NULL, -- what the state rests on: why, or who decided and why
    updated           integer NOT NULL,

    PRIMARY KEY (provider, key)
);

-- One refund of an order at a time: the rule that must hold across processes is the database's.
CREATE UNIQUE INDEX IF NOT EXISTS refund_journal_open ON refund_journal (provider, order_key)
    WHERE state IN ('sending', 'unknown', 'needs review');

-- What there is to do, without the finished entries.
CREATE INDEX IF NOT EXISTS refund_journal_due ON refund_journal (due, created, provider, key)
    WHERE due IS NOT NULL;

-- The finished entries in order of time.
CREATE INDEX IF NOT EXISTS refund_journal_created ON refund_journal (created, provider, key)
    WHERE due IS NULL;

-- The refunds of an order.
CREATE INDEX IF NOT EXISTS refund_journal_order ON refund_journal (order_key);

CREATE TABLE IF NOT EXISTS refund_journal_schema (
    version integer NOT NULL PRIMARY KEY,
    applied text    NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO refund_journal_schema (version) VALUES (1) ON CONFLICT DO NOTHING;
