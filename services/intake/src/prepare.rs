//! From a submission to what leaves intake: signals in clear, selectors and digests keyed, people sealed.

use chassis::known::KnownMaterial;
use chassis::seal::{SealError, Submission as Seals};
use chassis::sealing::Sealing;
use schemas::codes::{DigestAlgorithm, FacetKind, ReferralForm, SelectorKind};
use schemas::digest::Secret;
use schemas::directory::Agency;
use schemas::ids::{IncidentId, ItemRef, KeyId, PersonRef, ReferralId};
use schemas::referral::{
    GateVerdict, Handling, Item, KeyedDigest, KeyedSelector, Person, Referral, SealedFacet, Signal,
};
use schemas::sealed_keys::KeySet;
use serde::Serialize;

use crate::domain::Standing;
use crate::facets::{
    ItemLocation, LocationsFacet, NarrativeFacet, PerceptualDigest, PerceptualFacet, PersonFacet, ReportFacet,
};
use crate::geo::{self, IpCountries};
use crate::signals;
use crate::submission::{ContentItem, PersonReport, Submission};

/// The secret and the reference that preparing needs beside sealing; one per process.
pub struct Preparer {
    /// Selectors and file digests are keyed with each of these: two while one takes over from the other.
    pub network: Vec<(KeyId, Secret)>,
    pub addresses: IpCountries,
    /// What is known is matched before anything is sealed.
    pub known: KnownMaterial,
}

/// A referral ready to be published, and the keys that must be durable before it.
pub struct Prepared {
    pub referral: Referral,
    pub key_set: KeySet,
}

/// The ids that follow from the reporter's own reference.
pub fn ids(identity: &Secret, reporter: &Agency, reference: &str) -> (ReferralId, IncidentId) {
    let referral = ReferralId::of_reference(identity, &reporter.id, reference);
    (referral, IncidentId::of_referral(identity, referral))
}

impl Preparer {
    /// # Errors
    /// When sealing fails, which only a broken vault key causes.
    pub fn prepare(
        &self,
        sealing: &Sealing,
        submission: &Submission,
        gate: GateVerdict,
        reporter: &Agency,
        standing: Standing,
    ) -> Result<Prepared, SealError> {
        let now = sealing.clock.now();
        let (referral_id, incident_id) = ids(&sealing.identity, reporter, &submission.reference);
        let mut parts = Parts::new(self, sealing.sealer.begin(incident_id, referral_id), standing);
        for item in &submission.items {
            parts.item(item);
        }
        for (index, person) in submission.people.iter().enumerate() {
            parts.person(index, person, remainder(submission, |rest| rest.person_xml.get(index)))?;
        }
        parts.texts(submission)?;
        parts.signals.extend(submission.provider.as_ref().and_then(signals::of_provider));
        let Parts { items, people, facets, signals, selectors, seals, .. } = parts;
        let referral = Referral {
            referral_id,
            reporter: reporter.id.clone(),
            reporter_country: reporter.country.clone(),
            form: if submission.cybertipline.is_some() {
                ReferralForm::CyberTipline
            } else {
                ReferralForm::Json
            },
            kind: submission.kind,
            urgency: submission.urgency,
            danger_reason: submission.danger_reason,
            week: submission.occurred.as_ref().map(|occurred| occurred.from.iso_week()),
            annotations: submission.annotations.clone(),
            items,
            people,
            facets,
            signals,
            selectors,
            handling: handling(submission),
            gate,
            ip_database: self.addresses.name().map(str::to_owned),
            asks_to_join: submission.asks_to_join,
        };
        Ok(Prepared { referral, key_set: seals.finish(now)? })
    }

    /// The keyed digest under each secret of the network.
    fn keyed(&self, kind: SelectorKind, text: &str) -> Vec<(KeyId, Vec<u8>)> {
        let parts = [kind.code().as_bytes(), text.as_bytes()];
        let keyed =
            |(key_id, secret): &(KeyId, Secret)| (key_id.clone(), secret.mac("selector", &parts).to_vec());
        self.network.iter().map(keyed).collect()
    }
}

