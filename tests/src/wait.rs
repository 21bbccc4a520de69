//! Waiting for a condition with a deadline, instead of sleeping and hoping.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

/// Between two looks at the condition.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks until the answer is `Some`; gives up at the deadline with the last thing that was learnt.
pub async fn until<T, F>(deadline: Duration, mut ask: F) -> anyhow::Result<T>
where
    F: AsyncFnMut() -> anyhow::Result<Option<T>>,
{
    let started = Instant::now();
    loop {
        let left = deadline.saturating_sub(started.elapsed());
        // The question itself may hang; the deadline covers it too.
        let answer = match tokio::time::timeout(left.max(PAUSE), ask()).await {
            Ok(Ok(Some(found))) => return Ok(found),
            Ok(Ok(None)) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some(anyhow::anyhow!("the last attempt did not answer")),
        };
        if started.elapsed() >= deadline {
            let error = answer.unwrap_or_else(|| anyhow::anyhow!("the condition stayed false"));
            return Err(error.context(format!("gave up after {:.1} s", deadline.as_secs_f64())));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until all tasks have ended, for so long all together; those that have not are aborted. Whether all have.
///
/// # Panics
/// When a task did.
pub async fn ended(tasks: Vec<JoinHandle<()>>, within: Duration) -> bool {
    let deadline = tokio::time::Instant::now() + within;
    let mut all = true;
    for mut task in tasks {
        match tokio::time::timeout_at(deadline, &mut task).await {
            Ok(end) => end.expect("a task of the test's own does not fail"),
            Err(_) => {
                task.abort();
                all = false;
            }
        }
    }
    all
}

/// As [`until`], for a plain condition and for a test that cannot go on without it.
///
/// # Panics
/// When the condition does not hold before the deadline; the message starts with `what`.
#[track_caller]
pub fn holds<F>(what: impl Into<String>, deadline: Duration, mut ask: F) -> impl Future<Output = ()>
where
    F: AsyncFnMut() -> bool,
{
    let (what, place) = (what.into(), std::panic::Location::caller());
    async move {
        let held = until(deadline, async || Ok(ask().await.then_some(()))).await;
        if let Err(error) = held {
            panic!("{what}: {error:#} (waited for at {place})");
        }
    }
}
