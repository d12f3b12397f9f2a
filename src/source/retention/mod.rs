//! Whether retention has removed records before they were read.

mod evidence;
mod gap;
mod history;
mod proof;
mod stream_retention;
mod window;

pub(crate) use self::gap::{Gap, WAY_OUT};
pub(crate) use self::history::{Past, Wish};
pub(crate) use self::proof::{Aim, Sight, Watch, number_of};
pub(crate) use self::stream_retention::StreamRetention;
pub(crate) use self::window::Kept;
