//! One directory entry: how it is proposed, confirmed and changed.

mod validity;
mod widening;

use chassis::decider::{Context, Rejection};
use schemas::codes::{ActorKind, AgencyKind, RejectionCode, VerificationMark};
use schemas::directory::{
    Agency, ChangeConfirmed, ChangeProposed, ChangeWithdrawn, ConfirmChange, DirectoryCommand,
    DirectoryEvent, Entry, EntryChanged, GenesisLoaded, LoadGenesis, ProposeChange, WithdrawChange,
};
use schemas::ids::{AgencyId, Country, ProposalId};
use schemas::legal::Instrument;
use schemas::{Actor, Event};
use serde::{Deserialize, Serialize};

use validity::check;

/// How long a change that takes a second person stands visible before it acts.
pub const VISIBLE_HOURS: i64 = 24;

/// The aggregate under which the first directory is loaded.
pub const GENESIS: &str = "genesis/directory";

/// One entry: whether the genesis was loaded, and the change that waits for a second person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EntryState {
    pub genesis_loaded: bool,
    pub current: Option<Entry>,
    pub pending: Option<Pending>,
    /// Proposals so far: the next one's id follows from it.
    pub proposals: u32,
}

/// A change that waits for a second person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    pub proposal: ChangeProposed,
    pub agency: AgencyId,
    pub actor: Actor,
}

/// # Errors
/// See [`RejectionCode`]; a rejected attempt is on record.
pub fn decide(
    context: &Context<'_>,
    state: &EntryState,
    command: &DirectoryCommand,
) -> Result<Vec<DirectoryEvent>, Rejection> {
    match command {
        DirectoryCommand::LoadGenesis(genesis) => load_genesis(context, state, genesis),
        DirectoryCommand::ProposeChange(change) => propose(context, state, change),
        DirectoryCommand::ConfirmChange(confirmation) => confirm(context, state, confirmation),
        DirectoryCommand::WithdrawChange(withdrawal) => withdraw(context, state, withdrawal),
    }
}

fn load_genesis(
    context: &Context<'_>,
    state: &EntryState,
    genesis: &LoadGenesis,
) -> Result<Vec<DirectoryEvent>, Rejection> {
    // Only the service itself loads it, from the operator's file: nobody has a token before there is a directory.
    if state.genesis_loaded || !context.directory.is_empty() || context.actor.kind != ActorKind::Service {
        return Err(RejectionCode::NotEmpty.into());
    }
    for (number, entry) in genesis.entries.iter().enumerate() {
        check(entry).map_err(|_| Rejection::at(RejectionCode::Invalid, &format!("/entries/{number}")))?;
    }
    Ok(vec![GenesisLoaded { entries: genesis.entries.clone() }.into()])
}

fn propose(
    context: &Context<'_>,
    state: &EntryState,
    change: &ProposeChange,
) -> Result<Vec<DirectoryEvent>, Rejection> {
    context.must_be_human()?;
    let proposer = proposer(context)?;
    must_be_valid(context, state, &change.entry)?;
    let before = newest(context, state);
    let concerned = state_concerned(context, state, &change.entry);
    if !may_propose(proposer, before.as_ref(), &change.entry, concerned) {
        return Err(RejectionCode::NotEntitled.into());
    }
    if state.pending.is_some() {
        return Err(RejectionCode::WrongState.into());
    }
    let widens = widens(context, state, &change.entry)?;
    if widens.is_empty() && may_act_alone(proposer, before.as_ref(), &change.entry) {
        if proposer.kind == AgencyKind::Coordinator {
            return Err(RejectionCode::NotEntitled.into());
        }
        return Ok(vec![EntryChanged { entry: change.entry.clone(), acts_from: context.now }.into()]);
    }
    let by_coordinator = proposer.kind == AgencyKind::Coordinator;
    if !widens.is_empty() && by_coordinator && concerns_coordinators(&change.entry) {
        return Err(RejectionCode::CoordinatorCannotWiden.into());
    }
    if !watches_well(context, state, &change.entry) {
        return Err(Rejection::at(RejectionCode::Invalid, "/entry/agency/scope"));
    }
    let number = (state.proposals + 1).to_be_bytes();
    Ok(vec![
        ChangeProposed {
            proposal_id: ProposalId::derive(&[context.aggregate_id.as_bytes(), &number]),
            entry: change.entry.clone(),
            widens,
            issuer: proposer.issuer.clone(),
            state_concerned: state_concerned(context, state, &change.entry),
        }
        .into(),
    ])
}

