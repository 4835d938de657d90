//! One table of a projection while it is being written: rows are changed in memory, in the order of the log, and
//! reach Postgres in a few statements. What is in memory is what Postgres has, plus the changes not yet flushed.

use futures::future::BoxFuture;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, FromRow};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::Hash;

/// From so many new rows on, `COPY` is quicker than an insert of arrays.
const COPY_FROM: usize = 64;
/// With more rows than this in memory, a table forgets them after a flush.
const KEEP: usize = 20_000;

/// A value on its way to Postgres, in Postgres' own text form; `None` is null.
pub type Cell<'a> = Option<Cow<'a, str>>;

/// A row of a table, and what Postgres has to know about it.
pub trait Stored: for<'r> FromRow<'r, PgRow> + Clone + Send + Sync + Unpin + 'static {
    /// The name of the table, and of the view that it is read by.
    const TABLE: &'static str;
    /// Names and types of the columns. The first is the key.
    const COLUMNS: &'static [(&'static str, &'static str)];
    /// What is indexed besides the key: `(created_at desc, id desc)`.
    const INDEXES: &'static [&'static str] = &[];
    /// The type of the first column.
    type Key: Clone + Eq + Hash + ToString + Send + Sync + 'static;

    /// The value of the first column.
    fn key(&self) -> Self::Key;

    /// The values, in the order of the columns.
    fn cells(&self) -> Vec<Cell<'_>>;
}

/// A row in memory, or the knowledge that there is none.
struct Slot<R> {
    row: Option<R>,
    stored: bool,
    changed: bool,
}

/// The rows of one table that are in memory.
pub struct Table<R: Stored> {
    slots: HashMap<R::Key, Slot<R>>,
    wanted: Vec<R::Key>,
    /// The keys of the slots that are marked so.
    changed: Vec<R::Key>,
    scrub: bool,
}

impl<R: Stored> Default for Table<R> {
    fn default() -> Self {
        Table { slots: HashMap::new(), wanted: vec![], changed: vec![], scrub: false }
    }
}

impl<R: Stored> Table<R> {
    /// Says that `apply` will look at this row.
    pub fn need(&mut self, key: &R::Key) {
        if !self.slots.contains_key(key) {
            self.wanted.push(key.clone());
        }
    }

    /// A row that was needed.
    pub fn get(&self, key: &R::Key) -> Option<&R> {
        self.slots.get(key)?.row.as_ref()
    }

    /// A row that was needed, to be changed.
    pub fn change(&mut self, key: &R::Key) -> Option<&mut R> {
        let slot = self.slots.get_mut(key)?;
        slot.row.as_ref()?;
        note(&mut self.changed, slot, key);
        slot.row.as_mut()
    }

    /// Writes a row whose key was needed, whether there was one or not.
    pub fn put(&mut self, row: R) {
        let key = row.key();
        let slot = self.slots.get_mut(&key).expect("only rows that were needed are written");
        note(&mut self.changed, slot, &key);
        slot.row = Some(row);
    }

    /// Removes a row that was needed.
    pub fn remove(&mut self, key: &R::Key) {
        let slot = self.slots.get_mut(key).expect("only rows that were needed are removed");
        note(&mut self.changed, slot, key);
        slot.row = None;
    }

    /// Says that something was forgotten for good: what is left of old rows on disk has to go too.
    pub fn scrub(&mut self) {
        self.scrub = true;
    }

    async fn fetch(&mut self, connection: &mut PgConnection, schema: &str) -> sqlx::Result<()> {
        let (columns, key, kind) = (names(R::COLUMNS), R::COLUMNS[0].0, R::COLUMNS[0].1);
        let (table, keys) = (R::TABLE, keys_of(kind));
        let sql = format!("select {columns} from {schema}.{table} where {key} = any({keys})");
        let wanted = std::mem::take(&mut self.wanted);
        let keys: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        // the names are constants of this program
        let rows: Vec<R> = sqlx::query_as(AssertSqlSafe(sql)).bind(&keys).fetch_all(&mut *connection).await?;
        for key in wanted {
            self.slots.entry(key).or_insert(Slot { row: None, stored: false, changed: false });
        }
        for row in rows {
            self.slots.insert(row.key(), Slot { row: Some(row), stored: true, changed: false });
        }
        Ok(())
    }

