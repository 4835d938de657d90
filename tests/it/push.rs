//! What a browser needs before it can be pushed to.

use crate::support::Platform;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

/// Nobody has to set anything up for it: there is a key from the first start, and it is everybody's to have.
#[tokio::test]
async fn there_is_a_key_to_subscribe_with() {
    let platform = Platform::start().await;
    let answer = platform.get("/api/notifications/push/key").send().await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
    let members = answer.body.as_object().expect("an object");
    assert_eq!(members.keys().collect::<Vec<_>>(), ["public_key"], "the private half is nobody's");
    let point = BASE64_URL_SAFE_NO_PAD.decode(members["public_key"].as_str().expect("a text")).expect("base64url");
    assert_eq!((point.len(), point[0]), (65, 4), "an uncompressed point, as browsers take it");
    let again = platform.get("/api/v1/notifications/push/key").send().await.expect(200);
    assert_eq!(again.body, answer.body);
    platform.check().await;
}
