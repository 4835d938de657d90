//! What is refused by the loop itself, whatever the rules of a context say.

use kernel::{Claim, Draft, Kind, Refusal};

/// A name that the rules want although they were told that it is somebody else's.
pub(crate) fn insisted<'a>(drafts: &'a [Draft], taken: &[Claim]) -> Option<&'a Claim> {
    let wanted = drafts.iter().flat_map(|draft| &draft.claims).filter(|claim| claim.hold);
    wanted.into_iter().find(|claim| taken.iter().any(|other| other.kind == claim.kind && other.name == claim.name))
}

/// The name is somebody else's.
pub(crate) fn taken(claim: &Claim) -> Refusal {
    let kind = claim.kind;
    Refusal {
        code: format!("{kind}_taken"),
        kind: Kind::Conflict,
        detail: format!("this {kind} is taken, choose another"),
    }
}

/// The caller saw another version than this one.
pub(crate) fn stale(version: u64) -> Refusal {
    let detail = format!("this was changed meanwhile and is at version {version}, look at it again");
    Refusal { code: "stale".into(), kind: Kind::Stale, detail }
}

/// A person in it has no key any more.
pub(crate) fn erased() -> Refusal {
    let detail = "the person this is about was erased".into();
    Refusal { code: "person_erased".into(), kind: Kind::Missing, detail }
}

/// The command is put aside.
pub(crate) fn not_handled() -> Refusal {
    let detail = "this could not be handled, and was put aside for an operator to look at".into();
    Refusal { code: "not_handled".into(), kind: Kind::Invalid, detail }
}