    async fn store(&mut self, connection: &mut PgConnection, schema: &str) -> sqlx::Result<()> {
        let (mut new, mut old, mut gone) = (vec![], vec![], vec![]);
        for (key, slot) in self.changed.iter().filter_map(|key| Some((key, self.slots.get(key)?))) {
            match (&slot.row, slot.stored) {
                (Some(row), false) => new.push(row),
                (Some(row), true) => old.push(row),
                (None, true) => gone.push(key.to_string()),
                (None, false) => {}
            }
        }
        if new.len() >= COPY_FROM {
            copy::<R>(connection, schema, &new).await?;
        } else {
            old.extend(new);
        }
        if !old.is_empty() {
            upsert::<R>(connection, schema, &old).await?;
        }
        if !gone.is_empty() {
            let (key, kind) = R::COLUMNS[0];
            let sql = format!("delete from {schema}.{} where {key} = any({})", R::TABLE, keys_of(kind));
            sqlx::query(AssertSqlSafe(sql)).bind(&gone).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// Marks a slot as changed, once.
fn note<R: Stored>(changed: &mut Vec<R::Key>, slot: &mut Slot<R>, key: &R::Key) {
    if !std::mem::replace(&mut slot.changed, true) {
        changed.push(key.clone());
    }
}

/// A table whose row type is hidden: what the engine sees.
pub trait Rows: Send {
    /// Its name.
    fn name(&self) -> &'static str;
    /// What creates it in `schema`.
    fn create(&self, schema: &str) -> String;
    /// What creates its indexes, once it is filled.
    fn index(&self, schema: &str) -> String;
    /// Its columns, comma-separated.
    fn columns(&self) -> String;
    /// Reads the rows that are needed and not in memory.
    fn load<'a>(&'a mut self, connection: &'a mut PgConnection, schema: &'a str) -> BoxFuture<'a, sqlx::Result<()>>;
    /// Whether rows are needed that are not in memory.
    fn lacks(&self) -> bool;
    /// How many rows in memory differ from Postgres.
    fn changed(&self) -> usize;
    /// Writes what changed.
    fn flush<'a>(&'a mut self, connection: &'a mut PgConnection, schema: &'a str) -> BoxFuture<'a, sqlx::Result<()>>;
    /// Whether something was forgotten for good since the last commit.
    fn forgets(&self) -> bool;
    /// What was flushed is committed.
    fn committed(&mut self);
    /// Forgets everything in memory.
    fn clear(&mut self);
}

impl<R: Stored> Rows for Table<R> {
    fn name(&self) -> &'static str {
        R::TABLE
    }

    fn create(&self, schema: &str) -> String {
        let columns: Vec<String> = R::COLUMNS.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        // room in each page, so that a changed row stays in it and its indexes need not change
        format!(
            "create table {schema}.{} ({}, primary key ({})) with (fillfactor = 85)",
            R::TABLE,
            columns.join(", "),
            R::COLUMNS[0].0
        )
    }

    fn index(&self, schema: &str) -> String {
        let statement = |on: &&str| format!("create index on {schema}.{} {on};", R::TABLE);
        R::INDEXES.iter().map(statement).collect()
    }

    fn columns(&self) -> String {
        names(R::COLUMNS)
    }

    fn load<'a>(&'a mut self, connection: &'a mut PgConnection, schema: &'a str) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(self.fetch(connection, schema))
    }

    fn lacks(&self) -> bool {
        !self.wanted.is_empty()
    }

    fn changed(&self) -> usize {
        self.changed.len()
    }

    fn flush<'a>(&'a mut self, connection: &'a mut PgConnection, schema: &'a str) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(self.store(connection, schema))
    }

    fn forgets(&self) -> bool {
        self.scrub
    }

    fn committed(&mut self) {
        self.scrub = false;
        if self.slots.len() > KEEP {
            self.slots.clear();
        }
        for key in self.changed.drain(..) {
            if let Some(slot) = self.slots.get_mut(&key) {
                (slot.changed, slot.stored) = (false, slot.row.is_some());
            }
        }
    }

    fn clear(&mut self) {
        *self = Table::default();
    }
}

