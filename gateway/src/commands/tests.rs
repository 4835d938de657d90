use super::*;
use events::identity::user::Role;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
}

const SUBJECT: &str = "01890000-0000-7000-8000-000000000001";

fn structured(change: impl FnOnce(&mut Value)) -> Result<Asks, Problem> {
    let mut event = json!({
        "specversion": "1.0", "id": "1", "source": "/mine", "type": "profile.profile.update.v1",
        "subject": SUBJECT, "data": { "display_name": "Ada" },
    });
    change(&mut event);
    read(&headers(&[("content-type", "application/cloudevents+json")]), event.to_string().into_bytes())
}

fn actor(id: Uuid, roles: &[Role]) -> Actor {
    Actor { id, session: Uuid::nil(), roles: roles.into(), issued_at: 0, expires_at: 0, claims: None }
}

#[test]
fn both_modes_say_the_same() {
    let binary = headers(&[
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/mine"),
        ("ce-type", "profile.profile.update.v1"),
        ("ce-subject", SUBJECT),
        ("ce-authid", "somebody else"),
    ]);
    let binary = read(&binary, br#"{"display_name": "Ada"}"#.to_vec()).expect("binary mode");
    let structured = structured(|_| {}).expect("structured mode");
    assert_eq!((binary.id, binary.source, binary.canonical), (structured.id, structured.source, structured.canonical));
    assert_eq!(binary.command, structured.command);
}

#[test]
fn what_is_wrong_is_said() {
    let code = |change: fn(&mut Value)| structured(change).expect_err("refused").code().to_owned();
    assert_eq!(code(|event| event["type"] = "profile.profile.explode.v1".into()), "command_unknown");
    assert_eq!(code(|event| event["type"] = "media.media.upload.v1".into()), "command_unknown");
    assert_eq!(code(|event| event["subject"] = "ada".into()), "cloudevent_invalid");
    assert_eq!(code(|event| event["subject"] = Value::Null), "cloudevent_invalid");
    assert_eq!(code(|event| event["data"] = json!({"display_name": 7})), "field_invalid");
    assert_eq!(code(|event| event["data"] = json!({"display_name": {"$sealed": "x.y"}})), "field_reserved");
    assert_eq!(code(|event| event["specversion"] = "0.1".into()), "cloudevent_invalid");
    let neither = read(&headers(&[("content-type", "application/json")]), b"{}".to_vec());
    assert_eq!(neither.expect_err("no CloudEvent").status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[test]
fn rights() {
    let me = Uuid::try_parse(SUBJECT).expect("a UUID");
    let (own, other) = (actor(me, &[]), actor(Uuid::from_u128(2), &[]));
    let (admin, moderator) = (actor(Uuid::from_u128(3), &[Role::Admin]), actor(Uuid::from_u128(4), &[Role::Moderator]));
    let ask = |kind: &str, data: Value| command(kind, &json!({"type": kind, "data": data})).expect("known");
    let may = |command: &Command| [&own, &other, &admin, &moderator].map(|actor| permit(command, me, actor).is_ok());
    assert_eq!(may(&ask("profile.profile.update.v1", json!({"bio": "x"}))), [true, false, true, false]);
    assert_eq!(may(&ask("identity.user.set_status.v1", json!({"status": "suspended"}))), [false, false, true, false]);
    assert_eq!(may(&ask("identity.user.assign_role.v1", json!({"role": "admin"}))), [false, false, true, false]);
    assert_eq!(may(&ask("notification.template.retire.v1", json!({}))), [false, false, true, false]);
    assert_eq!(may(&ask("notification.contact.erase.v1", json!({}))), [false, false, true, false]);
    for (kind, data) in [
        ("identity.user.register.v1", json!({"credential": me})),
        ("identity.user.verify_email.v1", json!({})),
        ("identity.user.record_password_change.v1", json!({"how": "known"})),
        ("identity.user.record_login_failure.v1", json!({"reason": "suspended"})),
        ("identity.session.end.v1", json!({"user": me, "reason": "revoked"})),
        ("profile.profile.create.v1", json!({"handle": "ada"})),
        ("profile.profile.erase.v1", json!({})),
        ("notification.contact.receive.v1", json!({"name": "a", "email": "a@b.c", "subject": "a", "message": "a"})),
    ] {
        assert_eq!(may(&ask(kind, data)), [false; 4], "{kind}");
    }
    let told = permit(&ask("identity.user.register.v1", json!({"credential": me})), me, &admin).expect_err("refused");
    assert!(told.detail().contains("/api/auth/register"));
}