/// HMAC over the canonical submission under the identity secret: tells a resend from a conflict.
pub fn digest(identity: &Secret, submission: &Submission) -> Vec<u8> {
    let rest = submission.cybertipline.as_ref().map(canonical_remainder).unwrap_or_default();
    identity.mac("referral-digest", &[&canonical(submission), &rest]).to_vec()
}

/// The same submission is the same bytes, however its JSON was written.
fn canonical(submission: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(submission).expect("a submission is plain data")
}

fn canonical_remainder(rest: &crate::cybertipline::Remainder) -> Vec<u8> {
    canonical(&(&rest.report_xml, &rest.person_xml, &rest.location_xml, &rest.narrative_xml))
}

fn handling(submission: &Submission) -> Handling {
    let terms = &submission.handling;
    Handling {
        tlp: terms.tlp,
        codes: terms.codes.clone(),
        purpose: terms.purpose,
        retain_until: terms.retain_until,
        never_told: terms.never_told.clone(),
        transfers: terms.transfers,
    }
}

fn remainder<T: Clone>(
    submission: &Submission,
    part: impl Fn(&crate::cybertipline::Remainder) -> Option<&T>,
) -> Option<T> {
    submission.cybertipline.as_ref().and_then(part).cloned()
}

/// The parts of one referral while they are gathered.
struct Parts<'a> {
    preparer: &'a Preparer,
    seals: Seals<'a>,
    items: Vec<Item>,
    people: Vec<Person>,
    facets: Vec<SealedFacet>,
    signals: Vec<Signal>,
    selectors: Vec<KeyedSelector>,
    locations: Vec<ItemLocation>,
    perceptual: Vec<PerceptualDigest>,
    standing: Standing,
}

impl<'a> Parts<'a> {
    fn new(preparer: &'a Preparer, seals: Seals<'a>, standing: Standing) -> Self {
        Self {
            preparer,
            seals,
            standing,
            items: Vec::new(),
            people: Vec::new(),
            facets: Vec::new(),
            signals: Vec::new(),
            selectors: Vec::new(),
            locations: Vec::new(),
            perceptual: Vec::new(),
        }
    }

    fn seal(
        &mut self,
        kind: FacetKind,
        person: Option<PersonRef>,
        facet: &impl Serialize,
    ) -> Result<(), SealError> {
        let plain = serde_json::to_vec(facet).expect("a facet is plain data");
        self.facets.push(self.seals.seal(kind, person, &plain)?);
        Ok(())
    }

    fn item(&mut self, item: &ContentItem) {
        let known = self.standing.items.get(self.items.len()).copied();
        let item_ref = known.unwrap_or_else(|| ItemRef::from_bytes(rand::random()));
        let named: Vec<_> = item.digests.iter().map(|one| (one.algorithm, one.value.as_str())).collect();
        let known_as = self.preparer.known.of_file(&named);
        let mut digests = Vec::new();
        for digest in &item.digests {
            let (algorithm, value) = (digest.algorithm, digest.value.to_ascii_lowercase());
            if is_perceptual(algorithm) {
                // Case matters in base64: the value stands sealed as it was sent.
                self.perceptual.push(PerceptualDigest { item_ref, algorithm, value: digest.value.clone() });
                continue;
            }
            let keyed = self.preparer.keyed(SelectorKind::File, &format!("{algorithm}:{value}"));
            digests.extend(keyed.into_iter().map(|(key_id, value)| KeyedDigest { algorithm, key_id, value }));
        }
        let hosting = item.hosting.as_ref();
        if let Some(url) = hosting.and_then(|hosting| hosting.url.as_deref()) {
            self.select(SelectorKind::Url, url, None, Some(item_ref));
        }
        let location = ItemLocation {
            item_ref,
            name: item.name.clone(),
            host: hosting.and_then(|hosting| hosting.host.clone()),
            url: hosting.and_then(|hosting| hosting.url.clone()),
        };
        if location.name.is_some() || location.host.is_some() || location.url.is_some() {
            self.locations.push(location);
        }
        let signal = signals::of_item(item, item_ref);
        self.items.push(Item {
            item_ref,
            media_kind: item.media_kind,
            digests,
            classifications: item.classifications.clone(),
            viewed_by_reporter: item.viewed_by_reporter,
            publicly_available: item.publicly_available,
            hosting_country: signal.as_ref().and_then(|signal| signal.countries.first().cloned()),
            annotations: item.annotations.clone(),
            known: known_as,
        });
        self.signals.extend(signal);
    }

