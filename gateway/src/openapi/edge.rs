//! What the core of the gateway answers itself: operations, commands, health and metrics. Described here, because the
//! core knows nothing of the document.

use super::{Access, doc, reference};
use crate::table::Route;
use serde_json::json;

/// The core's routes, without handlers: the core has its own.
pub(crate) fn routes() -> Vec<Route> {
    let known = |method, paths, doc| Route { method, paths, handler: None, doc };
    vec![
        known("GET", &["/api/operations/{id}"], operation()),
        known("POST", &["/api/commands"], commands()),
        known("GET", &["/livez"], probe("livez", "Is the process alive?").answers(200, "Health", "It is")),
        known(
            "GET",
            &["/readyz"],
            probe("readyz", "Can commands be taken, and are reads fresh?").answers(200, "Health", "Yes"),
        ),
        known(
            "GET",
            &["/health", "/api/health"],
            probe("health", "How is everything?").answers(200, "Health", "All is well"),
        ),
        known("GET", &["/metrics"], metrics()),
    ]
}

fn operation() -> super::Doc {
    doc("operation", "commands", "What became of a command")
        .text(
            "It always ends in `accepted` or `rejected`, and is remembered for 30 days. Only who asked, and admins, see it; what \
                nobody signed in for is seen by whoever has its id.",
        )
        .access(Access::Optional)
        .id_of("id", "The command's id, from the `Location` of a `202`")
        .header("Prefer")
        .answers_with(200, "Operation", "The command as it stands", &["RetryAfter", "ConsistencyToken", "PreferenceApplied"])
}

fn commands() -> super::Doc {
    let event = json!({
        "specversion": "1.0",
        "id": "6f1c2a4e-5d8b-4a59-9a41-0f4b7f0f6a11",
        "source": "/clients/shell",
        "type": "profile.profile.update.v1",
        "subject": "01930000-0000-7000-8000-000000000000",
        "data": { "display_name": "Ada" },
    });
    let mut doc = doc("command", "commands", "Ask anything, as a CloudEvent")
        .text("In structured mode (`application/cloudevents+json`) or binary mode (`ce-` headers, `data` as the body). `subject` is what is asked; source and id together make the command idempotent.")
        .access(Access::Person)
        .command()
        .if_match()
        .refuses(&[413, 415])
        .answers_with(200, "Operation", "Decided", super::DONE);
    let structured = json!({ "schema": reference("schemas", "CloudEvent"), "example": event });
    doc.body = Some(json!({ "required": true, "content": { "application/cloudevents+json": structured } }));
    doc
}

fn probe(id: &'static str, summary: &'static str) -> super::Doc {
    doc(id, "platform", summary)
}

fn metrics() -> super::Doc {
    let text = "For Prometheus; labels are route templates, never paths.";
    doc("metrics", "platform", "Numbers").text(text).answers_text(
        200,
        "text/plain",
        "In the text format of Prometheus",
        &[],
    )
}
