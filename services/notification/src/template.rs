//! A template: drafts are numbered and never change; in each language one of them is published, or none.

use events::notification::template::{Command, Event, of_key};
use kernel::{Decider, Kind, Meta};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use templates::Unfit;

/// Drafts of a template, over all its time.
pub(crate) const DRAFTS: usize = 1000;
/// Languages of a template.
pub(crate) const LOCALES: usize = 40;

/// The state of a template.
#[derive(Default, Serialize, Deserialize)]
pub struct Template {
    /// How much happened to it: the next draft has the next number.
    version: u64,
    /// The language of every draft.
    drafts: BTreeMap<u64, String>,
    /// The draft that is sent, by language.
    published: BTreeMap<String, u64>,
    retired: bool,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("only an admin changes templates")]
    NotAdmin,
    #[error("the id of a template follows from its key, and this is another")]
    WrongId,
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("a template has at most {DRAFTS} drafts; begin another under a new key")]
    TooManyDrafts,
    #[error("a template is in at most {LOCALES} languages")]
    TooManyLocales,
    #[error("there is no such template")]
    Missing,
    #[error("this template has no such draft")]
    NoDraft,
}

impl kernel::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NotAdmin => "admin_required",
            Self::WrongId => "key_invalid",
            Self::Unfit(unfit) => unfit.code,
            Self::TooManyDrafts => "too_many_drafts",
            Self::TooManyLocales => "too_many_locales",
            Self::Missing => "template_missing",
            Self::NoDraft => "draft_missing",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotAdmin => Kind::Forbidden,
            Self::WrongId | Self::Unfit(_) => Kind::Invalid,
            Self::TooManyDrafts | Self::TooManyLocales => Kind::Conflict,
            Self::Missing | Self::NoDraft => Kind::Missing,
        }
    }
}

impl Decider for Template {
    const LOGIC: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        meta.may_administer().then_some(()).ok_or(Rejection::NotAdmin)?;
        match command {
            Command::Put { key, text } => {
                templates::check(&key, &text)?;
                (meta.subject == of_key(&key)).then_some(()).ok_or(Rejection::WrongId)?;
                (self.drafts.len() < DRAFTS).then_some(()).ok_or(Rejection::TooManyDrafts)?;
                self.has_room_for(&text.locale).then_some(()).ok_or(Rejection::TooManyLocales)?;
                Ok(vec![Event::Drafted { key, draft: self.version + 1, text }])
            }
            _ if self.drafts.is_empty() => Err(Rejection::Missing),
            Command::Publish { draft } => {
                let locale = self.drafts.get(&draft).ok_or(Rejection::NoDraft)?;
                let already = self.published.get(locale) == Some(&draft);
                Ok((!already).then(|| Event::Published { draft, locale: locale.clone() }).into_iter().collect())
            }
            Command::Retire {} => Ok((!self.retired).then_some(Event::Retired {}).into_iter().collect()),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.version += 1;
        self.retired = false;
        match event {
            Event::Drafted { draft, text, .. } => drop(self.drafts.insert(*draft, text.locale.clone())),
            Event::Published { draft, locale } => drop(self.published.insert(locale.clone(), *draft)),
            Event::Retired {} => {
                self.published.clear();
                self.retired = true;
            }
        }
    }
}

