//! Server-rendered pages: every value is escaped by the engine, the style is inside, and the policy allows that style
//! by its hash and nothing else, so that a page cannot run or load anything, whatever a person wrote.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{Environment, Value, context};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// The pages there are.
#[derive(Clone, Copy)]
pub(crate) enum Page {
    /// `/`
    Home,
    /// `/docs`
    Docs,
    /// `/problems`
    Problems,
    /// `/problems/{code}`
    Problem,
    /// `/u/{handle}`
    Person,
    /// `/watch/{id}`
    Watch,
    /// `/dev/mail`
    Mails,
    /// Something to press, from a mail.
    Form,
    /// Nothing to see, in words.
    Notice,
}

impl Page {
    fn name(self) -> &'static str {
        match self {
            Page::Home => "home.html",
            Page::Docs => "docs.html",
            Page::Problems => "problems.html",
            Page::Problem => "problem.html",
            Page::Person => "person.html",
            Page::Watch => "watch.html",
            Page::Mails => "mails.html",
            Page::Form => "form.html",
            Page::Notice => "notice.html",
        }
    }
}

const CSS: &str = include_str!("../assets/site.css");

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    let all = [
        ("home.html", include_str!("../assets/home.html")),
        ("docs.html", include_str!("../assets/docs.html")),
        ("problems.html", include_str!("../assets/problems.html")),
        ("problem.html", include_str!("../assets/problem.html")),
        ("person.html", include_str!("../assets/person.html")),
        ("watch.html", include_str!("../assets/watch.html")),
        ("mails.html", include_str!("../assets/mails.html")),
        ("form.html", include_str!("../assets/form.html")),
        ("notice.html", include_str!("../assets/notice.html")),
    ];
    for (name, source) in all {
        pages.add_template(name, source).expect("a page that ships is well formed");
    }
    pages.add_global("css", Value::from_safe_string(CSS.to_owned()));
    pages
});

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(CSS));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("ASCII")
});

/// The page's text.
pub(crate) fn render(page: Page, values: Value) -> String {
    let template = PAGES.get_template(page.name()).expect("every page is there");
    template.render(values).expect("a page that ships needs nothing that it is not given")
}

/// A page with its policy.
pub(crate) fn html(status: StatusCode, page: Page, values: Value) -> Response {
    (status, [(header::CONTENT_SECURITY_POLICY, policy())], Html(render(page, values))).into_response()
}

/// What a page of ours may do: show itself.
pub(crate) fn policy() -> HeaderValue {
    POLICY.clone()
}

/// A page that says a sentence.
pub(crate) fn notice(status: StatusCode, title: &str, text: &str) -> Response {
    html(status, Page::Notice, context! { title, text })
}
