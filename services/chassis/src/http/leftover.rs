//! A body that is answered before it has been read.
//!
//! A refusal need not wait for the rest of what is refused, but a connection that is closed while its client still
//! sends is reset, and the client sees a broken pipe in place of the answer. So the rest is taken in and thrown
//! away, within bounds.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use futures::{Stream, StreamExt};
use tokio::runtime::Handle;

/// Most bytes of the rest that are taken in: more than the largest body of any page.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// How long that may take.
const TIME: Duration = Duration::from_secs(5);

/// Takes in what a page leaves of its request's body.
pub async fn take_in(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let whole = |body: Body| Body::from_stream(Watched(Some(body.into_data_stream())));
    next.run(request.map(whole)).await
}

/// A body until its end; what is left of it when its reader lets go is taken in.
struct Watched(Option<BodyDataStream>);

impl Stream for Watched {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let read = ready!(body.poll_next_unpin(context));
        if !matches!(read, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(read)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let (Some(rest), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(TIME, throw_away(rest)));
        }
    }
}

async fn throw_away(mut rest: BodyDataStream) {
    let mut taken = 0;
    while let Some(Ok(bytes)) = rest.next().await {
        taken += bytes.len();
        if taken > MAX_BYTES {
            return;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// More than the buffers of a connection hold.
    const BODY_BYTES: usize = 12 * 1024 * 1024;

    #[tokio::test]
    async fn a_client_that_still_sends_sees_the_answer() {
        let refusing = Router::new().route("/", post(|| async { StatusCode::PAYLOAD_TOO_LARGE }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tokio::spawn(axum::serve(listener, refusing.layer(from_fn(take_in))).into_future());
        let head = format!(
            "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {BODY_BYTES}\r\n\r\n"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(&vec![b'x'; BODY_BYTES]).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
}
