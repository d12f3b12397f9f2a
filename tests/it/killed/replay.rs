//! Checks that the output of a query consists of its batches, some of them begun more than once.

/// Checks that `copies` contains every batch in order, each as often as it was begun: any number of
/// prefixes of its numbers, then all of them.
pub(crate) fn every_batch_again_from_its_begin(
    copies: &[u64],
    batches: &[Vec<u64>],
) -> Result<(), String> {
    let mut batches = batches.iter().filter(|batch| !batch.is_empty());
    let mut current: &[u64] = &[];
    let mut done = 0;
    for copy in copies {
        if done == current.len() && current.first() != Some(copy) {
            current = batches.next().ok_or(format!("{copy} is in no batch"))?;
            done = 0;
        } else if current.get(done) != Some(copy) {
            done = 0;
        }
        if current.get(done) != Some(copy) {
            return Err(format!("{copy} is wrong at {done} of {current:?}"));
        }
        done += 1;
    }
    match batches.next() {
        None if done == current.len() => Ok(()),
        None => Err(format!("{current:?} ends at {done}")),
        Some(batch) => Err(format!("{batch:?} is missing")),
    }
}

#[test]
fn the_check_distinguishes_a_repeated_batch_from_a_wrong_one() {
    let batches = [vec![1, 2, 3], vec![], vec![4, 5]];
    let check = |copies: &[u64]| every_batch_again_from_its_begin(copies, &batches);
    for good in [
        &[1, 2, 3, 4, 5][..],
        &[1, 1, 2, 1, 2, 3, 4, 5],
        &[1, 2, 3, 1, 2, 3, 4, 4, 5, 4, 5],
    ] {
        check(good).unwrap();
    }
    for bad in [
        &[][..],
        &[1, 2, 3, 4],
        &[1, 2, 3],
        &[1, 2, 4, 5],
        &[1, 2, 3, 2, 3, 4, 5],
        &[1, 2, 3, 4, 5, 1],
        &[1, 2, 3, 4, 5, 6],
        &[2, 1, 3, 4, 5],
        &[1, 2, 3, 5, 4],
    ] {
        assert!(check(bad).is_err(), "{bad:?}");
    }
}
