//! A text goes to a real HTTP server that answers as Twilio's documents show.

mod server;

use base64::prelude::{BASE64_STANDARD, Engine};
use notification::{Sms, Unsent};
use serde_json::json;
use server::{Server, answer, silent};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

const SID: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const MESSAGE: &str = "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TO: &str = "+15558675310";

fn sms(url: &str) -> Sms {
    Sms::twilio(url, SID, "secret", "+15017122661").expect("settings")
}

async fn send(sms: &Sms) -> Result<Option<String>, Unsent> {
    sms.send(Uuid::from_u128(1), TO, "Your video is ready").await
}

/// What Twilio says of a message that it took, as its documents show it.
fn accepted() -> String {
    json!({
        "account_sid": SID, "api_version": "2010-04-01", "body": "Hi there",
        "date_created": "Thu, 24 Aug 2023 05:01:45 +0000", "date_sent": null,
        "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000", "direction": "outbound-api", "error_code": null,
        "error_message": null, "from": "+15017122661", "num_media": "0", "num_segments": "1", "price": null,
        "price_unit": null, "messaging_service_sid": null, "sid": MESSAGE, "status": "queued",
        "subresource_uris": { "media": format!("/2010-04-01/Accounts/{SID}/Messages/{MESSAGE}/Media.json") },
        "to": TO, "uri": format!("/2010-04-01/Accounts/{SID}/Messages/{MESSAGE}.json")
    })
    .to_string()
}

/// A failure, as its documents show it: the words name the number.
fn failed(status: u16, code: u32) -> String {
    json!({
        "code": code, "message": format!("The 'To' number {TO} is not a valid phone number."),
        "more_info": format!("https://www.twilio.com/docs/errors/{code}"), "status": status
    })
    .to_string()
}

#[tokio::test]
async fn twilio_gets_the_text_and_says_its_id() {
    let server = Server::start(|_| answer(201, &[("content-type", "application/json")], accepted())).await;
    let text = "Your video “Größe & Maß” is ready: https://reprise.example/watch/1?a=b+c";
    let sent = sms(&server.url).send(Uuid::from_u128(1), TO, text).await;
    assert_eq!(sent, Ok(Some(MESSAGE.to_owned())));

    let heard = server.only();
    assert_eq!(heard.head.method, "POST");
    assert_eq!(heard.head.uri, format!("/2010-04-01/Accounts/{SID}/Messages.json").as_str());
    assert_eq!(heard.header("authorization"), format!("Basic {}", BASE64_STANDARD.encode(format!("{SID}:secret"))));
    assert_eq!(heard.header("content-type"), "application/x-www-form-urlencoded");
    let form: BTreeMap<String, String> = form_urlencoded::parse(&heard.body).into_owned().collect();
    let expected = [("Body", text), ("From", "+15017122661"), ("To", TO)];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn a_messaging_service_chooses_the_number_itself() {
    let server = Server::start(|_| answer(201, &[], accepted())).await;
    let service = "MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let sms = Sms::twilio(&format!("{}/", server.url), SID, "secret", service).expect("settings");
    assert!(send(&sms).await.is_ok());
    let form: BTreeMap<String, String> = form_urlencoded::parse(&server.only().body).into_owned().collect();
    assert_eq!(form.keys().collect::<Vec<_>>(), ["Body", "MessagingServiceSid", "To"]);
    assert_eq!(form["MessagingServiceSid"], service);
}

#[tokio::test]
async fn what_twilio_answers_is_understood_and_not_quoted() {
    let server = Server::start(|heard| {
        let form: BTreeMap<_, _> = form_urlencoded::parse(&heard.body).into_owned().collect();
        let (status, code) = form["Body"].split_once(' ').expect("a status and a code");
        let (status, code) = (status.parse().expect("a status"), code.parse().expect("a code"));
        answer(status, &[("retry-after", "9")], if code == 0 { "<html>".to_owned() } else { failed(status, code) })
    })
    .await;
    let sms = sms(&server.url);
    let answered = async |status: u16, code: u32| {
        let error = sms.send(Uuid::nil(), TO, &format!("{status} {code}")).await.expect_err("not sent");
        assert!(!format!("{error:?} {error}").contains(TO), "{error:?}");
        error
    };
    let why = |status: u16, code: u32| format!("HTTP {status}, Twilio's error {code}");
    // no number, not a mobile one, a country that is not allowed, no way there, an empty text, a foreign sender
    for code in [21211, 21614, 21408, 21612, 21602, 21606] {
        assert_eq!(answered(400, code).await, Unsent::Refused(why(400, code)));
    }
    assert_eq!(answered(400, 21610).await, Unsent::Gone(why(400, 21610)), "answered STOP");
    // a full queue, a token that is not right
    for (status, code) in [(400, 21611), (401, 20003), (404, 20404)] {
        assert_eq!(answered(status, code).await, Unsent::NotNow { why: why(status, code), after: None });
    }
    for (status, code) in [(429, 20429), (500, 20500), (503, 20503)] {
        let after = Some(Duration::from_secs(9));
        assert_eq!(answered(status, code).await, Unsent::NotNow { why: why(status, code), after });
    }
    assert_eq!(answered(400, 0).await, Unsent::Refused("HTTP 400".into()), "no JSON");
    assert!(matches!(answered(502, 0).await, Unsent::NotNow { .. }), "no JSON");
}

#[tokio::test]
async fn a_strange_answer_to_a_text_that_was_taken_is_no_failure() {
    for body in ["", "<html>", "{}", r#"{"sid": "x"}"#, r#"{"sid": 7}"#] {
        let server = Server::start(move |_| answer(201, &[], body)).await;
        assert_eq!(send(&sms(&server.url)).await, Ok(None), "{body}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed_and_nobody_else_hears_the_token() {
    let elsewhere = Server::start(|_| answer(201, &[], accepted())).await;
    let there = elsewhere.url.clone();
    let server = Server::start(move |_| answer(307, &[("location", &there)], "")).await;
    assert_eq!(send(&sms(&server.url)).await, Err(Unsent::Refused("HTTP 307".into())));
    assert!(elsewhere.heard().is_empty());
}

#[tokio::test]
async fn nobody_is_waited_for_for_ever() {
    let sms = sms(&silent().await).waiting(Duration::from_millis(200));
    assert_eq!(send(&sms).await, Err(Unsent::NotNow { why: "no answer in time".into(), after: None }));
}

#[tokio::test]
async fn what_is_no_number_is_not_tried() {
    let server = Server::start(|_| answer(201, &[], accepted())).await;
    for to in ["", "0151 2345678", "15558675310", "ada", "+1555867531000000"] {
        assert!(matches!(sms(&server.url).send(Uuid::nil(), to, "x").await, Err(Unsent::Refused(_))), "{to}");
    }
    assert!(server.heard().is_empty());
}
