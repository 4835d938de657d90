//! What is shipped fits the binary: every role, flag and variable that the deployment files name exists, and the
//! configuration of NATS is the one that the roles need. `make generate` writes what is generated.

use clap::{Command, CommandFactory};
use serde_yaml_ng::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::Cli;
use crate::roles::keys;

/// Read by libraries or at the very beginning, not by a flag.
const OTHERS: [&str; 3] = ["REPRISE_LOG", "RUST_LOG", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// What people may set in their own shell; everything else comes from `reprise keys`.
const OPTIONAL: [&str; 12] = [
    "REPRISE_BLOBS",
    "REPRISE_SMTP_URL",
    "REPRISE_MAIL_FROM",
    "REPRISE_TWILIO_URL",
    "REPRISE_TWILIO_SID",
    "REPRISE_TWILIO_TOKEN",
    "REPRISE_TWILIO_FROM",
    "REPRISE_PUSH_CONTACT",
    "REPRISE_PUSH_SERVICES",
    "REPRISE_PUBLIC_URL",
    "REPRISE_CORS_ORIGINS",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(root(name)).expect("a file of the repository")
}

fn compose() -> Value {
    let mut file: Value = serde_yaml_ng::from_str(&read("docker-compose.yml")).expect("YAML");
    file.apply_merge().expect("anchors that exist");
    file
}

fn words(list: &Value) -> Vec<String> {
    list.as_sequence().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

/// Services with our image: name, command, environment.
fn ours() -> Vec<(String, Vec<String>, BTreeMap<String, String>)> {
    let file = compose();
    let services = file["services"].as_mapping().expect("services");
    let ours = services.iter().filter(|(_, service)| service["image"] == "reprise");
    ours.map(|(name, service)| {
        let environment = service["environment"].as_mapping().into_iter().flatten();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        (text(name), words(&service["command"]), environment.map(|(name, value)| (text(name), text(value))).collect())
    })
    .collect()
}

/// The variables that a subcommand knows.
fn variables(command: &Command, words: &[String]) -> BTreeSet<String> {
    let role = command.find_subcommand(&words[0]).unwrap_or_else(|| panic!("no role {}", words[0]));
    role.get_arguments().filter_map(|flag| flag.get_env()?.to_str().map(str::to_owned)).collect()
}

#[test]
fn compose_names_roles_flags_and_variables_that_exist() {
    let command = Cli::command();
    let mut roles = BTreeSet::new();
    for (name, words, environment) in ours() {
        let line = std::iter::once("reprise".to_owned()).chain(words.iter().cloned());
        if let Err(error) = command.clone().try_get_matches_from(line) {
            panic!("service {name}: {error}");
        }
        let known = variables(&command, &words);
        for variable in environment.keys() {
            assert!(
                known.contains(variable) || OTHERS.contains(&variable.as_str()),
                "service {name} sets {variable}, which `reprise {}` does not read",
                words[0]
            );
        }
        roles.insert(words.iter().take_while(|word| !word.starts_with('-')).cloned().collect::<Vec<_>>().join(" "));
    }
    let needed = [
        "gateway",
        "migrate",
        "projector",
        "provision",
        "service identity",
        "service notification",
        "service processing",
        "service profile",
        "service storage",
        "service video",
        "vault",
        "worker",
    ];
    assert_eq!(roles.iter().map(String::as_str).collect::<Vec<_>>(), needed);
}

#[test]
fn every_secret_that_compose_wants_is_made() {
    let made: BTreeSet<String> = keys::all().expect("randomness").into_iter().map(|(name, _)| name).collect();
    let text = read("docker-compose.yml");
    for place in text.split("${").skip(1) {
        let name = place.split([':', '}']).next().expect("a name");
        assert!(made.contains(name) || OPTIONAL.contains(&name), "nobody makes {name}");
        let has_default = place.starts_with(&format!("{name}:-"));
        assert_eq!(
            has_default,
            OPTIONAL.contains(&name),
            "{name}: what is needed must be asked for, the rest has a default"
        );
    }
}

#[test]
fn compose_waits_for_health_and_for_what_runs_once() {
    let file = compose();
    for (name, service) in file["services"].as_mapping().expect("services") {
        let once = ["provision", "migrate"].contains(&name.as_str().expect("a name"));
        assert!(once != service["healthcheck"].is_mapping(), "{name:?} needs a health check, or is one that ends");
        let image = service["image"].as_str().expect("an image");
        assert!(image == "reprise" || image.contains(':') && !image.ends_with("latest"), "{image} is not pinned");
        for (other, how) in service["depends_on"].as_mapping().into_iter().flatten() {
            let other = &file["services"][other];
            assert!(other.is_mapping(), "{name:?} depends on what is not there");
            let ends = other["healthcheck"].is_null();
            let wanted = if ends { "service_completed_successfully" } else { "service_healthy" };
            assert_eq!(how["condition"], wanted, "{name:?}");
        }
    }
}

#[test]
fn the_image_runs_without_rights() {
    let text = read("Dockerfile");
    let lines: Vec<&str> = text.lines().collect();
    let user = lines.iter().rfind(|line| line.starts_with("USER ")).expect("a user");
    assert_ne!(user.trim_start_matches("USER ").trim(), "root");
    assert!(lines.contains(&"ENTRYPOINT [\"reprise\"]"));
    for from in lines.iter().filter(|line| line.starts_with("FROM ")) {
        assert!(from.contains(':') && !from.contains("latest"), "{from} is not pinned");
    }
    let toolchain = read("rust-toolchain.toml");
    let pinned = toolchain.split('"').nth(1).expect("a channel");
    assert!(
        text.contains(&format!("RUSTUP_TOOLCHAIN={pinned}")),
        "the image builds with another toolchain than {pinned}"
    );
    let known: BTreeSet<String> = Cli::command()
        .get_subcommands()
        .flat_map(|role| role.get_arguments().filter_map(|flag| flag.get_env()?.to_str().map(str::to_owned)))
        .collect();
    for setting in lines.iter().filter_map(|line| line.strip_prefix("ENV REPRISE")) {
        let name = format!("REPRISE{}", setting.split('=').next().expect("a name"));
        assert!(known.contains(&name), "{name} is no variable of the binary");
    }
}

/// Public keys come from the environment of the server, so the file has no secrets and no installation's names.
#[test]
fn generated_nats_configuration_is_that_of_the_roles() {
    let keys =
        nats::accounts::roles().iter().map(|role| ((*role).to_owned(), format!("${}", keys::public(role)))).collect();
    let settings = nats::accounts::ServerSettings {
        listen: Some("0.0.0.0:4222".into()),
        name: "reprise".into(),
        store_dir: Some("/data".into()),
        monitor: Some("127.0.0.1:8222".into()),
        sync: nats::Sync::Always,
        max_file_store: 64 << 30,
        cluster: None,
    };
    let text = nats::accounts::server_config(&keys, &settings);
    assert!(text.contains("sync_interval: always"));
    generated("nats/nats-server.conf", &text);
}

/// The file is as it would be generated; with `REPRISE_GENERATE` it is written.
fn generated(name: &str, text: &str) {
    if std::env::var_os("REPRISE_GENERATE").is_some() {
        fs::write(root(name), text).expect("the repository can be written");
    }
    let found = fs::read_to_string(root(name)).unwrap_or_default();
    assert!(found == text, "{name} is not what is generated; run `make generate`");
}

#[test]
fn help_is_complete() {
    Cli::command().debug_assert();
    for role in Cli::command().get_subcommands() {
        assert!(role.get_about().is_some(), "{} says nothing about itself", role.get_name());
        for flag in role.get_arguments().filter(|flag| !["help", "version"].contains(&flag.get_id().as_str())) {
            assert!(flag.get_help().is_some(), "--{} of {} says nothing about itself", flag.get_id(), role.get_name());
        }
    }
}
