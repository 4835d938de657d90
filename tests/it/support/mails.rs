//! Mails as they lie in the data folder when no SMTP server is given.

use super::{Platform, eventually};
use std::fs;
use std::path::Path;

/// One mail, its transfer encoding undone as far as links and words need it.
#[derive(Clone, Debug)]
pub struct Mail {
    /// To whom.
    pub to: String,
    /// The whole mail.
    pub text: String,
}

impl Mail {
    /// The token of the link in it.
    #[track_caller]
    pub fn token(&self) -> String {
        let at = self.text.find("token=").unwrap_or_else(|| panic!("no token in {}", self.text));
        let rest = &self.text[at + "token=".len()..];
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect()
    }

    /// The address of the link in it.
    #[track_caller]
    pub fn link(&self) -> String {
        let at = self.text.find("token=").unwrap_or_else(|| panic!("no token in {}", self.text));
        let start = self.text[..at].rfind("http").unwrap_or_else(|| panic!("no link in {}", self.text));
        self.text[start..].chars().take_while(|c| !c.is_whitespace() && !"<>\"".contains(*c)).collect()
    }
}

/// The mails in a data folder to an address that contain `part`, oldest first.
pub fn mails(data: &Path, to: &str, part: &str) -> Vec<Mail> {
    let Ok(folder) = fs::read_dir(data.join("mail")) else { return vec![] };
    let mut files: Vec<_> =
        folder.flatten().filter(|file| file.path().extension().is_some_and(|e| e == "eml")).collect();
    files.sort_by_key(|file| file.metadata().and_then(|data| data.modified()).ok());
    let mails = files.iter().filter_map(|file| fs::read(file.path()).ok()).map(|bytes| read(&bytes));
    mails.filter(|mail| mail.to.contains(to) && mail.text.contains(part)).collect()
}

impl Platform {
    /// The mails to an address that contain `part`, oldest first.
    pub fn mails(&self, to: &str, part: &str) -> Vec<Mail> {
        mails(&self.data(), to, part)
    }

    /// The newest mail to an address that contains `part`, as soon as there is one.
    pub async fn mail(&self, to: &str, part: &str) -> Mail {
        eventually(&format!("a mail with {part:?} is there"), async || self.mails(to, part).pop()).await
    }
}

fn read(bytes: &[u8]) -> Mail {
    let raw = String::from_utf8_lossy(bytes).into_owned();
    let text = quoted_printable(&raw);
    let to = text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap_or_default().to_owned();
    Mail { to, text }
}

/// Soft line breaks joined, `=3D` and the like undone.
fn quoted_printable(raw: &str) -> String {
    if !raw.to_lowercase().contains("content-transfer-encoding: quoted-printable") {
        return raw.to_owned();
    }
    let joined = raw.replace("=\r\n", "").replace("=\n", "");
    let mut bytes = vec![];
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'=').and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