    fn person(&mut self, place: usize, person: &PersonReport, xml: Option<String>) -> Result<(), SealError> {
        let known = self.standing.people.get(place).copied();
        let person_ref = known.unwrap_or_else(|| PersonRef::from_bytes(rand::random()));
        self.seal(FacetKind::Person, Some(person_ref), &PersonFacet { person: person.clone(), place, xml })?;
        let facet_id = self.facets.last().expect("a facet was sealed just above").facet_id;
        let (category, age_band) = (person.category, person.age_band);
        self.people.push(Person { person_ref, category, age_band, facet_id });
        self.signals.extend(signals::of_person(person, person_ref, &self.preparer.addresses));
        self.select_person(person, person_ref);
        Ok(())
    }

    fn select_person(&mut self, person: &PersonReport, person_ref: PersonRef) {
        let who = Some(person_ref);
        for account in &person.accounts {
            let text = format!("{}:{}", account.service.to_lowercase(), account.identifier.to_lowercase());
            self.select(SelectorKind::Account, &text, who, None);
        }
        for email in &person.emails {
            self.select(SelectorKind::Email, &email.to_lowercase(), who, None);
        }
        for phone in &person.phones {
            let phone = geo::canonical_phone(phone).unwrap_or_else(|| phone.clone());
            self.select(SelectorKind::Phone, &phone, who, None);
        }
        for capture in &person.captures {
            self.select(SelectorKind::Ip, &capture.ip.to_string(), who, None);
        }
        for payment in &person.payments {
            self.select(SelectorKind::Payment, &payment.identifier.to_uppercase(), who, None);
        }
    }

    fn select(
        &mut self,
        kind: SelectorKind,
        text: &str,
        person_ref: Option<PersonRef>,
        item_ref: Option<ItemRef>,
    ) {
        let keyed = self.preparer.keyed(kind, text);
        let selector = |(key_id, value)| KeyedSelector { kind, key_id, value, person_ref, item_ref };
        self.selectors.extend(keyed.into_iter().map(selector));
    }

    /// The facets that belong to no person.
    fn texts(&mut self, submission: &Submission) -> Result<(), SealError> {
        let rest = submission.cybertipline.as_ref();
        let narrative_xml = rest.map(|rest| rest.narrative_xml.clone()).unwrap_or_default();
        if submission.narrative.is_some() || !narrative_xml.is_empty() {
            let text = submission.narrative.clone().unwrap_or_default();
            self.seal(FacetKind::Narrative, None, &NarrativeFacet { text, xml: narrative_xml })?;
        }
        let items = std::mem::take(&mut self.locations);
        let xml = rest.map(|rest| rest.location_xml.clone()).unwrap_or_default();
        if !items.is_empty() || !xml.is_empty() {
            self.seal(FacetKind::ContentLocations, None, &LocationsFacet { items, xml })?;
        }
        let items = std::mem::take(&mut self.perceptual);
        if !items.is_empty() {
            self.seal(FacetKind::PerceptualDigests, None, &PerceptualFacet { items })?;
        }
        let report = ReportFacet {
            reference: submission.reference.clone(),
            local_case_number: submission.local_case_number.clone(),
            occurred: submission.occurred.clone(),
            provider: submission.provider.clone(),
            xml: rest.map(|rest| rest.report_xml.clone()),
        };
        self.seal(FacetKind::Report, None, &report)
    }
}

fn is_perceptual(algorithm: DigestAlgorithm) -> bool {
    matches!(algorithm, DigestAlgorithm::Pdq | DigestAlgorithm::PhotoDna | DigestAlgorithm::TmkPdqf)
}
