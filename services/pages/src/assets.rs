//! Files of the pages, in the program itself.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chassis::problem::Problem;
use sha2::{Digest, Sha256};

pub struct Asset {
    pub name: &'static str,
    pub kind: &'static str,
    pub content: &'static str,
}

impl Asset {
    pub const fn script(name: &'static str, content: &'static str) -> Self {
        Self { name, kind: "text/javascript; charset=utf-8", content }
    }

    pub const fn picture(name: &'static str, content: &'static str) -> Self {
        Self { name, kind: "image/svg+xml", content }
    }
}

/// The outlines of the map; `atlas` knows its measure.
pub const LAND: Asset = Asset::picture("land.svg", include_str!("../assets/land.svg"));

const SHARED: [Asset; 3] = [
    Asset {
        name: "style.css",
        kind: "text/css; charset=utf-8",
        content: include_str!("../assets/style.css"),
    },
    Asset::script("live.js", include_str!("../assets/live.js")),
    Asset::picture("icon.svg", include_str!("../assets/icon.svg")),
];

/// Assets with their tags.
pub struct Shelf(Vec<(Asset, String)>);

impl Shelf {
    /// What all pages share, and some of one's own.
    pub fn with(own: impl IntoIterator<Item = Asset>) -> Self {
        let tagged = |asset: Asset| {
            let tag = format!("\"{}\"", hex::encode(&Sha256::digest(asset.content)[..16]));
            (asset, tag)
        };
        Self(SHARED.into_iter().chain(own).map(tagged).collect())
    }

    /// An asset, unless the browser has it already.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn give(&self, name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
        let found = self.0.iter().find(|(asset, _)| asset.name == name);
        let (asset, tag) = found.ok_or_else(Problem::not_found)?;
        let told = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
        let has = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
        Ok(if has {
            (StatusCode::NOT_MODIFIED, told).into_response()
        } else {
            (told, [(header::CONTENT_TYPE, asset.kind)], asset.content).into_response()
        })
    }
}
