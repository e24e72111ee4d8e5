//! The line that no content crosses: what of a text is data in disguise.
//!
//! A text is read as its reader would: without characters that show nothing, and without the escapes of the texts
//! that it stood in. What people write stays: chats, laughter, lists of digests, of addresses and of numbers.

use std::borrow::Cow;

/// Shortest run of base64 or hex that is taken for embedded data: longer than any name, locator part or
/// digest of the known forms, and too short for a picture.
const MIN_EMBEDDED_RUN: usize = 256;
/// Shortest piece that may be one of several into which encoded data is broken; mail breaks at 76.
const MIN_PIECE: usize = 32;
/// Shortest line of other encodings than base64; their tools break at 60 and more.
const MIN_DENSE_LINE: usize = 48;
/// Fewest bytes in one line of a dump; tools write 16.
const MIN_DUMP_BYTES: usize = 8;
/// What stands between `data:` and its comma is shorter.
const MAX_URI_HEAD: usize = 128;
const MEDIA_TYPES: [&str; 7] = ["application/", "audio/", "font/", "image/", "model/", "text/", "video/"];

/// What kind of embedded data a text holds, if any.
pub fn embedded(text: &str) -> Option<&'static str> {
    let text = &plain(text);
    if holds_data_uri(text) {
        return Some("a data: URI");
    }
    let mut runs = text.split(|c: char| !c.is_ascii() || !is_base64(c as u8));
    runs.find_map(encoded)
        .or_else(|| joined_pieces(text).iter().find_map(|run| encoded(run)))
        .or_else(|| is_dump(text).then_some("a dump of bytes"))
        .or_else(|| is_encoded_otherwise(text).then_some("a long run of encoded data"))
}

/// The text without what only hides: characters without width, full-width forms, backslashes of escapes.
fn plain(text: &str) -> Cow<'_, str> {
    let hides = |c: char| c == '\\' || (!c.is_ascii() && unhidden(c) != Some(c));
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\\' {
            let code = rest.as_str().strip_prefix('u').and_then(|code| code.get(..4));
            match code.and_then(|code| u8::from_str_radix(code.strip_prefix("00")?, 16).ok()) {
                Some(byte) => {
                    rest = rest.as_str()[5..].chars();
                    if is_base64(byte) && byte.is_ascii_punctuation() {
                        plain.push(char::from(byte));
                    } else {
                        plain.push_str(&format!(" {byte:02x} "));
                    }
                }
                None if rest.as_str().starts_with('x') => {
                    rest.next();
                    plain.push(' ');
                }
                None => {}
            }
        } else {
            plain.extend(unhidden(c));
        }
    }
    Cow::Owned(plain)
}

fn unhidden(c: char) -> Option<char> {
    match c {
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => None,
        // Full-width forms of ASCII stand at a fixed distance from it.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0),
        _ => Some(c),
    }
}

fn holds_data_uri(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.match_indices("data:").any(|(at, data)| {
        let rest = &lower[at + data.len()..];
        let head =
            rest.bytes().take(MAX_URI_HEAD).position(|byte| byte == b',').and_then(|comma| rest.get(..comma));
        head.is_some_and(|head| head.contains(";base64") || MEDIA_TYPES.iter().any(|of| head.starts_with(of)))
            || rest.starts_with("image/")
            || rest.starts_with("video/")
    })
}

/// Runs that go on from piece to piece, with nothing between but what is written between pieces: the end of a line,
/// quotation marks, commas.
fn joined_pieces(text: &str) -> Vec<String> {
    let mut runs = vec![String::new()];
    let pieces = text.split(|c: char| !c.is_ascii() || !is_base64(c as u8));
    for piece in pieces.filter(|piece| piece.bytes().any(|byte| byte.is_ascii_alphanumeric())) {
        let is_long = piece.len() >= MIN_PIECE;
        match runs.last_mut() {
            // The last piece of encoded data may be short, and ends it.
            Some(run) if !is_digest(piece) && (is_long || !run.is_empty()) => run.push_str(piece),
            _ => {}
        }
        if !is_long || is_digest(piece) {
            runs.push(String::new());
        }
    }
    runs
}

