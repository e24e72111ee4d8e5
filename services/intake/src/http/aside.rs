//! Judging what was sent beside the async workers, where it is large: one body holds up nobody else's.

use chassis::problem::Problem;

/// Largest body that is judged where it arrived, in bytes. Most referrals are smaller, and are judged in less time than
/// it takes to hand them to another thread and back.
const MAX_IN_PLACE_BYTES: usize = 64 * 1024;

/// What is judged of so many bytes.
///
/// # Errors
/// When the judging itself fails, which only a fault of the program causes.
pub async fn judged<T: Send + 'static>(
    bytes: usize,
    judge: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    if bytes <= MAX_IN_PLACE_BYTES {
        return Ok(judge());
    }
    tokio::task::spawn_blocking(judge).await.map_err(|_| {
        // Not with the error: what a panic says may hold what was sent.
        tracing::error!("failed to judge a submission");
        Problem::internal()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn a_large_body_holds_no_worker() {
        for (bytes, in_place) in
            [(0, true), (MAX_IN_PLACE_BYTES, true), (MAX_IN_PLACE_BYTES + 1, false), (2 * 1024 * 1024, false)]
        {
            let by = judged(bytes, || thread::current().id()).await.unwrap();
            assert_eq!(by == thread::current().id(), in_place, "{bytes} bytes");
        }
    }

    #[tokio::test]
    async fn what_fails_beside_is_a_problem() {
        let failed = judged::<()>(MAX_IN_PLACE_BYTES + 1, || panic!("as a test")).await;
        assert_eq!(failed.unwrap_err().status, 500);
    }
}
