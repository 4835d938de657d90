//! What belongs together in the log, and what led to what. Commands of reactions have ids that derive from the event
//! and the reaction, so the events alone are enough to prove which reaction asked.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// An event of the saga.
pub struct Fact {
    pub id: Uuid,
    pub kind: String,
    pub source: String,
    pub position: u64,
    pub command: Uuid,
}

impl Fact {
    /// Reads an event; `None` when it belongs to another saga.
    pub fn of(event: &Value, position: u64, saga: Uuid) -> Result<Option<Self>> {
        let text = |name: &str| event[name].as_str().with_context(|| format!("an event without {name}"));
        if text("correlationid")?.parse::<Uuid>()? != saga {
            return Ok(None);
        }
        let (id, command) = (text("id")?.parse()?, text("causationid")?.parse()?);
        Ok(Some(Fact { id, kind: text("type")?.into(), source: text("source")?.into(), position, command }))
    }
}

/// Everything that followed from one command.
#[derive(Default)]
pub struct Saga {
    facts: Vec<Fact>,
    commands: BTreeMap<Uuid, String>,
    order: Vec<Uuid>,
}

impl Saga {
    pub fn has(&self, kind: &str) -> bool {
        self.facts.iter().any(|fact| fact.kind == kind)
    }

    pub fn knows(&self, command: Uuid) -> bool {
        self.commands.contains_key(&command)
    }

    pub fn learn(&mut self, command: Uuid, kind: String) {
        self.commands.insert(command, kind);
        self.order.push(command);
    }

    pub fn add(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// The reaction that asked `command`, and the position of the event it answered.
    pub fn cause(&self, command: Uuid) -> Option<(String, u64)> {
        let reactions = reactions();
        self.facts.iter().find_map(|fact| {
            let asked =
                |name: &&String| (0..4).any(|n| Uuid::new_v5(&fact.id, format!("{name}.{n}").as_bytes()) == command);
            reactions.iter().find(asked).map(|name| (name.clone(), fact.position))
        })
    }

    /// Who led to what, beginning with `root`.
    pub fn tree(&self, root: Uuid) -> String {
        let mut text = String::new();
        self.command(root, "  ", "  ", &mut text);
        text
    }

    fn command(&self, command: Uuid, first: &str, rest: &str, text: &mut String) {
        let kind = self.commands.get(&command).map_or("a command", String::as_str);
        let why = self.cause(command).map(|(reaction, _)| format!("   by {reaction}")).unwrap_or_default();
        *text += &format!("{first}? {kind}{why}\n");
        let facts: Vec<&Fact> = self.facts.iter().filter(|fact| fact.command == command).collect();
        // what the vault asks in the same saga names its command, but no event that led to it
        let is_root = first == rest;
        let loose: Vec<Uuid> = self
            .order
            .iter()
            .copied()
            .filter(|other| is_root && *other != command && self.cause(*other).is_none())
            .collect();
        let last = facts.len() + loose.len();
        for (n, fact) in facts.iter().enumerate() {
            let (branch, below) = branches(rest, n + 1 == last);
            *text += &format!("{branch}! {} #{}\n", fact.kind, fact.position);
            let asked: Vec<Uuid> = self
                .order
                .iter()
                .copied()
                .filter(|c| self.cause(*c).is_some_and(|(_, at)| at == fact.position))
                .collect();
            for (n, command) in asked.iter().enumerate() {
                let (first, rest) = branches(&below, n + 1 == asked.len());
                self.command(*command, &first, &rest, text);
            }
        }
        for (n, other) in loose.iter().enumerate() {
            let (first, rest) = branches(rest, facts.len() + n + 1 == last);
            self.command(*other, &first, &rest, text);
        }
    }
}

/// Whatever asks because of an event, by the name that is part of what it asks.
fn reactions() -> Vec<String> {
    let services = [
        identity::service(),
        profile::service(),
        storage::service(Arc::new(|_| Box::pin(async { Ok(()) }))),
        video::service(Arc::new(|_, _| {})),
        processing::service(Arc::new(|_, _| Box::pin(async { Ok(()) }))),
        notification::rules(),
    ];
    let reactions =
        services.iter().flat_map(|one| one.reactions.iter().map(move |(name, _)| format!("{}.{name}", one.name)));
    reactions.chain(["notification.deliver".to_owned()]).collect()
}

fn branches(before: &str, last: bool) -> (String, String) {
    if last {
        (format!("{before}└─ "), format!("{before}   "))
    } else {
        (format!("{before}├─ "), format!("{before}│  "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(position: u64, kind: &str, command: Uuid) -> Fact {
        Fact { id: Uuid::from_u128(position.into()), kind: kind.into(), source: "/".into(), position, command }
    }

    #[test]
    fn a_reaction_is_proven_by_the_id_of_its_command() {
        let (register, session) = (Uuid::from_u128(100), Uuid::from_u128(200));
        let registered = fact(1, "registered", register);
        let create = Uuid::new_v5(&registered.id, b"profile.create_profile_when_registered.0");
        let mut saga = Saga::default();
        saga.learn(register, "register".into());
        saga.add(registered);
        saga.learn(create, "create".into());
        saga.add(fact(2, "created", create));
        saga.learn(session, "start".into());
        saga.add(fact(3, "started", session));
        let expected = "  ? register
  ├─ ! registered #1
  │  └─ ? create   by profile.create_profile_when_registered
  │     └─ ! created #2
  └─ ? start
     └─ ! started #3
";
        assert_eq!(saga.tree(register), expected);
    }
}
