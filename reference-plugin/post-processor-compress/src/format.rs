//! What an output can be.
use schemars::JsonSchema;
use serde::Deserialize;

/// A format, by the name that its files end in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Format {
    #[serde(rename = "tar")]
    Tar,
    #[serde(rename = "tar.gz")]
    TarGz,
    #[serde(rename = "tar.xz")]
    TarXz,
    #[serde(rename = "tar.zst")]
    TarZst,
    #[serde(rename = "zip")]
    Zip,
    #[serde(rename = "gz")]
    Gz,
    #[serde(rename = "xz")]
    Xz,
    #[serde(rename = "zst")]
    Zst,
}

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    /// At a level; `None` for what is usual.
    Gzip(Option<u32>),
    Xz(Option<u32>),
    Zstd,
}

/// What several files are put together with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Tar(Compression),
    /// At a level; `None` for what is usual.
    Zip(Option<u32>),
    /// None: there is one file.
    Single(Compression),
}

/// Longer endings first: the first that fits counts.
const ENDINGS: [(&str, Format); 11] = [
    (".tar.gz", Format::TarGz),
    (".tar.xz", Format::TarXz),
    (".tar.zst", Format::TarZst),
    (".tgz", Format::TarGz),
    (".txz", Format::TarXz),
    (".tzst", Format::TarZst),
    (".tar", Format::Tar),
    (".zip", Format::Zip),
    (".gz", Format::Gz),
    (".xz", Format::Xz),
    (".zst", Format::Zst),
];

/// Formats whose names mislead when something else is in the file.
const MISSING: [&str; 6] = [".7z", ".bgzf", ".bz2", ".lz4", ".lzma", ".rar"];

impl Format {
    /// What the name of a file says, or why it cannot be that.
    pub(crate) fn by_name(name: &str) -> Result<Self, String> {
        let name = name.to_ascii_lowercase();
        if let Some(missing) = MISSING.iter().find(|ending| name.ends_with(*ending)) {
            return Err(format!(
                "`{missing}` cannot be made: use .tar.gz, .tar.xz, .tar.zst, .tar, .zip, .gz, .xz or .zst"
            ));
        }
        let found = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending));
        Ok(found.map_or(Self::TarGz, |(_, format)| *format))
    }

    /// The format at a level, or why it has none.
    pub(crate) fn at(self, level: Option<u32>) -> Result<Container, String> {
        let without_levels = matches!(self, Self::Tar | Self::TarZst | Self::Zst);
        if without_levels && level.is_some() {
            return Err("this format has no levels here: gzip, xz and zip have".to_owned());
        }
        Ok(match self {
            Self::Tar => Container::Tar(Compression::None),
            Self::TarGz => Container::Tar(Compression::Gzip(level)),
            Self::TarXz => Container::Tar(Compression::Xz(level)),
            Self::TarZst => Container::Tar(Compression::Zstd),
            Self::Zip => Container::Zip(level),
            Self::Gz => Container::Single(Compression::Gzip(level)),
            Self::Xz => Container::Single(Compression::Xz(level)),
            Self::Zst => Container::Single(Compression::Zstd),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_output_says_the_format() {
        let names = [
            "a.tar",
            "a.tar.gz",
            "a.TGZ",
            "a.tar.xz",
            "a.txz",
            "a.tar.zst",
            "a.tzst",
            "a.zip",
            "a.raw.gz",
            "a.xz",
            "a.zst",
            "a",
            "a-1.0",
            "a.box",
            "gz",
            "a.bz2",
            "a.tar.lz4",
        ];
        let told = names.map(|name| format!("{name}: {:?}", Format::by_name(name)));
        insta::assert_snapshot!(told.join("\n"), @r#"
        a.tar: Ok(Tar)
        a.tar.gz: Ok(TarGz)
        a.TGZ: Ok(TarGz)
        a.tar.xz: Ok(TarXz)
        a.txz: Ok(TarXz)
        a.tar.zst: Ok(TarZst)
        a.tzst: Ok(TarZst)
        a.zip: Ok(Zip)
        a.raw.gz: Ok(Gz)
        a.xz: Ok(Xz)
        a.zst: Ok(Zst)
        a: Ok(TarGz)
        a-1.0: Ok(TarGz)
        a.box: Ok(TarGz)
        gz: Ok(TarGz)
        a.bz2: Err("`.bz2` cannot be made: use .tar.gz, .tar.xz, .tar.zst, .tar, .zip, .gz, .xz or .zst")
        a.tar.lz4: Err("`.lz4` cannot be made: use .tar.gz, .tar.xz, .tar.zst, .tar, .zip, .gz, .xz or .zst")
        "#);
    }

    #[test]
    fn a_level_is_for_what_has_levels() {
        assert_eq!(Format::Gz.at(Some(9)), Ok(Container::Single(Compression::Gzip(Some(9)))));
        assert_eq!(Format::TarZst.at(None), Ok(Container::Tar(Compression::Zstd)));
        for format in [Format::Tar, Format::TarZst, Format::Zst] {
            assert!(format.at(Some(9)).is_err());
        }
    }
}
