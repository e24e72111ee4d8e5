//! The line that no content crosses: what of a text is data in disguise.

/// Shortest run of base64 or hex that is taken for embedded data: longer than any name, locator part or
/// digest of the known forms, and too short for a picture.
const MIN_EMBEDDED_RUN: usize = 256;
/// Shortest line that may be one of several over which encoded data is broken; mail breaks at 76.
const MIN_BROKEN_LINE: usize = 32;

/// What kind of embedded data a text holds, if any.
pub fn embedded(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    let data_uri = lower.match_indices("data:").any(|(at, _)| {
        let rest = &lower[at + 5..];
        rest.find(',').is_some_and(|comma| comma < 128 && rest[..comma].contains(";base64"))
            || rest.starts_with("image/")
            || rest.starts_with("video/")
    });
    if data_uri {
        return Some("a data: URI");
    }
    let mut runs = text.split(|c: char| !c.is_ascii() || !is_base64(c as u8));
    runs.find_map(encoded).or_else(|| broken_over_lines(text).iter().find_map(|run| encoded(run)))
}

/// Runs that go on from line to line, each line nothing else.
fn broken_over_lines(text: &str) -> Vec<String> {
    let mut runs = vec![String::new()];
    for line in text.lines().map(str::trim) {
        let whole = line.bytes().all(is_base64);
        // The last line of encoded data may be short.
        match runs.last_mut() {
            Some(run) if whole && !is_digest(line) && (line.len() >= MIN_BROKEN_LINE || !run.is_empty()) => {
                run.push_str(line);
            }
            _ => runs.push(String::new()),
        }
        // Padding stands at the end of what was encoded.
        if line.ends_with('=') {
            runs.push(String::new());
        }
    }
    runs
}

/// A list of digests in hex, one a line, is no content: MD5, SHA-1, SHA-256, SHA-512.
fn is_digest(line: &str) -> bool {
    [32, 40, 64, 128].contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn encoded(run: &str) -> Option<&'static str> {
    if run.len() < MIN_EMBEDDED_RUN {
        return None;
    }
    if run.bytes().all(|byte| byte.is_ascii_hexdigit()) && distinct(run) > 4 {
        return Some("a long run of hex");
    }
    // Laughter and lines of dashes are long too, but of few characters; encoded data is of many.
    (distinct(run) > 24).then_some("a long run of base64")
}

/// Whether the byte may stand in base64, of either alphabet.
pub fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

fn distinct(run: &str) -> usize {
    let mut seen = [false; 256];
    run.bytes().for_each(|byte| seen[usize::from(byte)] = true);
    seen.iter().filter(|seen| **seen).count()
}

#[cfg(test)]
mod tests {
    use super::embedded;

    /// Bytes that look like anything, as base64 would write them.
    fn base64(length: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..length).map(|at| char::from(ALPHABET[at * 37 % ALPHABET.len()])).collect()
    }

    fn broken(text: &str, width: usize, end: &str) -> String {
        let lines: Vec<&str> =
            text.as_bytes().chunks(width).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        lines.join(end)
    }

    #[test]
    fn data_in_every_disguise_is_found() {
        let run = base64(600);
        let hex: String = (0..600).map(|at| char::from(b"0123456789abcdef"[at * 7 % 16])).collect();
        for (what, text) in [
            ("a URI", "see data:image/png;base64,iVBORw0KGgo".to_owned()),
            ("a URI in capitals", "DATA:IMAGE/PNG;BASE64,iVBOR".to_owned()),
            ("a run", format!("before {run} after")),
            ("hex", format!("x {hex} y")),
            ("as mail breaks it", format!("Attachment:\n\n{}\n", broken(&run, 76, "\r\n"))),
            ("broken at 64", broken(&run, 64, "\n")),
            ("indented", broken(&run, 64, "\n    ")),
            ("hex in lines", broken(&hex, 76, "\n")),
        ] {
            assert!(embedded(&text).is_some(), "{what}");
        }
    }

    #[test]
    fn what_people_write_is_let_through() {
        let chat: String = (0..400)
            .map(|line| format!("[21:{:02}] user{line}: haha where are you now\n", line % 60))
            .collect();
        let digests: String = (0..7).map(|_| base64(64) + " sha-256\n").collect();
        for (what, text) in [
            ("a long chat", chat),
            ("laughter", "ha".repeat(400)),
            ("a rule", "-".repeat(400)),
            ("rules in lines", format!("{}\n", "=".repeat(70)).repeat(10)),
            ("digests with their names", digests),
            ("one digest", base64(128)),
            ("digests alone", (0..8).map(|_| "0123456789abcdef".repeat(4) + "\n").collect()),
            ("digests in base64", (0..8).map(|_| base64(43) + "=\n").collect()),
            ("words in lines", "word\n".repeat(200)),
        ] {
            assert_eq!(embedded(&text), None, "{what}");
        }
    }
}
