//! What each problem code means and what to do about it: the pages that the `type` of a problem leads to.
//! A test reads the sources and asks for a page for every code that is said anywhere.

use serde::Serialize;

/// A page about one code.
#[derive(Serialize)]
pub(crate) struct Page {
    pub(crate) code: &'static str,
    pub(crate) status: u16,
    pub(crate) why: &'static str,
    pub(crate) remedy: &'static str,
}

const fn page(code: &'static str, status: u16, why: &'static str, remedy: &'static str) -> Page {
    Page { code, status, why, remedy }
}

const AGAIN: &str =
    "Send the same request again after the seconds in Retry-After. With an Idempotency-Key it cannot be done twice.";
const FIX: &str = "Change the request as the detail says and send it again.";

/// Every code, by status.
pub(crate) const PROBLEMS: &[Page] = &[
    page("bad_request", 400, "The request could not be read at all.", FIX),
    page(
        "json_malformed",
        400,
        "The body is not JSON.",
        "Send valid JSON in UTF-8; the detail says where reading stopped.",
    ),
    page("body_required", 400, "There is no body, and one is needed.", "Send a JSON body."),
    page("body_broken", 400, "The body broke off.", "Send the whole request again."),
    page("query_invalid", 400, "A parameter of the query is not known, or has a form that is not understood.", FIX),
    page("id_invalid", 400, "The id in the path is not a UUID.", "Use an id as the platform gave it."),
    page("cloudevent_invalid", 400, "It is not a CloudEvent, or lacks what a command needs.", FIX),
    page(
        "cursor_invalid",
        400,
        "The cursor of a list is none that this list gave out.",
        "Begin without a cursor, then follow the address in Link as it is.",
    ),
    page(
        "idempotency_key_invalid",
        400,
        "The Idempotency-Key is empty, too long or not visible ASCII.",
        "Use 1 to 255 visible ASCII characters, best a random UUID for each thing wanted.",
    ),
    page(
        "if_match_invalid",
        400,
        "If-Match is not an ETag of this platform.",
        "Send the ETag of an earlier answer as it was, with its quotes.",
    ),
    page(
        "consistency_token_invalid",
        400,
        "The Consistency-Token was not made here, or was changed on the way.",
        "Send the token of an answer as it was, or none.",
    ),
    page(
        "unauthenticated",
        401,
        "Nobody is signed in.",
        "Sign in and send the access token as Authorization: Bearer …",
    ),
    page("token_invalid", 401, "The access token is not one of this platform.", "Sign in again."),
    page(
        "token_expired",
        401,
        "The access token is too old.",
        "Ask for a new one with the refresh token, or sign in again.",
    ),
    page(
        "session_ended",
        401,
        "The session of the access token is over: signed out, revoked, or the password was changed.",
        "Sign in again.",
    ),
    page(
        "invalid_credentials",
        401,
        "The name and the password do not belong together. Which of them is wrong is not told, and neither whether the account may sign in.",
        "Check both, or ask for a new password with forgot-password.",
    ),
    page(
        "refresh_refused",
        401,
        "The refresh token does not count: it was used before, is too old, or its session is over.",
        "Sign in again.",
    ),
    page("admin_required", 403, "Only an admin may do this.", "Ask an admin."),
    page("not_yours", 403, "It belongs to somebody else.", "Sign in as the person it belongs to, or ask an admin."),
    page(
        "command_elsewhere",
        403,
        "There is a route that does more than this command: it talks to the vault too.",
        "Use the route that the detail names.",
    ),
    page("command_internal", 403, "Only the platform itself says this.", "There is nothing to do."),
    page(
        "origin_not_allowed",
        403,
        "The page that asks is from an origin that may not.",
        "An operator adds the origin to the allow-list.",
    ),
    page(
        "bootstrap_refused",
        403,
        "Neither an admin asked nor the one-time secret was shown.",
        "Use the secret that the platform printed when it started first, or let an admin register the other admin.",
    ),
    page("bootstrap_used", 403, "The one-time secret made an admin already.", "Ask that admin."),
    page("vault_only", 403, "Only the platform itself says this.", "There is nothing to do."),
    page("forbidden", 403, "The caller has not the right to this.", "Sign in as somebody who has."),
    page("not_found", 404, "There is nothing at this address.", "Look at /docs for the addresses there are."),
    page("user_missing", 404, "There is no such account.", "Check the id."),
    page(
        "profile_missing",
        404,
        "There is no such profile, or it is not shown to this caller.",
        "Check the handle or the id.",
    ),
    page(
        "session_missing",
        404,
        "There is no such open session of this person.",
        "List the sessions for the ids there are.",
    ),
    page(
        "operation_missing",
        404,
        "There is no such operation of this caller, or it is longer ago than 30 days.",
        "Check the id.",
    ),
    page("method_not_allowed", 405, "The address is right, the method is not.", "Use one of the methods in Allow."),
    page("request_timeout", 408, "The request took too long to arrive.", AGAIN),
    page("username_taken", 409, "Somebody has this username.", "Choose another."),
    page(
        "email_taken",
        409,
        "There is an account with this e-mail address.",
        "Sign in with it, or ask for a new password.",
    ),
    page("user_exists", 409, "This account exists already.", "Sign in."),
    page("handle_taken", 409, "Somebody has this handle.", "Choose another."),
    page(
        "not_on_yourself",
        409,
        "Nobody suspends, demotes or deletes themselves, so that there is always an admin.",
        "Ask another admin.",
    ),
    page("email_missing", 409, "The account has no e-mail address.", "There is nothing to send to."),
    page("rejected", 409, "It was refused as things stand.", "Look at what there is, and decide again."),
    page(
        "person_erased",
        410,
        "The person was erased; nothing can be said about them any more.",
        "There is nothing to do.",
    ),
    page(
        "stale",
        412,
        "Somebody else was faster: the version is another than the one in If-Match.",
        "Read it again and decide again.",
    ),
    page(
        "version_mismatch",
        412,
        "Somebody else was faster: the version is another than the one in If-Match.",
        "Read it again and decide again.",
    ),
    page("body_too_large", 413, "The body is larger than is accepted.", "Send less."),
    page("uri_too_long", 414, "The address is longer than is accepted.", "Send less."),
    page(
        "unsupported_media_type",
        415,
        "The body is of a type that is not understood here.",
        "Send JSON with Content-Type: application/json.",
    ),
    page("invalid", 422, "The request can be read, but something in it is not acceptable; `errors` says where.", FIX),
    page("field_invalid", 422, "A field has a wrong type, or is not known; `errors` says which.", FIX),
    page("field_reserved", 422, "Names that begin with $ are the platform's own.", "Choose other names."),
    page("command_unknown", 422, "There is no command of this type.", "Check the type; the documents list them."),
    page("nothing_to_change", 422, "Nothing was given that could be changed.", "Give at least one field."),
    page(
        "idempotency_key_reused",
        422,
        "The Idempotency-Key was used for another request.",
        "Use a new key for a new request.",
    ),
    page(
        "password_weak",
        422,
        "The password is not good enough; the detail says why.",
        "Choose another: long is better than complicated.",
    ),
    page("password_mismatch", 422, "The new password and its repetition differ.", "Type both again."),
    page(
        "password_wrong",
        422,
        "The current password is not right.",
        "Type it again, or ask for a new one with forgot-password.",
    ),
    page(
        "reset_token_invalid",
        422,
        "The token from the mail does not count: too old, used, or not whole.",
        "Ask for another mail.",
    ),
    page(
        "verification_token_invalid",
        422,
        "The token from the mail does not count: too old, or not whole.",
        "Ask for another mail.",
    ),
    page("name_required", 422, "Neither a username nor an e-mail address is given.", "Give one of them, or both."),
    page(
        "username_invalid",
        422,
        "A username is 3 to 30 letters, digits, dots, underscores or hyphens, and begins with a letter or digit.",
        FIX,
    ),
    page("email_invalid", 422, "It is not an e-mail address.", FIX),
    page("name_invalid", 422, "A name is at most 100 characters, without control characters.", FIX),
    page("handle_invalid", 422, "A handle is 3 to 30 of a-z, 0-9, _ and -, and begins with a letter or digit.", FIX),
    page("handle_reserved", 422, "This handle is kept for the platform.", "Choose another."),
    page("too_long", 422, "A text is too long.", FIX),
    page("control_characters", 422, "A text contains control characters.", FIX),
    page("website_invalid", 422, "A website begins with https:// or http://.", FIX),
    page(
        "preference_invalid",
        422,
        "A preference has a name of 1 to 50 characters, and is a switch, a whole number or a text of at most 200.",
        FIX,
    ),
    page("too_many_preferences", 422, "At most 50 preferences are kept.", "Remove one by setting it to null."),
    page(
        "if_match_required",
        428,
        "This needs If-Match, so that nobody overwrites what they have not seen.",
        "Read it, then send its ETag as If-Match.",
    ),
    page(
        "rate_limited",
        429,
        "Too many requests from this caller.",
        "Wait the seconds in Retry-After; RateLimit says how much is left.",
    ),
    page(
        "slow_down",
        429,
        "Too many failed tries, or too many passwords to check at the moment.",
        "Wait the seconds in Retry-After.",
    ),
    page("headers_too_large", 431, "The header fields are larger than is accepted.", "Send less."),
    page(
        "internal",
        500,
        "A defect on this side.",
        "Tell the operators the request id; it helps to find out what happened.",
    ),
    page("not_implemented", 501, "This is not known here.", "Look at /docs for what there is."),
    page(
        "unavailable",
        503,
        "Something needed is away for the moment; nothing was done, or the same Idempotency-Key tells what was.",
        AGAIN,
    ),
    page("overloaded", 503, "There is more to do than can be done in time; nothing was done.", AGAIN),
    page("timeout", 503, "It took too long.", AGAIN),
    page("not_ready", 503, "A probe found parts that are not well: `checks` and `detail` name them.", AGAIN),
    page(
        "projection_behind",
        503,
        "What was asked for is decided, but the page that shows it has not caught up.",
        "Ask again after the seconds in Retry-After.",
    ),
];
