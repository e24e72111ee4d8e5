//! Countries: what they are called, and where on the map their middle lies. Made by `cargo xtask map`.

use std::collections::HashMap;
use std::sync::LazyLock;

use schemas::ids::Country;
use serde::Deserialize;

/// The map's own measure.
pub const WIDTH: u32 = 960;
pub const HEIGHT: u32 = 440;

const COUNTRIES: &str = include_str!("../assets/countries.json");

#[derive(Deserialize)]
pub struct Place {
    country: Country,
    /// By language.
    pub names: HashMap<String, String>,
    /// None of what is too small for the map.
    pub middle: Option<(u32, u32)>,
}

static PLACES: LazyLock<HashMap<Country, Place>> = LazyLock::new(|| {
    let places: Vec<Place> = serde_json::from_str(COUNTRIES).expect("a test reads them");
    places.into_iter().map(|place| (place.country.clone(), place)).collect()
});

pub fn of(country: &Country) -> Option<&'static Place> {
    PLACES.get(country)
}

/// Every country there is.
pub fn countries() -> impl Iterator<Item = &'static Country> {
    PLACES.keys()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_has_its_names_and_the_large_ones_their_place() {
        assert_eq!(PLACES.len(), 249, "as many as ISO 3166-1 has");
        for place in PLACES.values() {
            assert_eq!(place.names.len(), 6, "{}", place.country);
        }
        let france = of(&Country::try_new("FR").expect("it is a country")).expect("it is there");
        assert_eq!(france.names["ar"], "فرنسا");
        let (x, y) = france.middle.expect("it is large enough");
        assert!((440..500).contains(&x) && (80..130).contains(&y), "{x} {y}");
    }
}
