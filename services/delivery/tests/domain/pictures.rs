//! Pictures that look like known ones: who sees a match, who judges it, and when nobody has to look again.

use chassis::decider::Rejection;
use schemas::codes::{FacetKind, MatchVerdict, RejectionCode};
use schemas::delivery::{ComparePictures, DeliveryEvent, JudgeMatch, PictureMatch};
use schemas::ids::{FacetId, ItemRef, PictureMatchId, SetEntryId, SetName};
use schemas::routing::{AssignmentAccepted, Entitlement, FacetRef, IncidentOpened};

use crate::world::*;

fn pictures() -> FacetId {
    facet("pictures")
}

fn found() -> PictureMatch {
    let (item_ref, entry_id) = (ItemRef::derive(&[b"item"]), SetEntryId::derive(&[b"entry"]));
    PictureMatch {
        match_id: PictureMatchId::of_item(item_ref, entry_id),
        item_ref,
        entry_id,
        set: SetName::try_new("confirmed").unwrap(),
        by: agency("nl-hotline"),
        classification: None,
        distance: 12,
    }
}

/// German police may open the digests of the pictures, French police may not; both have accepted.
fn compared() -> History {
    let sealed =
        FacetRef { facet_id: pictures(), kind: FacetKind::PerceptualDigests, ..facets(0)[0].clone() };
    let facets = facets(0).into_iter().chain([FacetRef { person_ref: None, ..sealed }]).collect();
    let mut history = History::new();
    history.take(&hears(IncidentOpened { facets, ..opened() })).unwrap();
    let with_pictures = Entitlement {
        facet_kinds: vec![FacetKind::Narrative, FacetKind::PerceptualDigests],
        ..entitlement()
    };
    for (id, to, entitlement) in [("de-police", "DE", with_pictures), ("fr-police", "FR", entitlement())] {
        history.take(&hears(offer(id, to, entitlement))).unwrap();
        history.take(&hears(AssignmentAccepted { assignment_id: assignment(id) })).unwrap();
    }
    let compare = ComparePictures { facet_id: pictures(), matches: vec![found()] };
    assert_eq!(history.take(&asks("causeway", "compare", compare.clone())).unwrap().len(), 1);
    assert_eq!(history.take(&asks("causeway", "again", compare)), Ok(Vec::new()), "once for each sealing");
    history
}

fn judges(history: &mut History, by: &str, verdict: MatchVerdict) -> Result<Vec<DeliveryEvent>, Rejection> {
    history.take(&asks(by, "verdict", JudgeMatch { match_id: found().match_id, verdict }))
}

fn closes(history: &History) -> bool {
    history.state.pictures.matches[&found().match_id].closes()
}

#[test]
fn a_match_is_for_whoever_may_open_the_digests_and_closes_once_a_person_confirms_it() {
    let mut history = compared();
    let sees = |history: &History, id| {
        history.state.matches_for(&agency(id), &history.directory, now()).is_some_and(|all| all.len() == 1)
    };
    assert!(sees(&history, "de-police") && !sees(&history, "fr-police") && !sees(&history, "un-coordinator"));
    assert!(!closes(&history), "a machine's match closes nothing");
    let unknown = Err(RejectionCode::UnknownMatch.into());
    assert_eq!(judges(&mut history, "fr-police", MatchVerdict::Confirmed), unknown);
    judges(&mut history, "de-police", MatchVerdict::Confirmed).unwrap();
    assert!(closes(&history));
    let unchanged = Err(RejectionCode::Unchanged.into());
    assert_eq!(judges(&mut history, "de-police", MatchVerdict::Confirmed), unchanged);
    judges(&mut history, "de-police", MatchVerdict::Disputed).unwrap();
    assert!(!closes(&history));
}

#[test]
fn only_delivery_itself_says_what_pictures_look_like() {
    let mut history = compared();
    let compare = ComparePictures { facet_id: pictures(), matches: Vec::new() };
    let refused = history.take(&asks("de-police", "forged", compare));
    assert_eq!(refused, Err(RejectionCode::NotEntitled.into()));
    // Digests that an amendment has replaced are compared no more.
    let old = ComparePictures { facet_id: facet("another"), matches: vec![found()] };
    assert_eq!(history.take(&asks("causeway", "old", old)), Ok(Vec::new()));
}
