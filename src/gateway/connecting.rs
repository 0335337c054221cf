//! How long the connections take that calls wait for. Connections belong to no call, yet a call's future makes those
//! that it needs, so the task that asks is told.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tower::util::MapFutureLayer;

tokio::task_local! {
    static TOOK: Arc<OnceLock<Duration>>;
}

/// Awaits an answer, and says how long it took to connect; `None` where a connection was there.
pub(super) async fn timed<T>(asking: impl Future<Output = T>) -> (T, Option<Duration>) {
    let took = Arc::new(OnceLock::new());
    let answer = TOOK.scope(Arc::clone(&took), asking).await;
    (answer, took.get().copied())
}

/// Goes around a client's connector, and times it.
pub(super) fn layer<F, T>() -> MapFutureLayer<impl Fn(F) -> Timed<T> + Clone + Send + Sync + 'static>
where
    F: Future<Output = T> + Send + 'static,
{
    MapFutureLayer::new(|connecting: F| -> Timed<T> {
        // asked for here, in the task of the call: the connection may be finished by another one
        let took = TOOK.try_with(Arc::clone).ok();
        let began = Instant::now();
        Box::pin(async move {
            let connected = connecting.await;
            took.map(|took| took.set(began.elapsed()));
            connected
        })
    })
}

type Timed<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;
