//! Where commands run: chosen, said, and ended.
use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use packwire_plugin::{
    Diagnostic, Stop, Ui,
    process::{Group, Pipes},
};
use rustix::{
    fs::{AtFlags, FileType, Mode, chmodat, makedev, mknodat},
    io::Errno,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::ChildStdin,
};

use crate::{
    config::{Bound, Isolation, Order},
    inside::{Keep, Kept, Place, Task},
    stragglers::{self, ROOTFS},
    tree::{Tree, unnoticed},
};

/// How long the kernel may take to end what is in namespaces.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// What many commands need, by the numbers that Linux has for them below 1.
const DEVICES: [(&str, u32); 5] = [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)];
/// Where commands are looked for that the image does not say otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where commands run, for as long as the build lasts. Dropped, what runs there is killed.
#[derive(Debug)]
pub(crate) struct Enclosure {
    pub(crate) place: Place,
    /// What was made in the tree for the mounts.
    pub(crate) made: Vec<PathBuf>,
    keeper: Option<Keeper>,
}

/// The process that keeps namespaces, until its standard input ends.
#[derive(Debug)]
struct Keeper {
    stdin: Option<ChildStdin>,
    group: Group,
}

impl Enclosure {
    /// Opens what the order asks for, and says what that is. `beside` is a directory for what commands see of the host's.
    pub(crate) async fn open(order: &Order, tree: &Path, beside: &Path, ui: &Ui) -> Result<Self, Stop> {
        let refused = |why: String| Stop::from(Diagnostic::error(why).at("/isolation"));
        let is_root = rustix::process::geteuid().is_root();
        let opened = match order.isolation {
            Isolation::Directory => Self::beside(tree),
            Isolation::Chroot if is_root => Self::chroot(order, tree),
            Isolation::Chroot => return Err(refused("only root can use chroot".to_owned())),
            Isolation::Namespaces => {
                let opened = Self::namespaces(order, tree, beside, !is_root).await;
                opened.map_err(|kept| refused(format!("there are no namespaces here: {}", kept.why())))?
            }
            Isolation::Auto if !has_shell(tree, order) => {
                require_no_mounts(order, &format!("there is no {} in the tree or in them", order.shell))?;
                ui.say(format!("There is no {} in the tree", order.shell)).await?;
                Self::beside(tree)
            }
            Isolation::Auto => match Self::namespaces(order, tree, beside, !is_root).await {
                Ok(opened) => opened,
                Err(kept) => {
                    require_no_mounts(order, kept.why())?;
                    ui.say(format!("There are no namespaces here: {}", kept.why())).await?;
                    let mut other = if is_root { Self::chroot(order, tree) } else { Self::beside(tree) };
                    other.made.extend(kept.made);
                    other
                }
            },
        };
        ui.say(opened.described()).await?;
        Ok(opened)
    }

    fn beside(tree: &Path) -> Self {
        Self { place: Place::Directory(tree.to_owned()), made: Vec::new(), keeper: None }
    }

    /// Where commands need no more than a few devices, these are made, and left out again.
    fn chroot(order: &Order, tree: &Path) -> Self {
        let mut made = Vec::new();
        if order.system_mounts {
            // A container may forbid it, and many commands do without.
            drop(make_devices(tree, &mut made));
        }
        Self { place: Place::Chroot(tree.to_owned()), made, keeper: None }
    }

    /// Makes namespaces; or says why there are none, and what was made in the tree by then.
    async fn namespaces(order: &Order, tree: &Path, beside: &Path, user: bool) -> Result<Self, Kept> {
        let keep = Keep {
            tree: tree.to_owned(),
            user,
            mounts: order.mounts.clone(),
            system_mounts: order.system_mounts,
            resolv_conf: order.resolv_conf.then(|| resolv_conf(beside)).flatten(),
        };
        let failed = |why: String| Kept { made: Vec::new(), failed: Some(why) };
        let unstarted = |error: io::Error| failed(error.to_string());
        let start = || Group::start(&Task::Keep(keep).program(&BTreeMap::new())?);
        let mut group = start().map_err(unstarted)?;
        let id = group.pipes().id();
        let Pipes { stdin, stdout, stderr } = Pipes::of(&mut group).map_err(unstarted)?;
        let keeper = Keeper { stdin, group };
        let (mut told, mut complaint) = (String::new(), String::new());
        drop(BufReader::new(stdout).read_line(&mut told).await);
        match serde_json::from_str(&told) {
            Ok(Kept { made, failed: None }) => {
                let place = Place::Namespaces { keeper: id, user };
                Ok(Self { place, made, keeper: Some(keeper) })
            }
            Ok(kept) => {
                keeper.end().await;
                Err(kept)
            }
            Err(_) => {
                keeper.end().await;
                drop(BufReader::new(stderr).read_to_string(&mut complaint).await);
                Err(failed(complaint.trim().to_owned()))
            }
        }
    }

