//! The one binary as somebody runs it: started twice, killed, in the way of another, without its servers.

use crate::support::load::Load;
use crate::support::person::PASSWORD;
use crate::support::platform::{folder, reprise, up};
use crate::support::process::{Running, descendants, free_port, processes, working_in};
use crate::support::{Person, Platform, Setup, eventually, patiently};
use rustix::process::Signal;
use serde_json::json;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Stopped, started, killed, started: what was promised stays, and nothing is left over.
#[tokio::test]
async fn starts_stops_and_crashes() {
    let platform = Platform::start().await;
    let ada = platform.somebody_with_profile().await;
    a_second_one_on_the_same_folder(&platform);
    a_second_one_on_the_same_port(&platform);
    tools_see_it(&platform);
    let children = descendants(platform.running.pid());
    assert!(children.len() >= 2, "a nats-server and a Postgres");

    let folder = platform.stop();
    none_is_left(&children).await;
    nobody_works_in(folder.path()).await;
    let mut platform = again(folder, &ada).await;

    let children = descendants(platform.running.pid());
    platform.running.kill();
    let folder = platform.crash();
    let start = Instant::now();
    let platform = again(folder, &ada).await;
    assert!(start.elapsed() < Duration::from_secs(30), "the next start finds and replaces what was left");
    none_is_left(&children).await;
    platform.check().await;
    let folder = platform.stop();
    nobody_works_in(folder.path()).await;
}

/// Neither a server nor what watched over it.
async fn nobody_works_in(folder: &std::path::Path) {
    eventually("nobody works in the folder any more", async || {
        let left: Vec<_> = working_in(folder).into_iter().map(|process| process.line).collect();
        left.iter().for_each(|line| eprintln!("still there: {line}"));
        left.is_empty().then_some(())
    })
    .await;
}

async fn again(folder: tempfile::TempDir, ada: &Person) -> Platform {
    let platform = Setup::default().on(folder).start().await;
    platform.login(&ada.username, PASSWORD).await.expect(200);
    let profile = platform.get("/api/profile").by(ada).send().await.expect(200);
    assert_eq!(profile.body["user_id"], json!(ada.id));
    let change =
        platform.put("/api/profile").by(ada).json(json!({ "bio": format!("{:?}", Instant::now()) })).send().await;
    change.expect(200);
    platform
}

async fn none_is_left(children: &[u32]) {
    eventually("no child is left", async || {
        let left = processes().iter().filter(|process| children.contains(&process.pid)).count();
        (left == 0).then_some(())
    })
    .await;
}

/// Runs to the end; gives the exit code and everything that was said.
fn said(mut command: Command) -> (Option<i32>, String) {
    let place = folder();
    let mut running = Running::start(&mut command, place.path().join("out"));
    let ended = running.ended(Duration::from_secs(60));
    let text = std::fs::read_to_string(&running.output).unwrap_or_default();
    let (status, _) = ended.unwrap_or_else(|| panic!("it goes on for a minute:\n{text}"));
    (status.code(), text)
}

