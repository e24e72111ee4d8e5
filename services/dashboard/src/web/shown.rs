//! The code lists whose codes pages show: the build makes sure that each code has its label in every language that is
//! complete, and no page shows a code of another list.

/// Languages in which nothing is missing; English is what a label is made from.
#[allow(dead_code, reason = "the build reads it")]
pub const COMPLETE: [&str; 2] = ["fr", "ar"];

pub const SHOWN: [&str; 18] = [
    "alert-reason",
    "assignment-state",
    "authorisation",
    "child-status",
    "confidence",
    "escalation-reason",
    "incident-kind",
    "jurisdiction-basis",
    "lead-factor",
    "request-kind",
    "request-state",
    "retraction-reason",
    "revoke-reason",
    "signal-role",
    "signal-source",
    "transfer-basis",
    "urgency",
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
