//! Questions to another process: whoever works on one is waited for, whoever is gone with it is not.

use crate::kit::*;
use embedded::Nats;
use futures::{FutureExt, StreamExt};
use nats::{Answer, RequestError, Sync};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// More than anything here takes: whoever waits this long failed.
const LONG: Duration = Duration::from_secs(50);

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_gone_with_a_question_is_not_waited_for() {
    let server = Nats::scratch();
    let keys = Keys::default();
    let asker = bus(&server.url, Sync::Interval, &keys).await;
    let nobody = asker.request::<_, String>("think", &"?", LONG).await;
    assert!(matches!(nobody, Err(RequestError::NoResponders(_))), "{nobody:?}");

    // the first to be asked dies with it, and there is another
    let mortal = raw(&server.url).await;
    let mut asked = mortal.queue_subscribe("think", "thinkers".into()).await.expect("a subscription");
    let asking = tokio::spawn(async move {
        loop {
            match asker.request::<_, String>("think", &"?", LONG).await {
                // the server learns of subscriptions in its own time
                Err(RequestError::NoResponders(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
                answer => return answer,
            }
        }
    });
    asked.next().await.expect("the question");
    let (other, stop) = (bus(&server.url, Sync::Interval, &keys).await, CancellationToken::new());
    // this one takes longer than anybody is silent, and says meanwhile that it is at it
    let times = Arc::new(AtomicUsize::new(0));
    let counted = times.clone();
    let answer: Answer = Arc::new(move |_subject, _question| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            br#""42""#.to_vec()
        }
        .boxed()
    });
    let until = stop.clone();
    let serving = tokio::spawn(async move { other.serve("think", "thinkers", 8, answer, until).await });
    drop((asked, mortal));
    assert_eq!(asking.await.expect("no panic").expect("an answer"), "42");
    assert_eq!(times.load(Ordering::SeqCst), 1, "nobody asked again while it was being worked on");
    stop.cancel();
    serving.await.expect("no panic").expect("served");
}
