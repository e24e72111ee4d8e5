//! Causeway as one program: any one service, or all of them in one process; the client; and the example.

pub mod asyncapi;
pub mod development;
pub mod example;
pub mod openapi;
pub mod serve;
