//! What stands in this process's memory stays there: plaintext and keys pass through it.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Neither a crash nor a debugger of another user writes this process's memory out.
///
/// # Errors
/// When the system refuses.
pub fn switch_core_dumps_off() -> std::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
