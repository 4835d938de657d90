//! What a text may be made of: less than the language has. Nothing that remembers, repeats or multiplies, so that no text
//! of a kilobyte becomes a gigabyte on its way; and nothing that switches escaping off or reads another text.

/// The blocks that there are.
pub(crate) const BLOCKS: &[&str] = &["if", "elif", "else", "endif", "for", "endfor"];
/// The filters that there are.
pub(crate) const FILTERS: &[&str] = &["upper", "lower", "title", "capitalize", "trim", "length", "default"];

/// Why this is more than a text may be; what is not even the language is left to its parser.
pub(crate) fn excess(source: &str) -> Option<String> {
    let mut rest = source;
    while let Some(at) = rest.find('{') {
        rest = &rest[at + 1..];
        let inside = rest.get(1..).unwrap_or_default();
        let tag = match rest.as_bytes().first() {
            Some(b'#') => Ok(inside.split_once("#}").map_or("", |(_, behind)| behind)),
            Some(b'{') => expression(inside, "}}"),
            Some(b'%') => block(inside),
            _ => continue,
        };
        match tag {
            Ok(behind) => rest = behind,
            Err(why) => return Some(why),
        }
    }
    None
}

/// What follows the block.
fn block(inside: &str) -> Result<&str, String> {
    let behind = inside.strip_prefix(['-', '+']).unwrap_or(inside).trim_start();
    let name = word(behind);
    if !BLOCKS.contains(&name) {
        return Err(format!("there is no block `{name}` here, only {}", BLOCKS.join(", ")));
    }
    expression(&behind[name.len()..], "%}")
}

/// What follows the expression and its `end`.
fn expression<'a>(inside: &'a str, end: &str) -> Result<&'a str, String> {
    let (mut quote, mut open, mut skip) = (None, 0_u32, 0);
    for (at, c) in inside.char_indices() {
        if at < skip {
            continue;
        }
        let rest = &inside[at..];
        match (quote, c) {
            (Some(_), '\\') => skip = at + 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            (Some(mark), c) if c == mark => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, _) if open == 0 && rest.starts_with(end) => return Ok(&rest[end.len()..]),
            (None, '(' | '[' | '{') => open += 1,
            (None, ')' | ']' | '}') => open = open.saturating_sub(1),
            (None, '*') => return Err("nothing is multiplied here".to_owned()),
            (None, '|') => {
                let name = word(rest[1..].trim_start());
                if !FILTERS.contains(&name) {
                    return Err(format!("there is no filter `{name}` here, only {}", FILTERS.join(", ")));
                }
            }
            (None, c) if c.is_alphanumeric() || c == '_' => {
                let name = word(rest);
                if name == "is" {
                    return Err("there are no tests with `is` here, what is not given is empty".to_owned());
                }
                skip = at + name.len();
            }
            _ => {}
        }
    }
    Ok("")
}

/// The word at the beginning.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::excess;

    #[test]
    fn showing_and_choosing_is_all() {
        for fine in [
            "",
            "{ not { a {",
            "Hello {{ name|default('you') | upper }}!",
            "{%- if a and not b -%}x{% elif c == \"*|safe\" %}y{% else %}z{% endif +%}",
            "{% for one in list %}{{ loop.index }}: {{ one[0].name }}{% endfor %}",
            "{# {% set x = 1 %} is * a comment #}",
            "{{ 'it\\'s * | this' }} 2 * 3 | all",
            "{{ {'a': {'b': 1}}['a'] }}",
            "{{ this_is }}",
        ] {
            assert_eq!(excess(fine), None, "{fine}");
        }
    }

    #[test]
    fn the_rest_of_the_language_is_not_here() {
        for (source, why) in [
            ("{% set x = x ~ x %}", "`set`"),
            ("{%- include 'other' %}", "`include`"),
            ("{% extends 'other' %}", "`extends`"),
            ("{%raw%}{% endraw %}", "`raw`"),
            ("{% autoescape false %}", "`autoescape`"),
            ("{% macro x() %}{% endmacro %}", "`macro`"),
            ("{{ name|safe }}", "`safe`"),
            ("{{ name | urlencode }}", "`urlencode`"),
            ("{% for x in y|batch(3) %}{% endfor %}", "`batch`"),
            ("{{ 'x' * 1000000 }}", "multiplied"),
            ("{{ {'a': {}}['a'] ~ 'x' * 9 }}", "multiplied"),
            ("{{ '\\\\' * 9 }}", "multiplied"),
            ("{{ name is defined }}", "`is`"),
            ("{# #}{{ 1 }}{% set x = 1 %}", "`set`"),
        ] {
            assert!(excess(source).is_some_and(|said| said.contains(why)), "{source}: {:?}", excess(source));
        }
    }
}
