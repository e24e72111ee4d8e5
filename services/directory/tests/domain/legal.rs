//! Legal data: what a State declares of itself is its central authority's word, all other rows take two persons.

use directory::legal;
use schemas::codes::*;
use schemas::directory::{ChangeProposed, Entry, EntryChanged, GenesisLoaded, LoadGenesis};
use schemas::ids::EntryId;
use schemas::legal::{Calendar, Instrument};

use crate::world::*;

type Change<T> = fn(&mut T);

fn of_instrument(instrument: Instrument) -> Entry {
    Entry { instrument: Some(instrument), ..Entry::default() }
}

fn of_calendar(calendar: Calendar) -> Entry {
    Entry { calendar: Some(calendar), ..Entry::default() }
}

fn shipped(id: &str) -> Entry {
    let id = EntryId::try_new(id).unwrap();
    legal::shipped().into_iter().find(|entry| entry.id().unwrap() == id).unwrap()
}

fn budapest(change: impl FnOnce(&mut Instrument)) -> Entry {
    let mut instrument = shipped("instrument/budapest").instrument.unwrap();
    change(&mut instrument);
    of_instrument(instrument)
}

/// What an authority enters of its own State and one other.
fn declared(id: &str, countries: [&str; 2]) -> Instrument {
    let mut instrument = shipped("instrument/budapest").instrument.unwrap();
    instrument.id = id.parse().unwrap();
    instrument.kind = InstrumentKind::Reciprocity;
    instrument.mark = VerificationMark::Declared;
    instrument.parties.retain(|party| countries.contains(&party.country.as_str()));
    assert_eq!(instrument.parties.len(), 2);
    instrument
}

fn acts_at_once(entry: &Entry) -> Decision {
    Ok(vec![EntryChanged { entry: entry.clone(), acts_from: now() }.into()])
}

fn waits(entry: &Entry, number: u32, issuer: &str) -> Decision {
    let proposed = ChangeProposed {
        proposal_id: proposal(entry.id().unwrap().as_str(), number),
        entry: entry.clone(),
        widens: Vec::new(),
        issuer: format!("https://id.{issuer}.example"),
        state_concerned: None,
    };
    Ok(vec![proposed.into()])
}

#[test]
fn what_is_shipped_is_a_first_directory() {
    let loads = asks("causeway", directory::domain::GENESIS, LoadGenesis { entries: legal::shipped() })
        .with_kind(ActorKind::Service);
    let then = Ok(vec![GenesisLoaded { entries: legal::shipped() }.into()]);
    assert_eq!(History::default().take(&loads), then);
}

#[test]
fn a_central_authority_declares_for_its_own_state_alone() {
    let entry = of_instrument(declared("reciprocity-ch-fr", ["CH", "FR"]));
    check("one of the two", &[], &proposes("fr-central", &entry), &acts_at_once(&entry));
    check("the other", &[], &proposes("ch-central", &entry), &acts_at_once(&entry));
    let not_entitled = refuses(RejectionCode::NotEntitled);
    for by in ["de-central", "fr-police", "un-coordinator"] {
        check(by, &[], &proposes(by, &entry), &not_entitled);
    }
    let machine = proposes("fr-central", &entry).with_kind(ActorKind::Machine);
    check("a machine", &[], &machine, &refuses(RejectionCode::NeedsAPerson));
    let given = [proposes("fr-central", &entry)];
    let later = of_instrument(Instrument { version: 2, ..declared("reciprocity-ch-fr", ["CH", "FR"]) });
    check("changed by the other", &given, &proposes("ch-central", &later), &acts_at_once(&later));
}

