//! `ByteStream`: bytes one way, with an explicit end and a verdict on it.
//!
//! [`pipe`] makes a stream that we receive; a stream of the peer's, to which we write, is a [`StreamSender`].
mod receiver;
mod sender;

pub(crate) use receiver::unoffered;
pub use receiver::{Aborted, OfferedStream, StreamReceiver, pipe};
pub use sender::StreamSender;
