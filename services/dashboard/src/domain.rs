//! What coordinators' pages show, as a pure fold: nothing of a person, no text, no instant of what has happened.

pub mod frame;
pub mod list;
pub mod overview;

pub use frame::{Frame, Packed};
pub use overview::{Overview, Watch};
