//! Where ffmpeg and ffprobe are on this machine, and what they may use. Nothing is downloaded here: that is
//! `scripts/fetch`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Limits;

/// Where ffmpeg and ffprobe are, and what they may use.
#[derive(Clone, Debug)]
pub struct Tools {
    ffmpeg: PathBuf,
    ffprobe: PathBuf,
    limits: Limits,
}

/// Tools that are not on this machine: what, where it was looked for, what to do.
#[derive(Debug)]
pub struct Missing {
    what: String,
    places: Vec<PathBuf>,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.what)?;
        for place in &self.places {
            writeln!(f, "  looked for {}", place.display())?;
        }
        write!(f, "  run scripts/fetch, or install ffmpeg {OLDEST} or newer and set REPRISE_FFMPEG_BIN to its folder")
    }
}

impl std::error::Error for Missing {}

/// Older ones do not know all of our options.
const OLDEST: u32 = 5;

impl Tools {
    /// The folder `REPRISE_FFMPEG_BIN`, else `.tools/` beside the workspace, the program or here, else `PATH`. Starts
    /// ffmpeg once, to ask for its version and its encoder.
    ///
    /// # Errors
    /// They are in none of these places, are too old, or were built without H.264.
    pub fn find() -> Result<Tools, Missing> {
        let folders = match env::var_os("REPRISE_FFMPEG_BIN") {
            Some(given) => vec![PathBuf::from(given)],
            None => homes().into_iter().map(|home| home.join(".tools")).chain(path()).collect(),
        };
        Self::among(folders)
    }

    /// Those in one folder.
    ///
    /// # Errors
    /// As [`Tools::find`].
    pub fn at(folder: &Path) -> Result<Tools, Missing> {
        Self::among(vec![folder.to_owned()])
    }

    /// The same tools with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Tools {
        Tools { limits, ..self }
    }

    /// What they may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The program itself.
    pub fn ffmpeg(&self) -> &Path {
        &self.ffmpeg
    }

    /// The program itself.
    pub fn ffprobe(&self) -> &Path {
        &self.ffprobe
    }

    fn among(folders: Vec<PathBuf>) -> Result<Tools, Missing> {
        let both = |folder: &&PathBuf| folder.join("ffmpeg").is_file() && folder.join("ffprobe").is_file();
        let Some(folder) = folders.iter().find(both) else {
            let places = folders.iter().map(|folder| folder.join("ffmpeg")).collect();
            return Err(Missing { what: "ffmpeg and ffprobe are not here".into(), places });
        };
        // they run in folders of their own, where a relative path means something else
        let absolute = |name| std::path::absolute(folder.join(name)).unwrap_or_else(|_| folder.join(name));
        let tools = Tools { ffmpeg: absolute("ffmpeg"), ffprobe: absolute("ffprobe"), limits: Limits::default() };
        match tools.unfit() {
            Some(what) => Err(Missing { what, places: vec![tools.ffmpeg] }),
            None => Ok(tools),
        }
    }

    /// What keeps these tools from being used.
    fn unfit(&self) -> Option<String> {
        let place = self.ffmpeg.display();
        // a question about an encoder: the version is said before the answer
        let asked = Command::new(&self.ffmpeg).args(["-h", "encoder=libx264"]).stdin(Stdio::null()).output();
        let Some(output) = asked.ok().filter(|output| output.status.success()) else {
            return Some(format!("{place} does not run"));
        };
        // built from a repository it says no number, and is taken for new
        let old = version(&String::from_utf8_lossy(&output.stderr)).filter(|version| *version < OLDEST);
        if let Some(version) = old {
            return Some(format!("{place} is of version {version}, which is too old"));
        }
        let known = String::from_utf8_lossy(&output.stdout).contains("Encoder libx264");
        (!known).then(|| format!("{place} was built without libx264, the encoder for H.264"))
    }
}

/// The first number in `ffmpeg version n7.1.2-4-g…`.
fn version(said: &str) -> Option<u32> {
    let word = said.split_whitespace().nth(2)?.trim_start_matches(['n', 'v']);
    word.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Folders whose `.tools` may hold them: the workspace this was built in, and around where the program lies.
fn homes() -> Vec<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf);
    let program = env::current_exe().ok();
    let around = program.iter().flat_map(|at| at.ancestors().skip(1).take(4)).map(Path::to_path_buf);
    workspace.into_iter().chain(env::current_dir().ok()).chain(around).collect()
}

fn path() -> Vec<PathBuf> {
    let path: Option<OsString> = env::var_os("PATH");
    path.map(|all| env::split_paths(&all).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn pretend(version: &str, encoder: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let script = format!("#!/bin/sh\necho '{version}' >&2; echo '{encoder}'\n");
        for name in ["ffmpeg", "ffprobe"] {
            let file = folder.path().join(name);
            std::fs::write(&file, &script).expect("a script");
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).expect("a mode");
        }
        folder
    }

    fn complaint(folder: &Path) -> String {
        Tools::at(folder).map(drop).expect_err("unfit tools").to_string()
    }

    #[test]
    fn what_is_missing_is_said_with_the_place_and_the_way_out() {
        let empty = tempfile::tempdir().expect("a folder");
        let said = complaint(empty.path());
        let place = empty.path().join("ffmpeg");
        assert!(said.contains(&format!("looked for {}\n", place.display())), "{said}");
        assert!(said.contains("scripts/fetch") && said.contains("REPRISE_FFMPEG_BIN"), "{said}");
    }

    #[test]
    fn old_or_halved_tools_are_refused() {
        let with = "Encoder libx264 [H.264]:";
        let said = complaint(pretend("ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright", with).path());
        assert!(said.contains("version 4, which is too old"), "{said}");
        let said = complaint(pretend("ffmpeg version 7.1 Copyright", "Codec 'libx264' is not recognized").path());
        assert!(said.contains("without libx264"), "{said}");
        for version in ["5.1.9-0+deb12u1", "n7.1.2", "N-118000-gabc"] {
            let folder = pretend(&format!("ffmpeg version {version} Copyright"), with);
            assert!(Tools::at(folder.path()).is_ok(), "{version}");
        }
    }
}
