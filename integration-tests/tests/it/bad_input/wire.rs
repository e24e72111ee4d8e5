//! Bodies that do not come at once, over a connection of their own: no client library sends like that.

use std::time::Duration;

use anyhow::Context as _;
use integration_tests::bad_input::{Case, Pace};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Answered, Table};

/// Longer than a body may take: whoever is not answered by then has found a way to hold a connection.
const PATIENCE: Duration = Duration::from_secs(30);
const NOW_AND_THEN: Duration = Duration::from_millis(50);

pub async fn send(table: &Table, case: &Case, pace: Pace) -> anyhow::Result<Answered> {
    let talk = tokio::time::timeout(PATIENCE, talk(table, case, pace));
    talk.await.context("the connection is held for good")?
}

async fn talk(table: &Table, case: &Case, pace: Pace) -> anyhow::Result<Answered> {
    let (method, path) = table.line_of(case);
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nhost: synthetic\r\nconnection: close\r\n").into_bytes();
    for (name, value) in table.headers_of(case)? {
        head.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
    }
    head.extend(b"transfer-encoding: chunked\r\n\r\n");
    let url = table.deployment.url("intake");
    let address = url.strip_prefix("http://").context("the deployment answers")?;
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(&head).await?;
    if let Some(body) = &case.body {
        connection.write_all(&chunk(&body.bytes(&case.name, &table.names)?)).await?;
    }
    let (mut answers, mut writer) = connection.into_split();
    let mut answer = Vec::new();
    let writing = async {
        match pace {
            Pace::Stalls => {}
            Pace::Trickles => {
                while writer.write_all(&chunk(b" ")).await.is_ok() {
                    tokio::time::sleep(NOW_AND_THEN).await;
                }
            }
            Pace::Floods => {
                let spaces = chunk(&[b' '; 64 * 1024]);
                while writer.write_all(&spaces).await.is_ok() {}
            }
        }
        // Whoever has nothing to say any more listens.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = writing => {}
        // A connection that is broken off behind the answer has answered all the same.
        _ = answers.read_to_end(&mut answer) => {}
    }
    read(&answer)
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn read(answer: &[u8]) -> anyhow::Result<Answered> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").context("there is no answer")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("it has no status")?;
    let body = &answer[end + 4..];
    let body = if header("transfer-encoding").is_some() { unchunked(body) } else { body.to_vec() };
    Ok(Answered {
        status,
        content_type: header("content-type").unwrap_or_default(),
        retry_after: header("retry-after"),
        challenge: header("www-authenticate"),
        body,
    })
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(&String::from_utf8_lossy(&bytes[..end]), 16).unwrap_or_default();
        let Some(chunk) = bytes.get(end + 2..end + 2 + length).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        body.extend(chunk);
        bytes = bytes.get(end + length + 4..).unwrap_or_default();
    }
    body
}
