//! Who is behind each socket, and until when that is so: a token ends, a session is revoked, and the socket with it.

use crate::auth::Actor;
use crate::problem::Problem;
use socketioxide::socket::Sid;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use uuid::Uuid;

/// Sockets of one person, where people are limited at all.
const PERSON: usize = 50;
/// So many seconds before its token ends a client is told to show another one.
const NOTICE: i64 = 60;

/// Everybody who was admitted.
pub(super) struct Members {
    limited: bool,
    next: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    members: HashMap<u64, Member>,
    people: HashMap<Uuid, usize>,
}

struct Member {
    socket: Sid,
    actor: Actor,
    noticed: bool,
}

/// What is to be done about a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Its token ends at this time, seconds since 1970.
    Notice(i64),
    /// Its token has ended.
    Expired,
    /// Its session is over.
    Ended,
}

/// A place among the members; given up when dropped.
pub(super) struct Place {
    members: Arc<Members>,
    number: u64,
    person: Uuid,
}

impl Members {
    pub(super) fn new(limited: bool) -> Self {
        Members { limited, next: AtomicU64::new(0), known: Mutex::default() }
    }

    /// A place for a socket of this person.
    ///
    /// # Errors
    /// 429 when the person has as many as one may.
    pub(super) fn enter(self: &Arc<Self>, socket: Sid, actor: Actor) -> Result<Place, Problem> {
        let (number, person) = (self.next.fetch_add(1, Ordering::Relaxed), actor.id);
        let mut known = self.known();
        let others = known.people.entry(person).or_default();
        if self.limited && *others >= PERSON {
            return Err(Problem::too_many("sockets", 30));
        }
        *others += 1;
        known.members.insert(number, Member { socket, actor, noticed: false });
        metrics::gauge!("sockets_open").set(known.members.len() as f64);
        Ok(Place { members: self.clone(), number, person })
    }

    /// What is due at `now`, in seconds since 1970. What ends is said again each time, until it has ended.
    pub(super) fn due(&self, now: i64, is_revoked: impl Fn(&Actor) -> bool) -> Vec<(Sid, Due)> {
        let mut known = self.known();
        let due = known.members.values_mut().filter_map(|member| {
            let ends = member.actor.expires_at;
            let due = if is_revoked(&member.actor) {
                Due::Ended
            } else if ends <= now {
                Due::Expired
            } else if ends - NOTICE <= now && !member.noticed {
                member.noticed = true;
                Due::Notice(ends)
            } else {
                return None;
            };
            Some((member.socket, due))
        });
        due.collect()
    }

    /// Who is behind each socket.
    pub(super) fn actors(&self) -> HashMap<Sid, Actor> {
        self.known().members.values().map(|member| (member.socket, member.actor.clone())).collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("never poisoned: nothing panics inside")
    }
}

impl Place {
    /// Who it is, as the last token said.
    pub(super) fn actor(&self) -> Actor {
        self.members.known().members[&self.number].actor.clone()
    }

    /// Another token of the same person counts from now on; `false` when it is somebody else's.
    pub(super) fn renew(&self, actor: Actor) -> bool {
        let mut known = self.members.known();
        let member = known.members.get_mut(&self.number).filter(|member| member.actor.id == actor.id);
        member.map(|member| *member = Member { socket: member.socket, actor, noticed: false }).is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut known = self.members.known();
        known.members.remove(&self.number);
        metrics::gauge!("sockets_open").set(known.members.len() as f64);
        if let Some(others) = known.people.get_mut(&self.person) {
            *others -= 1;
            if *others == 0 {
                known.people.remove(&self.person);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(person: u128, session: u128, expires_at: i64) -> Actor {
        let (id, session) = (Uuid::from_u128(person), Uuid::from_u128(session));
        Actor { id, session, roles: [].into(), issued_at: expires_at - 900, expires_at, claims: None }
    }

    #[test]
    fn a_token_that_ends_is_told_once_and_then_ends_the_socket() {
        let members = Arc::new(Members::new(true));
        let place = members.enter(Sid::new(), actor(1, 1, 1000)).expect("room");
        let due = |now| members.due(now, |_| false).into_iter().map(|(_, due)| due).collect::<Vec<_>>();
        assert_eq!(due(939), []);
        assert_eq!(due(940), [Due::Notice(1000)]);
        assert_eq!(due(999), []);
        assert_eq!((due(1000), due(1001)), (vec![Due::Expired], vec![Due::Expired]));
        assert!(!place.renew(actor(2, 2, 1900)), "somebody else's");
        assert!(place.renew(actor(1, 3, 1900)));
        assert_eq!((due(1001), due(1840)), (vec![], vec![Due::Notice(1900)]));
        drop(place);
        assert_eq!(due(3000), []);
    }

    #[test]
    fn a_revoked_session_ends_its_sockets_and_no_other() {
        let members = Arc::new(Members::new(true));
        let sockets = [Sid::new(), Sid::new()];
        let _places = [1, 2].map(|n| members.enter(sockets[n - 1], actor(1, n as u128, 1000)).expect("room"));
        let due = members.due(0, |actor| actor.session == Uuid::from_u128(2));
        assert_eq!(due, [(sockets[1], Due::Ended)]);
    }

    #[test]
    fn a_person_has_so_many_sockets_and_no_more() {
        let members = Arc::new(Members::new(true));
        let enter = |person| members.enter(Sid::new(), actor(person, 1, 1000));
        let mut places: Vec<_> = (0..PERSON).map(|_| enter(1).expect("room")).collect();
        assert_eq!(enter(1).map(drop).expect_err("enough").code(), "rate_limited");
        enter(2).expect("somebody else");
        places.pop();
        enter(1).expect("room again");
        drop(places);
        assert!(members.known().people.is_empty(), "nothing is remembered of who left");
    }
}
