//! packer-hook-timings: tells where a build's time went.
//!
//! Packer has nothing like it. There are no options: the template names the hook for the events of the host.
//!
//! ```json
//! "hooks": {
//!   "packwire_build_started": ["timings"],
//!   "packwire_provisioner_started": ["timings"],
//!   "packwire_provisioner_finished": ["timings"],
//!   "packwire_post_processor_started": ["timings"],
//!   "packwire_post_processor_finished": ["timings"],
//!   "packwire_build_finished": ["timings"]
//! }
//! ```
//!
//! | Event | Does |
//! | --- | --- |
//! | `packwire_build_started` | begins to count; without it the first other event does |
//! | `packwire_provisioner_started`, `packwire_post_processor_started` | begins a part of the build |
//! | `packwire_provisioner_finished`, `packwire_post_processor_finished` | ends it |
//! | `packwire_build_finished` | says the table, and for programs a line `timing,BUILD,COMPONENT,INDEX,MILLISECONDS,OUTCOME` for each part |
//! | any other | nothing |
//!
//! The builder has the time in which no part ran. Parts that run side by side each have their own time: then the shares
//! are more than 100 % together. Builds are told apart by `BuildName` and `PackerRunUUID` of the events' data.
mod course;
mod event;
mod table;
mod timings;

packwire_plugin::serve_hook!(
    "timings",
    "Tells where a build's time went",
    timings::Timings::new(),
    documented: timings::DOCUMENTATION
);
