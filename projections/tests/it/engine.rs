//! The engine: how the log is cut into batches changes nothing, and rebuilt rows are the same rows.

use events::Personal;
use events::identity::user::{Event as User, LoginFailure, PasswordChange, Role};
use events::profile::{Event as Profile, Preference, Visibility};
use projections::{Stream, ls, rebuild};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use crate::world::{PAGES, Story, World, person};

/// What may happen next, to whom.
type Step = (u8, u8, u8);

/// A story that its services could have told: nobody acts before the beginning or after the end.
pub fn story(steps: &[Step]) -> Story {
    let mut story = Story::default();
    let mut handles: Vec<Option<String>> = vec![None; 12];
    let mut names = 0;
    for &(who, what, with) in steps {
        let (n, id) = (usize::from(who % 12), person(u128::from(who % 12)));
        let Some(handle) = handles[n].clone() else {
            handles[n] = Some(format!("h{n}-"));
            story.register(id, &format!("User{n}"), "u@example.com").create(id, &format!("h{n}-"));
            continue;
        };
        if handle.is_empty() {
            continue;
        }
        match what % 11 {
            0 => drop(story.user(id, User::EmailVerified {})),
            1 => drop(story.user(id, User::Suspended { reason: None }).user(id, User::Reactivated {})),
            2 => drop(
                story.user(id, User::RoleAssigned { role: if with % 2 == 0 { Role::Admin } else { Role::Moderator } }),
            ),
            3 => drop(story.user(id, User::RoleRevoked { role: Role::Admin })),
            4 => drop(story.user(id, User::LoginFailed { reason: LoginFailure::WrongPassword })),
            5 => drop(story.user(id, User::PasswordChanged { how: PasswordChange::Known })),
            6 | 7 => {
                let text = |used: u8, text: &str| (with & used > 0).then(|| Personal::new(format!("{text}\t{with}")));
                let (display_name, bio, location, website) =
                    (text(1, "N"), text(2, "B\\"), text(4, "L\n"), text(8, ""));
                story.profile(id, Profile::Updated { display_name, bio, location, website });
            }
            8 => {
                // sometimes a handle that another had before
                let (old, fresh) = (format!("old{}", with % 5), format!("new{names}"));
                let taken = handles.iter().flatten().any(|handle| *handle == old);
                let to = if with % 2 == 0 && !taken { old } else { fresh };
                names += 1;
                story.rename(id, &handle, &to);
                handles[n] = Some(to);
            }
            9 => {
                let preferences =
                    [(format!("p{}", with % 3), (with % 4 > 0).then(|| Preference::Number(with.into())))].into();
                story.profile(id, Profile::PreferencesUpdated { preferences });
                story.profile(id, Profile::VisibilitySet { visibility: Visibility::Private });
            }
            _ if with % 4 == 0 => {
                story.user(id, User::Erased {}).profile(id, Profile::Erased {});
                handles[n] = Some(String::new());
            }
            _ => {}
        }
    }
    story
}

fn some_story(length: usize) -> Story {
    let steps = prop::collection::vec(any::<Step>(), length);
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    story(&steps.new_tree(&mut runner).expect("a story").current())
}

async fn rebuilt(world: &World) -> Vec<String> {
    rebuild(&world.pool, world.log(), &PAGES).await.expect("a good story");
    world.rows().await
}

#[tokio::test]
async fn any_split_into_batches_gives_the_same_rows() {
    let world = World::new().await;
    let story = some_story(400);
    world.held.add(Stream::Events, story.messages.clone());
    let expected = rebuilt(&world).await;
    assert!(expected.len() > 15, "a story about something: {expected:?}");
    for (n, sizes) in [&[1][..], &[2, 3, 1], &[7, 50], &[1, 200, 5], &[10_000]].iter().enumerate() {
        let other = world.beside(&format!("other{n}")).await;
        let (mut writer, mut rest) = (other.writer().await, &story.messages[..]);
        for size in sizes.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*size));
            writer.write(&now.to_vec().into()).await.expect("a good story");
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(other.rows().await, expected, "in batches of {sizes:?}");
    }
}

#[tokio::test]
async fn applied_twice_is_applied_once() {
    let world = World::new().await;
    let story = some_story(150);
    world.tell(&story).await;
    let rows = world.rows().await;
    let mut writer = world.writer().await;
    writer.write(&story.messages.clone().into()).await.expect("known messages");
    writer.write(&story.messages[20..40].to_vec().into()).await.expect("known messages");
    assert_eq!(world.rows().await, rows);
    assert_eq!(writer.position(), story.messages.len() as u64);
}

#[tokio::test]
async fn a_rebuild_gives_the_same_rows_in_a_new_generation() {
    let world = World::new().await;
    world.tell(&some_story(300)).await;
    let rows = world.rows().await;
    assert_eq!(rebuilt(&world).await, rows);
    let states = async || -> Vec<String> {
        let all = ls(&world.pool, world.log()).await.expect("the list");
        let one = all.iter().filter(|status| status.name == "user_page" && status.lag_events == 0);
        one.map(|status| format!("{} {}", status.generation, status.state)).collect()
    };
    assert_eq!(states().await, ["2 live", "1 kept"]);
    assert_eq!(rebuilt(&world).await, rows);
    assert_eq!(states().await, ["3 live", "2 kept"], "one way back, not more");
    let schemas: i64 = sqlx::query_scalar("select count(*) from pg_namespace where nspname like 'user_page_g%'")
        .fetch_one(&world.pool)
        .await
        .expect("a count");
    assert_eq!(schemas, 2);
}

#[tokio::test]
async fn many_new_rows_are_the_same_rows_as_few() {
    let world = World::new().await;
    let mut story = Story::default();
    for n in 0..500 {
        story.register(person(n), &format!("U\\{n}\t\"x\""), "u@example.com").create(person(n), &format!("h{n}"));
        story.profile(
            person(n),
            Profile::Updated {
                display_name: None,
                bio: Some(Personal::new("a\\\nb\r\t".to_owned())),
                location: None,
                website: None,
            },
        );
    }
    let mut writer = world.writer().await;
    for part in story.messages.chunks(30) {
        writer.write(&part.to_vec().into()).await.expect("a good story");
    }
    world.held.add(Stream::Events, story.messages.clone());
    let rows = world.rows().await;
    assert_eq!(rebuilt(&world).await, rows);
}

#[tokio::test]
async fn a_rebuild_of_operations_keeps_what_the_stream_forgot() {
    let world = World::new().await;
    let (old, new) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
    let outcome = |id| serde_json::json!({ "id": id, "kind": "x", "subject": person(1), "status": "accepted", "version": 1, "position": 1, "time": crate::world::time(1) });
    let mut story = Story::default();
    story.raw(&format!("out.{old}"), outcome(old)).raw(&format!("out.{new}"), outcome(new));
    let mut writer = projections::Writer::live(&world.pool, &["operations"]).await.expect("it is built");
    writer.write(&story.messages.clone().into()).await.expect("a good story");
    let rows = world.rows().await;
    // the stream holds only the later one by now
    world.held.add(Stream::Outcomes, story.messages[1..].to_vec());
    rebuild(&world.pool, world.log(), &["operations"]).await.expect("a good story");
    assert_eq!(world.rows().await, rows);
}
