//! The deframer: limits, doorbells, and that any split of a stream is the whole stream.

use eipc_core::wire::{Deframed, Deframer};

/// The first byte chooses limit and doorbells (v1 has none), the second how the rest is split.
pub fn stream(input: &[u8]) {
    let [how, step, stream @ ..] = input else { return };
    let limit = [4_096, 1_048_576, 16, 64][usize::from(how & 3)];
    let doorbells = how & 4 != 0;
    let whole = cut(limit, doorbells, [stream].into_iter());
    let pieces = cut(limit, doorbells, stream.chunks(usize::from(*step).max(1)));
    assert_eq!(whole, pieces, "a split changes what is found");
}

/// What was found: frames, bells (`None`), and the code of the end.
fn cut<'a>(
    limit: usize,
    doorbells: bool,
    chunks: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Option<Vec<u8>>>, Option<i32>) {
    let mut deframer = Deframer::new(limit);
    if doorbells {
        deframer.allow_doorbells();
    }
    let (mut found, mut out) = (Vec::new(), Vec::new());
    for mut chunk in chunks {
        loop {
            assert!(deframer.missing() >= 1);
            match deframer.poll(&mut chunk, &mut out) {
                Ok(Deframed::NeedInput) => {
                    assert!(chunk.is_empty(), "input is left");
                    break;
                }
                Ok(Deframed::NeedRoom(length)) => {
                    assert!((16..=limit).contains(&length) && length > out.len());
                    out.resize(length, 0);
                }
                Ok(Deframed::Frame(length)) => {
                    assert!((16..=limit).contains(&length));
                    found.push(Some(out[..length].to_vec()));
                }
                Ok(Deframed::Doorbell) => {
                    assert!(doorbells);
                    found.push(None);
                }
                Err(error) => {
                    let again = deframer.poll(&mut [0, 0, 0, 16].as_slice(), &mut out).unwrap_err();
                    assert_eq!(again.code, error.code, "a stream that failed goes on");
                    return (found, Some(error.code.value()));
                }
            }
        }
    }
    (found, None)
}
