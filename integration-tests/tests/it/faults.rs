//! A short run of faults with a fixed seed; `cargo xtask faults` makes the long one.

use std::process::Command;

use integration_tests::faults::{Options, run};
use integration_tests::{FAULTS_LANE, brokers, kafka_data, lane, program};

use crate::outside::{named, script};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_leaked_while_processes_are_killed() {
    let options = Options {
        referrals: 600,
        kills: 10,
        seed: 2022,
        brokers: brokers().unwrap(),
        broker_nodes: None,
        kafka_data: kafka_data().ok(),
        lane: lane(FAULTS_LANE).unwrap(),
        replication: 1,
        program: program().unwrap(),
        before: None,
        python: named("CAUSEWAY_TEST_PYTHON").into(),
    };
    let outcome = run(&options).await.unwrap();
    assert_eq!((outcome.lost, outcome.doubled, outcome.leaked), (0, 0, 0), "{outcome}");
}

#[test]
fn the_verifier_finds_every_fault_that_is_planted() {
    let verifier =
        Command::new(named("CAUSEWAY_TEST_PYTHON")).arg(script("verify.py")).arg("--self-test").output();
    let said = verifier.unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}
