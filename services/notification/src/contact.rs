//! What somebody wrote with the contact form. Anybody may write; what was written is for admins alone, and gone when one
//! of them says so.

use events::Personal;
use events::notification::contact::{Command, Event, Letter, MESSAGE, NAME, SUBJECT};
use kernel::{Decider, Kind, Meta};
use serde::{Deserialize, Serialize};

/// The state of a message: nothing of what it says.
#[derive(Default, Serialize, Deserialize)]
pub enum Contact {
    /// Nobody wrote it.
    #[default]
    Missing,
    /// It waits for an answer.
    Waiting,
    /// Somebody answered.
    Answered,
    /// It is forgotten.
    Erased,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("only an admin deals with what people wrote")]
    NotAdmin,
    #[error("there is a message with this id already")]
    Exists,
    #[error("there is no such message")]
    Missing,
    #[error("a name is 1 to {NAME} characters, none of them a control character")]
    BadName,
    #[error("this is not an e-mail address")]
    BadEmail,
    #[error("a subject is 1 to {SUBJECT} characters on one line")]
    BadSubject,
    #[error("a message is 1 to {MESSAGE} characters")]
    BadMessage,
}

impl kernel::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NotAdmin => "admin_required",
            Self::Exists => "contact_exists",
            Self::Missing => "contact_missing",
            Self::BadName => "name_invalid",
            Self::BadEmail => "email_invalid",
            Self::BadSubject => "subject_invalid",
            Self::BadMessage => "message_invalid",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotAdmin => Kind::Forbidden,
            Self::Exists => Kind::Conflict,
            Self::Missing => Kind::Missing,
            Self::BadName | Self::BadEmail | Self::BadSubject | Self::BadMessage => Kind::Invalid,
        }
    }
}

impl Decider for Contact {
    const LOGIC: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        if let Command::Receive(letter) = command {
            matches!(self, Contact::Missing).then_some(()).ok_or(Rejection::Exists)?;
            return readable(&letter).map(|()| vec![Event::Received(letter)]);
        }
        meta.may_administer().then_some(()).ok_or(Rejection::NotAdmin)?;
        match (self, command) {
            (Contact::Waiting, Command::Answer {}) => Ok(vec![Event::Answered {}]),
            (Contact::Answered, Command::Answer {}) => Ok(vec![]),
            (Contact::Waiting | Contact::Answered, Command::Erase {}) => Ok(vec![Event::Erased {}]),
            (Contact::Erased, Command::Erase {}) => Ok(vec![]),
            _ => Err(Rejection::Missing),
        }
    }

    fn evolve(&mut self, event: &Event) {
        *self = match event {
            Event::Received(_) => Contact::Waiting,
            Event::Answered {} => Contact::Answered,
            Event::Erased {} => Contact::Erased,
        };
    }
}

/// Whether somebody can read it and write back. The edge says more precisely what an address is.
fn readable(letter: &Letter) -> Result<(), Rejection> {
    let fits = |text: &Personal<String>, most: usize, lines: bool| {
        let text = text.open().map_or("", |text| text.trim());
        let bad = |c: char| c.is_control() && !(lines && matches!(c, '\n' | '\r' | '\t'));
        (1..=most).contains(&text.chars().count()) && !text.contains(bad)
    };
    let Letter { name, email, subject, message } = letter;
    fits(name, NAME, false).then_some(()).ok_or(Rejection::BadName)?;
    let address = |text: &String| text.len() <= 254 && !text.contains(char::is_whitespace) && text.contains('@');
    let email = fits(email, 254, false) && email.open().is_some_and(address);
    email.then_some(()).ok_or(Rejection::BadEmail)?;
    fits(subject, SUBJECT, false).then_some(()).ok_or(Rejection::BadSubject)?;
    fits(message, MESSAGE, true).then_some(()).ok_or(Rejection::BadMessage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Caller;
    use kernel::testing::given;

    fn letter() -> Letter {
        let text = |text: &str| Personal::new(text.to_owned());
        Letter {
            name: text("Ada"),
            email: text("ada@example.org"),
            subject: text("Hello"),
            message: text("Two\nlines"),
        }
    }

    fn received() -> Event {
        Event::Received(letter())
    }

    #[test]
    fn anybody_may_write_once() {
        given::<Contact>([]).by(Caller::Unknown).when(Command::Receive(letter())).then([received()]);
        given::<Contact>([]).when(Command::Receive(letter())).then([received()]);
        given::<Contact>([received()]).when(Command::Receive(letter())).rejected(Rejection::Exists);
        given::<Contact>([received(), Event::Erased {}]).when(Command::Receive(letter())).rejected(Rejection::Exists);
    }

    #[test]
    fn admins_note_the_answer_and_forget() {
        let given = |events: &[Event]| given::<Contact>(events.to_vec()).by_admin();
        given(&[received()]).when(Command::Answer {}).then([Event::Answered {}]);
        given(&[received(), Event::Answered {}]).when(Command::Answer {}).then([]);
        given(&[received()]).when(Command::Erase {}).then([Event::Erased {}]);
        given(&[received(), Event::Answered {}]).when(Command::Erase {}).then([Event::Erased {}]);
        given(&[received(), Event::Erased {}]).when(Command::Erase {}).then([]);
        given(&[received(), Event::Erased {}]).when(Command::Answer {}).rejected(Rejection::Missing);
        given(&[]).when(Command::Erase {}).rejected(Rejection::Missing);
    }

    #[test]
    fn nobody_else_does() {
        for command in [Command::Answer {}, Command::Erase {}] {
            given::<Contact>([received()]).when(command.clone()).rejected(Rejection::NotAdmin);
            given::<Contact>([received()]).by(Caller::Unknown).when(command).rejected(Rejection::NotAdmin);
        }
    }

    #[test]
    fn what_cannot_be_read_or_answered_is_refused() {
        let refused = |change: fn(&mut Letter), why: Rejection| {
            let mut letter = letter();
            change(&mut letter);
            given::<Contact>([]).by(Caller::Unknown).when(Command::Receive(letter)).rejected(why);
        };
        refused(|letter| letter.name = String::new().into(), Rejection::BadName);
        refused(|letter| letter.name = "x".repeat(NAME + 1).into(), Rejection::BadName);
        refused(|letter| letter.name = Personal::Erased, Rejection::BadName);
        refused(|letter| letter.email = "ada".to_owned().into(), Rejection::BadEmail);
        refused(|letter| letter.email = "a da@example.org".to_owned().into(), Rejection::BadEmail);
        refused(|letter| letter.subject = "a\nb".to_owned().into(), Rejection::BadSubject);
        refused(|letter| letter.message = " \n ".to_owned().into(), Rejection::BadMessage);
        refused(|letter| letter.message = "a\0b".to_owned().into(), Rejection::BadMessage);
        refused(|letter| letter.message = "x".repeat(MESSAGE + 1).into(), Rejection::BadMessage);
    }
}