fn must_be_valid(context: &Context<'_>, state: &EntryState, entry: &Entry) -> Result<(), Rejection> {
    let invalid = |pointer: &str| Rejection::at(RejectionCode::Invalid, pointer);
    check(entry).map_err(|pointer| invalid(&pointer))?;
    // Only a record written past the front could name another entry than its key.
    if entry.id().is_ok_and(|id| id.as_str() != context.aggregate_id) {
        return Err(invalid("/entry"));
    }
    if moves(context, state, entry) {
        return Err(invalid("/entry/agency/country"));
    }
    Ok(())
}

fn confirm(
    context: &Context<'_>,
    state: &EntryState,
    confirmation: &ConfirmChange,
) -> Result<Vec<DirectoryEvent>, Rejection> {
    context.must_be_human()?;
    let pending = pending(state, confirmation.proposal_id)?;
    let confirmer = proposer(context)?;
    if confirmer.id == pending.agency && context.actor.id == pending.actor.id {
        return Err(RejectionCode::NeedsSecondPerson.into());
    }
    if confirmer.issuer == pending.proposal.issuer {
        return Err(RejectionCode::NeedsOtherIssuer.into());
    }
    // The directory may have moved on since: what is confirmed must be what was shown.
    if widens(context, state, &pending.proposal.entry)? != pending.proposal.widens {
        return Err(RejectionCode::WrongState.into());
    }
    if !may_confirm(confirmer) {
        return Err(RejectionCode::NotEntitled.into());
    }
    let concerned = &pending.proposal.state_concerned;
    if concerned.as_ref().is_some_and(|country| *country != confirmer.country) {
        return Err(RejectionCode::OtherStateConcerned.into());
    }
    let acts_from = context.now.plus_minutes(VISIBLE_HOURS * 60);
    Ok(vec![
        ChangeConfirmed { proposal_id: confirmation.proposal_id, acts_from }.into(),
        EntryChanged { entry: pending.proposal.entry.clone(), acts_from }.into(),
    ])
}

fn withdraw(
    context: &Context<'_>,
    state: &EntryState,
    withdrawal: &WithdrawChange,
) -> Result<Vec<DirectoryEvent>, Rejection> {
    context.must_be_human()?;
    let pending = pending(state, withdrawal.proposal_id)?;
    let withdrawer = proposer(context)?;
    let own = pending.agency == *context.agency;
    let concerned = match &pending.proposal.state_concerned {
        Some(country) => *country == withdrawer.country,
        // A policy concerns every State: whoever may confirm it may take it back too.
        None => may_confirm(withdrawer) && withdrawer.issuer != pending.proposal.issuer,
    };
    if !own && !concerned {
        return Err(RejectionCode::NotEntitled.into());
    }
    Ok(vec![ChangeWithdrawn { proposal_id: withdrawal.proposal_id }.into()])
}

pub fn evolve(state: &mut EntryState, event: &Event<DirectoryEvent>) {
    match &event.body {
        DirectoryEvent::GenesisLoaded(_) => state.genesis_loaded = true,
        DirectoryEvent::ChangeProposed(proposal) => {
            state.proposals += 1;
            let (agency, actor) = (event.agency.clone(), event.actor.clone());
            state.pending = Some(Pending { proposal: proposal.clone(), agency, actor });
        }
        DirectoryEvent::ChangeConfirmed(_) | DirectoryEvent::ChangeWithdrawn(_) => state.pending = None,
        DirectoryEvent::EntryChanged(changed) => state.current = Some(changed.entry.clone()),
        DirectoryEvent::CommandRejected(_) | DirectoryEvent::CommandFailed(_) => {}
    }
}

fn pending(state: &EntryState, proposal: ProposalId) -> Result<&Pending, Rejection> {
    let matches = |pending: &&Pending| pending.proposal.proposal_id == proposal;
    state.pending.as_ref().filter(matches).ok_or(RejectionCode::UnknownProposal.into())
}

fn proposer<'a>(context: &Context<'a>) -> Result<&'a Agency, Rejection> {
    context.directory.agency(context.agency, context.now).ok_or(RejectionCode::UnknownAgency.into())
}

/// An agency its own entry, a central authority its country's, a coordinator any: proposing widens nothing yet.
fn may_propose(proposer: &Agency, before: Option<&Entry>, entry: &Entry, concerned: Option<Country>) -> bool {
    let own_country = |agency: &Agency| {
        proposer.id == agency.id
            || (proposer.kind == AgencyKind::CentralAuthority
                && concerned.as_ref() == Some(&proposer.country))
    };
    match &entry.agency {
        Some(agency) => proposer.kind == AgencyKind::Coordinator || own_country(agency),
        None if entry.instrument.as_ref().is_some_and(is_declared) => {
            proposer.kind == AgencyKind::CentralAuthority && may_act_alone(proposer, before, entry)
        }
        None => matches!(proposer.kind, AgencyKind::Coordinator | AgencyKind::CentralAuthority),
    }
}