/// A list of digests is no content: MD5, SHA-1, SHA-256 and SHA-512, in hex or in base64.
fn is_digest(piece: &str) -> bool {
    let hex = [32, 40, 64, 128].contains(&piece.len()) && piece.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex || ([24, 28, 44, 88].contains(&piece.len()) && piece.ends_with('='))
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

/// Bytes written one by one: in hex, as tools dump them line by line, or as a list of numbers.
fn is_dump(text: &str) -> bool {
    let mut in_hex = 0;
    let is_in_hex = text.lines().map(dumped_bytes).filter(|bytes| *bytes >= MIN_DUMP_BYTES).any(|bytes| {
        in_hex += bytes;
        in_hex >= MIN_EMBEDDED_RUN
    });
    is_in_hex || holds_list_of_bytes(text)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || ",;%&#[](){}\"'|".contains(c)).filter(|word| !word.is_empty())
}

/// The most bytes that a line holds as hex groups of one length, side by side; counted no further than is enough.
fn dumped_bytes(line: &str) -> usize {
    let mut groups = Groups::default();
    let mut most = 0;
    for word in words(line) {
        groups.take(word.strip_prefix("0x").or_else(|| word.strip_prefix('x')).unwrap_or(word));
        most = most.max(groups.bytes());
        if most >= MIN_EMBEDDED_RUN {
            break;
        }
    }
    most
}

/// Hex groups of one length, side by side: counted as they come, since a line may be as long as a body.
#[derive(Default)]
struct Groups {
    /// Of each group.
    length: usize,
    digits: usize,
    letters: usize,
}

impl Groups {
    fn take(&mut self, word: &str) {
        let is_group = [2, 4, 8].contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_group || word.len() != self.length {
            *self = Self { length: word.len(), ..Self::default() };
        }
        if is_group {
            self.digits += word.len();
            self.letters += word.bytes().filter(u8::is_ascii_alphabetic).count();
        }
    }

    /// Numbers of accounts and cards are written in groups too, and have no letters.
    fn bytes(&self) -> usize {
        let rarest = if self.length == 2 { 16 } else { 5 };
        if self.letters * rarest >= self.digits { self.digits / 2 } else { 0 }
    }
}

fn holds_list_of_bytes(text: &str) -> bool {
    let (mut seen, mut length) = (Seen::NOTHING, 0);
    words(text).any(|word| {
        match word.parse::<u8>() {
            Ok(byte) => {
                seen.take(byte);
                length += 1;
            }
            Err(_) => (seen, length) = (Seen::NOTHING, 0),
        }
        length >= MIN_EMBEDDED_RUN && seen.distinct > 24
    })
}

/// Lines of base85 and the like, which use almost every character there is, and the marks of older tools.
fn is_encoded_otherwise(text: &str) -> bool {
    let (mut seen, mut length) = (Seen::NOTHING, 0);
    let mut marked = false;
    text.lines().map(str::trim).any(|line| {
        let is_uuencoded = marked && line.len() == 61 && line.starts_with('M');
        marked = line.starts_with("begin 6") || line.starts_with("=ybegin ");
        let is_dense = line.len() >= MIN_DENSE_LINE
            && line.bytes().all(|byte| byte.is_ascii_graphic())
            && !line.contains("://");
        if is_dense {
            line.bytes().for_each(|byte| seen.take(byte));
            length += line.len();
        } else {
            (seen, length) = (Seen::NOTHING, 0);
        }
        is_uuencoded || (length >= MIN_EMBEDDED_RUN && seen.distinct > 72)
    })
}

fn distinct(run: &str) -> usize {
    let mut seen = Seen::NOTHING;
    run.bytes().for_each(|byte| seen.take(byte));
    seen.distinct
}

/// Which bytes stood in a run, and how many different ones: kept beside the run, so that nothing is counted twice.
struct Seen {
    bytes: [bool; 256],
    distinct: usize,
}

impl Seen {
    const NOTHING: Self = Self { bytes: [false; 256], distinct: 0 };

    fn take(&mut self, byte: u8) {
        let seen = &mut self.bytes[usize::from(byte)];
        self.distinct += usize::from(!*seen);
        *seen = true;
    }
}

#[cfg(test)]
mod tests {
    use super::embedded;

