//! The law as data, and what follows from it: which instruments bind two States, and when a period ends.
//!
//! Pure, and without an instrument's name: every row comes from the directory.

pub mod basis;
pub mod calendar;
pub mod period;
