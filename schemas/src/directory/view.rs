//! The directory as of a position: what every service knows of agencies and policies.
//!
//! A pure fold over `directory.events`. A change acts from a stated moment, so a question names its moment.

use std::collections::BTreeMap;

use super::{Agency, AgencyKey, DirectoryEvent, Entry, Policy};
use crate::codes::AgencyKind;
use crate::ids::{AgencyId, Country, EntryId, InstrumentId, KeyId};
use crate::legal::{Calendar, Instrument};
use crate::time::Timestamp;

/// All entries, each with every version that acts now or will.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Directory {
    entries: BTreeMap<EntryId, Vec<Version>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Version {
    acts_from: Timestamp,
    entry: Entry,
}

impl Directory {
    /// Takes one event in. Events that change no entry leave the view as it is.
    pub fn evolve(&mut self, event: &DirectoryEvent, time: Timestamp) {
        match event {
            DirectoryEvent::GenesisLoaded(genesis) => {
                for entry in &genesis.entries {
                    self.put(entry, time);
                }
            }
            DirectoryEvent::EntryChanged(changed) => self.put(&changed.entry, changed.acts_from),
            _ => {}
        }
    }

    fn put(&mut self, entry: &Entry, acts_from: Timestamp) {
        let Ok(id) = entry.id() else { return };
        self.entries.entry(id).or_default().push(Version { acts_from, entry: entry.clone() });
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry as it acts at the moment: the last version whose time has come.
    pub fn entry(&self, id: &EntryId, at: Timestamp) -> Option<&Entry> {
        acting(self.entries.get(id)?, at)
    }

    /// The entry as it was last written, whether it acts yet or not.
    pub fn newest(&self, id: &EntryId) -> Option<&Entry> {
        self.entries.get(id)?.last().map(|version| &version.entry)
    }

    pub fn agency(&self, id: &AgencyId, at: Timestamp) -> Option<&Agency> {
        self.entry(&EntryId::try_new(&format!("agency/{id}")).ok()?, at)?.agency.as_ref()
    }

    /// Every agency that acts at the moment, by id.
    pub fn agencies(&self, at: Timestamp) -> impl Iterator<Item = &Agency> {
        self.entries.values().filter_map(move |versions| acting(versions, at)?.agency.as_ref())
    }

    /// The agency whose tokens come from this issuer with this subject.
    pub fn agency_of_token(&self, issuer: &str, subject: &str, at: Timestamp) -> Option<&Agency> {
        self.agencies(at).find(|agency| agency.issuer == issuer && agency.subject == subject)
    }

    /// Whether another agency is known, now or later, by the same issuer and subject.
    pub fn knows_token_of_another(&self, agency: &Agency) -> bool {
        let versions = self.entries.values().flatten().filter_map(|version| version.entry.agency.as_ref());
        let same = |known: &Agency| (&known.issuer, &known.subject) == (&agency.issuer, &agency.subject);
        versions.into_iter().any(|known| known.id != agency.id && same(known))
    }

    /// How each agency stood from when on, as it acted: what never came to act is left out.
    pub fn histories(&self) -> impl Iterator<Item = (AgencyId, Vec<(Timestamp, &Agency)>)> {
        self.entries.values().filter_map(|versions| {
            let id = versions.iter().find_map(|version| Some(version.entry.agency.as_ref()?.id.clone()))?;
            let mut moments: Vec<Timestamp> = versions.iter().map(|version| version.acts_from).collect();
            moments.sort_unstable();
            moments.dedup();
            let acted = |at: Timestamp| Some((at, acting(versions, at)?.agency.as_ref()?));
            Some((id, moments.into_iter().filter_map(acted).collect()))
        })
    }

    pub fn agencies_in<'a>(
        &'a self,
        country: &'a Country,
        kind: AgencyKind,
        at: Timestamp,
    ) -> impl Iterator<Item = &'a Agency> {
        self.agencies(at).filter(move |agency| agency.country == *country && agency.kind == kind)
    }

    pub fn key(&self, agency: &AgencyId, key: &KeyId, at: Timestamp) -> Option<&AgencyKey> {
        self.agency(agency, at)?.keys.iter().find(|candidate| candidate.key_id == *key)
    }

    pub fn policy(&self, name: &str, at: Timestamp) -> Option<&Policy> {
        self.entry(&EntryId::try_new(&format!("policy/{name}")).ok()?, at)?.policy.as_ref()
    }

    pub fn instrument(&self, id: &InstrumentId, at: Timestamp) -> Option<&Instrument> {
        self.entry(&EntryId::try_new(&format!("instrument/{id}")).ok()?, at)?.instrument.as_ref()
    }

    /// Every instrument as its data stood at the moment, by id.
    pub fn instruments(&self, at: Timestamp) -> impl Iterator<Item = &Instrument> {
        self.entries.values().filter_map(move |versions| acting(versions, at)?.instrument.as_ref())
    }

    pub fn calendar(&self, country: &Country, at: Timestamp) -> Option<&Calendar> {
        let name = country.as_str().to_ascii_lowercase();
        self.entry(&EntryId::try_new(&format!("calendar/{name}")).ok()?, at)?.calendar.as_ref()
    }

    /// Every country an agency stands in, now or later: each has a topic of notices.
    pub fn countries(&self) -> std::collections::BTreeSet<Country> {
        self.entries
            .values()
            .flatten()
            .filter_map(|version| version.entry.agency.as_ref())
            .map(|agency| agency.country.clone())
            .collect()
    }

    pub fn entries(&self, at: Timestamp) -> impl Iterator<Item = (&EntryId, &Entry)> {
        self.entries.iter().filter_map(move |(id, versions)| acting(versions, at).map(|entry| (id, entry)))
    }
}

fn acting(versions: &[Version], at: Timestamp) -> Option<&Entry> {
    versions.iter().rev().find(|version| version.acts_from <= at).map(|version| &version.entry)
}