    /// Bytes that look like anything, as base64 would write them.
    fn base64(length: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..length).map(|at| char::from(ALPHABET[at * 37 % ALPHABET.len()])).collect()
    }

    /// As tools write bytes: 16 to the line.
    fn dump(length: usize, write: impl Fn(u8) -> String) -> String {
        let byte = |at: usize| write((at * 167 % 256) as u8);
        (0..length / 16)
            .map(|line| (0..16).map(|at| byte(line * 16 + at)).collect::<String>() + "\n")
            .collect()
    }

    fn dense(length: usize) -> String {
        (0..length).map(|at| char::from(b'!' + (at * 37 % 85) as u8)).collect()
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
            ("a URI of another kind", "data:application/octet-stream,%00%01".to_owned()),
            ("as strings of a program", format!("\"{}\"", broken(&run, 60, "\" +\n  \""))),
            ("a list in JSON", format!("[\"{}\"]", broken(&run, 64, "\",\""))),
            ("with soft breaks", broken(&run, 75, "=\r\n")),
            ("as a quoted mail", format!("> {}", broken(&run, 76, "\n> "))),
            ("escaped in JSON in JSON", broken(&run, 40, "\\\\\\/")),
            ("escaped by its number", broken(&run, 40, "\\u002b")),
            ("broken by a space without width", broken(&run, 40, "\u{200b}")),
            ("in full width", run.chars().map(|c| char::from_u32(c as u32 + 0xfee0).unwrap_or(c)).collect()),
            ("a dump", dump(512, |byte| format!("{byte:02x} "))),
            ("a dump in pairs", dump(512, |byte| format!("{byte:02x}{byte:02x} "))),
            ("an array in C", dump(512, |byte| format!("0x{byte:02x}, "))),
            ("escaped bytes", dump(512, |byte| format!("\\x{byte:02x}"))),
            ("bytes by their number in JSON", dump(512, |byte| format!("\\u00{byte:02x}"))),
            ("percent-encoded", dump(512, |byte| format!("%{byte:02X}"))),
            ("as numbers", dump(512, |byte| format!("{byte}, "))),
            ("as entities", dump(512, |byte| format!("&#{byte};"))),
            ("base85", broken(&dense(600), 66, "\n")),
            ("uuencoded", format!("begin 644 x\nM{}\n", "!".repeat(60))),
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
            ("account numbers", "DE89 3704 0044 0532 0130 00\n".repeat(100)),
            ("card numbers", "4111 1111 1111 1111\n".repeat(100)),
            ("ids", "0191f0a2-7b1c-8f00-9d7e-3c5a4b2e1f00\n".repeat(100)),
            ("fingerprints", "ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89\n".repeat(30)),
            ("locators", "https://files.example.org/Synthetic/%20Name_(1)?q=~A+b&c=!d\n".repeat(20)),
            ("paths", "C:\\Users\\Synthetic\\Pictures\\2026-11-21\\IMG_0001.JPG\n".repeat(100)),
            ("what is said of data", "its metadata: image/png, 800 by 600".to_owned()),
            ("many marks of data", "data:".repeat(50_000)),
            ("times and ages", "21 04 12 13 14 15 12 9 8 ".repeat(100)),
        ] {
            assert_eq!(embedded(&text), None, "{what}");
        }
    }

    /// As large as a body may be: where work grows faster than the text, this takes minutes.
    const LARGEST_BYTES: usize = 2 * 1024 * 1024;

    #[test]
    fn work_grows_with_the_text_and_no_faster() {
        let dump = Some("a dump of bytes");
        for (part, verdict) in [
            // In one line: groups that are a dump at once, and such as never are one.
            ("ab cd ef ", dump),
            ("12 34 56 ", None),
            // In many lines: too few characters to be encoded data, and too few bytes to be a dump.
            ("ha!ha!ha!ha!ha!ha!ha!ha!ha!ha!ha!ha!ha!ha!ha!ha!\n", None),
            ("ab cd ef 12 \n", None),
        ] {
            let text = part.repeat(LARGEST_BYTES / part.len());
            assert_eq!(embedded(&text), verdict, "{part}");
        }
        let late = "12 34 56 ".repeat(LARGEST_BYTES / 9) + "then " + &"ab ".repeat(256);
        assert_eq!(embedded(&late), dump, "at the end of a line");
    }
}
