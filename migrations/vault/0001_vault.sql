-- What must not be in the log. Nothing here can be rebuilt from it: back this schema up, apart from the master key.
-- The schema itself is made by whoever runs the migrations.

-- Which master key wraps everything here: another one is refused at the start instead of failing at each key.
create table vault.master (
    one boolean primary key default true constraint master_is_one check (one),
    fingerprint bytea not null
);

-- A person's key, wrapped with the master key. The row outlives the key: null means erased, and keeps it from being
-- made again.
create table vault.person (
    id uuid primary key,
    wrapped bytea
);

create table vault.account (
    person uuid primary key references vault.person,
    credential uuid not null,
    -- PHC text of argon2id, or a bcrypt hash until the next sign-in
    hash text not null,
    -- the names to sign in with, sealed with the key of the person: a new password must not contain them
    names bytea not null,
    created_at timestamptz not null,
    -- null while the log does not know the account yet
    active_at timestamptz,
    suspended boolean not null default false,
    -- version of the account at the last change of `suspended`: a late delivery of an older event changes nothing
    suspended_version bigint not null default 0
);

create index account_pending on vault.account (created_at) where active_at is null;

-- Keyed hashes of names to sign in with. Not unique: several registrations may be under way for one name, and the log
-- decides which of them it belongs to.
create table vault.login (
    name bytea not null,
    person uuid not null references vault.account on delete cascade,
    constraint login_pkey primary key (name, person)
);

create index login_person on vault.login (person);

-- The last word on each role by version of the account, so that events may come twice or out of order.
create table vault.role (
    person uuid not null references vault.account on delete cascade,
    role text not null,
    held boolean not null,
    version bigint not null,
    constraint role_pkey primary key (person, role)
);

-- Tokens are computed from this row and the keys; none is stored.
create table vault.session (
    id uuid primary key,
    person uuid not null references vault.account on delete cascade,
    started_at timestamptz not null,
    -- counts refreshes; a refresh token names its generation and serves only while it is the current one
    generation integer not null default 0,
    -- when the current tokens were made, and with which signing key
    issued_at timestamptz not null,
    key_id text not null,
    -- agent and network, sealed with the key of the person
    client bytea not null,
    -- an ended session stays until it would have expired, so that its id cannot come back to life
    ended_at timestamptz
);

create index session_open on vault.session (person) where ended_at is null;
create index session_started on vault.session (started_at);

create table vault.mail_token (
    -- SHA-256 of the token: the token is unguessable, so that is enough
    hash bytea primary key,
    person uuid not null references vault.account on delete cascade,
    purpose text not null constraint mail_token_purpose check (purpose in ('verify', 'reset')),
    expires_at timestamptz not null,
    used_at timestamptz
);

create index mail_token_person on vault.mail_token (person);
create index mail_token_expires on vault.mail_token (expires_at);

-- Keys that sign access tokens: PKCS8, wrapped with the master key.
create table vault.signing_key (
    id text primary key,
    wrapped bytea not null,
    -- published before that, signs from then until the next one does
    signs_from timestamptz not null
);

-- What is to be said to the log, written in the transaction that makes it true. Personal fields are sealed already.
-- Null says nothing: it is written so that an unknown name costs what a known one costs.
create table vault.outbox (
    id bigint generated always as identity primary key,
    message bytea
);
