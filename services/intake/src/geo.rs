//! Countries from what a submission holds: addresses, phone numbers, domains.
//!
//! A source that cannot tell countries apart gives them all; one that does not know gives none.

use std::net::IpAddr;
use std::path::Path;

use schemas::ids::Country;

#[derive(Debug, thiserror::Error)]
#[error("failed to open the IP database {path}")]
pub struct GeoError {
    path: String,
    source: maxminddb::MaxMindDbError,
}

/// A MaxMind-format database that the operator names; none leaves signals from addresses out.
pub struct IpCountries {
    database: Option<maxminddb::Reader<Vec<u8>>>,
    name: Option<String>,
}

impl IpCountries {
    pub fn none() -> Self {
        Self { database: None, name: None }
    }

    /// # Errors
    /// When the file is no database.
    pub fn open(path: &Path) -> Result<Self, GeoError> {
        let database = maxminddb::Reader::open_readfile(path)
            .map_err(|source| GeoError { path: path.display().to_string(), source })?;
        let metadata = database.metadata();
        let name = format!("{} {}", metadata.database_type, metadata.build_epoch);
        Ok(Self { database: Some(database), name: Some(name) })
    }

    /// The database's type and build time, as the event states it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub fn country(&self, address: IpAddr) -> Option<Country> {
        let found = self.database.as_ref()?.lookup(address).ok()?;
        // Databases differ in where they put it: MaxMind's own nests, the public-domain ones do not.
        let nested: Option<&str> = found.decode_path(&maxminddb::path!["country", "iso_code"]).ok().flatten();
        let flat = || found.decode_path(&maxminddb::path!["country_code"]).ok().flatten();
        Country::try_new(nested.or_else(flat)?).ok()
    }
}

/// Every country that a phone number's calling code stands for: several for +1 and +7.
pub fn phone_countries(number: &str) -> Vec<Country> {
    let Ok(parsed) = phonenumber::parse(None, number) else { return Vec::new() };
    let regions = phonenumber::metadata::DATABASE.region(&parsed.code().value()).unwrap_or_default();
    let mut countries: Vec<Country> =
        regions.into_iter().filter_map(|region| Country::try_new(region).ok()).collect();
    countries.sort();
    countries.dedup();
    countries
}

/// A phone number in its international form, for comparing.
pub fn canonical_phone(number: &str) -> Option<String> {
    let parsed = phonenumber::parse(None, number).ok()?;
    Some(parsed.format().mode(phonenumber::Mode::E164).to_string())
}

/// The country of a host's country-code domain. Codes that are sold as generic words say nothing.
pub fn domain_country(host: &str) -> Option<Country> {
    const GENERIC: [&str; 16] =
        ["AC", "AI", "CC", "CO", "EU", "FM", "GG", "IO", "LY", "ME", "SH", "SU", "TK", "TO", "TV", "WS"];
    let code = host.trim_end_matches('.').rsplit('.').next()?.to_ascii_uppercase();
    if GENERIC.contains(&code.as_str()) {
        return None;
    }
    // The United Kingdom's domain is the one that is not its ISO 3166 code.
    let code = if code == "UK" { "GB" } else { &code };
    Country::try_new(code).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    fn country(code: &str) -> Country {
        Country::try_new(code).unwrap()
    }

    #[test]
    fn a_calling_code_gives_every_country_it_stands_for() {
        assert_eq!(phone_countries("+49 30 123456"), [country("DE")]);
        assert!(phone_countries("+1 212 555 0123").contains(&country("CA")));
        assert!(phone_countries("+1 212 555 0123").contains(&country("US")));
        assert_eq!(phone_countries("+7 495 123 45 67"), [country("KZ"), country("RU")]);
        assert!(phone_countries("030 123456").is_empty(), "a national number names no country");
    }

    #[test]
    fn a_domain_gives_its_country_unless_it_is_sold_as_a_word() {
        assert_eq!(domain_country("files.example.nl"), Some(country("NL")));
        assert_eq!(domain_country("example.co.uk"), Some(country("GB")));
        for none in ["example.org", "example.io", "example.eu", "", "localhost"] {
            assert_eq!(domain_country(none), None, "{none}");
        }
    }
}
