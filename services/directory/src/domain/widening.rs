//! What of a change widens reading: whoever could not read something before, and could after it.

use std::collections::BTreeSet;

use schemas::directory::{Agency, AssignmentRule, Entry, Policy};

/// In words that a second person can judge; empty when nothing widens.
pub fn widens(before: Option<&Entry>, after: &Entry) -> Vec<String> {
    let agency =
        after.agency.as_ref().map(|new| agency_widens(before.and_then(|entry| entry.agency.as_ref()), new));
    let policy =
        after.policy.as_ref().map(|new| policy_widens(before.and_then(|entry| entry.policy.as_ref()), new));
    agency.into_iter().chain(policy).flatten().collect()
}

fn agency_widens(before: Option<&Agency>, after: &Agency) -> Vec<String> {
    let Some(before) = before else { return vec![format!("adds the agency {}", after.id)] };
    let mut found = Vec::new();
    let added_keys = after.keys.iter().filter(|key| !before.keys.contains(key));
    found.extend(added_keys.map(|key| format!("adds or replaces the key {}", key.key_id)));
    if added(&before.signing_keys, &after.signing_keys) {
        found.push("lets another key sign for the agency".to_owned());
    }
    if (&before.issuer, &before.subject) != (&after.issuer, &after.subject) {
        found.push("changes whose tokens speak for the agency".to_owned());
    }
    if (before.kind, &before.country) != (after.kind, &after.country) {
        found.push("changes the agency's kind or country".to_owned());
    }
    if before.round_the_clock != after.round_the_clock && after.round_the_clock {
        found.push("makes it a point that is offered every imminent danger".to_owned());
    }
    let wider_kinds = !before.incident_kinds.is_empty()
        && (after.incident_kinds.is_empty() || added(&before.incident_kinds, &after.incident_kinds));
    if wider_kinds {
        found.push("takes more kinds of incident".to_owned());
    }
    if added(&before.scope, &after.scope) {
        found.push("watches more countries".to_owned());
    }
    if added(leads(before), leads(after)) {
        found.push("lets more people read by person who had to view what".to_owned());
    }
    found
}

fn leads(agency: &Agency) -> &[String] {
    agency.wellbeing.as_ref().map_or(&[], |wellbeing| &wellbeing.leads)
}

fn policy_widens(before: Option<&Policy>, after: &Policy) -> Vec<String> {
    let Some(before) = before else { return vec![format!("adds the policy {}", after.name)] };
    let old_rule = |id: &str| before.rules.iter().find(|rule| rule.id == id);
    let wider = after.rules.iter().filter(|rule| old_rule(&rule.id).is_none_or(|old| rule_widens(old, rule)));
    let mut found: Vec<String> =
        wider.map(|rule| format!("rule {} gives more than before", rule.id)).collect();
    let new_transfers = after.transfers.iter().filter(|transfer| !before.transfers.contains(transfer));
    found.extend(new_transfers.map(|transfer| format!("transfer rule {} is new or changed", transfer.id)));
    found
}

fn rule_widens(old: &AssignmentRule, new: &AssignmentRule) -> bool {
    let same_target = old.agency_kind == new.agency_kind
        && old.roles == new.roles
        && old.kinds == new.kinds
        && old.urgencies == new.urgencies;
    !same_target || added(&old.facets, &new.facets) || added(&old.persons, &new.persons)
}

fn added<T: Ord>(before: &[T], after: &[T]) -> bool {
    let before: BTreeSet<&T> = before.iter().collect();
    after.iter().any(|item| !before.contains(item))
}
