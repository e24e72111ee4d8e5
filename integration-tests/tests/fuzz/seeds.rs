//! What inputs begin as: good examples, and the cases of the table of bad input.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use causeway::example::{BATCH, FILE_DETAILS, IMMINENT_DANGER, REPORT};
use integration_tests::bad_input::{Body, Names, SECRET, cases};
use serde_json::json;

/// Of the tokens.
pub const ISSUER: &str = "https://id.example";
/// Larger cases only say that there is a limit.
const MAX_SEED_BYTES: usize = 32 * 1024;

pub struct Corpus {
    pub seeds: Vec<Vec<u8>>,
    /// What means something to the reader, to be put anywhere.
    pub words: &'static [&'static str],
}

impl Corpus {
    fn new(seeds: impl IntoIterator<Item = Vec<u8>>, words: &'static [&'static str]) -> Self {
        let seeds: Vec<Vec<u8>> = seeds.into_iter().filter(|seed| seed.len() <= MAX_SEED_BYTES).collect();
        assert!(!seeds.is_empty(), "there are no seeds");
        Self { seeds, words }
    }
}

/// The bodies of the table that are of a kind.
fn table(of_kind: impl Fn(&Body) -> bool) -> impl Iterator<Item = Vec<u8>> {
    let names = Names::from([("secret", SECRET.to_owned())]);
    let bodies = cases().unwrap().into_iter().filter_map(|case| Some((case.name, case.body?)));
    let made =
        bodies.filter(move |(_, body)| of_kind(body)).map(move |(name, body)| body.bytes(&name, &names));
    made.map(Result::unwrap)
}

pub fn json() -> Corpus {
    let of_kind = |body: &Body| matches!(body, Body::Referral(_) | Body::Json(_) | Body::Text(_));
    let words = &[
        "{",
        "}",
        "[",
        "]",
        "[[[[[[[[[[[[[[[[",
        ",",
        ":",
        "\"",
        "\\",
        "null",
        "-1",
        "1e999",
        "1.5",
        "true",
        "\\u0000",
        "\\ud800",
        "\u{feff}",
        "\u{200b}",
        "\u{ff21}",
        "data:image/png;base64,",
        "\\x89",
        "\"urgency\":\"imminent-danger\",",
        "\"kind\":\"csam\",",
        "\"people\":[{}],",
        "\"items\":[{}],",
        "\"handling\":{},",
        "\"\":\"\",",
        "\"~1/\":0,",
        "SYNTHETIC-SECRET",
    ];
    let examples = [IMMINENT_DANGER, include_str!("../../../services/causeway/example/directory.json")];
    Corpus::new(examples.map(|text| text.as_bytes().to_vec()).into_iter().chain(table(of_kind)), words)
}

pub fn xml() -> Corpus {
    let names = Names::from([("secret", SECRET.to_owned())]);
    let bodies = cases().unwrap().into_iter().filter_map(|case| case.body);
    let forms = bodies.filter_map(|body| if let Body::Form(parts) = body { Some(parts) } else { None });
    let parts = forms.flatten().map(move |part| part.content(&names).unwrap());
    let examples = beside("services/intake/testdata/cybertipline", "xml").into_iter().map(read);
    let words = &[
        "<",
        ">",
        "/>",
        "</",
        "<a>",
        "</a>",
        "<a/>",
        "&",
        "&amp;",
        "&#0;",
        "&#x10ffff;",
        "&#43;",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<?x?>",
        "<!DOCTYPE report [",
        "<!ENTITY a \"&a;\">",
        "]>",
        "\"",
        "'",
        " a=\"\"",
        "xmlns=\"x\"",
        "xmlns:a=\"x\"",
        "a:",
        "xsi:",
        "\u{feff}",
        "\r",
        "é",
        "\u{200b}",
        "<victim><victimPerson/></victim>",
    ];
    Corpus::new(
        [REPORT.as_bytes().to_vec(), FILE_DETAILS.as_bytes().to_vec()]
            .into_iter()
            .chain(examples)
            .chain(parts),
        words,
    )
}

pub fn lines() -> Corpus {
    let words = &["\n", "\r\n", "\r", "\n\n\n\n", " ", "{}", "\u{feff}", "\u{2028}", "\0"];
    let table = table(|body| matches!(body, Body::Lines(_) | Body::Text(_)));
    Corpus::new(std::iter::once(BATCH.as_bytes().to_vec()).chain(table), words)
}

pub fn avro() -> Corpus {
    let golden = beside("schemas/tests/golden", "hex").into_iter().map(|path| {
        let text = String::from_utf8(read(path)).unwrap();
        hex::decode(text.split_whitespace().collect::<String>()).unwrap()
    });
    // Lengths and counts that claim much, or less than nothing.
    let words = &[
        "\0",
        "\u{1}",
        "\u{2}",
        "\u{7f}",
        "\0\0\0\0",
        "\u{7f}\u{7f}\u{7f}",
        "AAAA",
        "\u{ff}\u{ff}\u{ff}\u{7}",
    ];
    let mut seeds: Vec<Vec<u8>> = golden.collect();
    let heads: Vec<Vec<u8>> = seeds.iter().map(|seed| seed[..5].to_vec()).collect();
    for length in [
        "feffff07",
        "8080808002",
        "feffffff0f",
        "feffffffffffffff7f",
        "ffffffffffffffffff01",
        "01",
        "8080808080",
    ] {
        let claims = hex::decode(length).unwrap();
        seeds.extend(heads.iter().map(|head| [head.as_slice(), &claims].concat()));
    }
    Corpus::new(seeds, words)
}

pub fn tokens() -> Corpus {
    let head = json!({ "typ": "JWT", "alg": "EdDSA", "kid": "key" }).to_string();
    let claims = json!({
        "iss": ISSUER, "aud": "causeway", "sub": "agency", "actor": { "id": "desk", "kind": "human" },
        "iat": 1, "nbf": 1, "exp": 4_000_000_000u32,
    });
    let claims = claims.to_string();
    let words = &[
        ".",
        "..",
        "\n",
        "=",
        "eyJ",
        "e30",
        "{",
        "}",
        "[",
        "\"",
        "null",
        "-1",
        "1e999",
        "9223372036854775807",
        "\"exp\":0,",
        "\"nbf\":4000000000,",
        "\"aud\":[\"causeway\"],",
        "\"iss\":[],",
        "\"alg\":\"none\",",
        "\"alg\":\"HS256\",",
        "\"jwk\":{},",
        "\"crit\":[\"b64\"],",
        "\"b64\":false,",
        "\"x5u\":\"https://x.example\",",
    ];
    let token = token_of(&format!("{head}\n{claims}\nsignature"));
    Corpus::new([format!("{head}\n{claims}\nsignature"), claims, token].map(String::into_bytes), words)
}

/// A token of its parts, a line each, the first two encoded.
pub fn token_of(parts: &str) -> String {
    let mut lines = parts.splitn(3, '\n');
    let mut encoded = || URL_SAFE_NO_PAD.encode(lines.next().unwrap_or_default());
    let (head, claims) = (encoded(), encoded());
    format!("{head}.{claims}.{}", URL_SAFE_NO_PAD.encode(lines.next().unwrap_or_default()))
}

fn read(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path).unwrap()
}

/// The files of a directory of the repository with an extension, in their order.
fn beside(directory: &str, extension: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|of| of == extension));
    paths.sort();
    paths
}
