//! Who may do what on the NATS server, as data: one user per role, with an inbox of its own and the least it needs.
//! Only the provisioner may make or change a stream or a consumer.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::Sync;
use crate::reader;
use crate::request::BEATS;
use crate::streams::{ASKED, COMMANDS, CONTEXTS, Context, EVENTS, OUTCOMES, SCHEDULES, SNAPSHOTS, TASKS};

/// Every role: each is a NATS user and the name of a connection.
pub fn roles() -> &'static [&'static str] {
    &[
        "gateway",
        "identity",
        "profile",
        "storage",
        "video",
        "processing",
        "notification",
        "worker",
        "projector",
        "vault",
        "provisioner",
        "auditor",
        "operator",
    ]
}

/// Where and how a server runs.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// `host:port` for clients; `None` when it is given on the command line.
    pub listen: Option<String>,
    /// The server's name; in a cluster each has its own.
    pub name: String,
    /// Where streams are kept; `None` when it is given on the command line.
    pub store_dir: Option<String>,
    /// `host:port` for monitoring over HTTP, for the machine itself only.
    pub monitor: Option<String>,
    /// When what is stored reaches the disk.
    pub sync: Sync,
    /// What all streams together may take on disk, in bytes.
    pub max_file_store: u64,
    /// The other servers, if there are any.
    pub cluster: Option<Cluster>,
}

/// Servers that keep copies for each other.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// One name for all of them.
    pub name: String,
    /// `host:port` for the other servers.
    pub listen: String,
    /// `nats://host:port` of each server of the cluster.
    pub routes: Vec<String>,
}

/// The configuration of a server: `keys` has the public nkey (`U…`) of every role that may connect.
pub fn server_config(keys: &BTreeMap<String, String>, settings: &ServerSettings) -> String {
    let mut text = String::from("# Written by reprise: one user per role, each with the least it needs.\n");
    let mut line = |name: &str, value: &str| writeln!(text, "{name}: {value}").expect("writing to a text");
    line("server_name", &quoted(&settings.name));
    if let Some(listen) = &settings.listen {
        line("listen", &quoted(listen));
    }
    if let Some(monitor) = &settings.monitor {
        line("http", &quoted(monitor));
    }
    line("max_payload", "1MB");
    text += &jetstream(settings);
    if let Some(Cluster { name, listen, routes }) = &settings.cluster {
        let routes: Vec<_> = routes.iter().map(|route| quoted(route)).collect();
        let (name, listen, routes) = (quoted(name), quoted(listen), routes.join(", "));
        writeln!(text, "cluster {{ name: {name}, listen: {listen}, routes: [{routes}] }}").expect("writing to a text");
    }
    let users: String = keys.iter().filter_map(|(role, key)| Some(user(role, key, &permissions(role)?))).collect();
    text + "accounts {\n  REPRISE {\n    jetstream: enabled\n    users: [\n" + &users + "    ]\n  }\n}\n"
}

