//! The bounds of the protocol: one set of named constants, the same as SPEC.md's table of limits.
use std::time::Duration;

/// The highest protocol version that this library speaks, and for now the only one.
pub const PROTOCOL_VERSION: u16 = 1;

/// Bytes of one message: a sender keeps below, because every library ends the link of a peer that sends 64 MiB.
pub const MESSAGE_BYTES: u64 = 8 << 20;
/// Bytes that may arrive on a link before `attach` brought a valid token.
pub const HELLO_BYTES: u64 = 8 << 20;
/// Connections without a valid token that a host puts up with at one launch.
pub const UNAUTHENTICATED_CONNECTIONS: usize = 8;
/// Components that one plugin may offer.
pub const COMPONENTS: usize = 256;
/// Bytes of a plugin's name, and of its version.
pub const NAME_BYTES: usize = 255;
/// Bytes of a component's name.
pub const COMPONENT_NAME_BYTES: usize = 64;
/// Bytes of a component's documentation.
pub const DOCUMENTATION_BYTES: usize = 64 << 10;
/// Bytes of a component's configSchema or outputSchema.
pub const SCHEMA_BYTES: usize = 256 << 10;
/// Bytes of the one-line summary of a diagnostic.
pub const SUMMARY_BYTES: usize = 500;

/// Bytes of one `ByteStream.write`.
pub const WRITE_BYTES: usize = 256 << 10;
/// Bytes that a sender leaves unanswered on one stream.
pub const WINDOW_BYTES: usize = 1 << 20;
/// Writes that a sender leaves unanswered on one stream.
pub const WINDOW_WRITES: usize = 64;
/// Bytes that a receiver holds for a slow consumer before it answers late.
pub const READ_AHEAD_BYTES: usize = 256 << 10;
/// Streams that a peer may have open on one link.
pub const OPEN_STREAMS: usize = 64;
/// Calls that a peer may leave unanswered on one object that is not a stream.
pub const OPEN_CALLS: usize = 64;

/// Calls that a peer may have open on one link: every stream full, and as much again for all other objects.
pub const LINK_CALLS: usize = 2 * OPEN_STREAMS * WINDOW_WRITES;
/// Bytes of the calls that a peer may have open on one link: every stream full, and as much again.
pub const LINK_BYTES: usize = 2 * OPEN_STREAMS * WINDOW_BYTES;

/// Bytes to which waiting Ui lines are joined into one call.
pub const UI_JOIN_BYTES: usize = 16 << 10;
/// Bytes of Ui lines that wait for the host before `say` itself waits.
pub const UI_WAITING_BYTES: usize = 256 << 10;

/// A plugin has attached within this time after its start.
pub const ATTACH_WITHIN: Duration = Duration::from_secs(30);
/// `prepare` answers within this time.
pub const PREPARE_WITHIN: Duration = Duration::from_secs(30);
/// Every other quick call answers within this time.
pub const QUICK_WITHIN: Duration = Duration::from_secs(10);
/// An idle plugin that was told to leave has gone within this time.
pub const LEAVE_WITHIN: Duration = Duration::from_secs(5);
/// What a builder or post-processor may take to clean up once it is cancelled.
pub const CLEAN_UP_BUILDER: Duration = Duration::from_secs(600);
/// What any other component may take to clean up once it is cancelled.
pub const CLEAN_UP: Duration = Duration::from_secs(60);
