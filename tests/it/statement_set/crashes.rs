//! A statement set that is killed at any step of a batch.

use datafusion_kinesis::query::Step;

use super::*;
use crate::streaming::Freeze;

/// Runs a set until it is killed at the step, and returns how many numbers were put before.
async fn killed_at(world: &World, place: &str, step: Step) {
    let freeze = Freeze::at(step, 1);
    let query = set(world, THREE, place).with_step_hook(freeze.hook.clone());
    let running = async {
        let _query = query.start().await.unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = running => {}
        () = freeze.reached() => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_set_runs_its_batch_again_as_a_whole() {
    let steps = [
        Step::Planned,
        Step::OffsetsLogged,
        Step::Running,
        Step::Ran,
        Step::StateSaved,
        Step::CommitLogged,
        Step::ProgressPublished,
    ];
    for step in steps {
        let world = world(2).await;
        let folder = crate::support::folder(&format!("statement-set-{step:?}"));
        let place = folder.to_str().unwrap();
        for kill in 0..3_u64 {
            for number in kill * 20..kill * 20 + 20 {
                world
                    .put("words", &number.to_string(), number.to_string())
                    .await;
            }
            killed_at(&world, place, step).await;
        }
        run(set(&world, THREE, place)).await;
        let mut copied = numbers(&world, "out").await;
        copied.dedup();
        assert_eq!(copied, (0..60).collect::<Vec<_>>(), "{step:?}");
        // No number counts twice, however often its batch ran.
        assert_eq!(counts(&world).await, three_counts(0..60), "{step:?}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