impl Template {
    fn has_room_for(&self, locale: &str) -> bool {
        let known: std::collections::BTreeSet<&str> = self.drafts.values().map(String::as_str).collect();
        known.contains(locale) || known.len() < LOCALES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::notification::template::{Text, Variable};
    use kernel::testing::{Given, SUBJECT, given};
    use kernel::{Caller, Rejection as _};
    use uuid::Uuid;

    const KEY: &str = "welcome";

    fn text(locale: &str) -> Text {
        let variables = vec![Variable { name: "name".into(), required: true }];
        Text { locale: locale.into(), subject: "Hi".into(), text: "Hi {{ name }}".into(), html: None, variables }
    }

    fn drafted(draft: u64, locale: &str) -> Event {
        Event::Drafted { key: KEY.into(), draft, text: text(locale) }
    }

    fn published(draft: u64, locale: &str) -> Event {
        Event::Published { draft, locale: locale.into() }
    }

    fn put(locale: &str) -> Command {
        Command::Put { key: KEY.into(), text: text(locale) }
    }

    /// An admin asks the template of [`KEY`].
    fn when(events: impl IntoIterator<Item = Event>) -> Given<Template> {
        given::<Template>(events).about(of_key(KEY)).by_admin()
    }

    #[test]
    fn every_put_makes_a_draft_of_its_own() {
        when([]).when(put("en")).then([drafted(1, "en")]);
        when([drafted(1, "en")]).when(put("en")).then([drafted(2, "en")]);
        when([drafted(1, "en"), published(1, "en")]).when(put("de")).then([drafted(3, "de")]);
    }

    #[test]
    fn one_draft_is_published_in_each_language() {
        let drafts = || [drafted(1, "en"), drafted(2, "de"), drafted(3, "en")];
        when(drafts()).when(Command::Publish { draft: 3 }).then([published(3, "en")]);
        let out = || drafts().into_iter().chain([published(3, "en"), published(2, "de")]);
        when(out()).when(Command::Publish { draft: 3 }).then([]);
        when(out()).when(Command::Publish { draft: 1 }).then([published(1, "en")]);
        when(out()).when(Command::Publish { draft: 4 }).rejected(Rejection::NoDraft);
        when([]).when(Command::Publish { draft: 1 }).rejected(Rejection::Missing);
    }

    #[test]
    fn a_retired_template_can_come_back() {
        let out = || [drafted(1, "en"), published(1, "en")];
        when([]).when(Command::Retire {}).rejected(Rejection::Missing);
        when(out()).when(Command::Retire {}).then([Event::Retired {}]);
        let retired = || out().into_iter().chain([Event::Retired {}]);
        when(retired()).when(Command::Retire {}).then([]);
        when(retired()).when(Command::Publish { draft: 1 }).then([published(1, "en")]);
        when(retired()).when(put("en")).then([drafted(4, "en")]);
        when(retired().chain([drafted(4, "en")])).when(Command::Retire {}).then([Event::Retired {}]);
    }

    #[test]
    fn admins_only() {
        for command in [put("en"), Command::Publish { draft: 1 }, Command::Retire {}] {
            for caller in [Caller::Unknown, Caller::Person { id: SUBJECT, roles: vec![] }] {
                when([drafted(1, "en")]).by(caller).when(command.clone()).rejected(Rejection::NotAdmin);
            }
        }
    }

    #[test]
    fn what_is_not_fit_is_refused() {
        let bad = Text { text: "{{ nmae }}".into(), ..text("en") };
        let unfit = templates::check(KEY, &bad).expect_err("not declared");
        assert_eq!(Rejection::Unfit(unfit.clone()).code(), "variables_undeclared");
        when([]).when(Command::Put { key: KEY.into(), text: bad }).rejected(Rejection::Unfit(unfit));
        when([]).about(Uuid::from_u128(7)).when(put("en")).rejected(Rejection::WrongId);
    }

    #[test]
    fn there_is_room_for_so_much() {
        let region =
            |n: usize| format!("de-{}{}", char::from(b'A' + (n / 26) as u8), char::from(b'A' + (n % 26) as u8));
        let many = |count: usize| (0..count).map(move |n| drafted(n as u64 + 1, &region(n)));
        when(many(LOCALES)).when(put("en")).rejected(Rejection::TooManyLocales);
        when(many(LOCALES)).when(put("de-AA")).then([drafted(LOCALES as u64 + 1, "de-AA")]);
        let full = (1..=DRAFTS as u64).map(|n| drafted(n, "en"));
        when(full).when(put("en")).rejected(Rejection::TooManyDrafts);
    }

    #[test]
    fn the_state_survives_a_snapshot() {
        let mut state = Template::default();
        [drafted(1, "en"), published(1, "en")].iter().for_each(|event| state.evolve(event));
        let kept = serde_json::to_string(&state).expect("it has a JSON form");
        let state: Template = serde_json::from_str(&kept).expect("its own form");
        assert_eq!((state.version, state.published.get("en")), (2, Some(&1)));
    }
}