/// `text` of `text not null`.
fn plain(kind: &str) -> &str {
    kind.split(" not null").next().unwrap_or(kind)
}

fn names(columns: &[(&str, &str)]) -> String {
    columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// The keys in `$1`, converted once: a cast of the parameter itself is done again for every row that is looked at.
fn keys_of(kind: &str) -> String {
    format!("array(select unnest($1::text[])::{})", plain(kind))
}

/// Inserts or replaces rows with one statement: an array of texts for each column.
async fn upsert<R: Stored>(connection: &mut PgConnection, schema: &str, rows: &[&R]) -> sqlx::Result<()> {
    let list = |each: &dyn Fn(usize, &str, &str) -> String| {
        let parts: Vec<_> =
            R::COLUMNS.iter().enumerate().map(|(n, (name, kind))| each(n + 1, name, plain(kind))).collect();
        parts.join(", ")
    };
    let (values, arrays) = (list(&|n, _, kind| format!("c{n}::{kind}")), list(&|n, _, _| format!("${n}::text[]")));
    let (aliases, sets) = (list(&|n, _, _| format!("c{n}")), list(&|_, name, _| format!("{name} = excluded.{name}")));
    let (table, columns, key) = (R::TABLE, names(R::COLUMNS), R::COLUMNS[0].0);
    let sql = format!(
        "insert into {schema}.{table} ({columns}) select {values} from unnest({arrays}) as new({aliases})
         on conflict ({key}) do update set {sets}"
    );
    let mut arrays: Vec<Vec<Cell>> = R::COLUMNS.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (array, cell) in arrays.iter_mut().zip(row.cells()) {
            array.push(cell);
        }
    }
    let query = arrays.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, array| query.bind(array));
    query.execute(connection).await.map(drop)
}

/// Adds rows with `COPY`.
async fn copy<R: Stored>(connection: &mut PgConnection, schema: &str, rows: &[&R]) -> sqlx::Result<()> {
    let mut copy =
        connection.copy_in_raw(&format!("copy {schema}.{} ({}) from stdin", R::TABLE, names(R::COLUMNS))).await?;
    for part in rows.chunks(1000) {
        let mut text = String::with_capacity(part.len() * 256);
        for row in part {
            for (n, cell) in row.cells().into_iter().enumerate() {
                text.push_str(if n > 0 { "\t" } else { "" });
                match cell {
                    Some(cell) => escape(&cell, &mut text),
                    None => text.push_str("\\N"),
                }
            }
            text.push('\n');
        }
        copy.send(text.into_bytes()).await?;
    }
    copy.finish().await.map(drop)
}

/// Writes a value as `COPY` reads it.
fn escape(value: &str, to: &mut String) {
    let mut rest = value;
    while let Some(at) = rest.find(['\\', '\t', '\n', '\r']) {
        to.push_str(&rest[..at]);
        to.push_str(match rest.as_bytes()[at] {
            b'\t' => "\\t",
            b'\n' => "\\n",
            b'\r' => "\\r",
            _ => "\\\\",
        });
        rest = &rest[at + 1..];
    }
    to.push_str(rest);
}

/// A list in the text form of a Postgres array.
pub fn array(values: &[String]) -> Cell<'static> {
    let mut text = String::from("{");
    for (n, value) in values.iter().enumerate() {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        write!(text, "{}\"{escaped}\"", if n > 0 { "," } else { "" }).expect("writing to a String");
    }
    text.push('}');
    Some(text.into())
}

/// Anything whose `Display` Postgres reads.
pub fn cell(value: impl ToString) -> Cell<'static> {
    Some(value.to_string().into())
}

/// A text that a person wrote, or nothing.
pub fn text(value: &Option<String>) -> Cell<'_> {
    value.as_deref().map(clean)
}

/// A text that a person wrote. Postgres cannot keep a NUL, which JSON can.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}
