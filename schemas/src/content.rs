//! The line that no content crosses: what of a text is data in disguise.

/// Shortest run of base64 or hex that is taken for embedded data: longer than any name, locator part or
/// digest of the known forms, and too short for a picture.
const MIN_EMBEDDED_RUN: usize = 256;

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
    let runs = text.split(|c: char| !c.is_ascii() || !is_base64(c as u8));
    runs.filter(|run| run.len() >= MIN_EMBEDDED_RUN).find_map(|run| {
        if run.bytes().all(|byte| byte.is_ascii_hexdigit()) && distinct(run) > 4 {
            return Some("a long run of hex");
        }
        // Laughter and lines of dashes are long too, but of few characters; encoded data is of many.
        (distinct(run) > 24).then_some("a long run of base64")
    })
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
