//! Given these events, when this is asked, then that happens. The tests of a context are its specification.

use crate::{Caller, Claim, Decider, Meta};
use chrono::DateTime;
use events::identity::user::Role;
use std::fmt::Debug;
use uuid::Uuid;

/// The aggregate every test is about, and the person who asks unless a test says otherwise.
pub const SUBJECT: Uuid = Uuid::from_u128(1);

/// Starts a sentence: these events happened.
pub fn given<D: Decider>(events: impl IntoIterator<Item = D::Event>) -> Given<D> {
    let mut state = D::default();
    events.into_iter().for_each(|event| state.evolve(&event));
    let time = DateTime::from_timestamp(1_800_000_000, 0).expect("a time in range");
    let caller = Caller::Person { id: SUBJECT, roles: vec![] };
    Given { state, meta: Meta { subject: SUBJECT, id: Uuid::from_u128(2), time, caller, taken: vec![] } }
}

/// What happened, and who asks.
pub struct Given<D> {
    state: D,
    meta: Meta,
}

impl<D: Decider> Given<D> {
    /// Someone else asks.
    pub fn by(mut self, caller: Caller) -> Self {
        self.meta.caller = caller;
        self
    }

    /// An admin asks, who is not the subject.
    pub fn by_admin(self) -> Self {
        self.by(Caller::Person { id: Uuid::from_u128(99), roles: vec![Role::Admin] })
    }

    /// It is asked of another aggregate than [`SUBJECT`]: one whose id follows from something.
    pub fn about(mut self, subject: Uuid) -> Self {
        self.meta.subject = subject;
        self
    }

    /// This name turned out to be someone else's.
    pub fn taken(mut self, kind: &'static str, name: &str) -> Self {
        self.meta.taken.push(Claim::take(kind, name));
        self
    }

    /// This is asked.
    pub fn when(self, command: D::Command) -> Then<D> {
        let answer = self.state.decide(command, &self.meta);
        let claims = answer.iter().flatten().flat_map(|event| self.state.claims(event)).collect();
        Then { answer, claims }
    }
}

/// What came of it.
pub struct Then<D: Decider> {
    answer: Result<Vec<D::Event>, D::Rejection>,
    claims: Vec<Claim>,
}

impl<D: Decider> Then<D>
where
    D::Event: PartialEq + Debug,
    D::Rejection: PartialEq + Debug,
{
    /// Exactly these events happen.
    #[track_caller]
    pub fn then(self, events: impl IntoIterator<Item = D::Event>) {
        assert_eq!(self.answer, Ok(events.into_iter().collect()));
    }

    /// It is refused, and this is why.
    #[track_caller]
    pub fn rejected(self, why: D::Rejection) {
        assert_eq!(self.answer, Err(why));
    }

    /// Exactly these names are taken or given back.
    #[track_caller]
    pub fn claims(self, claims: impl IntoIterator<Item = Claim>) {
        assert!(self.answer.is_ok(), "refused: {:?}", self.answer);
        assert_eq!(self.claims, claims.into_iter().collect::<Vec<_>>());
    }
}
