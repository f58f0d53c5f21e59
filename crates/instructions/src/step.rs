//! The steps of a message, as programs for valgrind. Each program repeats its own step and those it needs before; what the step alone costs is
//! what is left without them. Tags are counted apart: they are ring's, and would hide what is ours.

use eipc_core::Suite;
use eipc_core::crypto::mac::MacKey;

use crate::Result;
use crate::plane::Plane;

/// Bytes of payload: those of the targets, and a feature vector of 256 values.
const SMALL: usize = 64;
const LARGE: usize = 1_024;

/// What a program repeats.
#[derive(Clone, Copy)]
enum Work {
    /// The tag of so many bytes: what seal and open cannot do without.
    Tag(usize),
    Seal(Suite, usize),
    SealAndOpen(Suite, usize),
    Push(usize),
    PushAndDrain(usize),
}

/// A step and how to count it.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// Programs that this one contains, and whose instructions are not its own.
    pub(crate) without: &'static [&'static str],
    work: Work,
}

const fn step(name: &'static str, without: &'static [&'static str], work: Work) -> Step {
    Step { name, without, work }
}

/// Every step counted.
pub(crate) const STEPS: &[Step] = &[
    step("tag-64", &[], Work::Tag(40 + 24 + SMALL)),
    step("seal-64", &["tag-64"], Work::Seal(Suite::HmacSha256, SMALL)),
    step("open-64", &["seal-64", "tag-64"], Work::SealAndOpen(Suite::HmacSha256, SMALL)),
    step("push-64", &[], Work::Push(SMALL)),
    step("drain-64", &["push-64"], Work::PushAndDrain(SMALL)),
    step("seal-1024-aes", &[], Work::Seal(Suite::Aes256Gcm, LARGE)),
    step("open-1024-aes", &["seal-1024-aes"], Work::SealAndOpen(Suite::Aes256Gcm, LARGE)),
    step("push-1024", &[], Work::Push(LARGE)),
    step("drain-1024", &["push-1024"], Work::PushAndDrain(LARGE)),
];

impl Step {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        STEPS.iter().find(|step| step.name == name)
    }

    /// Repeats it.
    pub(crate) fn run(&self, messages: u32) -> Result<()> {
        match self.work {
            Work::Tag(length) => {
                let (key, message) = (MacKey::new(&[1; 32]), vec![7; length]);
                let mut tag = [0; 32];
                for _ in 0..messages {
                    key.sign_into(std::hint::black_box(&message), &mut tag);
                }
                std::hint::black_box(tag);
                Ok(())
            }
            Work::Seal(suite, payload) => repeat(Plane::open(suite, payload)?, messages, Plane::seal),
            Work::SealAndOpen(suite, payload) => repeat(Plane::open(suite, payload)?, messages, |plane| {
                plane.seal()?;
                plane.open_sealed()
            }),
            Work::Push(payload) => repeat(Plane::open(Suite::HmacSha256, payload)?, messages, Plane::push),
            Work::PushAndDrain(payload) => {
                let mut plane = Plane::open(Suite::HmacSha256, payload)?;
                for _ in 0..messages {
                    plane.push()?;
                }
                repeat(plane, messages, Plane::drain)
            }
        }
    }
}

fn repeat(mut plane: Plane, messages: u32, work: impl Fn(&mut Plane) -> Result<()>) -> Result<()> {
    (0..messages).try_for_each(|_| work(&mut plane))
}
