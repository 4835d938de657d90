//! Web Push (RFC 8030): a few words to a browser that is not looking, over the push service that it chose. Only the
//! browser can read them, and only push services that are allowed are ever spoken to.

use anyhow::Result;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use bytes::Bytes;
use chrono::Utc;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::http::{Answer, Http};
use crate::subscription::Opened;
use crate::vapid::{self, Vapid};
use crate::{PushServices, Subscription, Unsent};

/// A browser that is away for a long weekend still gets it; what is older is news no more, and is in the inbox.
const KEPT: u64 = 4 * 24 * 60 * 60;
/// The longest payload that every push service takes: 4096 bytes with what encryption adds (RFC 8291, section 4).
const LONGEST: usize = 3993;
/// Addresses of accepted messages are kept in events: not if they are longer.
const LONGEST_ID: usize = 500;

/// Gives the private half of the platform's push key; [`push_key`] is the real one.
pub type PushKey = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String>> + Send>> + Send + Sync>;

/// It comes from the vault, which computes it: there is one from the first start.
pub fn push_key(vault: vault::Client) -> PushKey {
    Arc::new(move || {
        let vault = vault.clone();
        Box::pin(async move { Ok(vault.push_key().await?.key.expose().to_owned()) })
    })
}

/// Whether a device should wake up for it (RFC 8030, section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Only with power and wireless network: advertising.
    VeryLow,
    /// With power or wireless network: news.
    Low,
    /// When somebody may be looking: what was waited for.
    Normal,
    /// Even with little battery: a call, a warning.
    High,
}

/// Sends pushes.
pub struct Push {
    http: Http,
    key: PushKey,
    vapid: OnceCell<Vapid>,
    contact: String,
    services: PushServices,
}

impl Push {
    /// `contact` is whom push services write to when something is wrong: `mailto:…` or a web address. The key is asked
    /// for when the first push is sent.
    ///
    /// # Errors
    /// The contact is none.
    pub fn new(key: PushKey, contact: &str, services: PushServices) -> Result<Self> {
        vapid::check_contact(contact)?;
        Ok(Push { http: Http::new(), key, vapid: OnceCell::new(), contact: contact.to_owned(), services })
    }

    /// Waits that long for an answer, instead of 15 seconds.
    pub fn waiting(self, patience: Duration) -> Self {
        Push { http: self.http.waiting(patience), ..self }
    }

    /// Sends a payload to one browser; the answer is where the push service keeps the message. Sent again for the same
    /// delivery, it takes the place of the first as long as the browser has not fetched that.
    ///
    /// # Errors
    /// [`Unsent`] says whether another try makes sense, and whether the subscription is over.
    pub async fn send(
        &self,
        delivery: Uuid,
        to: &Subscription,
        payload: &[u8],
        urgency: Urgency,
    ) -> Result<Option<String>, Unsent> {
        let to = to.open().map_err(|error| Unsent::Refused(error.to_string()))?;
        if !self.services.have(&to.endpoint) {
            return Err(Unsent::Refused("the endpoint is at no push service that is allowed".into()));
        }
        let request = self.compose(delivery, to, payload, urgency).await?;
        let answer = self.http.send(request).await?;
        judge(&answer)
    }

    async fn compose(
        &self,
        delivery: Uuid,
        to: Opened,
        payload: &[u8],
        urgency: Urgency,
    ) -> Result<Request<Full<Bytes>>, Unsent> {
        if payload.len() > LONGEST {
            return Err(Unsent::Refused(format!("a payload of {} bytes, {LONGEST} is the most", payload.len())));
        }
        let never = |error: &dyn std::fmt::Display| Unsent::Refused(error.to_string());
        let sealed = web_push_native::encrypt(payload.to_vec(), &to.key, &to.auth).map_err(|error| never(&error))?;
        let vapid = self.vapid.get_or_try_init(async || Vapid::read(&(self.key)().await?)).await;
        let vapid = vapid.map_err(|error| Unsent::not_now(format!("{error:#}")))?;
        let authorization = vapid.authorization(&to.endpoint, &self.contact, Utc::now());
        Request::post(to.endpoint)
            .header("ttl", KEPT)
            .header("urgency", urgency.as_str())
            // at most 32 characters of base64url
            .header("topic", BASE64_URL_SAFE_NO_PAD.encode(delivery.as_bytes()))
            .header(AUTHORIZATION, authorization.map_err(|error| never(&error))?)
            .header(CONTENT_ENCODING, "aes128gcm")
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(Full::new(sealed.into()))
            .map_err(|error| never(&error))
    }
}

fn judge(answer: &Answer) -> Result<Option<String>, Unsent> {
    let said = format!("HTTP {}", answer.status.as_u16());
    match answer.status.as_u16() {
        200..300 => {
            let id = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
            Ok(id.filter(|id| id.len() <= LONGEST_ID).map(str::to_owned))
        }
        404 | 410 => Err(Unsent::Gone(said)),
        _ => Err(answer.not_now(&said).unwrap_or(Unsent::Refused(said))),
    }
}

impl Urgency {
    fn as_str(self) -> &'static str {
        match self {
            Urgency::VeryLow => "very-low",
            Urgency::Low => "low",
            Urgency::Normal => "normal",
            Urgency::High => "high",
        }
    }
}
