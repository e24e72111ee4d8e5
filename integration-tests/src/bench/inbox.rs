//! An agency's inbox, as it comes.

use futures::StreamExt;

use super::ground::Ground;

/// Hands over each entry, as its line of JSON, for as long as the stream lasts.
pub async fn watch(
    ground: &Ground,
    url: &str,
    agency: &str,
    mut take: impl FnMut(&str) + Send + 'static,
) -> anyhow::Result<()> {
    let token = ground.world.token(agency, "watcher")?;
    let request = reqwest::Client::new().get(format!("{url}/v1/inbox/stream")).bearer_auth(token);
    let mut stream = request.send().await?.error_for_status()?.bytes_stream();
    tokio::spawn(async move {
        let mut rest = Vec::new();
        while let Some(Ok(bytes)) = stream.next().await {
            rest.extend_from_slice(&bytes);
            let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else { continue };
            String::from_utf8_lossy(&rest[..end]).lines().for_each(&mut take);
            rest.drain(..=end);
        }
    });
    Ok(())
}
