//! The hook: it keeps the course of every build under way, and tells it at the end.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use packwire_plugin::{Hook, HookRun, Outcome, Stop, Ui, outcome, unless_cancelled};

use crate::{
    course::Course,
    event::{Data, Point},
    table::{fields, length, table},
};

/// How many builds may be under way: hosts that never tell of an end must not fill the memory.
const MOST: usize = 1000;
/// What the lines for programs are called.
const CATEGORY: &str = "timing";

/// How it is used, for whoever asks.
pub(crate) const DOCUMENTATION: &str = "Counts the time between the events of the host, and says at the end of a build \
    which part took how long. The template names it for the events that shall count:\n\n\
    ```json\n\
    \"hooks\": {\n  \
      \"packwire_build_started\": [\"timings\"],\n  \
      \"packwire_provisioner_started\": [\"timings\"],\n  \
      \"packwire_provisioner_finished\": [\"timings\"],\n  \
      \"packwire_post_processor_started\": [\"timings\"],\n  \
      \"packwire_post_processor_finished\": [\"timings\"],\n  \
      \"packwire_build_finished\": [\"timings\"]\n\
    }\n\
    ```\n";

/// Which build of which run.
type Key = (String, String);

/// Counts the time of builds. Clones are the same.
#[derive(Clone)]
pub(crate) struct Timings {
    /// What has passed since any point before the first event.
    clock: Arc<dyn Fn() -> Duration + Send + Sync>,
    courses: Arc<Mutex<BTreeMap<Key, Course>>>,
}

impl Timings {
    pub(crate) fn new() -> Self {
        let start = Instant::now();
        Self::with_clock(move || start.elapsed())
    }

    fn with_clock(clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), courses: Arc::default() }
    }

    fn courses(&self) -> MutexGuard<'_, BTreeMap<Key, Course>> {
        self.courses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what happened; the course of a build that is over.
    fn note(&self, point: Point, data: Data, now: Duration) -> Option<Course> {
        let mut courses = self.courses();
        let key = (data.run.clone(), data.build_name.clone());
        if point == Point::Started {
            drop(courses.remove(&key));
        }
        make_room(&mut courses);
        let course = courses.entry(key.clone()).or_insert_with(|| Course::begun(now, &data.builder_type));
        match point {
            Point::Started => None,
            Point::PartStarted(kind) => {
                course.start(kind, data, now);
                None
            }
            Point::PartFinished(kind) => {
                course.finish(kind, data, now);
                None
            }
            Point::Finished => courses.remove(&key),
        }
    }
}

/// Forgets the oldest build where there are too many.
fn make_room(courses: &mut BTreeMap<Key, Course>) {
    if courses.len() >= MOST {
        let oldest = courses.iter().min_by_key(|(_, course)| course.begun).map(|(key, _)| key.clone());
        drop(oldest.and_then(|oldest| courses.remove(&oldest)));
    }
}

impl Hook for Timings {
    async fn run(&self, run: HookRun) -> Outcome {
        // The time of an event is that of its call, not of what it takes to read it.
        let now = (self.clock)();
        let HookRun { event, ui, data, cancellation, .. } = run;
        let Some(point) = Point::of(&event) else { return Outcome::Done };
        let data: Data = match serde_json::from_str(&data) {
            Ok(data) => data,
            Err(error) => return Outcome::failed(format!("the data of the event `{event}`: {error}")),
        };
        let build = data.build_name.clone();
        match (self.note(point, data, now), ui) {
            (Some(course), Some(ui)) => {
                let told = unless_cancelled(&cancellation, tell(&ui, &build, &course, now)).await;
                outcome(told.flatten())
            }
            _ => Outcome::Done,
        }
    }
}

