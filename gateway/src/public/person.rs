//! What `/u/{handle}` shows of a profile. Everything in it was written by a stranger, so it is escaped by the engine, or
//! as JSON that cannot end its script element; a link is only shown when a browser opens it without running anything.

use crate::page::{self, Page};
use minijinja::{Value, context};
use projections::profile_page::Row;
use serde_json::json;

/// The page's text. `origin` is the address of this server without a path.
pub(crate) fn render(row: &Row, origin: &str) -> String {
    let title = row.display_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&row.handle);
    let address = format!("{origin}/u/{}", row.handle);
    let description = description(row, title);
    let website = row.website.as_deref().filter(|it| it.starts_with("https://") || it.starts_with("http://"));
    let label = website.map(|it| it.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/'));
    let linked_data = json!({
        "@context": "https://schema.org",
        "@type": "ProfilePage",
        "dateCreated": row.created_at,
        "dateModified": row.updated_at,
        "mainEntity": {
            "@type": "Person",
            "name": title,
            "alternateName": row.handle,
            "url": address,
            "description": row.bio,
            "sameAs": website,
        },
    });
    let values = context! {
        title, address, description, website,
        handle => row.handle.clone(),
        unlisted => row.visibility != "public",
        location => row.location.clone(),
        bio => row.bio.clone(),
        website_label => label,
        initial => title.chars().find(|c| c.is_alphanumeric()).map(|c| c.to_uppercase().to_string()),
        hue => row.user_id.as_bytes()[15] % 8,
        since => row.created_at.format("%Y-%m-%d").to_string(),
        since_words => row.created_at.format("%B %Y").to_string(),
        linked_data => Value::from_safe_string(inside_script(&linked_data)),
    };
    page::render(Page::Person, values)
}

/// The first words of the bio, or what can be said without one.
fn description(row: &Row, title: &str) -> String {
    let words = row.bio.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(200) {
        _ if words.is_empty() => format!("{title} on Reprise"),
        Some((end, _)) => format!("{}…", words[..end].trim_end()),
        None => words,
    }
}

/// JSON in which nothing can end the element that it stands in, and no quote of a text looks like one of markup.
fn inside_script(value: &serde_json::Value) -> String {
    let mut out = String::new();
    let json = value.to_string();
    let mut letters = json.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\\' => match letters.next() {
                Some('"') => out.push_str("\\u0022"),
                escaped => out.extend([letter].into_iter().chain(escaped)),
            },
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use uuid::Uuid;

    fn row(display_name: &str, bio: &str, website: &str) -> Row {
        let time = DateTime::from_timestamp(1_790_000_000, 0).expect("a time");
        Row {
            user_id: Uuid::from_u128(7),
            handle: "ada".to_owned(),
            display_name: Some(display_name.to_owned()),
            bio: Some(bio.to_owned()),
            location: None,
            website: Some(website.to_owned()),
            visibility: "public".to_owned(),
            preferences: json!({}),
            version: 3,
            created_at: time,
            updated_at: time,
            past_handles: vec![],
        }
    }

    #[test]
    fn nothing_that_a_person_writes_becomes_markup() {
        let nasty = "</script></style><img src=x onerror=alert(1)>\"'{{ 7*7 }}";
        let page =
            render(&row(nasty, nasty, "https://example.org/\"><script>alert(1)</script>"), "http://localhost:3000");
        assert!(!page.contains("<img"), "{page}");
        assert!(!page.contains("<script>alert"), "{page}");
        assert_eq!(page.matches("</script>").count(), 1, "only the page's own");
        assert_eq!(page.matches("</style>").count(), 1, "only the page's own");
        assert!(page.contains("{{ 7*7 }}"), "a person's braces are text");
    }

    #[test]
    fn what_programs_read_is_what_was_written() {
        let nasty = "a \\ \" \\\" </script> & \n ü";
        let text = inside_script(&json!({ "bio": nasty }));
        assert!(!text.contains('<') && text.matches('"').count() == 4, "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON still");
        assert_eq!(read["bio"], nasty);
    }

    #[test]
    fn a_link_that_would_run_something_is_not_shown() {
        assert!(!render(&row("Ada", "", "javascript:alert(1)"), "http://localhost:3000").contains("javascript:"));
    }

    #[test]
    fn it_says_who_and_where_to_people_and_programs() {
        let page =
            render(&row("Ada Lovelace", "Notes on\nthe engine", "https://ada.example/"), "https://reprise.example");
        for part in [
            "<h1>Ada Lovelace</h1>",
            "<title>Ada Lovelace · Reprise</title>",
            "<meta property=\"og:title\" content=\"Ada Lovelace\">",
            "<meta property=\"og:description\" content=\"Notes on the engine\">",
            "\"@type\":\"Person\"",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(
            page.contains("rel=\"canonical\" href=\"https:&#x2f;&#x2f;reprise.example&#x2f;u&#x2f;ada\"")
                || page.contains("rel=\"canonical\" href=\"https://reprise.example/u/ada\""),
            "{page}"
        );
        assert!(!page.contains("noindex"));
    }

    #[test]
    fn search_engines_leave_out_the_unlisted() {
        let unlisted = Row { visibility: "unlisted".to_owned(), ..row("Ada", "", "") };
        assert!(render(&unlisted, "http://localhost:3000").contains("<meta name=\"robots\" content=\"noindex\">"));
    }
}
