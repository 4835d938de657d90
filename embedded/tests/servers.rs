//! The servers start, survive a kill with what they had, and leave nothing behind.

use embedded::{Nats, Postgres};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !check() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn nats_comes_back_after_a_kill_and_goes_when_dropped() {
    let mut server = Nats::scratch();
    let (first, port, dir) = (server.pid, server.port, server.dir().to_path_buf());
    assert!(listens(port));
    server.kill();
    assert!(!server.is_running() && !listens(port));
    server.restart().expect("the same data and port");
    assert!(server.pid != first && server.port == port && listens(port));
    drop(server);
    assert!(!listens(port));
    assert!(!dir.exists(), "a scratch server removes its folder");
}

#[test]
fn postgres_comes_back_after_a_kill_and_goes_when_dropped() {
    let mut server = Postgres::scratch();
    let url = server.database("one");
    let bin = embedded::postgres_bin().expect("the same");
    let sql = |text: &str| {
        let output = Command::new(bin.join("psql")).args([&url, "-Atc", text]).output().expect("psql");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    sql("create table t (n int); insert into t values (7)");
    server.kill();
    server.restart().expect("the same data and port");
    assert_eq!(sql("select n from t"), "7");
    let (port, home) = (server.port, server.home().to_path_buf());
    drop(server);
    assert!(!listens(port));
    assert!(!home.exists(), "a scratch server removes its folder");
}

#[test]
fn a_cluster_has_three_members() {
    let cluster = Nats::cluster(3);
    assert_eq!(cluster.url().split(',').count(), 3);
    assert!(cluster.nodes.iter().all(|node| listens(node.port)));
}

#[test]
fn a_configuration_that_is_wrong_is_an_error_with_the_servers_own_words() {
    let dir = tempfile::tempdir().expect("a folder");
    let error = Nats::start(dir.path(), "nonsense {{{").err().expect("it cannot start");
    assert!(format!("{error:#}").contains("the end of"), "{error:#}");
}

/// Runs as another process when `REPRISE_TEST_ORPHANS` names a file: starts both servers, says where, and waits to be
/// killed.
#[test]
fn a_parent_that_is_killed_leaves_no_orphans() {
    if let Ok(file) = std::env::var("REPRISE_TEST_ORPHANS") {
        let (nats, postgres) = (Nats::scratch(), Postgres::scratch());
        let text = format!("{} {} {} {}", nats.port, postgres.port, nats.dir().display(), postgres.home().display());
        std::fs::write(&file, text).expect("a file");
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("ports");
    let mut parent = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "a_parent_that_is_killed_leaves_no_orphans"])
        .env("REPRISE_TEST_ORPHANS", &file)
        .spawn()
        .expect("this test again");
    let words = || std::fs::read_to_string(&file).unwrap_or_default();
    eventually("both servers start", || words().split(' ').count() == 4);
    parent.kill().expect("it runs");
    parent.wait().expect("it ran");
    let said = words();
    let words: Vec<&str> = said.split(' ').collect();
    let ports: Vec<u16> = words[..2].iter().map(|port| port.parse().expect("a port")).collect();
    eventually("both servers end", || !ports.iter().any(|port| listens(*port)));
    eventually("both folders go", || !words[2..].iter().any(|dir| Path::new(dir).exists()));
}