async fn tell(ui: &Ui, build: &str, course: &Course, now: Duration) -> Result<(), Stop> {
    let (shares, total) = (course.shares(now), course.total(now));
    ui.say(format!("Where {} went:", length(total))).await?;
    ui.message(table(&shares, total)).await?;
    for share in &shares {
        ui.machine(CATEGORY, fields(build, share)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use packwire_plugin::testing::Host;
    use serde_json::{Value, json};

    /// A host whose builds last as long as the test says.
    struct Building {
        host: Host,
        timings: Timings,
        millis: Arc<AtomicU64>,
    }

    impl Building {
        fn new() -> Self {
            let millis = Arc::<AtomicU64>::default();
            let clock = millis.clone();
            let timings = Timings::with_clock(move || Duration::from_millis(clock.load(Ordering::Relaxed)));
            Self { host: Host::new(), timings, millis }
        }

        /// What happens when so much of the time is over.
        async fn at(&self, millis: u64, event: &str, data: Value) -> Result<(), Stop> {
            self.millis.store(millis, Ordering::Relaxed);
            self.host.call_hook(self.timings.clone(), event, &data).await
        }

        async fn build_at(&self, millis: u64, build: &str, event: &str, outcome: &str) {
            let data = json!({
                "BuildName": build, "PackerRunUUID": "u", "BuilderType": "null", "Outcome": outcome, "ID": 7,
            });
            self.at(millis, &format!("packwire_build_{event}"), data).await.unwrap();
        }

        /// `event` is `provisioner_started` and so on.
        async fn part_at(&self, millis: u64, build: &str, event: &str, part: (&str, u64), outcome: &str) {
            let (component, index) = part;
            let data = json!({
                "BuildName": build, "PackerRunUUID": "u", "Component": component, "Index": index, "Outcome": outcome,
            });
            self.at(millis, &format!("packwire_{event}"), data).await.unwrap();
        }

        fn told(&self) -> String {
            self.host.told().join("\n")
        }
    }

    #[tokio::test]
    async fn a_build_is_told_part_by_part() {
        let building = Building::new();
        building.build_at(1000, "web", "started", "").await;
        building.part_at(4100, "web", "provisioner_started", ("shell", 0), "").await;
        building.part_at(10_100, "web", "provisioner_finished", ("shell", 0), "done").await;
        building.part_at(10_100, "web", "provisioner_started", ("file", 1), "").await;
        building.part_at(10_150, "web", "provisioner_finished", ("file", 1), "done").await;
        building.part_at(80_000, "web", "post_processor_started", ("compress", 0), "").await;
        building.part_at(83_000, "web", "post_processor_finished", ("compress", 0), "failed").await;
        building.build_at(83_001, "web", "finished", "failed").await;
        insta::assert_snapshot!(building.told());
        assert!(building.timings.courses().is_empty());
    }

    #[tokio::test]
    async fn builds_side_by_side_have_their_own_times() {
        let building = Building::new();
        building.build_at(0, "a", "started", "").await;
        building.build_at(1000, "b", "started", "").await;
        building.part_at(2000, "a", "provisioner_started", ("shell", 0), "").await;
        building.part_at(3000, "b", "provisioner_started", ("shell", 0), "").await;
        building.part_at(4000, "b", "provisioner_finished", ("shell", 0), "done").await;
        building.build_at(5000, "b", "finished", "done").await;
        building.build_at(6000, "a", "finished", "cancelled").await;
        insta::assert_snapshot!(building.told());
    }

    #[tokio::test]
    async fn parts_side_by_side_leave_the_builder_what_is_left() {
        let building = Building::new();
        building.build_at(0, "a", "started", "").await;
        building.part_at(1000, "a", "post_processor_started", ("checksum", 0), "").await;
        building.part_at(2000, "a", "post_processor_started", ("compress", 1), "").await;
        building.part_at(3000, "a", "post_processor_finished", ("checksum", 0), "done").await;
        building.part_at(5000, "a", "post_processor_finished", ("compress", 1), "done").await;
        building.build_at(5000, "a", "finished", "done").await;
        insta::assert_snapshot!(building.told());
    }

    #[tokio::test]
    async fn what_is_told_of_only_in_part_is_counted_from_there() {
        let building = Building::new();
        building.part_at(1000, "a", "provisioner_finished", ("shell", 0), "done").await;
        building
            .at(2000, "packwire_build_finished", json!({"BuildName": "a", "PackerRunUUID": "u"}))
            .await
            .unwrap();
        assert_eq!(building.host.told()[0], "say: Where 1.0 s went:");
    }

    #[tokio::test]
    async fn events_of_others_are_done_and_data_without_sense_is_refused() {
        let building = Building::new();
        for event in ["packer_provision", "packer_cleanup_provision", "acme_event", ""] {
            building.at(0, event, json!([])).await.unwrap();
        }
        let stop = building.at(0, "packwire_build_started", json!({"BuildName": 7})).await.unwrap_err();
        let Stop::Failed(diagnostics) = stop else { panic!("{stop:?}") };
        insta::assert_snapshot!(diagnostics[0].summary, @"the data of the event `packwire_build_started`: invalid type: integer `7`, expected a string at line 1 column 14");
        assert!(building.told().is_empty() && building.timings.courses().is_empty());
    }

    #[test]
    fn builds_without_an_end_do_not_fill_the_memory() {
        let timings = Timings::new();
        for number in 0..MOST as u64 + 50 {
            let data = Data { build_name: number.to_string(), ..Data::default() };
            assert!(timings.note(Point::Started, data, Duration::from_secs(number)).is_none());
        }
        assert_eq!(timings.courses().len(), MOST);
        let youngest = Data { build_name: (MOST + 49).to_string(), ..Data::default() };
        assert!(timings.note(Point::Finished, youngest, Duration::MAX).is_some());
    }
}