fn concerns_coordinators(entry: &Entry) -> bool {
    match (&entry.agency, &entry.policy) {
        (Some(agency), _) => agency.kind == AgencyKind::Coordinator,
        (_, Some(policy)) => policy.rules.iter().any(|rule| rule.agency_kind == AgencyKind::Coordinator),
        _ => false,
    }
}

/// Everything the entry widens beyond what acts now and beyond what was last written: a change that waits for
/// its day is not taken for one that acts.
fn widens(context: &Context<'_>, state: &EntryState, entry: &Entry) -> Result<Vec<String>, Rejection> {
    let taken = |agency: &Agency| context.directory.knows_token_of_another(agency);
    if entry.agency.as_ref().is_some_and(taken) {
        return Err(Rejection::at(RejectionCode::Invalid, "/entry/agency/subject"));
    }
    let mut found = widening::widens(acting(context), entry);
    let newest = newest(context, state);
    found.extend(
        widening::widens(newest.as_ref(), entry)
            .into_iter()
            .filter(|more| !found.contains(more))
            .collect::<Vec<_>>(),
    );
    Ok(found)
}

fn acting<'a>(context: &Context<'a>) -> Option<&'a Entry> {
    let id = schemas::ids::EntryId::try_new(context.aggregate_id).ok()?;
    context.directory.entry(&id, context.now)
}

/// The entry's own last change, or what the genesis said.
fn newest(context: &Context<'_>, state: &EntryState) -> Option<Entry> {
    let id = schemas::ids::EntryId::try_new(context.aggregate_id).ok()?;
    state.current.clone().or_else(|| context.directory.newest(&id).cloned())
}

/// An agency stays in its State. One that is to speak for another State is another agency, and that State's to confirm.
fn moves(context: &Context<'_>, state: &EntryState, entry: &Entry) -> bool {
    let before = newest(context, state).and_then(|entry| entry.agency);
    before.zip(entry.agency.as_ref()).is_some_and(|(before, after)| before.country != after.country)
}

/// The State that a coordinator comes to watch; else the one in which the agency stands.
fn state_concerned(context: &Context<'_>, state: &EntryState, entry: &Entry) -> Option<Country> {
    let after = entry.agency.as_ref()?;
    let before = newest(context, state).and_then(|entry| entry.agency);
    let watched = before.as_ref().and_then(|before| newly_watched(before, after).next().cloned());
    Some(watched.unwrap_or_else(|| after.country.clone()))
}

fn newly_watched<'a>(before: &'a Agency, after: &'a Agency) -> impl Iterator<Item = &'a Country> {
    after.scope.iter().filter(|country| !before.scope.contains(country))
}

/// Each State that comes to be watched confirms it itself: one at a time. Another State than the coordinator's own has
/// a say in that alone, so nothing else changes with it.
fn watches_well(context: &Context<'_>, state: &EntryState, entry: &Entry) -> bool {
    let Some(after) = &entry.agency else { return true };
    let before = newest(context, state).and_then(|entry| entry.agency);
    let known = before.as_ref().map_or(&[][..], |before| &before.scope);
    let unchanged = || {
        before
            .as_ref()
            .is_some_and(|before| *before == Agency { scope: before.scope.clone(), ..after.clone() })
    };
    let mut watched = after.scope.iter().filter(|country| !known.contains(country));
    match (watched.next(), watched.next()) {
        (None, _) => true,
        (Some(_), Some(_)) => false,
        (Some(country), None) => *country == after.country || unchanged(),
    }
}

/// By a policy every State's agencies are offered what is theirs, and by legal data every State's authorities act:
/// nobody changes them alone, not even to less. What a State declares of itself is its own word, and takes the place
/// of nothing else.
fn may_act_alone(proposer: &Agency, before: Option<&Entry>, after: &Entry) -> bool {
    let own_word = |instrument: &Instrument| {
        is_declared(instrument) && instrument.parties.iter().any(|party| party.country == proposer.country)
    };
    match &after.instrument {
        Some(instrument) => {
            own_word(instrument) && before.and_then(|entry| entry.instrument.as_ref()).is_none_or(own_word)
        }
        None => after.agency.is_some(),
    }
}

/// A treaty of two States, or a promise of reciprocity, as an authority of one of them has entered it.
pub fn is_declared(instrument: &Instrument) -> bool {
    instrument.mark == VerificationMark::Declared
}

/// Authorities of a State; whoever only reports or coordinates does not speak for it.
fn may_confirm(confirmer: &Agency) -> bool {
    matches!(
        confirmer.kind,
        AgencyKind::CentralAuthority | AgencyKind::PoliceUnit | AgencyKind::VictimIdentificationUnit
    )
}
