//! What people use with the platform: the client of resumable uploads, over a line that breaks, and a browser.

use crate::support::cutting::{Cutting, MOST};
use crate::support::films::clip;
use crate::support::scripts::Script;
use crate::support::{Platform, eventually};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const CUTS: usize = 20;

/// Sound as far as its first bytes say, longer than what gets through before the last cut.
fn noise() -> Vec<u8> {
    let mut state = 7_u64;
    let mut bytes = b"ID3\x04\0\0\0\0".to_vec();
    while (bytes.len() as u64) < (CUTS as u64 + 2) * MOST {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes
}

#[tokio::test]
async fn an_upload_survives_twenty_cuts() {
    let platform = Platform::start().await;
    let ada = platform.somebody().await;
    let (folder, bytes) = (tempfile::tempdir().expect("a folder"), noise());
    let file = folder.path().join("cut.bin");
    std::fs::write(&file, &bytes).expect("a file");
    let server = platform.url.trim_start_matches("http://").parse().expect("an address");
    let line = Cutting::before(server, CUTS).await;
    let endpoint = format!("http://{}/api/storage/tus", line.address);

    let arguments = [&endpoint, &ada.access_token, file.to_str().expect("a plain name"), "audio"];
    let said = Script::run("tus", "upload", &arguments).says().await;
    let place = said["url"].as_str().unwrap_or_else(|| panic!("{said}"));
    assert_eq!(line.cuts(), CUTS, "{said}");
    let id = place.rsplit('/').next().expect("an id");
    let path = format!("{}/api/storage/files/{id}", platform.url);
    let stored = eventually("it is a file", async || {
        let answer = platform.client.get(&path).bearer_auth(&ada.access_token).send().await.expect("an answer");
        if answer.status() == 200 { answer.bytes().await.ok() } else { None }
    })
    .await;
    assert_eq!(Sha256::digest(&stored), Sha256::digest(&bytes));
    platform.settle().await;
    assert_eq!(platform.count("storage.shelf.upload_completed.v1"), 1);
}

/// A person opens the page at once: the bar moves, the film plays as soon as it can, and any part of it.
#[tokio::test]
async fn a_browser_plays_what_is_still_being_made() {
    let platform = Platform::start().await;
    let ada = platform.somebody_with_profile().await;
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::fs::read(clip(folder.path(), "1280x720", 20)).expect("the clip");
    let draft = json!({ "title": "Down by the harbour" });
    let draft = platform.post("/api/videos").by(&ada).json(draft).send().await.expect(201);
    let id = draft.text_at("/id");
    let shown = platform.get(&format!("/api/videos/{id}")).by(&ada).after(&draft).send().await.expect(200);
    let page = format!("{}{}", platform.url, shown.text_at("/page"));

    let browser = std::env::var("REPRISE_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let mut script = Script::run("browser", "watch", &[&browser, folder.path().to_str().expect("a plain name"), &page]);
    assert_eq!(script.says().await, json!({ "opened": "Down by the harbour · Reprise" }));
    let said = [("filename", "harbour.mp4"), ("purpose", "video"), ("video_id", &id)];
    let place = platform.begin_upload(&ada, source.len(), &said).await;
    platform.piece(&ada, &place, 0, &source).await.expect(204);
    let bar = script.says().await;
    let bar: Vec<f64> = bar["bar"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    assert!(bar.len() >= 3 && bar.windows(2).all(|pair| pair[0] < pair[1]), "the bar moves, and only on: {bar:?}");
    let played = script.says().await;
    let number = |what: &Value, name: &str| what[name].as_f64().unwrap_or_else(|| panic!("no {name}: {what}"));
    assert!(number(&played["played"], "time") > 1.0 && number(&played["played"], "height") >= 360.0, "{played}");
    assert!((number(&played["played"], "duration") - 20.0).abs() < 0.2, "{played}");
    let sought = script.says().await;
    assert!(number(&sought["sought"], "time") > 18.0 && sought["sought"]["error"].is_null(), "{sought}");
    let complaints = script.says().await;
    assert_eq!(complaints["complaints"], json!([]), "the browser has nothing to complain about");
}
