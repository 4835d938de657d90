//! Lists, page by page: pages do not shift when something new comes, and the place of one list is good for no other.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::cursor::{self, Last};
use crate::problem::Problem;
use axum::http::{HeaderValue, header};
use serde::Serialize;
use serde_json::{Value, json};

/// A page that is wanted.
pub(crate) struct Page<'a> {
    app: &'a App,
    asked: &'a Asked,
    /// Which list: its path, and for whom it is.
    list: String,
    filters: String,
    limit: usize,
    /// It begins behind this one.
    pub(crate) after: Option<Last>,
}

impl<'a> Page<'a> {
    /// What the query says. `reader` tells apart those who see different lists at one path; `filters` is the query without
    /// the place: `state=waiting&`.
    ///
    /// # Errors
    /// 400 when the limit is out of range, or the place is none of this list with these filters.
    pub(crate) fn wanted(
        app: &'a App,
        asked: &'a Asked,
        reader: &str,
        filters: String,
        limit: Option<u8>,
        after: Option<&str>,
    ) -> Result<Self, Problem> {
        let limit = usize::from(limit.unwrap_or(20));
        if !(1..=100).contains(&limit) {
            return Err(Problem::malformed("query_invalid", "limit is 1 to 100"));
        }
        let list = format!("{} {reader}", asked.path());
        let read = |after| cursor::read(&app.edge().keys.consistency, &list, &filters, after);
        let after = after.map(read).transpose()?;
        Ok(Page { app, asked, list, filters, limit, after })
    }

    /// How many rows to ask for: one more than wanted, to know whether there is another page.
    pub(crate) fn rows(&self) -> i64 {
        self.limit as i64 + 1
    }

    /// Takes the surplus row away; where the next page begins, if there was one.
    pub(crate) fn cut<R>(&self, rows: &mut Vec<R>, place: impl Fn(&R) -> Last) -> Option<String> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let last = rows.last().filter(|_| more).map(place)?;
        Some(cursor::write(&self.app.edge().keys.consistency, &self.list, &self.filters, last))
    }

    /// The page.
    pub(crate) fn answer(&self, items: &[impl Serialize], next: Option<String>) -> Result<Answer, Problem> {
        self.answer_with(&json!({ "items": items, "next": next }), next)
    }

    /// The page in a shape of its own.
    pub(crate) fn answer_with(&self, body: &Value, next: Option<String>) -> Result<Answer, Problem> {
        let answer = Answer::ok(body);
        let Some(next) = next else { return Ok(answer) };
        let (path, filters, limit) = (self.asked.path(), &self.filters, self.limit);
        let link = format!("<{path}?{filters}limit={limit}&after={next}>; rel=\"next\"");
        Ok(answer.header(header::LINK, HeaderValue::from_str(&link)?))
    }
}