#[track_caller]
fn fails_saying(command: Command, words: &[&str]) {
    let (code, text) = said(command);
    assert_ne!(code, Some(0), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
    assert!(!text.contains("panicked") && !text.contains("RUST_BACKTRACE"), "{text}");
}

fn a_second_one_on_the_same_folder(platform: &Platform) {
    let listen = format!("127.0.0.1:{}", free_port());
    fails_saying(up(platform.folder(), &listen, "interval"), &["in use", "--data"]);
}

fn a_second_one_on_the_same_port(platform: &Platform) {
    let place = folder();
    let listen = platform.url.trim_start_matches("http://");
    fails_saying(up(place.path(), listen, "interval"), &[listen, "--listen"]);
    assert!(working_in(place.path()).is_empty(), "nothing is left of it");
}

/// `env`, `doctor` and `projection ls` of a running platform.
fn tools_see_it(platform: &Platform) {
    let env = platform.env();
    for name in ["REPRISE_URL", "DATABASE_URL", "NATS_URL", "NATS_NKEY", "NATS_INBOX_PREFIX"] {
        assert!(env.get(name).is_some_and(|value| !value.is_empty()), "{name} in {env:?}");
    }
    let mut doctor = reprise();
    doctor.arg("doctor").arg("--data").arg(platform.data());
    let (_, text) = said(doctor);
    for word in ["fsync policy", "replicas", "dedupe window", "clock", "dead letters", "nats version"] {
        assert!(text.contains(word), "{word} in:\n{text}");
    }
    let mut list = reprise();
    list.args(["projection", "ls", "--data"]).arg(platform.data());
    let (code, text) = said(list);
    assert_eq!(code, Some(0), "{text}");
    for name in ["user_page", "profile_page", "operations"] {
        assert!(text.contains(name), "{name} in:\n{text}");
    }
    // a shell that was given all this for its tools is still one to work in
    for arguments in [&["doctor"][..], &["projection", "rebuild", "profile_page"]] {
        let mut work = reprise();
        work.args(arguments).arg("--data").arg(platform.data()).envs(&env);
        let (_, text) = said(work);
        assert!(!text.contains("authorization violation"), "{arguments:?}:\n{text}");
        let done = if arguments[0] == "doctor" { "fsync policy" } else { "is live" };
        assert!(text.contains(done), "{arguments:?}:\n{text}");
    }
}

/// What is missing or in the way is named, with what to do.
#[tokio::test]
async fn what_is_missing_is_named() {
    let place = folder();
    let listen = format!("127.0.0.1:{}", free_port());
    let mut command = up(place.path(), &listen, "interval");
    command.env("REPRISE_NATS_SERVER", "/nowhere/nats-server");
    fails_saying(command, &["nats-server", "/nowhere/nats-server", "scripts/fetch"]);
    let mut command = up(place.path(), &listen, "interval");
    command.env("REPRISE_PG_BIN", "/nowhere/bin");
    fails_saying(command, &["Postgres", "/nowhere/bin", "REPRISE_PG_BIN"]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = taken.local_addr().expect("an address").to_string();
    fails_saying(up(place.path(), &listen, "interval"), &[&listen, "--listen"]);
    let mut command = reprise();
    command.args(["env", "--data"]).arg(place.path().join("nothing"));
    fails_saying(command, &["no platform is running", "reprise up"]);
    let mut command = up(std::path::Path::new("/proc/nowhere"), "127.0.0.1:1", "interval");
    command.env_remove("REPRISE_DATA");
    fails_saying(command, &["/proc/nowhere", "--data"]);
    nobody_works_in(place.path()).await;
}

/// A disk of its own that is gone with the value.
struct Disk(PathBuf);

impl Disk {
    /// Needs the right to mount, which not every machine gives.
    fn mount(at: PathBuf, size: &str) -> Option<Disk> {
        std::fs::create_dir_all(&at).expect("a folder");
        let options = format!("size={size},mode=755");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&at).output().ok()?;
        done.status.success().then_some(Disk(at))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// A full disk is said at the start; one that fills up stops the writing, not the reading, and is got over.
#[tokio::test]
async fn a_disk_that_is_full() {
    let small = folder();
    let Some(_disk) = Disk::mount(small.path().join("data"), "30m") else {
        eprintln!("not shown here: this machine does not let us mount");
        return;
    };
    let listen = format!("127.0.0.1:{}", free_port());
    fails_saying(up(small.path(), &listen, "interval"), &["the disk is full", "--data"]);

    let place = folder();
    let disk = Disk::mount(place.path().join("data"), "200m").expect("it worked a moment ago");
    let platform = Setup::default().on(place).start().await;
    let ada = platform.somebody_with_profile().await;
    let filler = platform.data().join("filler");
    let mut file = std::fs::File::create(&filler).expect("a file");
    while std::io::Write::write_all(&mut file, &[0; 65536]).is_ok() {}
    let change = |text: &str| platform.put("/api/profile").by(&ada).json(json!({ "bio": text })).send();
    patiently("it says that it is not ready", Duration::from_secs(60), async || {
        let answer = change("while it is full").await;
        assert!([200, 202, 503].contains(&answer.status), "{answer:?}");
        (platform.get("/readyz").send().await.status == 503).then_some(())
    })
    .await;
    platform.get("/api/profile").by(&ada).send().await.expect(200);
    drop(file);
    std::fs::remove_file(&filler).expect("room again");
    patiently("it takes commands again", Duration::from_secs(60), async || {
        (change("afterwards").await.status == 200).then_some(())
    })
    .await;
    platform.check().await;
    // a folder cannot be removed while something is mounted in it
    let place = platform.stop();
    drop(disk);
    drop(place);
}

/// A stop under load: whoever had been let in gets an answer, and it ends in time.
#[tokio::test]
async fn a_stop_under_load_fails_nobody() {
    let mut platform = Platform::start().await;
    let ada = platform.somebody_with_profile().await;
    let children = descendants(platform.running.pid());
    let busy: Vec<_> = (0..16)
        .map(|n| {
            let (client, url, token) = (platform.client.clone(), platform.url.clone(), ada.access_token.clone());
            tokio::spawn(async move {
                let (mut answers, mut unanswered) = (vec![], vec![]);
                for round in 0.. {
                    let body = json!({ "display_name": format!("n{n}r{round}") });
                    let request = client.put(format!("{url}/api/profile")).bearer_auth(&token).json(&body);
                    match request.send().await {
                        Ok(answer) => answers.push(answer.status().as_u16()),
                        // nobody lets us in any more: the door is closed, which is no failed request
                        Err(error) if error.is_connect() => break,
                        // a connection that was closed while it was idle; had it been read, it would be in the log
                        Err(_) => unanswered.push(format!("n{n}r{round}")),
                    }
                }
                (answers, unanswered)
            })
        })
        .collect();
    eventually("the work goes on", async || (platform.events_about(ada.id).len() > 200).then_some(())).await;
    let (status, took) = platform.running.terminate(Duration::from_secs(30)).expect("it ends within 30 s");
    assert!(status.success(), "{status}: {}", platform.running.tail());
    let mut lost = vec![];
    for one in busy {
        let (answers, unanswered) = one.await.expect("it ends by itself");
        lost.extend(unanswered);
        assert!(!answers.is_empty());
        assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?} after {took:?}");
    }
    none_is_left(&children).await;
    let folder = platform.stop();
    let platform = Setup::default().on(folder).start().await;
    platform.check().await;
    let log: String = platform.system().opened().await.iter().map(|entry| entry.event.to_string()).collect();
    let failed: Vec<_> = lost.iter().filter(|text| log.contains(&format!("\"{text}\""))).collect();
    assert!(failed.is_empty(), "done and not answered: {failed:?}");
}

/// Both ways to ask for a stop, the servers killed under it, and the demonstration.
#[tokio::test]
async fn servers_that_die_are_replaced() {
    let mut platform = Setup::default().always().start().await;
    let load = Load::start(4, &[platform.url.clone()]);
    load.progress(20).await;
    for server in ["nats-server", "postgres"] {
        let own = descendants(platform.running.pid());
        let all = processes();
        let child = all.iter().find(|one| {
            own.contains(&one.pid) && one.line.split(' ').next().is_some_and(|name| name.ends_with(server))
        });
        let child = child.unwrap_or_else(|| panic!("no {server} among {own:?}"));
        crate::support::process::signal(child.pid, Signal::KILL);
        eventually("its death is noticed", async || {
            (!processes().iter().any(|one| one.pid == child.pid)).then_some(())
        })
        .await;
        load.progress(20).await;
    }
    let promises = load.stop().await;
    platform.check().await;
    promises.are_kept(&platform.system().opened().await);
    demo_shows_the_saga(&platform);
    crate::support::process::signal(platform.running.pid(), Signal::INT);
    let (status, _) = platform.running.ended(Duration::from_secs(30)).expect("it ends");
    assert!(status.success(), "{status}");
}

fn demo_shows_the_saga(platform: &Platform) {
    let mut demo = reprise();
    demo.arg("demo").arg("--data").arg(platform.data());
    let (code, text) = said(demo);
    assert_eq!(code, Some(0), "{text}");
    for word in [
        "identity.user.register.v1",
        "identity.user.registered.v1",
        "profile.profile.create.v1",
        "profile.profile.created.v1",
        "user_page",
        "profile_page",
        "storage.shelf.upload_completed.v1",
        "by video.attach_source_when_uploaded",
        "by processing.start_job_when_source_attached",
        "video.video.ready.v1",
        "by notification.tell_owner_when_video_done",
        "by notification.deliver",
        "video_page",
        "/watch/",
    ] {
        assert!(text.contains(word), "{word} in:\n{text}");
    }
}
