-- What the projections know about themselves. Every table here can be dropped: it is made again, and the rows with it.

-- The generations of each projection. Their rows are in the schema <projection>_g<generation>.
create table projection.generation (
    projection text not null,
    generation integer not null,
    state text not null constraint generation_state check (state in ('building', 'live', 'kept')),
    definition text not null,
    constraint generation_pkey primary key (projection, generation)
);

-- readers see one generation
create unique index generation_live on projection.generation (projection) where state = 'live';

-- How far each generation has come: changed in the transaction that changes its rows. Whoever takes a generation over
-- counts the epoch up, so that a predecessor that is still alive cannot write any more.
create table projection.checkpoint (
    projection text not null,
    generation integer not null,
    position bigint not null default 0,
    epoch bigint not null default 0,
    recorded_at timestamptz,
    constraint checkpoint_pkey primary key (projection, generation),
    constraint checkpoint_generation foreign key (projection, generation)
        references projection.generation (projection, generation) on delete cascade
) with (fillfactor = 20);

-- Keys that stand still because a message about them could not be applied.
create table projection.quarantine (
    projection text not null,
    generation integer not null,
    key text not null,
    sequence bigint not null,
    reason text not null,
    skipped bigint not null default 0,
    constraint quarantine_pkey primary key (projection, generation, key),
    constraint quarantine_generation foreign key (projection, generation)
        references projection.generation (projection, generation) on delete cascade
);
