//! Who may see how much of which event of an incident.

pub mod audience;
pub mod readers;
pub mod trail;
