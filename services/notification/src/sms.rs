//! Text messages, through Twilio's HTTP API. Twilio has no way to say that two requests are the same: a request whose
//! answer was lost may have been heard, so a retry can, rarely, send a text twice.

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use form_urlencoded::Serializer;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Uri};
use serde::Deserialize;
use std::borrow::Cow;
use std::time::Duration;
use uuid::Uuid;

use crate::Unsent;
use crate::http::{Answer, Http, is_loopback};

/// Three messages as telephones count them, for texts of the Latin alphabet: every one is paid for.
const LONGEST: usize = 3 * 153;
/// Their alphabet has no `…`: one character outside it, and a text costs twice as much.
const CUT: &str = "...";

/// Sends text messages.
pub struct Sms {
    http: Http,
    messages: Uri,
    authorization: HeaderValue,
    from: (&'static str, String),
}

/// What Twilio answers, as far as it matters here.
#[derive(Deserialize)]
struct Said {
    sid: Option<String>,
    code: Option<u32>,
}

impl Sms {
    /// Through Twilio at `url`, with an account's id and token. `from` is a number, the name of a sender, or the id of a
    /// messaging service.
    ///
    /// # Errors
    /// One of them cannot be; the token is not repeated.
    pub fn twilio(url: &str, sid: &str, token: &str, from: &str) -> Result<Self> {
        ensure!(is_sid("AC", sid), "REPRISE_TWILIO_SID is not the id of an account: AC and 32 hexadecimal digits");
        ensure!(!token.is_empty(), "REPRISE_TWILIO_TOKEN is needed with REPRISE_TWILIO_SID");
        let url = url.trim_end_matches('/');
        let messages: Uri = format!("{url}/2010-04-01/Accounts/{sid}/Messages.json")
            .parse()
            .ok()
            .filter(|uri: &Uri| {
                uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && is_loopback(uri))
            })
            .with_context(|| format!("REPRISE_TWILIO_URL={url} is not an https:// address"))?;
        let mut authorization =
            HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(format!("{sid}:{token}"))))?;
        authorization.set_sensitive(true);
        Ok(Sms { http: Http::new(), messages, authorization, from: sender(from)? })
    }

    /// Waits that long for an answer, instead of 15 seconds.
    pub fn waiting(self, patience: Duration) -> Self {
        Sms { http: self.http.waiting(patience), ..self }
    }

    /// Sends a text to a number (E.164); the answer is Twilio's id of the message. A text that is too long is cut.
    ///
    /// # Errors
    /// [`Unsent`] says whether another try makes sense, and whether the person wants no more texts.
    pub async fn send(&self, delivery: Uuid, to: &str, text: &str) -> Result<Option<String>, Unsent> {
        if !is_phone(to) {
            return Err(Unsent::Refused("the number is none".into()));
        }
        let answer = judge(&self.http.send(self.compose(to, text)?).await?)?;
        // the only place where our id and Twilio's meet when the process ends before anything is written down
        tracing::debug!(delivery.id = %delivery, sms.id = answer, "text message accepted");
        Ok(answer)
    }

    fn compose(&self, to: &str, text: &str) -> Result<Request<Full<Bytes>>, Unsent> {
        let text = shortened(text);
        let mut form = Serializer::new(String::new());
        form.append_pair("To", to).append_pair(self.from.0, &self.from.1).append_pair("Body", &text);
        Request::post(self.messages.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(form.finish())))
            .map_err(|error| Unsent::Refused(error.to_string()))
    }
}

/// Twilio changes its codes and advises against relying on them: they are looked at where the status does not say
/// enough. Its words are not repeated, they name the number.
fn judge(answer: &Answer) -> Result<Option<String>, Unsent> {
    let said: Option<Said> = serde_json::from_slice(&answer.body).ok();
    let (sid, code) = said.map_or((None, None), |said| (said.sid, said.code));
    let status = answer.status.as_u16();
    let why = code.map_or(format!("HTTP {status}"), |code| format!("HTTP {status}, Twilio's error {code}"));
    match (status, code) {
        (200..300, _) => Ok(sid.filter(|sid| is_sid("SM", sid) || is_sid("MM", sid))),
        // answered STOP
        (_, Some(21610)) => Err(Unsent::Gone(why)),
        // the queue of the sender is full
        (_, Some(21611)) => Err(Unsent::not_now(why)),
        // the account is not let in: its operator can mend that, the text is not to blame
        (401 | 404, _) => Err(Unsent::not_now(why)),
        _ => Err(answer.not_now(&why).unwrap_or(Unsent::Refused(why))),
    }
}

/// Is this a telephone number as the world writes it (E.164): `+`, a country, at most 15 digits?
pub fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
}

fn is_sid(kind: &str, text: &str) -> bool {
    text.strip_prefix(kind).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Which field says who sends, and what it says.
fn sender(from: &str) -> Result<(&'static str, String)> {
    let short = (3..=8).contains(&from.len()) && from.bytes().all(|b| b.is_ascii_digit());
    let letters = from.bytes().all(|b| b.is_ascii_alphanumeric() || b" +-_&".contains(&b));
    let name = (1..=11).contains(&from.len()) && letters && from.bytes().any(|b| b.is_ascii_alphabetic());
    if is_sid("MG", from) {
        return Ok(("MessagingServiceSid", from.to_owned()));
    }
    ensure!(
        is_phone(from) || short || name,
        "REPRISE_TWILIO_FROM is not a number like +15017122661, the id of a messaging service, or a name of up to 11 characters"
    );
    Ok(("From", from.to_owned()))
}

fn shortened(text: &str) -> Cow<'_, str> {
    if text.chars().count() <= LONGEST {
        return text.into();
    }
    let kept: String = text.chars().take(LONGEST - CUT.len()).collect();
    (kept.trim_end().to_owned() + CUT).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_world() {
        for number in ["+15558675310", "+4915112345678", "+2901234", "+123456789012345"] {
            assert!(is_phone(number), "{number}");
        }
        for number in
            ["", "+", "15558675310", "+0123456789", "+1 555 867 5310", "+123456", "+1234567890123456", "+1555867531٠"]
        {
            assert!(!is_phone(number), "{number}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let full = "ä".repeat(LONGEST);
        assert_eq!(shortened(&full), full);
        let cut = shortened(&"ä ".repeat(LONGEST)).into_owned();
        assert!(cut.chars().count() <= LONGEST && cut.ends_with("ä..."), "{cut}");
    }

    #[test]
    fn settings_that_cannot_be_are_named() {
        let (url, sid) = ("https://api.twilio.com", format!("AC{}", "0a".repeat(16)));
        let from = "+15017122661";
        for (wrong, url, sid, token, from) in [
            ("REPRISE_TWILIO_URL", "http://api.twilio.com", &*sid, "secret", from),
            ("REPRISE_TWILIO_URL", "nonsense", &sid, "secret", from),
            ("REPRISE_TWILIO_SID", url, "AC1/../x", "secret", from),
            ("REPRISE_TWILIO_TOKEN", url, &sid, "", from),
            ("REPRISE_TWILIO_FROM", url, &sid, "secret", ""),
            ("REPRISE_TWILIO_FROM", url, &sid, "secret", "a name that is long"),
        ] {
            let error = format!("{:#}", Sms::twilio(url, sid, token, from).err().expect("refused"));
            assert!(error.contains(wrong) && !error.contains("secret"), "{error}");
        }
        for from in [from, "12345", "Reprise", &format!("MG{}", "0a".repeat(16))] {
            assert!(Sms::twilio(url, &sid, "secret", from).is_ok(), "{from}");
        }
    }
}
