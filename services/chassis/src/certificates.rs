//! When the certificates that a service shows and trusts end.

use std::path::Path;
use std::time::Duration;

use x509_cert::Certificate;

use crate::kafka::Kafka;
use crate::meters;

/// Settings of librdkafka that name a file of certificates.
const SETTINGS: [&str; 2] = ["ssl.certificate.location", "ssl.ca.location"];

/// Measures them as long as the process runs. They are read once, as Kafka's client reads them: files that are replaced
/// under way are of use only after a restart.
pub fn observe(kafka: &Kafka) {
    for setting in SETTINGS {
        let Some(path) = kafka.extra.get(setting) else { continue };
        let ends = ends(Path::new(path)).map_or(0.0, |ends| ends.as_secs_f64());
        let description = "when the first certificate that was read ends, as a Unix time; 0 where none was";
        meters::gauge(
            "causeway.certificate.expiry",
            "s",
            description,
            Some(("setting", setting)),
            move || ends,
        );
    }
}

/// When the first of them ends, since 1970.
fn ends(path: &Path) -> Option<Duration> {
    let pem = std::fs::read(path).ok()?;
    let chain = Certificate::load_pem_chain(&pem).ok()?;
    chain.iter().map(|one| one.tbs_certificate.validity.not_after.to_unix_duration()).min()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    /// Synthetic, self-signed, until 2026-12-31T23:59:59Z and 2031-01-01T00:00:00Z.
    const CHAIN: &str = include_str!("certificates/chain.pem");

    #[test]
    fn the_first_certificate_that_ends_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain.pem");
        std::fs::write(&path, CHAIN).unwrap();
        assert_eq!(ends(&path), Some(Duration::from_secs(1_798_761_599)));
        std::fs::write(&path, "no certificate").unwrap();
        assert_eq!(ends(&path), None);
        assert_eq!(ends(&directory.path().join("none")), None);
    }
}