#[test]
fn a_declaration_takes_the_place_of_nothing_else() {
    let not_entitled = refuses(RejectionCode::NotEntitled);
    let mut seized = declared("reciprocity-ch-fr", ["CH", "FR"]);
    seized.id = "budapest".parse().unwrap();
    let given = [proposes("fr-central", &budapest(|_| {})), confirms("de-police", "instrument/budapest", 1)];
    let entry = of_instrument(seized);
    check("a treaty of many", &given, &proposes("fr-central", &entry), &not_entitled);
    let of_others = of_instrument(declared("reciprocity", ["CH", "DE"]));
    let given = [proposes("de-central", &of_others)];
    let taken_over = of_instrument(declared("reciprocity", ["CH", "FR"]));
    check("what two others declared", &given, &proposes("fr-central", &taken_over), &not_entitled);
    check("by who is in both", &given, &proposes("ch-central", &taken_over), &acts_at_once(&taken_over));
}

#[test]
fn all_other_legal_data_waits_for_a_second_person_of_another_issuer() {
    let fewer = budapest(|instrument| instrument.parties.clear());
    check("less", &[], &proposes("de-central", &fewer), &waits(&fewer, 1, "national"));
    check("by a coordinator", &[], &proposes("un-coordinator", &fewer), &waits(&fewer, 1, "un"));
    check("by police", &[], &proposes("de-police", &fewer), &refuses(RejectionCode::NotEntitled));
    let calendar = shipped("calendar/de");
    check("a calendar", &[], &proposes("de-central", &calendar), &waits(&calendar, 1, "national"));
    let given = [proposes("de-central", &fewer)];
    let same_issuer = confirms("fr-central", "instrument/budapest", 1);
    check("the same issuer", &given, &same_issuer, &refuses(RejectionCode::NeedsOtherIssuer));
    let given = [given, [confirms("fr-police", "instrument/budapest", 1)]].concat();
    let again = budapest(|instrument| instrument.version += 1);
    check("the next", &given, &proposes("de-central", &again), &waits(&again, 2, "national"));
    // A State's own word, once it is to be more than that, takes two as well.
    let own = declared("reciprocity-ch-fr", ["CH", "FR"]);
    let given = [proposes("fr-central", &of_instrument(own.clone()))];
    let read = of_instrument(Instrument { mark: VerificationMark::Read, ..own });
    check("no longer a word alone", &given, &proposes("fr-central", &read), &waits(&read, 1, "national"));
}

#[test]
fn the_field_at_fault_is_named() {
    let instruments: [(&str, Change<Instrument>); 7] = [
        ("version", |instrument| instrument.version = 0),
        ("parties/1/country", |instrument| instrument.parties[1] = instrument.parties[0].clone()),
        ("clocks/0/number", |instrument| instrument.clocks[0].number = Some(0)),
        ("clocks/0/number", |instrument| instrument.clocks[0].unit = None),
        ("clocks/0/warn_hours", |instrument| instrument.clocks[0].warn_hours = vec![1, 2]),
        ("parties", |instrument| instrument.kind = InstrumentKind::Agreement),
        ("kind", |instrument| instrument.mark = VerificationMark::Declared),
    ];
    for (field, change) in instruments {
        let entry = budapest(change);
        let then = refuses_at(RejectionCode::Invalid, &format!("/entry/instrument/{field}"));
        check(field, &[], &proposes("de-central", &entry), &then);
    }
    let calendars: [(&str, Change<Calendar>); 5] = [
        ("time_zone", |calendar| calendar.time_zone = "Nowhere".to_owned()),
        ("weekend", |calendar| calendar.weekend = (1..=7).collect()),
        ("weekend", |calendar| calendar.weekend = vec![0]),
        ("last_year", |calendar| calendar.last_year = calendar.first_year - 1),
        ("holidays", |calendar| calendar.holidays.reverse()),
    ];
    for (field, change) in calendars {
        let mut calendar = shipped("calendar/de").calendar.unwrap();
        change(&mut calendar);
        let then = refuses_at(RejectionCode::Invalid, &format!("/entry/calendar/{field}"));
        check(field, &[], &proposes("de-central", &of_calendar(calendar)), &then);
    }
}