    fn described(&self) -> &'static str {
        match &self.place {
            Place::Namespaces { user: false, .. } => "Commands run in the tree, in namespaces of their own",
            Place::Namespaces { user: true, .. } => {
                "Commands run in the tree, in namespaces of their own that know one user: the archive keeps the owners"
            }
            Place::Chroot(_) => {
                "Commands run in the tree by chroot, and share processes, mounts and network with this machine"
            }
            Place::Directory(_) => {
                "Commands run on this machine with its own shell, in the tree's directory, which ROOTFS names; \
                 paths that do not begin with / are the same for them and for uploads"
            }
        }
    }

    /// The environment of commands; on the host, beside the host's own.
    pub(crate) fn environment(&self, order: &Order) -> BTreeMap<OsString, OsString> {
        let mut environment: BTreeMap<OsString, OsString> = match &self.place {
            Place::Directory(tree) => [(ROOTFS.into(), tree.as_os_str().to_owned())].into(),
            _ => {
                let first = [("PATH", PATH), ("HOME", "/root"), ("USER", "root")];
                let first = first.map(|(name, value)| (name.into(), value.into()));
                let image = order.image.env.iter().map(|(name, value)| (name.into(), value.into()));
                first.into_iter().chain(image).collect()
            }
        };
        environment.extend(order.build_env.iter().map(|(name, value)| (name.into(), value.into())));
        environment
    }

    /// Ends all that runs there; nothing is left when this answers.
    pub(crate) async fn end(self) {
        if let Some(keeper) = self.keeper {
            keeper.end().await;
        }
        if let Place::Chroot(tree) | Place::Directory(tree) = self.place {
            drop(tokio::task::spawn_blocking(move || stragglers::end(&tree)).await);
        }
    }
}

impl Kept {
    fn why(&self) -> &str {
        self.failed.as_deref().unwrap_or("nobody knows why")
    }
}

impl Keeper {
    async fn end(mut self) {
        self.stdin = None;
        // The kernel ends all in the namespaces before the outer process hears of it.
        drop(tokio::time::timeout(GONE_WITHIN, self.group.ended()).await);
    }
}

/// Makes the devices that are missing in a tree.
fn make_devices(tree: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let tree = Tree::at(tree)?;
    tree.make_directories(Path::new("dev"), made)?;
    for (name, minor) in DEVICES {
        let path = Path::new("dev").join(name);
        let spot = tree.spot(&path)?;
        let (kind, mode) = (FileType::CharacterDevice, Mode::from_raw_mode(0o666));
        match unnoticed(spot.fd(), || mknodat(spot.fd(), &spot.name, kind, mode, makedev(1, minor))) {
            Ok(()) => made.push(path),
            Err(Errno::EXIST) => continue,
            Err(error) => return Err(error.into()),
        }
        // What this process's own mask took away.
        chmodat(spot.fd(), &spot.name, mode, AtFlags::empty())?;
    }
    Ok(())
}

/// Whether commands would find their shell, in the tree or in what is mounted there.
fn has_shell(tree: &Path, order: &Order) -> bool {
    let shell = Path::new(&order.shell);
    let mounted = |bound: &Bound| {
        let below = shell.strip_prefix(&bound.target);
        below.is_ok_and(|below| bound.source.join(below).exists())
    };
    order.mounts.iter().any(mounted) || Tree::at(tree).is_ok_and(|tree| tree.has(shell))
}

/// Mounts that were asked for are not left out silently.
fn require_no_mounts(order: &Order, why: &str) -> Result<(), Stop> {
    if order.mounts.is_empty() {
        return Ok(());
    }
    Err(Diagnostic::error(format!("mounts need namespaces: {why}")).at("/mounts").into())
}

/// A copy of the host's file, which commands may write to without an effect outside.
fn resolv_conf(beside: &Path) -> Option<PathBuf> {
    let copy = beside.join("resolv.conf");
    std::fs::copy("/etc/resolv.conf", &copy).ok().map(|_| copy)
}