fn jetstream(settings: &ServerSettings) -> String {
    let store = settings.store_dir.as_ref().map_or(String::new(), |dir| format!("  store_dir: {}\n", quoted(dir)));
    // an acknowledgement then means: on the disk
    let sync = if settings.sync == Sync::Always { "  sync_interval: always\n" } else { "" };
    let max = settings.max_file_store;
    format!(
        "jetstream {{\n{store}{sync}  max_memory_store: 256MB\n  max_file_store: {max}\n  limits {{ duplicate_window: \"1h\", max_ack_pending: 20000 }}\n}}\n"
    )
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn user(role: &str, key: &str, allowed: &Permissions) -> String {
    let list = |subjects: &[String]| subjects.iter().map(|subject| quoted(subject)).collect::<Vec<_>>().join(", ");
    let answers = format!("          allow_responses: {{ max: {BEATS}, expires: \"1m\" }}\n");
    let answers = if allowed.answers { answers.as_str() } else { "" };
    format!(
        "      # {role}\n      {{ nkey: {key}, permissions: {{\n          publish: {{ allow: [{}] }}\n          subscribe: {{ allow: [{}] }}\n{answers}      }} }}\n",
        list(&allowed.publish),
        list(&allowed.subscribe),
    )
}

/// What a role may say and hear; everything else is refused.
struct Permissions {
    publish: Vec<String>,
    subscribe: Vec<String>,
    /// It may answer what it is asked.
    answers: bool,
}

impl Permissions {
    fn new(role: &str) -> Self {
        Permissions { publish: vec![], subscribe: vec![format!("_INBOX_{role}.>")], answers: false }
    }

    fn say<S: AsRef<str>>(mut self, subjects: impl IntoIterator<Item = S>) -> Self {
        self.publish.extend(subjects.into_iter().map(|subject| subject.as_ref().to_owned()));
        self
    }

    fn hear<S: AsRef<str>>(mut self, subjects: impl IntoIterator<Item = S>) -> Self {
        self.subscribe.extend(subjects.into_iter().map(|subject| subject.as_ref().to_owned()));
        self
    }

    /// Ordered reading of a stream.
    fn read(self, stream: &str) -> Self {
        let api = [format!("$JS.API.STREAM.INFO.{stream}"), format!("$JS.API.DIRECT.GET.{stream}")];
        self.say(api).hear(["wake.*"])
    }

    /// Short-lived consumers under names that nobody else uses; every other consumer is out of reach.
    fn own_consumers(self, role: &str, stream: &str) -> Self {
        let verbs = ["CREATE", "DELETE", "MSG.NEXT"];
        self.say(
            reader::names(role)
                .iter()
                .flat_map(|name| verbs.map(|verb| format!("$JS.API.CONSUMER.{verb}.{stream}.{name}"))),
        )
    }

    /// Single messages from the leader.
    fn look_up(self, stream: &str) -> Self {
        self.say([format!("$JS.API.STREAM.MSG.GET.{stream}")])
    }

    /// A durable consumer that exists. Servers write acknowledgement subjects in one form or the other.
    fn consume(self, stream: &str, consumer: &str) -> Self {
        self.say([
            format!("$JS.API.CONSUMER.INFO.{stream}.{consumer}"),
            format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"),
            format!("$JS.ACK.{stream}.{consumer}.>"),
            format!("$JS.ACK.*.*.{stream}.{consumer}.>"),
        ])
    }

    /// Opens personal fields.
    fn keys(self) -> Self {
        self.say(["vault.keys"]).hear(["vault.erased"])
    }
}

/// What a role may do; `None` for a role that does not exist.
fn permissions(role: &str) -> Option<Permissions> {
    let base = Permissions::new(role);
    Some(match role {
        "gateway" => base
            .say(["cmd.>", "ask.>", "out.*.pending", "wake.OUTCOMES", "wake.waiting", "rt.seen"])
            .say(GATEWAY_ASKS.map(|verb| format!("vault.{verb}")))
            .keys()
            .read(EVENTS)
            .own_consumers(role, EVENTS)
            .look_up(OUTCOMES)
            .hear(["position.*", "rt.>"]),
        "projector" => base
            .keys()
            .read(EVENTS)
            .read(OUTCOMES)
            .own_consumers(role, EVENTS)
            .own_consumers(role, OUTCOMES)
            .say(["position.*"]),
        "worker" => base
            .keys()
            .say(["cmd.processing.job.*", "ask.processing.job.*", "rt.processing.*"])
            .say([format!("$JS.API.DIRECT.GET.{EVENTS}.evt.processing.job.*")])
            .say([format!("$JS.API.CONSUMER.MSG.NEXT.{TASKS}.*"), format!("$JS.ACK.{TASKS}.>")])
            .say([format!("$JS.ACK.*.*.{TASKS}.>")])
            .look_up(OUTCOMES)
            .hear(["wake.*"]),
        "provisioner" => base.say(["$JS.API.>"]),
        "auditor" => base.say([format!("$JS.API.STREAM.INFO.{EVENTS}"), format!("$JS.API.DIRECT.GET.{EVENTS}")]),
        "operator" => base
            .say(["$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST"])
            .say(["$JS.API.CONSUMER.INFO.*.*", "$JS.API.CONSUMER.NAMES.*", "$JS.API.CONSUMER.LIST.*"])
            .say(["$JS.API.DIRECT.GET.*", "$JS.API.STREAM.MSG.GET.*"])
            .hear(["wake.*", "position.*"]),
        other => context(base, CONTEXTS.iter().find(|context| context.name == other)?),
    })
}

/// The verbs of the vault that serve people at the edge.
const GATEWAY_ASKS: [&str; 17] = [
    "register",
    "start_session",
    "login",
    "refresh",
    "logout",
    "end_session",
    "sessions",
    "change_password",
    "forgot",
    "reset_password",
    "verify_email",
    "jwks",
    "edge_keys",
    "push_public_key",
    "bootstrap",
    "read_unsubscribe",
    "make_key",
];

/// What every context may do: decide its own commands, follow events, ask others.
fn context(base: Permissions, context: &Context) -> Permissions {
    let name = context.name;
    let mut may = base.say([format!("dead.{name}"), format!("dead.{name}.>")]);
    may = may.say(context.asks.iter().map(|other| format!("cmd.{other}.>")));
    if context.decides {
        may = may
            .consume(COMMANDS, name)
            .consume(ASKED, name)
            .consume(SCHEDULES, name)
            .say([
                format!("evt.{name}.>"),
                format!("snap.{name}.>"),
                format!("sched.{name}.>"),
                format!("cmd.{name}.>"),
            ])
            .say(["out.*", "wake.*", "_INBOX_gateway.>", "_INBOX_vault.>", "_INBOX_worker.>", "vault.claim_key"])
            .say([format!("$JS.API.DIRECT.GET.{EVENTS}"), format!("$JS.API.DIRECT.GET.{EVENTS}.evt.{name}.>")])
            .say([format!("$JS.API.DIRECT.GET.{SNAPSHOTS}.snap.{name}.>")])
            .look_up(EVENTS)
            .look_up(OUTCOMES);
    }
    if !context.follows.is_empty() {
        may = may.consume(EVENTS, name);
    }
    match name {
        "vault" => {
            may.answers = true;
            may.say(["vault.erased"]).hear(["vault.>"]).look_up(OUTCOMES)
        }
        "storage" => may.keys().say([format!("$JS.API.STREAM.INFO.{EVENTS}")]),
        "processing" => may.keys().say(["task.*"]),
        "video" => may.keys().say(["rt.video.*", "rt.hidden.*"]),
        "notification" => {
            let asks = ["mint_token", "unsubscribe_token", "permit", "push_key"].map(|verb| format!("vault.{verb}"));
            may.keys().say(asks).say(["rt.user.*"])
        }
        _ => may.keys(),
    }
}
