-- Somebody was forgotten in the rows, and what is left of the old rows on disk has not been cleared away yet.
alter table projection.checkpoint add column scrub boolean not null default false;
