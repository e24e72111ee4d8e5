//! Files of the pages, in the program itself.

use std::sync::LazyLock;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chassis::http::Path;
use chassis::problem::Problem;
use sha2::{Digest, Sha256};

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

/// The same check that a party makes with a page opened from disk (docs/verify.html).
const VERIFY: &str = include_str!(concat!(env!("OUT_DIR"), "/verify.js"));

const ASSETS: [Asset; 6] = [
    Asset {
        name: "style.css",
        kind: "text/css; charset=utf-8",
        content: include_str!("../../assets/style.css"),
    },
    Asset {
        name: "live.js",
        kind: "text/javascript; charset=utf-8",
        content: include_str!("../../assets/live.js"),
    },
    Asset {
        name: "trail.js",
        kind: "text/javascript; charset=utf-8",
        content: include_str!("../../assets/trail.js"),
    },
    Asset { name: "verify.js", kind: "text/javascript; charset=utf-8", content: VERIFY },
    Asset { name: "icon.svg", kind: "image/svg+xml", content: include_str!("../../assets/icon.svg") },
    Asset { name: "land.svg", kind: "image/svg+xml", content: include_str!("../../assets/land.svg") },
];

static TAGS: LazyLock<[String; ASSETS.len()]> = LazyLock::new(|| {
    ASSETS.map(|asset| format!("\"{}\"", hex::encode(&Sha256::digest(asset.content)[..16])))
});

/// An asset, unless the browser has it already.
pub async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let found = ASSETS.iter().zip(TAGS.iter()).find(|(asset, _)| asset.name == name);
    let (asset, tag) = found.ok_or_else(Problem::not_found)?;
    let told = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
    let has = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    Ok(if has {
        (StatusCode::NOT_MODIFIED, told).into_response()
    } else {
        (told, [(header::CONTENT_TYPE, asset.kind)], asset.content).into_response()
    })
}
