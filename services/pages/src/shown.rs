//! The code lists whose codes pages show: the build makes sure that each code has its label in every language that is
//! complete, and no page shows a code of another list.

/// Languages in which nothing is missing; English is what a label is made from.
#[allow(dead_code, reason = "the build reads it")]
pub const COMPLETE: [&str; 2] = ["fr", "ar"];

pub const SHOWN: [&str; 67] = [
    "age-band",
    "agency-kind",
    "alert-reason",
    "assessment-kind",
    "assessment-reason",
    "assignment-state",
    "attribution-reason",
    "authorisation",
    "channel",
    "child-news",
    "child-status",
    "clock-kind",
    "close-outcome",
    "cold-reason",
    "condition",
    "confidence",
    "consultation-subject",
    "content-element",
    "custody-route",
    "danger-reason",
    "decline-reason",
    "delay-reason",
    "digest-algorithm",
    "digest-check",
    "due-reason",
    "erasure-reason",
    "escalation-reason",
    "facet-kind",
    "handover-decline-reason",
    "hold-reason",
    "incident-kind",
    "jurisdiction-basis",
    "lead-factor",
    "link-end",
    "link-side",
    "match-verdict",
    "measure",
    "media-kind",
    "needed-by-reason",
    "non-execution-reason",
    "notification-preference",
    "offer-end",
    "paper-form",
    "period-answer",
    "person-category",
    "postponement-ground",
    "preservation-advice",
    "preview-effect",
    "priority-factor",
    "refusal-ground",
    "related-proceedings",
    "remedy",
    "remedy-applicant",
    "request-kind",
    "request-role",
    "request-state",
    "request-step",
    "retraction-reason",
    "revoke-reason",
    "signal-role",
    "signal-source",
    "transfer-basis",
    "translation-state",
    "urgency",
    "validator",
    "withdrawal-reason",
    "withheld-reason",
];

#[allow(dead_code, reason = "the pages ask it")]
pub const fn is_shown(list: &str) -> bool {
    let mut place = 0;
    while place < SHOWN.len() {
        if is_same(SHOWN[place].as_bytes(), list.as_bytes()) {
            return true;
        }
        place += 1;
    }
    false
}

/// As `==`, which no constant can ask for yet.
const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut place = 0;
    while place < one.len() && place < other.len() && one[place] == other[place] {
        place += 1;
    }
    place == one.len() && place == other.len()
}
